"""Colours go to the network and come back; Little CMS, in Pillow, is the second opinion."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from invdn.errors import ImageError
from invdn.image.curves import LINEAR, SRGB, Curve, ParametricCurve, Table
from invdn.image.dtype import from_float, to_float
from invdn.photo.color import SrgbBridge, srgb_bridge_of
from invdn.photo.color.icc import (
    ADOBE_GAMMA,
    ADOBE_PRIMARIES,
    D65,
    P3_PRIMARIES,
    REC2020_PRIMARIES,
    SRGB_PRIMARIES,
    ProfileError,
    make_profile,
    read_profile,
)
from invdn.photo.color.spaces import TableSpace
from invdn.photo.containers.ifd import Directory, Entry, serialise
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.full_metadata import ICC as SRGB_PROFILE
from support.full_metadata import grey_profile
from support.photographs import pixels

PROPHOTO = ((0.734699, 0.265301), (0.159597, 0.840403), (0.036598, 0.000105), (0.3457, 0.3585))
PROFILES = {
    "Adobe RGB": make_profile("Adobe RGB", ADOBE_PRIMARIES, ADOBE_GAMMA),
    "Display P3": make_profile("Display P3", P3_PRIMARIES),
    "ProPhoto": make_profile("ProPhoto", PROPHOTO, ParametricCurve(1.8)),
    "Rec. 2020": make_profile("Rec. 2020", REC2020_PRIMARIES),
    "linear Rec. 2020": make_profile("linear", REC2020_PRIMARIES, LINEAR),
    "linear sRGB": make_profile("linear sRGB", SRGB_PRIMARIES, LINEAR),
}


def photo(profile: bytes, kind: str = "uint16", shape: tuple[int, ...] = (40, 60, 3)) -> Photo:
    return Photo(pixels(kind, shape), metadata=Metadata(icc=profile))


def colours(profile: bytes, **how: object) -> SrgbBridge:
    found, remarks = srgb_bridge_of(photo(profile, **how))
    assert found is not None and not remarks
    return found


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("name", PROFILES)
def test_what_the_network_leaves_alone_comes_back_exactly(name: str, kind: str) -> None:
    """Every pixel, though most of these colours lie outside sRGB."""
    stored = photo(PROFILES[name], kind)
    stored = replace(stored, pixels=np.clip(stored.pixels, 0, None))
    if kind == "float32":
        stored = replace(stored, pixels=stored.pixels / 3)
    found, _ = srgb_bridge_of(stored)
    window = to_float(stored.pixels)
    seen = found.to_srgb(window)
    assert seen.min() >= 0 and seen.max() <= 1
    assert not np.allclose(seen, window, atol=1 / 255)
    assert np.array_equal(from_float(found.from_srgb(seen, window), kind), stored.pixels)


@pytest.mark.parametrize("name", PROFILES)
def test_the_space_undoes_itself(name: str) -> None:
    """Without the difference trick: both directions by themselves, beyond [0, 1] too."""
    space = colours(PROFILES[name]).space
    window = np.random.default_rng(1).uniform(0.02, 1.5, (30, 30, 3)).astype(np.float32)
    assert np.abs(space.from_srgb(space.to_srgb(window)) - window).max() < 4e-5


@pytest.mark.parametrize("name", PROFILES)
def test_little_cms_sees_the_same_colours(name: str) -> None:
    stored = pixels("uint8", (40, 60, 3))
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(PROFILES[name])),
        ImageCms.createProfile("sRGB"),
        "RGB",
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.HIGHRESPRECALC,
    )
    expected = np.asarray(ImageCms.applyTransform(Image.fromarray(stored), transform)).astype(int)
    seen = colours(PROFILES[name]).to_srgb(to_float(stored)) * 255
    assert np.abs(seen - expected).max() < (6 if name.startswith("linear") else 2)
    assert np.abs(seen - expected).mean() < 0.5


def test_a_change_is_carried_back_and_colours_outside_stay_outside() -> None:
    """Grey noise taken off a saturated green that sRGB does not hold."""
    found = colours(PROFILES["Display P3"])
    clean = np.broadcast_to(np.array([0.1, 0.9, 0.2], np.float32), (50, 50, 3))
    noise = np.random.default_rng(0).normal(0, 0.02, (50, 50, 1)).astype(np.float32)
    window = clean + noise
    seen = found.to_srgb(window)
    assert seen[..., 0].max() == 0  # out of gamut: red is below zero there
    flat = np.broadcast_to(seen.mean(axis=(0, 1)), seen.shape)
    result = found.from_srgb(flat, window)
    assert np.abs(result.mean(axis=(0, 1)) - clean[0, 0]).max() < 0.01
    assert result[..., 1].std() < 0.25 * window[..., 1].std()


@pytest.mark.parametrize(
    "curve", [ParametricCurve(2.2), LINEAR, SRGB, Table(np.linspace(0, 1, 9) ** 1.8)]
)
def test_curves_undo_themselves_everywhere(curve: Curve) -> None:
    stored = np.linspace(-0.5, 2, 301, dtype=np.float32)
    assert np.abs(curve.stored(curve.light(stored)) - stored).max() < 1e-5
    assert (np.diff(curve.light(stored)) > 0).all()


@pytest.mark.parametrize(
    "profile",
    [
        SRGB_PROFILE,
        make_profile("sRGB", SRGB_PRIMARIES),
        make_profile("nearly", SRGB_PRIMARIES, ParametricCurve(2.4, 0.947, 0.053, 0.0774, 0.0405)),
        None,
    ],
)
@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 3)])
def test_srgb_of_any_maker_takes_the_direct_road(
    profile: bytes | None, shape: tuple[int, ...]
) -> None:
    stored = Photo(pixels("uint16", shape), metadata=Metadata(icc=profile))
    assert srgb_bridge_of(stored) == (None, ())


def test_grey_profiles_of_any_gamma() -> None:
    profile = grey_profile(1.8)
    stored = photo(profile, shape=(30, 40))
    found, remarks = srgb_bridge_of(stored)
    assert found and not remarks
    window = to_float(stored.pixels)[..., None]
    seen = found.to_srgb(window)
    assert seen.shape == (30, 40, 1)
    middle = found.to_srgb(np.full((1, 1, 1), 0.5, np.float32)).item()
    assert SRGB.light(np.float32(middle)) == pytest.approx(0.5**1.8, abs=1e-3)
    assert np.array_equal(
        from_float(found.from_srgb(seen, window), np.uint16)[..., 0], stored.pixels
    )
    assert srgb_bridge_of(photo(profile, shape=(9, 9, 3)))[1]  # belongs to another kind of picture


def test_profiles_of_tables_go_through_little_cms() -> None:
    """Forced upon a profile that has curves as well, so that both ways can be compared."""
    by_curves = colours(PROFILES["Adobe RGB"]).space
    tables = TableSpace(PROFILES["Adobe RGB"])
    window = np.random.default_rng(0).uniform(0.1, 0.9, (30, 30, 3)).astype(np.float32)
    assert np.abs(tables.to_srgb(window) - by_curves.to_srgb(window)).max() < 0.03
    inside = by_curves.from_srgb(window)
    assert np.abs(tables.from_srgb(window) - inside).max() < 2e-3
    stored = from_float(window, np.uint16)
    found = SrgbBridge(tables)
    seen = found.to_srgb(to_float(stored))
    assert np.array_equal(from_float(found.from_srgb(seen, to_float(stored)), np.uint16), stored)


@pytest.mark.parametrize("damaged", [b"rubbish" * 40, SRGB_PROFILE[:200], SRGB_PROFILE[:300]])
def test_a_damaged_profile_is_srgb_with_a_remark(damaged: bytes) -> None:
    found, remarks = srgb_bridge_of(photo(damaged))
    assert found is None and "damaged" in remarks[0]


@pytest.mark.parametrize("damaged", [b"", bytes(500), SRGB_PROFILE[:140]])
def test_damaged_profiles_are_told(damaged: bytes) -> None:
    with pytest.raises(ProfileError):
        read_profile(damaged)


def test_adobe_rgb_by_exif_alone() -> None:
    """As cameras mark it that embed no profile."""
    rule = Directory({1: Entry(2, b"R03\0")})
    exif = serialise(Directory({}, {34665: Directory({}, {40965: rule})}))
    stored = Photo(pixels("uint8"), metadata=Metadata(exif=exif))
    found, _ = srgb_bridge_of(stored)
    assert found
    window = to_float(stored.pixels)
    expected = colours(PROFILES["Adobe RGB"]).to_srgb(window)
    assert np.abs(found.to_srgb(window) - expected).max() < 1e-3


def test_highlights_above_white_pass_through() -> None:
    values = np.full((20, 20, 3), 0.5, np.float32)
    values[5, 5] = 7
    found, _ = srgb_bridge_of(Photo(values))
    assert found
    seen = found.to_srgb(values)
    assert seen.max() == 1
    result = found.from_srgb(np.where(seen < 1, np.float32(0.25), seen), values)
    assert (result[5, 5] == 7).all() and np.allclose(result[0, 0], 0.25)


def test_values_of_another_white_are_refused() -> None:
    with pytest.raises(ImageError, match="divide them by their white"):
        srgb_bridge_of(Photo(np.full((20, 20, 3), 128, np.float32)))


@pytest.mark.parametrize(
    ("chunk", "name"),
    [
        (b"\0\0\0\4cICP\x0c\x0d\0\1", "Display P3"),
        (b"\0\0\0\4cICP\x09\x08\0\1", "linear Rec. 2020"),
        (b"\0\0\0\4gAMA" + (100_000).to_bytes(4), "linear sRGB"),
    ],
)
def test_colours_that_a_png_describes_without_a_profile(
    tmp_path: Path, chunk: bytes, name: str
) -> None:
    _put_chunk(tmp_path / "a.png", chunk)
    stored = read_photo(tmp_path / "a.png")
    window = to_float(stored.pixels)
    found, _ = srgb_bridge_of(stored)
    assert found
    expected = colours(PROFILES[name]).to_srgb(window)
    assert np.abs(found.to_srgb(window) - expected).max() < 2e-3
    write_photo(stored, tmp_path / "b.tif")  # which knows no such chunk
    again, _ = srgb_bridge_of(read_photo(tmp_path / "b.tif"))
    assert again and np.allclose(again.to_srgb(window), expected, atol=2e-3)


def _put_chunk(path: Path, chunk: bytes) -> None:
    """A PNG with this chunk behind its header."""
    import zlib

    buffer = io.BytesIO()
    Image.fromarray(pixels("uint8", (9, 9, 3))).save(buffer, "PNG")
    data = buffer.getvalue()
    path.write_bytes(data[:33] + chunk + zlib.crc32(chunk[4:]).to_bytes(4) + data[33:])


def test_the_profile_made_for_a_space_is_read_by_others() -> None:
    for name, data in PROFILES.items():
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data)).profile
        assert profile.is_matrix_shaper, name
    white = read_profile(make_profile("x", (*P3_PRIMARIES[:3], D65))).matrix
    assert white is not None and np.allclose(white.sum(axis=1), [0.9642, 1, 0.8249], atol=1e-4)
