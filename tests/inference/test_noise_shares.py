"""Shares of noise: the features by another way, the layers, and what they do to noise."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from invdn.engines import open_engine
from invdn.image.dtype import to_float
from invdn.image.metrics import psnr
from invdn.image.noise_estimation import NoiseEstimate, estimate_noise
from invdn.inference import DenoiseOptions, blend, denoise_pixels
from invdn.inference import noise_shares as module
from invdn.inference.noise_shares import CELL, REACH, noise_shares
from invdn.photo.read import read_photo

Floats = NDArray[np.float32]
SPECTRUM = (1.4, 1.2, 0.6, 1.1, 0.7, 0.3)
NOISE = NoiseEstimate(10.0, (0.2, 0.8), (0.04, 0.02), (0.05, 0.03), 0.3, 0.7, SPECTRUM)
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def _windows(height: int = 44, width: int = 56, channels: int = 3) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(height)
    smooth = uniform_filter(generator.random((height, width, channels)), (7, 7, 1)) * 2 - 0.5
    denoised = smooth.clip(0, 1).astype(np.float32)
    noisy = denoised + generator.normal(0, 0.05, denoised.shape)
    return noisy.clip(0, 1).astype(np.float32), denoised


def _average(values: NDArray[np.float64], radius: int) -> NDArray[np.float64]:
    """Mean over the cells around that exist: a filter of values over one of ones."""
    side = 2 * radius + 1
    ones = uniform_filter(np.ones_like(values), side, mode="constant")
    return np.asarray(uniform_filter(values, side, mode="constant") / ones)


def _written_out(noisy: Floats, denoised: Floats, noise: NoiseEstimate) -> NDArray[np.float64]:
    """The 67 features of docs/control.md in double precision, by whole-picture filters."""
    height, width = noisy.shape[:2]
    fill = ((0, -height % 4 + 4), (0, -width % 4 + 4), (0, 0))
    n, d = (255 * np.pad(side.astype(float), fill, mode="edge") for side in (noisy, denoised))

    def cell(plane: NDArray[np.float64]) -> NDArray[np.float64]:
        high, wide = -(-height // 4), -(-width // 4)
        return plane[: 4 * high, : 4 * wide].reshape(high, 4, wide, 4).mean((1, 3))

    def moved(plane: NDArray[np.float64], down: int, right: int) -> NDArray[np.float64]:
        return np.roll(plane, (-down, -right), (0, 1))

    change, result = (n - d) @ YCBCR.T, d @ YCBCR.T
    dx, dy = moved(change, 0, 1) - change, moved(change, 1, 0) - change
    rx, ry = moved(result, 0, 1) - result, moved(result, 1, 0) - result
    planes = []
    for chosen in ([0], [1, 2]):
        pick = [slice(None), slice(None), chosen]
        c, x, y, u, v = (p[tuple(pick)] for p in (change, dx, dy, rx, ry))
        coarse = sum(np.square(cell(c[..., i])) for i in range(len(chosen)))
        sums = (s.sum(2) for s in (c**2, x**2 + y**2, u**2 + v**2, x * u + y * v))
        energy, fine, texture, product = map(cell, sums)
        planes.append([energy, coarse, fine, texture, product])
    luma = change[..., 0]
    turn = cell(dx[..., 0] ** 2 - dy[..., 0] ** 2), cell(2 * dx[..., 0] * dy[..., 0])
    brightness = cell(result[..., 0])
    lags = [[cell(luma * moved(luma, *at)) for at in ((0, k), (k, 0))] for k in (2, 4)]
    clipped = cell(((n <= 0) | (n >= 255)).any(2).astype(float))

    def log(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.log(np.maximum(values, 0) + 0.03))

    found = []
    for radius in (1, 2, 5):
        around = [[_average(p, radius) for p in plane] for plane in planes]
        found += [log(p) for plane in around for p in plane[:4]]
        found += [p[4] / np.sqrt(p[2] * p[3] + 0.01) for p in around]
        turned = np.hypot(*(_average(t, radius) for t in turn))
        found.append(turned / (around[0][2] + 0.05))
        if radius > 1:
            for pair in lags:
                a, b = (_average(p, radius) / (around[0][0] + 0.02) for p in pair)
                found += [(a + b) / 2, abs(a - b)]
        if radius < 5:
            coarse = _average(brightness**2, radius) - _average(brightness, radius) ** 2
            found.append(log(coarse))
        if radius == 1:
            weight = 1 / (around[0][3] + around[1][3] + coarse.clip(0) + 1) ** 2
    found += [log(p) for p in (planes[0][0], planes[1][0], planes[0][3])]
    for p in (planes[0][0], planes[0][2], planes[0][1], planes[1][0], planes[1][2]):
        found.append(log(_average(weight * p, 5) / _average(weight, 5)))
    found.append(log(1 / np.sqrt(_average(weight, 5))))
    found += [brightness / 255, _average(clipped, 1), _average(clipped, 5)]
    found.append(cell(d.max(2) - d.min(2)) / 255)
    scale = 255 * np.mean(noise.colour)
    for spread in noise.spectrum:
        found.append(np.full_like(brightness, log((scale * np.array(spread)) ** 2)))
    found.append(np.full_like(brightness, noise.flat))
    for spread in (noise.colour, noise.luma):
        there = np.interp(brightness, 255 * np.array(noise.brightness), 255 * np.array(spread))
        found.append(log(there**2))
    found += [np.full_like(brightness, np.log(noise.level**2 + 0.03))]
    return np.array([*found, np.full_like(brightness, noise.correlation)])


@pytest.mark.parametrize("size", [(44, 56), (41, 55)])
def test_the_features_as_the_documents_have_them(size: tuple[int, int]) -> None:
    noisy, denoised = _windows(*size)
    found = module._features(module._statistics(noisy, denoised), NOISE)
    wanted = _written_out(noisy, denoised, NOISE)
    assert found.shape == wanted.shape == (67, *(-(-side // CELL) for side in size))
    assert np.abs(found - wanted).max() < 2e-3


def test_the_layers_are_two_rectified_and_a_sigmoid() -> None:
    layers = module._layers()
    features = np.random.default_rng(0).normal(0, 3, (67, 2, 3)).astype(np.float32)
    found = module._shares(features)
    for row, column in np.ndindex(2, 3):
        values = (features[:, row, column] - layers["mean"]) / layers["spread"]
        values = np.minimum(np.maximum(values, -5), 5)
        for name in ("first", "second"):
            products = [
                values @ layers[f"{name}.weight"][:, unit]
                for unit in range(len(layers[f"{name}.bias"]))
            ]
            values = np.maximum(np.array(products) + layers[f"{name}.bias"], 0)
        last = values @ layers["last.weight"] + layers["last.bias"]
        wanted = np.clip(1.1 / (1 + np.exp(-last)) - 0.05, 0, 1)
        assert found[row, column] == pytest.approx(wanted, abs=1e-6)


def test_a_pixel_lies_between_the_centres_of_cells() -> None:
    cells = np.random.default_rng(1).random((3, 4, 2)).astype(np.float32)
    pixels = module._to_pixels(cells)
    rows, columns = (((np.arange(4 * n) - 1.5) / 4).clip(0, n - 1) for n in (3, 4))
    for plane in range(2):
        along = np.array([np.interp(columns, np.arange(4), line) for line in cells[:, :, plane]])
        wanted = np.array([np.interp(rows, np.arange(3), line) for line in along.T]).T
        assert np.abs(pixels[:, :, plane] - wanted).max() < 1e-6


def test_noise_of_grey_pictures_is_noise() -> None:
    """Grey has no colour noise, and its noise is no texture for that."""
    generator = np.random.default_rng(3)
    denoised = np.full((96, 96, 1), 0.5, np.float32)
    noisy = denoised + generator.normal(0, 12 / 255, denoised.shape).astype(np.float32)
    noise = estimate_noise(noisy)
    assert noise_shares(noisy, denoised, noise)[32:-32, 32:-32, 0].mean() > 0.8


def test_the_spectrum_tells_noise_from_fine_texture() -> None:
    """The same windows: noise where quiet squares are a camera's, else rather texture."""
    noisy, denoised = _windows(96, 96)
    flat = (1.0,) * 6
    still = NoiseEstimate(0.7, (0.2, 0.8), (0.001, 0.001), (0.001, 0.001), 0.4, 0.05, flat)
    inner = np.s_[32:-32, 32:-32]
    shares = [noise_shares(noisy, denoised, noise)[inner].mean() for noise in (NOISE, still)]
    assert shares[0] > shares[1] + 0.1, shares


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_noise_of_colours_without_one_channel_is_noise(channel: int) -> None:
    """Dark orange wood has no blue, and leaves that are none of sRGB's have no red."""
    generator, side = np.random.default_rng(4), 128

    def waves(*widths: float) -> NDArray[np.float64]:
        noise = gaussian_filter(generator.normal(size=(side, side)), widths)
        return np.asarray(noise / noise.std())

    grain, luma, blue, red = waves(8, 1.2), waves(0.8, 0.8), waves(2.5, 2.5), waves(2.5, 2.5)
    colour = 0.4 * np.stack([1.402 * red, -0.344 * blue - 0.714 * red, 1.772 * blue], -1)
    noise = 2.5 / 255 * (luma[..., None] + colour)
    # As estimated on such a photograph: moderate, correlated, and little of it is flat.
    spectrum = (1.6, 0.8, 0.2, 0.9, 0.2, 0.1)
    known = NoiseEstimate(2.6, (0.3, 0.7), (0.010, 0.005), (0.011, 0.006), 0.5, 0.15, spectrum)
    shares = []
    for least in (0.15, -0.1):
        wood = np.insert([0.35, 0.147], channel, least) * (1 + 0.1 * grain[..., None])
        seen, clean = (
            to_float(np.rint(255 * x.clip(0, 1)).astype(np.uint8)) for x in (wood + noise, wood)
        )
        denoised = gaussian_filter(clean, (0.5, 0.5, 0))
        shares.append(noise_shares(seen, denoised, known)[32:-32, 32:-32].mean((0, 1)))
    assert (shares[1] > shares[0] - 0.15).all(), shares


def test_strong_noise_is_trusted() -> None:
    """The rule beside the layers: the same features give larger shares from 6 of 255 on."""
    noisy, denoised = _windows(96, 96)
    statistics = module._statistics(noisy, denoised)
    for level, added in ((3.0, 0.0), (9.0, 0.375), (30.0, 0.75)):
        noise = replace(NOISE, level=level)
        wanted = module._to_pixels(module._shares(module._features(statistics, noise), added))
        assert np.abs(noise_shares(noisy, denoised, noise) - wanted).max() < 2e-6


def test_too_small_to_measure_is_changed_by_no_more_than_it_varies() -> None:
    noisy, denoised = _windows(20, 24)
    shares = noise_shares(noisy, denoised, None)
    assert shares.mean() > 0.8, "a clear picture is denoised"
    moved = noise_shares(noisy, denoised * 0 + 1, None)
    assert moved[..., 0].mean() < 0.1, "a picture that the network destroys is kept"
    even = np.full((9, 7, 3), 0.4, np.float32)
    assert not noise_shares(even, even * 0, None).any()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 16), (5, 3), (16, 16)])
def test_small_pictures_have_shares(size: tuple[int, int], channels: int) -> None:
    shares = noise_shares(*_windows(*size, channels), NOISE)
    assert shares.shape == (*size, 2)
    assert ((shares >= 0) & (shares <= 1)).all()


def _auto(noisy: NDArray[np.uint8], denoised: Floats) -> NDArray[np.uint8]:
    """The default result, from the network's."""
    pixels = to_float(noisy)
    made = blend(pixels, denoised, DenoiseOptions(), estimate_noise(noisy))
    return np.rint(255 * made.clip(0, 1)).astype(np.uint8)


@pytest.mark.slow
def test_hard_cases_reach_their_bars(real_data: Path) -> None:
    """Cloth keeps its weave, skies and stage lights lose their noise, stars keep their light."""
    engine = open_engine(device="cpu")
    folder = real_data / "hard-cases"
    for name, bar in {"fabric": 31, "halffabric": 33, "sky": 50, "stars": 44}.items():
        noisy, clean = (read_photo(folder / f"{name}{end}.png").pixels for end in ("", "_clean"))
        auto = denoise_pixels(engine, noisy)
        assert psnr(to_float(auto), to_float(clean)) > bar, name
    noisy, clean = (read_photo(folder / f"stage{end}.png").pixels for end in ("", "_clean"))
    full = denoise_pixels(engine, to_float(noisy), DenoiseOptions(strength=1))
    auto = to_float(_auto(noisy, full))
    assert psnr(auto, to_float(clean)) > psnr(full, to_float(clean))


def _compiled() -> Any:
    return pytest.importorskip("invdn.inference._pixels", reason="it was not built")


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 16), (5, 3), (16, 16), (41, 55), (70, 130)])
def test_the_compiled_module_does_what_is_written_out(size: tuple[int, int], channels: int) -> None:
    pixels = _compiled()
    noisy, denoised = _windows(*size, channels)
    noisy[: size[0] // 3, : size[1] // 2] = denoised[: size[0] // 3, : size[1] // 2] = 0.4
    wanted = module.written_out(noisy, denoised, NOISE, 0.3)
    assert np.abs(module._compiled_shares(noisy, denoised, NOISE, 0.3) - wanted).max() < 2e-6
    for instructions in pixels.instruction_sets():
        found = np.empty(wanted.shape, np.float32)
        given = module.compiled_arguments(noisy, denoised, NOISE)
        pixels.noise_shares(*given, 0.3, module._single_layers(), found, instructions)
        assert np.abs(found - wanted).max() < 2e-6, instructions


def test_windows_of_the_compiled_module_give_what_the_whole_gives() -> None:
    _compiled()
    noisy, denoised = _windows(136, 144)
    whole = noise_shares(noisy, denoised, NOISE)
    part = np.s_[12:116, 16:136]
    inner = slice(REACH, -REACH), slice(REACH, -REACH)
    found = noise_shares(noisy[part], denoised[part], NOISE)
    assert np.array_equal(found[inner], whole[part][inner])


def test_the_compiled_module_refuses_what_does_not_fit() -> None:
    pixels = _compiled()
    noisy, denoised = _windows(16, 16)
    known, layers = module.compiled_arguments(noisy, denoised, NOISE)[2:], module._single_layers()
    shares = np.empty((16, 16, 2), np.float32)
    for sides, trained, to in (
        ((noisy, denoised[:12]), layers, shares),
        ((noisy[:, :, :2], denoised[:, :, :2]), layers, shares),
        ((noisy[:, ::2], denoised[:, ::2]), layers, shares),
        ((noisy, denoised), layers[:7], shares),
        ((noisy, denoised), layers, shares[:8]),
    ):
        with pytest.raises(ValueError, match=r"window|shape|layer|shares|pixels"):
            pixels.noise_shares(*sides, *known, 0.0, trained, to)
