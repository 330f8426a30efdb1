"""The browser's rules give what Python's give: noise, shares, defects, colours, looks."""

import re
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from invdn.image.defects import mend
from invdn.image.noise_estimation import NoiseEstimate, estimate_noise
from invdn.image.stars import find_stars, with_stars
from invdn.inference import error_map
from invdn.inference import noise_shares as shares_module
from invdn.inference.blending import blend, dithered
from invdn.inference.noise_shares import noise_shares
from invdn.options import LOOKS, DenoiseOptions, Look
from invdn.photo.color.conversion import network_bridge_of
from invdn.photo.color.icc import (
    ADOBE_GAMMA,
    ADOBE_PRIMARIES,
    P3_PRIMARIES,
    REC2020_PRIMARIES,
    SRGB_PRIMARIES,
    make_profile,
)
from invdn.photo.photo import Metadata, Photo


def scene(height: int, width: int, channels: int, seed: int, noise: float = 0.05) -> Any:
    """A picture with slopes, edges, texture and noise, float32 in [0, 1]."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    base = 0.2 + 0.5 * x / width + 0.2 * np.sin(y / 7) * (x > width / 2) + 0.3 * (y > height * 0.7)
    texture = 0.1 * generator.normal(size=(height, width)) * (y < height / 4)
    weights = np.linspace(0.7, 1, channels)
    picture = (base + texture)[:, :, None] * weights
    picture += generator.normal(scale=noise, size=picture.shape)
    return picture.clip(0, 1).astype(np.float32)


def stored(values: Any, dtype: Any) -> Any:
    """A picture in the samples of a file."""
    return np.rint(values * np.iinfo(dtype).max).astype(dtype)


@cache
def layers() -> dict[str, Any]:
    """The trained numbers, flat."""
    return {name: array.ravel().tolist() for name, array in shares_module._layers().items()}


@pytest.fixture
def compiled(builds: Path) -> dict[str, Any]:
    """What the compiled rules need: their module and the trained numbers."""
    return {"pixels": str(builds / "simd/pixels.js"), "layers": layers()}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("height", "width", "channels"), [(200, 300, 3), (131, 77, 1), (64, 1100, 3), (40, 24, 3)]
)
def test_noise_estimate(rule: Any, height: int, width: int, channels: int, dtype: Any) -> None:
    picture = stored(scene(height, width, channels, height), dtype)
    expected = estimate_noise(picture)
    found = rule("noise_estimate", pixels=picture)
    if expected is None:
        assert found is None
        return
    for name, value in found.items():
        np.testing.assert_allclose(value, getattr(expected, name), rtol=2e-4, err_msg=name)


def test_large_picture_is_sampled_alike(rule: Any) -> None:
    picture = np.tile(stored(scene(400, 500, 3, 5), np.uint8), (6, 6, 1))
    expected, found = estimate_noise(picture), rule("noise_estimate", pixels=picture)
    assert expected is not None
    for name, value in found.items():
        np.testing.assert_allclose(value, getattr(expected, name), rtol=2e-4, err_msg=name)


def test_too_small_a_picture_has_no_estimate(rule: Any) -> None:
    assert rule("noise_estimate", pixels=np.zeros((20, 20, 3), np.uint8)) is None


@pytest.mark.parametrize(
    ("height", "width", "channels", "look"),
    [(90, 110, 3, "natural"), (67, 45, 1, "gentle"), (3, 5, 3, "natural"), (90, 110, 3, "strong")],
)
def test_noise_shares(
    rule: Any, unpacked: Any, compiled: Any, height: int, width: int, channels: int, look: Look
) -> None:
    noisy = scene(height, width, channels, 3)
    denoised = scene(height, width, channels, 3, noise=0.004)
    noise = estimate_noise(scene(200, 200, channels, 4))
    assert isinstance(noise, NoiseEstimate)
    towards = LOOKS[look][0]
    expected = noise_shares(noisy, denoised, noise, towards)
    given = {"noise": asdict(noise), "towards": towards, **compiled}
    answer = rule("noise_shares", noisy=noisy, denoised=denoised, **given)
    found = unpacked(answer, "<f4", expected.shape)
    assert expected.std() > 0.01 or height < 8
    np.testing.assert_allclose(found, expected, atol=3e-6)


@pytest.mark.parametrize("channels", [1, 3])
def test_without_an_estimate_no_more_is_taken_than_varies(
    rule: Any, unpacked: Any, compiled: Any, channels: int
) -> None:
    noisy, denoised = scene(9, 13, channels, 1), 1 - scene(9, 13, channels, 2)
    expected = noise_shares(noisy, denoised, None)
    assert 0 < expected.mean() < 1
    answer = rule("noise_shares", noisy=noisy, denoised=denoised, noise=None, **compiled)
    np.testing.assert_allclose(unpacked(answer, "<f4", (9, 13, 2)), expected, atol=2e-3)


def test_even_places_are_left_alone(rule: Any, unpacked: Any, compiled: Any) -> None:
    noisy = np.full((40, 48, 3), 0.4, np.float32)
    noise = estimate_noise(scene(200, 200, 3, 4))
    assert noise is not None
    given = {"noisy": noisy, "denoised": scene(40, 48, 3, 2), **compiled}
    answer = rule("noise_shares", noise=asdict(noise), **given)
    assert not unpacked(answer, "<f4", (40, 48, 2)).any()


@pytest.mark.parametrize(("height", "width", "channels"), [(90, 110, 3), (67, 45, 1), (3, 5, 3)])
def test_expected_error(rule: Any, unpacked: Any, height: int, width: int, channels: int) -> None:
    noisy = scene(height, width, channels, 3)
    result = scene(height, width, channels, 3, noise=0.01)
    noise = estimate_noise(scene(200, 200, channels, 4)) if height > 8 else None
    expected = error_map.at_pixels(
        error_map._run_layers(error_map.block_features(noisy, result, noise)),
        slice(0, height),
        slice(0, width),
    )
    numbers = {name: array.ravel().tolist() for name, array in error_map._layers().items()}
    told = asdict(noise) if noise else None
    answer = rule("error_map", noisy=noisy, result=result, noise=told, layers=numbers)
    assert expected.std() > 1e-3 or height < 8
    np.testing.assert_allclose(unpacked(answer, "<f4", expected.shape), expected, rtol=1e-3)


def with_hot_pixels(dtype: Any) -> Any:
    picture = stored(scene(120, 160, 3, 8, noise=0.01) * 0.6, dtype)
    for place in ((20, 30, 0), (0, 0, 1), (119, 70, 2), (60, 159, 0)):
        picture[place] = np.iinfo(dtype).max
    picture[80:83, 40:43] = picture[80, 40]
    picture[80:83, 40:43, 1] += np.iinfo(dtype).max // 5  # spread by demosaicing
    picture[81, 41, 1] = np.iinfo(dtype).max
    return picture


def with_blotches(dtype: Any, size: tuple[int, int] = (259, 330)) -> Any:
    """A slope of two colours under fine noise and colour noise of about 10 pixels."""
    generator = np.random.default_rng(3)
    picture = np.linspace(60, 170, size[1])[None, :, None] + np.zeros((*size, 3))
    picture[:, size[1] // 2 :] += [24, -8, -20]
    waves = gaussian_filter(generator.normal(size=picture.shape), (5, 5, 0))
    waves -= waves.mean(axis=2, keepdims=True)
    picture += 5 * waves / waves.std() + generator.normal(0, 3, picture.shape)
    picture[:8, :12], picture[-9:, -9:] = 0, 255
    return stored((picture / 255).clip(0, 1), dtype)


def with_bands(axis: int) -> Any:
    picture = scene(150, 170, 3, 9, noise=0.004) * 0.5 + 0.2
    generator = np.random.default_rng(1)
    offsets = generator.normal(scale=0.02, size=picture.shape[axis])
    picture = picture + (offsets[:, None, None] if axis == 0 else offsets[None, :, None])
    return stored(picture.clip(0, 1), np.uint8)


_DEFECTS = ("hot", "rows", "columns", "blotches")


@pytest.mark.parametrize(
    "picture",
    [
        pytest.param(with_hot_pixels(np.uint8), id="hot"),
        pytest.param(with_hot_pixels(np.uint16), id="hot, 16 bits"),
        pytest.param(with_bands(0), id="rows"),
        pytest.param(with_bands(1), id="columns"),
        pytest.param(with_blotches(np.uint8), id="blotches"),
        pytest.param(with_blotches(np.uint16), id="blotches, 16 bits"),
        pytest.param(with_blotches(np.uint8, (191, 400)), id="too small"),
        pytest.param(stored(scene(300, 310, 3, 7), np.uint8), id="none"),
        pytest.param(stored(scene(100, 90, 1, 1), np.uint8), id="grey"),
        pytest.param(stored(scene(3, 9, 3, 1), np.uint8), id="tiny"),
    ],
)
def test_defects(rule: Any, unpacked: Any, picture: Any, request: Any) -> None:
    expected, words = mend(picture)
    found = rule("mend", pixels=picture)
    assert found["found"] == list(words)
    assert bool(words) is (request.node.callspec.id.split(",")[0] in _DEFECTS)
    data = unpacked(found["data"], picture.dtype, picture.shape)
    difference = np.abs(data.astype(int) - expected)
    assert difference.max() <= ("blotches" in words[-1] if words else 0)
    assert (difference > 0).mean() < 1e-3


_PROFILES = {
    "sRGB": make_profile("sRGB", SRGB_PRIMARIES),
    "Display P3": make_profile("Display P3", P3_PRIMARIES),
    "Adobe RGB": make_profile("Adobe RGB", ADOBE_PRIMARIES, ADOBE_GAMMA),
    "Rec. 2020": make_profile("Rec. 2020", REC2020_PRIMARIES),
    "damaged": b"\0" * 200,
    "none": None,
    "marked": None,
}
#: EXIF that says Adobe RGB where no profile does (DCF 2.0: the interoperability index R03).
_MARKED = b"".join(
    (
        b"II*\0\x08\0\0\0",
        b"\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0",
        b"\x01\0\x05\xa0\x04\0\x01\0\0\0\x2c\0\0\0\0\0\0\0",
        b"\x01\0\x01\0\x02\0\x04\0\0\0R03\0\0\0\0\0",
    )
)


@pytest.mark.parametrize("vivid", [False, True])
@pytest.mark.parametrize("name", _PROFILES)
def test_colors(rule: Any, unpacked: Any, name: str, vivid: bool) -> None:
    window = scene(60, 70, 3, 2)
    window[:, :, 1] *= 0.05 if vivid else 0.9
    pixels, icc = stored(window, np.uint16), _PROFILES[name]
    exif = _MARKED if name == "marked" else None
    photo = Photo(pixels, metadata=Metadata(icc=icc, exif=exif))
    bridge, remarks = network_bridge_of(photo)
    noisy = (pixels / np.float32(65535)).astype(np.float32)
    seen = bridge.to_srgb(noisy) if bridge else noisy
    clean = (seen * np.float32(0.9) + np.float32(0.03)).astype(np.float32)
    back = bridge.from_srgb(clean, noisy) if bridge else clean
    found = rule("colors", pixels=pixels, clean=clean, icc=icc, exif=exif)
    assert found["converted"] is (bridge is not None)
    assert bridge is not None or name != "marked" or vivid
    assert (found["remark"] is not None) is bool(remarks)
    np.testing.assert_allclose(unpacked(found["seen"], "<f4", seen.shape), seen, atol=3e-6)
    np.testing.assert_allclose(unpacked(found["back"], "<f4", back.shape), back, atol=2e-5)


_LOOKS = [
    {"strength": 0.4, "luminance": 1, "chroma": 1, "detail": 0},
    {"strength": 1, "luminance": 0.3, "chroma": 0.8, "detail": 0},
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("look", _LOOKS)
def test_looks(rule: Any, unpacked: Any, look: dict[str, Any], channels: int) -> None:
    noisy, clean = scene(20, 30, channels, 1), scene(20, 30, channels, 2)
    expected = blend(noisy, clean, DenoiseOptions(**look), None)
    answer = rule("blend", noisy=noisy, clean=clean, shares=None, look=look, channels=channels)
    np.testing.assert_allclose(unpacked(answer, "<f4", noisy.shape), expected, atol=1e-6)


@pytest.mark.parametrize(("top", "count"), [(0, 64), (10, 3), (37, 4), (41, 20)])
@pytest.mark.parametrize("channels", [1, 3])
def test_stars(rule: Any, unpacked: Any, channels: int, top: int, count: int) -> None:
    """Points of light, at the borders and in parts of them; noise, a line and a broad light."""
    generator = np.random.default_rng(5)
    picture = generator.normal(0.1, 0.03, (64, 80, channels))
    colours = np.linspace(1, 0.5, channels)
    down, along = np.mgrid[-2:3, -2:3]
    shape = np.exp(-(down**2 + along**2) / (2 * 0.7**2))[..., None] * colours
    for row, column, height in ((2, 2, 0.8), (40, 70, 0.4), (10, 12, 0.35), (61, 77, 0.9)):
        picture[row - 2 : row + 3, column - 2 : column + 3] += height * shape
    picture[30:, 40] += 0.5
    picture[20:30, 20:30] += 0.4
    noisy = picture.clip(0, 1).astype(np.float32)
    clean = np.full_like(noisy, 0.1)
    found = rule("stars", noisy=noisy, clean=clean, top=top, count=count)
    places = np.stack(find_stars(noisy), axis=1).tolist()
    assert found["places"] == places
    assert len(places) == 4
    expected = with_stars(clean, noisy)[top : top + count]
    np.testing.assert_array_equal(unpacked(found["kept"], "<f4", expected.shape), expected)
    assert count < 64 or (expected != clean).any(axis=2).sum() == 36


@pytest.mark.parametrize("channels", [1, 3])
def test_dithering(rule: Any, unpacked: Any, compiled: Any, channels: int) -> None:
    height, width, top, count = 30, 44, 9, 12
    means = (np.mgrid[:height, :width].sum(0)[:, :, None] / 4000 + np.full(channels, 0.3)).astype(
        "f4"
    )
    means[:, 30:] += 0.1 * np.random.default_rng(1).random((height, 14, channels), np.float32)
    means[14:] += np.float32(0.2)  # an edge, so that rows cannot be taken for others
    noisy = means + np.float32(0.03)
    core = slice(top, top + count), slice(0, width)
    expected = dithered(means[core], noisy, means, core, (top, 0))
    place = {"width": width, "channels": channels, "top": top, "count": count, "before": 2}
    around = means[top - 2 : top + count + 2]
    given = {"noisy": noisy[core], "means": around, "place": place, **compiled}
    answer = rule("dither", clean=means[core], **given)
    found = unpacked(answer, "<f4", expected.shape)
    assert (expected != means[core]).mean() > 0.3
    np.testing.assert_array_equal(found, expected)


def test_half_floats(rule: Any, unpacked: Any) -> None:
    bits = np.arange(65536, dtype=np.uint16)
    finite = bits[np.isfinite(bits.view(np.float16))]
    found = unpacked(rule("halves", bits=finite), "<f4", finite.shape)
    expected = finite.view(np.float16).astype(np.float32)
    assert (found.view(np.uint32) == expected.view(np.uint32)).all()


def test_the_service_modules_have_the_same_functions() -> None:
    """The page reaches both through the same names."""
    root = Path(__file__).parents[2]
    names = [
        set(re.findall(r"^export (?:async )?(?:function|const|class) (\w+)", text, re.MULTILINE))
        for text in (
            (root / "src/invdn/web/page/assets/service.js").read_text(),
            (root / "src/browser/page/service.js").read_text(),
        )
    ]
    served, alone = names
    assert alone <= served
    # what needs a server, and what the page asks for before it uses it
    assert served - alone == {"picture", "session", "enter", "archive", "installs"}
    assert "describe" in names[0]
