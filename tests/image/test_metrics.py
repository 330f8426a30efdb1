"""PSNR and SSIM against scikit-image, against scipy, and by their own laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from invdn.errors import InputError
from invdn.image import metrics
from invdn.image.metrics import Window, luma, psnr, ssim


def pair(height: int, width: int, seed: int = 0, colours: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    reference = random.random((height, width, colours))
    image = np.clip(reference + random.normal(0, 0.1, reference.shape), 0, 1)
    return image, reference


@settings(max_examples=20, deadline=None)
@given(st.integers(11, 40), st.integers(11, 40), st.integers(0, 99))
def test_agrees_with_scikit_image(height: int, width: int, seed: int) -> None:
    image, reference = pair(height, width, seed)
    assert psnr(image, reference) == pytest.approx(
        peak_signal_noise_ratio(reference, image, data_range=1),  # type: ignore[no-untyped-call]
        abs=1e-6,
    )
    for window, options in (
        (Window(), {"gaussian_weights": True, "use_sample_covariance": False}),
        (Window(size=7, sigma=None, covariance="sample"), {}),
        (Window(size=9, sigma=None), {"win_size": 9, "use_sample_covariance": False}),
    ):
        expected = structural_similarity(  # type: ignore[no-untyped-call]
            image, reference, data_range=1, channel_axis=2, **options
        )
        assert ssim(image, reference, window) == pytest.approx(expected, abs=1e-6)


def test_volume_window_filters_across_colours_as_matlab_does() -> None:
    """MATLAB's ssim takes an RGB array for a volume and repeats its edges."""
    image, reference = pair(24, 31)

    def blurred(x: np.ndarray) -> np.ndarray:
        for axis in range(3):
            x = correlate1d(x, Window().weights, axis=axis, mode="nearest")
        return x

    a, b = blurred(image), blurred(reference)
    aa, bb, ab = (
        blurred(x * y) for x, y in ((image, image), (reference, reference), (image, reference))
    )
    c1, c2 = 0.01**2, 0.03**2
    expected = (
        (2 * a * b + c1)
        * (2 * (ab - a * b) + c2)
        / ((a * a + b * b + c1) * (aa - a * a + bb - b * b + c2))
    ).mean()
    window = Window(border="replicate", across="volume")
    assert ssim(image, reference, window) == pytest.approx(expected, abs=1e-12)


def test_strips_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    image, reference = pair(50, 20)
    whole = ssim(image, reference)
    monkeypatch.setattr(metrics, "_STRIP", 7)
    assert ssim(image, reference) == pytest.approx(whole, abs=1e-12)


def test_luma_is_studio_swing() -> None:
    ends = luma(np.array([[[0, 0, 0], [1, 1, 1]]], dtype=float)) * 255
    assert ends[0] == pytest.approx([16, 235])


def test_equal_images_are_infinitely_close() -> None:
    constant = np.full((16, 16, 3), 0.25)
    assert math.isinf(psnr(constant, constant))
    assert ssim(constant, constant) == pytest.approx(1)


def test_similarity_is_symmetric_and_falls_with_noise() -> None:
    image, reference = pair(32, 32)
    assert ssim(image, reference) == pytest.approx(ssim(reference, image), abs=1e-12)
    less = reference + (image - reference) / 4
    assert ssim(less, reference) > ssim(image, reference)


@pytest.mark.parametrize(
    ("image", "reference", "complaint"),
    [
        (np.zeros((16, 16)), np.zeros((16, 17)), "agree"),
        (np.full((16, 16), np.nan), np.zeros((16, 16)), "NaN"),
        (np.zeros((16, 16)), np.full((16, 16), np.inf), "NaN"),
        (np.zeros((0, 16)), np.zeros((0, 16)), "empty"),
        (np.zeros((2, 2, 2, 2)), np.zeros((2, 2, 2, 2)), "H, W"),
    ],
)
def test_refuses_what_cannot_be_compared(
    image: np.ndarray, reference: np.ndarray, complaint: str
) -> None:
    for metric in (psnr, ssim):
        with pytest.raises(InputError, match=complaint):
            metric(image, reference)


def test_refuses_an_image_smaller_than_its_window() -> None:
    with pytest.raises(InputError, match="too small for the 11x11 window"):
        ssim(np.zeros((10, 40)), np.zeros((10, 40)))


@pytest.mark.parametrize("arguments", [{"size": 4}, {"size": -1}, {"sigma": 0.0}])
def test_refuses_an_impossible_window(arguments: dict[str, float]) -> None:
    with pytest.raises(InputError, match="odd size"):
        Window(**arguments)  # type: ignore[arg-type]


def test_luma_refuses_grey() -> None:
    with pytest.raises(InputError, match="RGB"):
        luma(np.zeros((4, 4)))
