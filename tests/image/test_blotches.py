"""Low-frequency colour noise is found and taken off, and the colours of the picture stay."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from invdn.image.defects import CELL, Mending, find_blotches, mend, take_off
from invdn.image.metrics import psnr
from invdn.photo.read import read_photo

Values = NDArray[Any]


def _eight(values: Values) -> NDArray[np.uint8]:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def _blotchy(size: int, seed: int, width: float = 5.0) -> tuple[NDArray[np.uint8], Values]:
    """A soft scene with one coloured half, with blotches and fine noise; and the scene."""
    rng = np.random.default_rng(seed)
    scene = np.linspace(60, 170, size)[None, :, None] + np.zeros((size, size, 3))
    scene[:, size // 2 :] += [24, -8, -20]
    waves = gaussian_filter(rng.normal(size=scene.shape), (width, width, 0))
    waves = waves - waves.mean(axis=2, keepdims=True)
    return _eight(scene + 5 * waves / waves.std() + rng.normal(0, 3, scene.shape)), scene


@pytest.mark.parametrize("size", [256, 511])
def test_blotches_go_and_colours_stay(size: int) -> None:
    noisy, scene = _blotchy(size, seed=size)
    found = find_blotches(noisy)
    assert found is not None
    clean = take_off(noisy, found[0])
    assert 1 < 255 * found[1] < 8

    def coarse(values: Values) -> Values:
        return gaussian_filter(values.astype(float) - scene, (4, 4, 0))[16:-16, 16:-16]

    assert coarse(clean).std() < 0.75 * coarse(noisy).std()
    for half in (np.s_[:, : size // 2 - 24], np.s_[:, size // 2 + 24 :]):
        moved = clean[half].astype(float) - noisy[half]
        assert np.abs(moved.mean(axis=(0, 1))).max() < 1


def test_colours_without_blotches_stay() -> None:
    """Patches, stripes, textures, gradients and fine noise, of colour and of light, are none."""
    rng = np.random.default_rng(0)
    for edge in (16, 40, 100):
        patches = rng.random((320 // edge + 1, 320 // edge + 1, 3)).repeat(edge, 0)
        patches = 255 * patches.repeat(edge, 1)[:320, :320]
        assert find_blotches(_eight(patches)) is None
        assert find_blotches(_eight(patches + rng.normal(0, 8, patches.shape))) is None
    strong = gaussian_filter(rng.normal(0, 60, (320, 320, 3)), (0.6, 0.6, 0))
    assert find_blotches(_eight(128 + strong)) is None
    plain = np.zeros((320, 320, 3)) + np.array([90.0, 120.0, 200.0])
    rows = np.arange(320)[:, None, None]
    assert find_blotches(_eight(plain)) is None
    assert find_blotches(_eight(plain + rng.normal(0, 15, plain.shape))) is None
    assert find_blotches(_eight(plain + 25 * np.sin(rows / 9) * np.array([1, -1, 0.5]))) is None
    texture = gaussian_filter(rng.normal(size=(320, 320)), 4)[..., None]
    assert find_blotches(_eight(plain + 10 * texture / texture.std())) is None
    assert find_blotches(np.zeros((191, 400, 3), np.uint8)) is None
    assert find_blotches(np.zeros((400, 400), np.uint8)) is None


def test_black_and_white_stay_and_the_rest_keeps_its_brightness() -> None:
    pixels = np.full((40, 44, 3), 128, np.uint8)
    pixels[:20, :20], pixels[20:, :20] = 0, 255
    change = np.full((40 // CELL, 44 // CELL, 2), 8 / 255, np.float32)
    result = take_off(pixels, change)
    assert (result[:, :20] == pixels[:, :20]).all()
    grey = result[:, 20:].astype(float)
    assert np.abs(grey @ [0.299, 0.587, 0.114] - 128).max() < 1
    assert (grey[..., 2] - grey[..., 1] > 10).all()


def test_the_switch_and_the_words() -> None:
    noisy, _ = _blotchy(256, seed=3)
    mended, found = mend(noisy)
    assert any("blotches" in words for words in found)
    assert not np.array_equal(mended, noisy)
    kept, found = mend(noisy, Mending(blotches=False))
    assert kept is noisy and found == ()


def test_the_hard_case(real_data: Path) -> None:
    folder = real_data / "hard-cases"
    noisy, clean = (read_photo(folder / f"blotches{end}.png").pixels for end in ("", "_clean"))
    before, after = (psnr(side / 255, clean / 255) for side in (noisy, mend(noisy)[0]))
    assert after > before + 2.5
