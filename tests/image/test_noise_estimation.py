"""The noise estimator against noise that is known."""

from pathlib import Path

import numpy as np
import pytest
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from invdn.image.dct import YCBCR
from invdn.image.dtype import to_float
from invdn.image.noise_estimation import estimate_noise
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.read import read_photo


def _spread(noisy: np.ndarray, clean: np.ndarray) -> float:
    """The true spread over the colours, of 255."""
    return float(255 * np.sqrt((to_float(noisy) - to_float(clean)).var(axis=(0, 1)).mean()))


@pytest.mark.parametrize("level", [1.0, 3.0, 10.0, 30.0])
@pytest.mark.parametrize("kind", ["float32", "uint16"])
def test_white_noise_on_a_gradient(level: float, kind: str) -> None:
    ramp = np.linspace(0.3, 0.7, 320, dtype=np.float32)[None, :, None]
    noise = np.random.default_rng(0).normal(0, level / 255, (240, 320, 3))
    noisy = ramp + noise
    if kind == "uint16":
        noisy = np.rint(noisy * 65535)
    estimate = estimate_noise(noisy.astype(kind))
    assert estimate is not None
    assert estimate.level == pytest.approx(level, rel=0.05)
    assert abs(estimate.correlation) < 0.06
    assert estimate.flat > 0.8


def test_camera_noise_on_a_picture_with_texture() -> None:
    """In its dark half the noise is clipped at black, which hides a part of it."""
    clean = demo_photo(384)
    for shot in (0.0005, 0.006):
        noisy = camera_noise(clean, shot=shot)
        estimate = estimate_noise(noisy)
        assert estimate is not None
        assert estimate.level == pytest.approx(_spread(noisy, clean), rel=0.25)
        assert estimate.correlation > 0.2


def test_the_spread_follows_the_brightness() -> None:
    ramp = np.linspace(0.1, 0.7, 512, dtype=np.float32)[None, :, None]
    spread = 0.06 * (1 - ramp)
    noisy = ramp + spread * np.random.default_rng(0).standard_normal((256, 512, 3))
    estimate = estimate_noise(noisy.astype(np.float32))
    assert estimate is not None
    expected = 0.06 * (1 - np.array(estimate.brightness))
    assert np.allclose(estimate.colour, expected, rtol=0.12)
    luma = expected * np.sqrt(0.299**2 + 0.587**2 + 0.114**2)
    assert np.allclose(estimate.luma, luma, rtol=0.12)
    assert list(estimate.brightness) == sorted(estimate.brightness)


def test_the_spectrum_is_that_of_the_noise() -> None:
    """Of white noise and of the same after a blur, against the transform of the noise itself."""
    white = np.random.default_rng(0).normal(0, 0.03, (512, 512, 3))
    order = np.add.outer(range(8), range(8))
    bands = [(order >= low) & (order <= high) for low, high in ((1, 3), (4, 7), (8, 14))]
    for noise in (white, gaussian_filter(white, (0.6, 0.6, 0))):
        estimate = estimate_noise((0.5 + noise).astype(np.float32))
        assert estimate is not None
        squares = (noise @ YCBCR.T).reshape(64, 8, 64, 8, 3).transpose(0, 2, 4, 1, 3)
        power = np.square(dctn(squares, axes=(3, 4), norm="ortho")).mean(axis=(0, 1))
        parts = (power[:1], power[1:])
        wanted = [np.sqrt(part[:, band].mean()) / noise.std() for part in parts for band in bands]
        assert np.allclose(estimate.spectrum, wanted, rtol=0.1)
    grey = estimate_noise((0.5 + white[..., 0]).astype(np.float32))
    assert grey is not None and np.allclose(grey.spectrum, 1, rtol=0.1) and len(grey.spectrum) == 3


def test_grey_is_its_own_luma() -> None:
    noisy = np.random.default_rng(0).normal(0.5, 0.02, (200, 200)).astype(np.float32)
    estimate = estimate_noise(noisy)
    assert estimate is not None
    assert estimate.level == pytest.approx(0.02 * 255, rel=0.05)
    assert np.allclose(estimate.luma, estimate.colour)


def test_clipped_squares_do_not_make_it_look_clean() -> None:
    noisy = np.random.default_rng(0).normal(0.5, 0.05, (256, 256, 3))
    noisy[:, :160] -= 0.7  # black but for its brightest noise
    estimate = estimate_noise(noisy.clip(0, 1).astype(np.float32))
    assert estimate is not None
    assert estimate.level == pytest.approx(0.05 * 255, rel=0.1)


@pytest.mark.parametrize("shape", [(7, 4000, 3), (1, 1, 3), (24, 40, 3), (31, 39)])
def test_too_small_to_tell(shape: tuple[int, ...]) -> None:
    assert estimate_noise(np.zeros(shape, np.uint8)) is None


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_plain_picture_has_no_noise(value: int) -> None:
    estimate = estimate_noise(np.full((100, 100, 3), value, np.uint8))
    assert estimate is not None
    assert estimate.level < 0.01


def test_a_large_photograph_is_sampled() -> None:
    """Two megapixels are looked at, wherever they are, in a photograph of any shape."""
    tile = np.random.default_rng(0).normal(0.5, 0.04, (64, 64, 1)).astype(np.float32)
    for repeats in ((40, 40, 1), (1, 2000, 1)):
        estimate = estimate_noise(np.tile(tile, repeats))
        assert estimate is not None
        assert estimate.level == pytest.approx(0.04 * 255, rel=0.05)


def test_real_pairs(real_data: Path) -> None:
    """Ten validation blocks of SIDD: within 12 %, mostly too low, as texture is none there."""
    pairs = real_data / "sidd-mini-val"
    ratios = []
    for path in sorted((pairs / "Noisy").iterdir()):
        noisy, clean = read_photo(path).pixels, read_photo(pairs / "GT" / path.name).pixels
        estimate = estimate_noise(noisy)
        assert estimate is not None
        assert 0.25 < estimate.correlation < 0.4
        ratios.append(estimate.level / _spread(noisy, clean))
    assert min(ratios) > 0.88
    assert max(ratios) < 1.12
