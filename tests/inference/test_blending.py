"""Strength, luminance, chroma, detail: what each gives back, by its formula and on real pairs."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from invdn.architecture import Architecture
from invdn.engines import open_engine
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import InputError
from invdn.image.dct import LUMA
from invdn.image.dtype import to_float
from invdn.image.metrics import psnr
from invdn.image.noise_estimation import NoiseEstimate, estimate_noise
from invdn.inference import DenoiseOptions, Pipeline, blend, denoise_pixels
from invdn.inference.noise_shares import CELL, REACH, noise_shares
from invdn.photo.read import read_photo

Floats = NDArray[np.float32]
NOISE = NoiseEstimate(10.0, (0.2, 0.8), (0.04, 0.02), (0.05, 0.03), 0.3, 1.0)
share = st.floats(0, 1, width=32)


def _windows(seed: int = 0, size: int = 24) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    denoised = generator.random((size, size, 3), np.float32)
    return denoised + generator.normal(0, 0.05, denoised.shape).astype(np.float32), denoised


def _luma(values: Floats) -> Floats:
    return values @ LUMA


def _written_out(
    noisy: Floats, denoised: Floats, options: DenoiseOptions, noise: NoiseEstimate
) -> NDArray[np.float64]:
    """The formula of docs/control.md, one pixel at a time."""
    shares = noise_shares(noisy, denoised, noise).astype(float)
    n, d = noisy.astype(float), denoised.astype(float)
    weights = np.array([0.299, 0.587, 0.114] if n.shape[2] == 3 else [1.0])
    result = np.empty(n.shape)
    for row, column in np.ndindex(*n.shape[:2]):
        r = d[row, column] - n[row, column]
        y = weights @ r
        k_luma, k_colour = shares[row, column]
        automatic = options.strength == "auto"
        of_luma, of_colour = (k_luma, k_colour) if automatic else 2 * (options.strength,)
        luma = options.luminance * (1 - options.detail * (1 - k_luma)) * y
        result[row, column] = n[row, column] + of_luma * luma + of_colour * options.chroma * (r - y)
    return result


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("strength", [1.0, 0.4, "auto"])
def test_the_formula_as_the_documents_have_it(strength: float | str, channels: int) -> None:
    noisy, denoised = (side[..., :channels].copy() for side in _windows())
    kept = noisy.copy(), denoised.copy()
    options = DenoiseOptions(strength=strength, luminance=0.7, chroma=0.9, detail=0.6)  # type: ignore[arg-type]
    found = blend(noisy, denoised, options, NOISE)
    assert np.abs(found - _written_out(noisy, denoised, options, NOISE)).max() < 1e-5
    assert np.array_equal(noisy, kept[0]), "the input was changed"
    assert np.array_equal(denoised, kept[1]), "the input was changed"


def test_a_window_of_the_grid_is_blended_as_the_whole() -> None:
    """Bit for bit, from ``REACH`` pixels within its borders on."""
    noisy, denoised = _windows(size=101)
    options = DenoiseOptions(strength="auto", detail=0.5)
    whole = blend(noisy, denoised, options, NOISE)
    part = np.s_[CELL : 3 * CELL + 2 * REACH, 2 * CELL : 101]
    core = np.s_[REACH : REACH + 2 * CELL, REACH:]
    assert np.array_equal(
        blend(noisy[part], denoised[part], options, NOISE)[core], whole[part][core]
    )


@given(strength=share, luminance=share, chroma=share)
def test_luma_and_colour_change_by_their_own_shares(
    strength: float, luminance: float, chroma: float
) -> None:
    noisy, denoised = _windows()
    options = DenoiseOptions(strength=strength, luminance=luminance, chroma=chroma)
    made, whole = blend(noisy, denoised, options, None) - noisy, denoised - noisy
    assert np.allclose(_luma(made), strength * luminance * _luma(whole), atol=1e-6)
    colours = [change - _luma(change)[..., None] for change in (made, whole)]
    assert np.allclose(colours[0], strength * chroma * colours[1], atol=1e-6)


@given(detail=share)
def test_detail_gives_back_no_colour(detail: float) -> None:
    noisy, denoised = _windows()
    given_back = blend(noisy, denoised, DenoiseOptions(detail=detail, strength=1), NOISE) - denoised
    assert np.ptp(given_back, axis=2).max() < 1e-6


def test_detail_and_auto_keep_texture_and_take_noise() -> None:
    """Left: noise of the level that was estimated. Right: stripes that the network smoothed."""
    generator = np.random.default_rng(0)
    denoised = np.full((80, 160, 3), 0.5, np.float32)
    removed = generator.normal(0, 0.03, (80, 160, 3)).astype(np.float32)
    stripes = 0.2 * np.sin(np.arange(80) * 1.3)[:, None, None]
    removed[:, 80:] = stripes
    denoised[:, 80:] += stripes / 2
    noise = NoiseEstimate(8.0, (0.5,), (0.03,), (0.03,), 0.3, 1.0)
    for options in (DenoiseOptions(detail=1.0, strength=1), DenoiseOptions(strength="auto")):
        given_back = blend(denoised + removed, denoised, options, noise) - denoised
        share = _luma(given_back).std(axis=0) / _luma(removed).std(axis=0)
        assert share[:50].mean() < 0.15
        assert share[110:].min() > 0.75


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float16", "float32", "float64"])
@pytest.mark.parametrize("nothing", [{"strength": 0.0}, {"luminance": 0.0, "chroma": 0.0}])
def test_nothing_taken_is_the_original_bit_for_bit(kind: str, nothing: dict[str, float]) -> None:
    class NoEngine:
        architecture = Architecture()

        def __getattr__(self, name: str) -> None:
            raise AssertionError("the network was asked")

    values = np.random.default_rng(0).random((40, 50, 4))
    pixels = values.astype(kind) if kind[0] == "f" else (values * 255).astype(kind)
    clean = denoise_pixels(NoEngine(), pixels, DenoiseOptions(**nothing))  # type: ignore[arg-type]
    assert clean.tobytes() == pixels.tobytes()
    assert not np.shares_memory(clean, pixels)


def test_everything_taken_is_the_network_bit_for_bit(engine: TorchEngine) -> None:
    noisy, denoised = _windows()
    assert blend(noisy, denoised, DenoiseOptions(strength=1), NOISE) is denoised
    pixels = np.random.default_rng(0).random((24, 32, 3), np.float32)
    half = denoise_pixels(engine, pixels, DenoiseOptions(strength=0.5))
    full = denoise_pixels(engine, pixels, DenoiseOptions(strength=1))
    assert np.allclose(half, (full + pixels) / 2, atol=1e-6)


def test_grey_has_luma_only(engine: TorchEngine) -> None:
    grey = np.random.default_rng(0).random((40, 50), np.float32)
    full = denoise_pixels(engine, grey, DenoiseOptions(strength=1))
    assert np.array_equal(
        denoise_pixels(engine, grey, DenoiseOptions(luminance=0.0, strength=1)), grey
    )
    half = denoise_pixels(engine, grey, DenoiseOptions(luminance=0.5, chroma=0.0, strength=1))
    assert np.allclose(half, (full + grey) / 2, atol=1e-6)


def test_the_spread_is_the_samples_own(engine: TorchEngine) -> None:
    pixels = np.random.default_rng(0).random((24, 32, 3), np.float32)
    _, full = Pipeline(engine, DenoiseOptions(num_samples=3, strength=1)).denoise_with_std(pixels)
    clean, spread = Pipeline(engine, DenoiseOptions(num_samples=3, strength=0.0)).denoise_with_std(
        pixels
    )
    assert np.array_equal(spread, full)
    assert np.array_equal(clean, pixels)


def test_a_photograph_too_small_to_tell_loses_no_more_than_varies(engine: TorchEngine) -> None:
    """The engine's weights are random: its results lie far from any picture."""
    pixels = np.random.default_rng(0).random((12, 14, 3), np.float32)
    full = denoise_pixels(engine, pixels, DenoiseOptions(strength=1))
    auto = denoise_pixels(engine, pixels, DenoiseOptions(strength="auto", detail=0.0))
    assert np.square(full - pixels).mean() > 4 * pixels.var()
    assert 0 < np.square(auto - pixels).mean() < pixels.var()


@pytest.mark.slow
def test_real_noise_goes_and_clean_photographs_stay(real_data: Path) -> None:
    """On pairs of SIDD neither detail nor auto costs quality; a clean picture keeps its texture."""
    engine = open_engine(device="cpu")
    pairs = real_data / "sidd-mini-val"
    noisy, clean = (to_float(read_photo(pairs / k / "0_4.PNG").pixels) for k in ("Noisy", "GT"))
    noise = estimate_noise(noisy)
    part = np.s_[60:188, 60:188]
    full = denoise_pixels(engine, noisy[part], DenoiseOptions(strength=1))
    best = psnr(full, clean[part])
    for options in (DenoiseOptions(detail=0.5, strength=1), DenoiseOptions(strength="auto")):
        assert psnr(blend(noisy[part], full, options, noise), clean[part]) > best - 0.1
    photo = read_photo(real_data / "clean" / "cid22_007.jpg").pixels
    crop = to_float(photo[100:228, 100:228])
    full = denoise_pixels(engine, crop, DenoiseOptions(strength=1))
    auto = blend(crop, full, DenoiseOptions(strength="auto"), estimate_noise(photo))
    assert psnr(auto, crop) > psnr(full, crop) + 6


@pytest.mark.parametrize("name", ["strength", "luminance", "chroma", "detail"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_amounts_outside_their_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} must be"):
        DenoiseOptions(**{name: value})


def test_other_words_than_auto_are_refused() -> None:
    with pytest.raises(InputError, match="'auto', from 0 to 1, or in percent as 60%, not 'full'"):
        DenoiseOptions(strength="full")  # type: ignore[arg-type]


def test_stars_stay_at_every_strength(engine: TorchEngine) -> None:
    pixels = np.random.default_rng(0).normal(30, 4, (48, 64, 3)).clip(0, 255).astype(np.uint8)
    pixels[19:22, 29:32] += np.array([[40, 90, 40], [90, 200, 90], [40, 90, 40]], np.uint8)[
        ..., None
    ]
    around = np.s_[19:22, 29:32]
    for strength in (1.0, 0.6):
        chosen = DenoiseOptions(strength=strength, stars=True)
        kept = denoise_pixels(engine, pixels, chosen)
        softened = denoise_pixels(engine, pixels, DenoiseOptions(strength=strength))
        assert np.array_equal(kept[around], pixels[around])
        assert (softened[around] != pixels[around]).any()
        elsewhere = np.ones(pixels.shape[:2], bool)
        elsewhere[around] = False
        assert np.array_equal(kept[elsewhere], softened[elsewhere])
    with_stars = DenoiseOptions(strength=1, stars=True)
    network = DenoiseOptions(strength=1, hot_pixels=False)
    assert denoise_pixels(engine, pixels, with_stars.of_the_network()).tolist() == (
        denoise_pixels(engine, pixels, network).tolist()
    )
