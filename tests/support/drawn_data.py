"""A drawn stand-in for the folder of real photographs: the same names, pictures of our own."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.float64]


def scene(seed: int, height: int, width: int) -> Picture:
    """Return a picture with detail of every size and smooth places, ``(H, W, 3)`` from 0 to 1."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    total = np.stack([rows / height, columns / width, (rows + columns) / (height + width)], axis=2)
    for cell, strength in ((5, 0.1), (16, 0.25), (60, 0.6)):
        shape = (height // cell + 2, width // cell + 2, 3)
        coarse = generator.random(shape).mean(axis=2, keepdims=True) + 0.2 * generator.random(shape)
        total = total + strength * np.kron(coarse, np.ones((cell, cell, 1)))[:height, :width]
    smooth = (columns > width * 0.6)[..., None]  # a wall: nothing but a ramp
    total = np.where(smooth, 1 + 0.3 * rows[..., None] / height, total)
    return np.asarray(0.08 + 0.8 * (total - total.min()) / np.ptp(total))


def camera_noise(clean: Picture, seed: int, level: float = 0.06) -> Picture:
    """Add noise as cameras do: stronger in the light, correlated between neighbours."""
    noise = np.random.default_rng(seed).normal(0, level, clean.shape) * np.sqrt(0.2 + clean)
    mixed = noise.mean(axis=2, keepdims=True) * 0.8 + noise * 0.8
    for axis in (0, 1):
        mixed = 0.25 * np.roll(mixed, 1, axis) + 0.75 * mixed
    return np.asarray(clean + 1.4 * mixed)


def draw(folder: Path) -> Path:
    """Write pictures under the names that tests look for; return the folder."""
    for index in range(10):
        clean = scene(index, 256, 256)
        _save(camera_noise(clean, index), folder / "sidd-mini-val" / "Noisy" / f"0_{index}.PNG")
        _save(clean, folder / "sidd-mini-val" / "GT" / f"0_{index}.PNG")
    for name, size in {"001": (300, 400), "007": (360, 300), "031": (200, 332)}.items():
        _save(scene(int(name), *size), folder / "clean" / f"cid22_{name}.jpg")
    for seed, name in enumerate(("Dog", "dnd_01", "dnd_02", "dnd_05"), 50):
        noisy = camera_noise(scene(seed, 256, 288), 3, 0.04)
        _save(noisy, folder / "real-noisy" / f"{name}.png")
    return folder


def _save(picture: Picture, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.round(picture.clip(0, 1) * 255).astype(np.uint8)
    options = {"quality": 96, "subsampling": 0} if path.suffix == ".jpg" else {}
    Image.fromarray(pixels).save(path, **options)
