"""Photographs that hardly are any: a sensible result, no crash and no specks."""

import numpy as np
import pytest

from invdn.denoiser import Denoiser
from invdn.engines import open_engine
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo

SIDES = [1, 2, 3, 4, 5, 7, 8, 12, 15, 16]


@pytest.fixture(scope="module")
def denoiser() -> Denoiser:
    return Denoiser()


@pytest.mark.parametrize("look", ["gentle", "natural", "strong"])
@pytest.mark.parametrize("side", SIDES)
def test_tiny_photographs(denoiser: Denoiser, side: int, look: str) -> None:
    rng = np.random.default_rng(side)
    for shape in ((side, side, 3), (side, 16, 3), (1, side), (side, side, 4)):
        noisy = rng.normal(128, 12, shape).clip(0, 255).astype(np.uint8)
        clean = denoiser.denoise(noisy, look=look)
        assert clean.shape == noisy.shape and clean.dtype == np.uint8
        assert np.abs(clean.astype(int) - noisy).max() < 60
        assert abs(clean.mean() - noisy.mean()) < 8


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 9, 3), (16, 16, 3), (70, 90, 3), (256, 256, 3)])
@pytest.mark.parametrize(
    "colour",
    [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 30, 40), (20, 60, 220), (0, 255, 0)],
)
def test_one_colour_stays(
    denoiser: Denoiser, shape: tuple[int, ...], colour: tuple[int, int, int]
) -> None:
    flat = np.empty(shape, np.uint8)
    flat[:] = colour
    assert np.array_equal(denoiser.denoise(flat), flat)


def test_all_cloth_stays(denoiser: Denoiser) -> None:
    """Woven threads that fill the picture are no noise."""
    rows, columns = np.mgrid[0:224, 0:224]
    weave = np.sin(rows * 1.9) * np.sin(columns * 1.6) + 0.3 * np.sin(rows * 0.31)
    cloth = (120 + 22 * weave[..., None] * np.array([1, 0.9, 0.7])).astype(np.uint8)
    clean = denoiser.denoise(cloth).astype(int)
    assert 10 * np.log10(255**2 / np.square(clean - cloth).mean()) > 31


def test_pure_noise_goes_and_leaves_no_specks(denoiser: Denoiser) -> None:
    noisy = np.random.default_rng(4).normal(128, 25, (160, 160, 3)).clip(0, 255).astype(np.uint8)
    clean = denoiser.denoise(noisy).astype(float)
    assert clean.std() < 0.35 * noisy.std()
    assert np.abs(clean - 128).max() < 55


def test_uniform_values_of_the_whole_range(denoiser: Denoiser) -> None:
    noisy = np.random.default_rng(5).integers(0, 256, (96, 96, 3)).astype(np.uint8)
    clean = denoiser.denoise(noisy)
    assert clean.astype(float).std() < noisy.astype(float).std()


def test_floats_beyond_white_keep_their_height(tmp_path) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(6)
    scene = np.linspace(0.2, 1.6, 96, dtype=np.float32)[None, :, None] + np.zeros((96, 96, 3))
    stored = (scene + rng.normal(0, 0.02, scene.shape)).astype(np.float32)
    write_photo(Photo(stored), tmp_path / "a.tif")
    result = Denoiser().denoise_file(tmp_path / "a.tif", tmp_path / "b.tif")
    clean = read_photo(tmp_path / "b.tif").pixels
    assert np.isfinite(clean).all() and result.depth == "float32"
    assert abs(float(clean[:, 80:].mean()) - float(scene[:, 80:].mean())) < 0.03
    inside = np.s_[16:-16, 8:40]
    assert np.std(clean[inside] - scene[inside]) < 0.6 * np.std(stored[inside] - scene[inside])


def test_engines_agree_on_a_single_pixel() -> None:
    pixel = np.array([[[10, 120, 240]]], np.uint8)
    one, other = (Denoiser(backend=name).denoise(pixel) for name in ("auto", "onnxruntime"))
    assert np.abs(one.astype(int) - other).max() <= 1
    assert open_engine().description
