"""Fit drawn cameras to real camera JPEGs: does the range of DSLRs hold noise like theirs?

Part of ``noise_fit.py``. For each photograph the smooth squares of its reference are made noisy by
drawn cameras; from the nearest a search goes on by drawing some of its settings anew. Compared are
the power by spatial frequency of luma and chroma, and the luma's standard deviation by brightness.
The photographs are only measured, nothing is trained on them.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib import pyplot
from torch import Tensor

from invdn.data.camera import DSLR, Cameras, sample_cameras
from invdn.data.jpeg import mix_channels
from invdn.data.noise import add_camera_noise
from invdn.image.dct import YCBCR
from invdn.image.dtype import to_float
from invdn.photo.read import read_photo

TILE, TILES, LEVELS = 64, 16, 4  # pixels, squares of a photograph, levels of brightness
DRAWS, ROUNDS, KEPT = 40, 8, 0.6  # cameras of a round, rounds, share of the settings that stay
FREQUENCIES = torch.arange(0.5 / 16, 0.5, 1 / 16)  # cycles for each pixel, middles of the rings
LAGS = (1, 2, 4, 8)
PLANES = ("Y", "Cb", "Cr")


@dataclass(frozen=True)
class Fingerprint:
    """What noise looks like; of (n, 3, 64, 64) squares that rise in brightness, of 255.

    Attributes:
        power: (3, 8) mean power of Y, Cb, Cr in rings of spatial frequency.
        spread: (4,) standard deviation of Y by brightness.
        total: (3,) standard deviation of Y, Cb, Cr.
        correlation: (3, 4) of pixels 1, 2, 4 and 8 apart in a row.
    """

    power: Tensor
    spread: Tensor
    total: Tensor
    correlation: Tensor

    def distance(self, other: "Fingerprint") -> float:
        """Root mean square of the differences of the logarithms of power and spread."""
        power = (self.power / other.power).log().square()
        spread = 2 * (self.spread / other.spread).log().square()
        return float((power.mean() + spread.mean()).sqrt())


def fingerprint(noise: Tensor) -> Fingerprint:
    """Measure squares of noise (n, 3, 64, 64), sorted by brightness."""
    matrix = torch.as_tensor(YCBCR, dtype=noise.dtype)
    planes = mix_channels(noise * 255, matrix)
    planes = planes - planes.mean((2, 3), keepdim=True)
    window = torch.hann_window(TILE, periodic=False)
    window = window[:, None] * window
    power = torch.fft.fft2(planes * window).abs().square().mean(0) / window.square().sum()
    frequency = torch.fft.fftfreq(TILE)
    radius = torch.hypot(frequency[:, None], frequency)
    rings = [(radius - middle).abs() < 1 / 32 for middle in FREQUENCIES]
    variance = planes.square().mean((0, 2, 3))
    correlation = [(planes[..., lag:] * planes[..., :-lag]).mean((0, 2, 3)) for lag in LAGS]
    return Fingerprint(
        torch.stack([power[:, ring].mean(1) for ring in rings], 1),
        torch.stack([part[:, 0].std() for part in planes.chunk(LEVELS)]),
        variance.sqrt(),
        torch.stack(correlation, 1) / variance[:, None],
    )


def smooth_squares(noisy_path: Path, clean_path: Path) -> tuple[Tensor, Tensor]:
    """The smoothest squares of four levels of brightness: noise and clean, (16, 3, 64, 64)."""
    noisy, clean = (
        torch.from_numpy(to_float(read_photo(path).pixels)) for path in (noisy_path, clean_path)
    )
    squares = []
    for picture in (noisy, clean):
        height, width = (size // TILE * TILE for size in picture.shape[:2])
        cut = picture[:height, :width].reshape(height // TILE, TILE, width // TILE, TILE, 3)
        squares.append(cut.permute(0, 2, 4, 1, 3).reshape(-1, 3, TILE, TILE))
    noisy, clean = squares
    brightness, texture = clean.mean((1, 2, 3)), clean.std((2, 3)).amax(1)
    usable = ((brightness > 0.06) & (brightness < 0.94)).nonzero().flatten()
    usable = usable[texture[usable].argsort()[: max(TILES * 4, len(usable) // 5)]]
    usable = usable[brightness[usable].argsort()]
    chosen = torch.cat(
        [part[texture[part].argsort()[: TILES // LEVELS]] for part in usable.chunk(LEVELS)]
    )
    chosen = chosen[brightness[chosen].argsort()]
    return noisy[chosen] - clean[chosen], clean[chosen]


def _mixed(parent: Cameras, drawn: Cameras, generator: torch.Generator) -> Cameras:
    """Each setting from the parent or drawn anew."""
    count = len(drawn)
    settings = {}
    for field in fields(Cameras):
        new, old = getattr(drawn, field.name), getattr(parent, field.name)
        keep = torch.rand(count, generator=generator) < KEPT
        keep[0] = True
        settings[field.name] = torch.where(keep.view(-1, *[1] * (new.ndim - 1)), old, new)
    return Cameras(**settings)


def _one(cameras: Cameras, index: int, count: int) -> Cameras:
    return Cameras(
        **{
            field.name: getattr(cameras, field.name)[index : index + 1].expand(
                count, *getattr(cameras, field.name).shape[1:]
            )
            for field in fields(Cameras)
        }
    )


def fit(real: Fingerprint, clean: Tensor, seed: int) -> tuple[Cameras, Fingerprint]:
    """Search the range of DSLRs for the camera whose noise is nearest."""
    generator = torch.Generator().manual_seed(seed)
    ranges = replace(DSLR, exposure=(1.0, 1.0), hot_share=0.0)
    best, nearest, found = sample_cameras(1, generator, ranges), float("inf"), real
    for number in range(ROUNDS):
        cameras = sample_cameras(DRAWS, generator, ranges)
        if number:
            cameras = _mixed(best, cameras, generator)
        for index in range(DRAWS):
            camera = _one(cameras, index, len(clean))
            made = add_camera_noise(clean, camera, torch.Generator().manual_seed(seed))
            print_of = fingerprint(made.noisy - made.clean)
            distance = real.distance(print_of)
            if distance < nearest:
                nearest, found = distance, print_of
                best = _one(cameras, index, 1)
    return best, found


def compare_jpegs(folder: Path, target: Path) -> dict[str, dict[str, object]]:
    """Fit every photograph below ``folder`` and draw the spectra into ``target``.

    Returns:
        By photograph: both fingerprints, their distance, and the camera that was found.
    """
    results, prints = {}, []
    for seed, path in enumerate(sorted((folder / "GT").iterdir())):
        noise, clean = smooth_squares(folder / "Noisy" / path.name, path)
        real = fingerprint(noise)
        camera, made = fit(real, clean, seed)
        prints.append((path.stem, real, made))
        settings = ("shot", "read", "luma", "luma_radius", "luma_kept", "chroma", "chroma_radius")
        results[path.stem] = {
            "distance": round(real.distance(made), 3),
            "camera": {
                name: float(f"{float(getattr(camera, name)):.3g}")
                for name in (*settings, "contrast", "jpeg_quality", "jpeg_subsampling")
            },
            "real": _rounded(real),
            "synthetic": _rounded(made),
        }
        print(path.stem, results[path.stem]["distance"], flush=True)
    _plot(prints, target)
    return results


def _rounded(noise: Fingerprint) -> dict[str, object]:
    return {
        name: np.round(getattr(noise, name).numpy().astype(float), 3).tolist()
        for name in ("total", "spread", "correlation", "power")
    }


def _plot(prints: list[tuple[str, Fingerprint, Fingerprint]], target: Path) -> None:
    """Real (dots) and synthetic (lines): power by frequency, spread by brightness."""
    matplotlib.use("Agg")
    figure, axes = pyplot.subplots(2, len(prints), figsize=(2.2 * len(prints), 5), sharey="row")
    for (above, below), (name, real, made) in zip(axes.T, prints, strict=True):
        for index, (plane, color) in enumerate(
            zip(PLANES, ("black", "tab:blue", "tab:red"), strict=True)
        ):
            above.semilogy(FREQUENCIES, real.power[index], "o", color=color, markersize=3)
            above.semilogy(FREQUENCIES, made.power[index], "-", color=color, label=plane)
        below.plot(range(1, LEVELS + 1), real.spread, "o", color="black", markersize=3)
        below.plot(range(1, LEVELS + 1), made.spread, "-", color="black")
        above.set_title(name, fontsize=7)
        above.set_xlabel("cycles for each pixel", fontsize=7)
        below.set_xlabel("dark to bright", fontsize=7)
        below.set_ylim(bottom=0)
    axes[0][0].set_ylabel("power (of 255)")
    axes[1][0].set_ylabel("spread of Y (of 255)")
    axes[0][0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(target, dpi=80)
