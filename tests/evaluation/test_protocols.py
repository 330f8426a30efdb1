"""The published protocols: their names, their rounding, and stored figures."""

import math
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from invdn.errors import InputError
from invdn.evaluation.protocols import (
    PROTOCOLS,
    Score,
    find_protocol,
    measure,
    summarise,
)
from invdn.photo.read import read_photo


@pytest.fixture(scope="module")
def paddle_outputs(real_data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """The Paddle model's ten outputs (red and blue swapped back) with their clean partners."""
    folder = real_data / "sidd-mini-val"
    return [
        (
            read_photo(folder / "InvDN-reference" / f"denoised_{i}.png").pixels[..., ::-1],
            read_photo(folder / "GT" / f"0_{i}.PNG").pixels,
        )
        for i in range(10)
    ]


def test_paddle_model_measures_as_published(
    paddle_outputs: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    total = summarise([measure(find_protocol("paddle"), *pair) for pair in paddle_outputs])
    assert total.psnr == pytest.approx(42.14, abs=0.005)
    assert total.ssim == pytest.approx(0.981, abs=0.0005)
    assert (total.images, total.identical) == (10, 0)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_protocol_tells_noise_from_none(name: str) -> None:
    random = np.random.default_rng(1)
    clean = random.random((24, 24, 3))
    noisy, noisier = (clean + random.normal(0, s, clean.shape) for s in (0.02, 0.1))
    protocol = find_protocol(name)
    better, worse = measure(protocol, noisy, clean), measure(protocol, noisier, clean)
    assert better.psnr > worse.psnr
    assert better.ssim > worse.ssim
    assert protocol.description
    assert protocol.source


def test_rounding_is_what_separates_float_from_8_bit() -> None:
    clean = np.full((16, 16, 3), 100 / 255)
    image = clean + 0.4 / 255
    assert math.isinf(measure(find_protocol("rgb-8bit"), image, clean).psnr)
    assert measure(find_protocol("rgb-float"), image, clean).psnr == pytest.approx(
        20 * math.log10(255 / 0.4)
    )
    above = measure(find_protocol("rgb-8bit"), clean + 0.6 / 255, clean)  # the nearest: 101
    assert above.psnr == pytest.approx(20 * math.log10(255))


def test_integers_and_floats_measure_alike() -> None:
    random = np.random.default_rng(2)
    a, b = random.integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    wide = (a.astype(np.uint16) * 257, b.astype(np.uint16) * 257)
    expected = measure(find_protocol("paddle"), a, b)
    for pair in (wide, (a / 255, b / 255)):
        score = measure(find_protocol("paddle"), *pair)
        assert (score.psnr, score.ssim) == pytest.approx((expected.psnr, expected.ssim), abs=1e-9)


def test_values_outside_the_range_are_clipped() -> None:
    white = np.ones((16, 16, 3))
    assert math.isinf(measure(find_protocol("paddle"), white * 1.5, white).psnr)


def test_border_is_cut_from_every_side() -> None:
    clean = np.zeros((32, 32, 3))
    framed = clean.copy()
    framed[:4], framed[-4:], framed[:, :4], framed[:, -4:] = 1, 1, 1, 1
    assert math.isinf(measure(find_protocol("rgb-8bit-border4"), framed, clean).psnr)
    assert measure(find_protocol("rgb-8bit-border3"), framed, clean).psnr < 20
    assert "4 px cut" in find_protocol("y-8bit-border4").description
    with pytest.raises(InputError, match="leaves nothing"):
        measure(find_protocol("rgb-8bit-border16"), clean, clean)


def test_grey_images_are_their_own_luma() -> None:
    grey = np.random.default_rng(3).random((16, 16))
    assert math.isinf(measure(find_protocol("y-float"), grey, grey).psnr)


@pytest.mark.parametrize("name", ["paddel", "", "paddle-border", "paddle-border-1", "-border4"])
def test_unknown_protocols_are_refused_with_the_list(name: str) -> None:
    with pytest.raises(InputError, match="rgb-8bit"):
        find_protocol(name)


def test_equal_images_are_counted_not_averaged_away() -> None:
    infinite = Score(math.inf, 1.0)
    assert summarise([Score(30.0, 0.5), infinite]).psnr == 30
    assert summarise([Score(30.0, 0.5), infinite]).identical == 1
    assert math.isinf(summarise([infinite, infinite]).psnr)
    with pytest.raises(InputError):
        summarise([])


def test_figures_are_those_of_scikit_image(drawn_data: Path) -> None:
    """PSNR over RGB on floats, SSIM on the luma of BT.601 in its valid region."""
    folder = drawn_data / "sidd-mini-val"
    noisy, clean = (read_photo(folder / kind / "0_3.PNG").pixels for kind in ("Noisy", "GT"))
    luma = [(image @ np.array([65.481, 128.553, 24.966])) / 255 + 16 for image in (noisy, clean)]
    expected = structural_similarity(  # type: ignore[no-untyped-call]
        *luma, data_range=255, gaussian_weights=True, use_sample_covariance=False, full=True
    )[1][5:-5, 5:-5].mean()
    score = measure(find_protocol("paddle"), noisy, clean)
    assert score.ssim == pytest.approx(expected, abs=1e-4)
    error = np.mean((noisy.astype(float) - clean) ** 2)
    assert score.psnr == pytest.approx(10 * math.log10(255**2 / error), abs=1e-6)
