"""Raw in, DNG out: the same rendering as the source raw, and all its latitude."""

import json
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rawpy
import tifffile
from click.testing import CliRunner

from invdn.cli import group
from invdn.engines.factory import open_engine
from invdn.errors import ImageError
from invdn.image.dtype import to_float
from invdn.inference.pipeline import Pipeline
from invdn.photo.color import network_bridge_of, srgb_bridge_of
from invdn.photo.color.spaces import OwnPrimaries
from invdn.photo.containers.ifd import read_directory
from invdn.photo.linear_raw import _crop, read_linear_raw
from invdn.photo.photo import Photo, WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.full_metadata import IPTC, XMP
from support.photographs import encoded, picture
from support.raw_files import COLOUR_MATRIX, NEUTRAL, SRGB_TO_XYZ, write_cr2, write_dng


def scene(height: int = 128, width: int = 160) -> np.ndarray:
    """Light that varies slowly, with a patch above white."""
    rows, columns = np.mgrid[:height, :width]
    light = np.stack(
        (columns / width * 0.8 + 0.1, rows / height * 0.8 + 0.1, np.full(rows.shape, 0.3)), axis=2
    )
    light[40:80, 40:80] = 1.3
    return light


def developed(path: Path, **how: Any) -> np.ndarray:
    """LibRaw's rendering in linear sRGB."""
    how.setdefault("use_camera_wb", "user_wb" not in how)
    with rawpy.imread(str(path)) as raw:
        found = raw.postprocess(
            gamma=(1, 1),
            no_auto_bright=True,
            adjust_maximum_thr=0,
            output_bps=16,
            highlight_mode=rawpy.HighlightMode.Ignore,
            **how,
        )
    return found / 65535


@pytest.mark.parametrize("pattern", [(0, 1, 1, 2), (1, 0, 2, 1), (2, 1, 1, 0), (1, 2, 0, 1)])
def test_camera_colours_are_those_of_the_sensor(
    tmp_path: Path, pattern: tuple[int, int, int, int]
) -> None:
    light = scene()
    write_dng(tmp_path / "a.dng", light, pattern=pattern)
    photo = read_linear_raw(tmp_path / "a.dng")
    to_camera = COLOUR_MATRIX @ SRGB_TO_XYZ
    to_camera /= to_camera.sum(axis=1, keepdims=True)
    expected = np.clip((light @ to_camera.T) * NEUTRAL, 0, 1)
    error = np.abs(photo.pixels / 65535 - expected)
    error[36:84, 36:84] = 0  # the patch's edges are a matter of demosaicing
    assert error[4:-4, 4:-4].max() < 0.004
    # the patch above white: green saturates, red and blue do not, and none is cut
    assert np.abs(photo.pixels[60, 60] / 65535 - (0.65, 1, 0.8125)).max() < 0.002


def test_the_network_sees_the_usual_rendering(tmp_path: Path) -> None:
    light = scene()
    write_dng(tmp_path / "a.dng", light)
    photo = read_linear_raw(tmp_path / "a.dng")
    space, remarks = srgb_bridge_of(photo)
    assert space is not None and not remarks
    seen = space.to_srgb(photo.pixels / np.float32(65535))
    low = np.clip(light, 0, 1)
    expected = np.where(low <= 0.0031308, 12.92 * low, 1.055 * low ** (1 / 2.4) - 0.055)
    assert np.abs(seen - expected)[4:30, 4:-4].max() < 0.01


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_dng_is_developed_as_its_source(tmp_path: Path, orientation: int) -> None:
    write_dng(tmp_path / "a.dng", scene(), orientation)
    write_photo(read_linear_raw(tmp_path / "a.dng"), tmp_path / "b.dng")
    for how in ({}, {"bright": 0.3}, {"user_wb": [1.2, 1, 2.5, 1]}, {"bright": 2.0}):
        source, result = (developed(tmp_path / f"{name}.dng", **how) for name in "ab")
        assert source.shape == result.shape
        difference = np.abs(source - result)
        assert difference.mean() < 0.002 and np.quantile(difference, 0.95) < 0.002


def test_a_raw_file_that_does_not_tell_its_colours(tmp_path: Path) -> None:
    """Most do not: they name the camera, whose colours raw converters know."""
    planes = (scene(240, 320) * [5000, 11000, 7000]).clip(0, 15360).astype(np.uint16)
    mosaic = planes[..., 1].copy()
    mosaic[::2, ::2], mosaic[1::2, 1::2] = planes[::2, ::2, 0], planes[1::2, 1::2, 2]
    write_cr2(tmp_path / "a.cr2", mosaic)
    photo = read_linear_raw(tmp_path / "a.cr2")
    write_photo(photo, tmp_path / "a.dng")
    for how in ({"user_wb": [2.2, 1, 1.5, 1]}, {"user_wb": [1, 1, 2.5, 1], "bright": 0.3}):
        source, result = (developed(tmp_path / name, **how) for name in ("a.cr2", "a.dng"))
        difference = np.abs(source - result)
        assert difference.mean() < 0.002 and np.quantile(difference, 0.95) < 0.002
    with rawpy.imread(str(tmp_path / "a.dng")) as raw, rawpy.imread(str(tmp_path / "a.cr2")) as cr2:
        told = tifffile.TiffFile(tmp_path / "a.dng").pages[0].tags[50721].value
        assert np.allclose(np.array(told[::2]) / told[1::2], cr2.rgb_xyz_matrix[:3].ravel())
        assert raw.num_colors == 3
    usual = read_photo(tmp_path / "a.cr2")  # in Display P3
    seen = []
    for one in (photo, usual):
        bridge = srgb_bridge_of(one)[0]
        assert bridge
        seen.append(bridge.to_srgb(to_float(one.pixels)).clip(0, 1))
    assert np.abs(seen[0] - seen[1]).mean() < 0.02


def test_a_camera_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    write_cr2(tmp_path / "a.cr2", np.full((240, 320), 3000, np.uint16), "Canon EOS 12345Z")
    with pytest.raises(ImageError, match="the colours of its camera are damaged or unknown"):
        read_linear_raw(tmp_path / "a.cr2")


def test_the_frame_of_the_camera_is_kept() -> None:
    sizes = {"left_margin": 72, "top_margin": 52, "width": 5208, "height": 3476}
    sizes |= {"crop_left_margin": 84, "crop_top_margin": 64, "crop_width": 5184}
    sizes |= {"crop_height": 3456}
    assert _crop(SimpleNamespace(sizes=SimpleNamespace(**sizes))) == ((12, 12), (5184, 3456))
    for changed in ({"crop_width": 0}, {"crop_left_margin": 0}, {"crop_height": 3476}):
        assert _crop(SimpleNamespace(sizes=SimpleNamespace(**sizes | changed))) is None


def test_the_network_sees_white_as_white_in_own_primaries_too(tmp_path: Path) -> None:
    """A saturated patch makes it see the camera's primaries, but never its cast."""
    light = np.full((128, 160, 3), 0.4)
    light[20:60, 20:60] = (0.5, 0.0, 0.0)
    write_dng(tmp_path / "a.dng", light)
    photo = read_linear_raw(tmp_path / "a.dng")
    bridge, _ = network_bridge_of(photo)
    assert bridge and isinstance(bridge.space, OwnPrimaries)
    seen = bridge.to_srgb(photo.pixels[100:110, 100:110] / np.float32(65535))
    assert np.abs(seen - (1.055 * 0.4 ** (1 / 2.4) - 0.055)).max() < 0.01
    window = photo.pixels[10:50, 10:50] / np.float32(65535)
    assert np.abs(bridge.space.from_srgb(bridge.space.to_srgb(window)) - window).max() < 1e-5


def test_noise_goes_and_the_picture_stays(tmp_path: Path) -> None:
    light = scene()
    write_dng(tmp_path / "a.dng", light, noise=0.06)
    write_dng(tmp_path / "clean.dng", light)
    done = CliRunner().invoke(group, ["denoise", str(tmp_path / "a.dng"), "--format", "dng"])
    assert done.exit_code == 0, done.output
    noisy, result, clean = (
        developed(tmp_path / f"{name}.dng")[90:] for name in ("a", "a_denoised", "clean")
    )
    before, after = (np.sqrt(((one - clean) ** 2).mean()) for one in (noisy, result))
    assert after < 0.6 * before
    assert abs(result.mean() - clean.mean()) < 0.004
    again = CliRunner().invoke(group, ["denoise", str(tmp_path), "--format", "dng"])
    assert again.exit_code == 0 and not (tmp_path / "a_denoised_denoised.dng").exists()


XTRANS = tuple("RGB".index(letter) for letter in "GBGGRGRGRBGBGBGGRGGRGGBGBGBRGRGRGGBG")


def test_x_trans_is_demosaiced_by_libraw(tmp_path: Path) -> None:
    """LibRaw wants more than 512 pixels a side there."""
    light = scene(600, 600)
    write_dng(tmp_path / "a.dng", light, pattern=XTRANS)
    photo = read_linear_raw(tmp_path / "a.dng")
    to_camera = COLOUR_MATRIX @ SRGB_TO_XYZ
    to_camera /= to_camera.sum(axis=1, keepdims=True)
    expected = np.clip((light @ to_camera.T) * NEUTRAL, 0, 1)
    error = np.abs(photo.pixels / 65535 - expected)
    error[30:90, 30:90] = 0
    assert error[8:-8, 8:-8].max() < 0.02


def test_samples_are_compressed_without_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LibRaw decodes the same from tiles of lossless JPEG as from plain samples."""
    write_dng(tmp_path / "a.dng", scene(300, 530), noise=0.02)
    photo = read_linear_raw(tmp_path / "a.dng")
    photo.pixels[10, ::2], photo.pixels[10, 1::2] = 0, 65535  # the largest steps
    write_photo(photo, tmp_path / "packed.dng")
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    write_photo(photo, tmp_path / "plain.dng")
    packed, plain = (developed(tmp_path / f"{name}.dng") for name in ("packed", "plain"))
    assert np.array_equal(packed, plain)
    with tifffile.TiffFile(tmp_path / "packed.dng") as file:
        assert file.pages[0].compression == 7 and file.pages[0].is_tiled
        assert np.array_equal(file.asarray(), photo.pixels)
    with tifffile.TiffFile(tmp_path / "plain.dng") as file:
        assert file.pages[0].compression == 1
        assert np.array_equal(file.asarray(), photo.pixels)


def gain_map(
    gains: np.ndarray,
    *,
    at: tuple[int, int] = (0, 0),
    pitch: int = 2,
    flags: int = 1,
    planes: int = 1,
) -> bytes:
    """An opcode of gains by place, over a picture of 128x160."""
    body = struct.pack(">10I", *at, 128, 160, 0, 1, pitch, pitch, *gains.shape)
    body += struct.pack(">4dI", 1 / (gains.shape[0] - 1), 1 / (gains.shape[1] - 1), 0, 0, 1)
    body += gains.astype(">f4").tobytes()
    return struct.pack(">4I", 9, 0x01030000, flags, len(body)) + body


def opcodes(*parts: bytes) -> tuple[object, ...]:
    data = struct.pack(">I", len(parts)) + b"".join(parts)
    return (51009, 7, len(data), data, True)


def test_lens_shading_is_applied(tmp_path: Path) -> None:
    """Gains by place of each of the four places of the mosaic, as phones write them."""
    ramp = np.array([[1, 1.5], [1, 1.5]])  # from left to right
    parts = [
        gain_map(ramp if place in (0, 3) else 0 * ramp + 1.25, at=divmod(place, 2))
        for place in range(4)
    ]
    light = np.full((128, 160, 3), 0.2)
    write_dng(tmp_path / "plain.dng", light)
    write_dng(tmp_path / "a.dng", light, further=(opcodes(*parts), _PROFILE))
    plain, photo = (read_linear_raw(tmp_path / f"{name}.dng") for name in ("plain", "a"))
    assert not photo.remarks
    gains = photo.pixels.astype(float) / plain.pixels
    columns = 1 + 0.5 * (np.arange(160) + 0.5) / 160
    for color, wanted in ((0, columns), (1, 1.25), (2, columns)):
        assert np.abs(gains[..., color] - wanted).max() < 2e-3
    write_photo(photo, tmp_path / "b.dng")
    with (tmp_path / "b.dng").open("rb") as file:
        assert not {51009, 51041} & read_directory(file)[1].entries.keys()


_PROFILE = (51041, 12, 2, (1e-4, 1e-6), True)


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (1, lambda flags: struct.pack(">4I", 3, 0x01030000, flags, 8) + bytes(8)),
        (0, lambda flags: struct.pack(">4I", 3, 0x01030000, flags, 8) + bytes(8)),
        (0, lambda flags: gain_map(np.ones((2, 2)), at=(60, 60), flags=flags)),
        (1, lambda flags: gain_map(np.full((2, 2), np.nan), flags=flags)),
        (1, lambda flags: gain_map(np.ones((2, 2)), flags=flags)[:60]),
        (1, lambda flags: struct.pack(">4I", 9, 0, flags, 1 << 31)),
    ],
)
def test_corrections_of_the_mosaic_that_are_not_known(
    tmp_path: Path, flags: int, part: Any
) -> None:
    """Those that a reader may skip are left out, with a note; the others are refused."""
    write_dng(tmp_path / "a.dng", scene(), further=(opcodes(part(flags)),))
    if flags:
        assert "OpcodeList2" in read_linear_raw(tmp_path / "a.dng").remarks[0]
    else:
        with pytest.raises(ImageError, match="write a TIFF instead"):
            read_linear_raw(tmp_path / "a.dng")


def test_the_noise_that_the_file_tells_is_believed(tmp_path: Path) -> None:
    """Where nothing is flat, the picture alone would take its texture for noise."""
    generator = np.random.default_rng(5)
    texture = np.clip(0.3 + generator.normal(0, 0.08, (256, 256, 1)), 0.05, 0.9).repeat(3, axis=2)
    profile = (51041, 12, 2, (0.03**2, 0.0), True)
    flat = np.full((256, 256, 3), 0.3)
    levels = {}
    for name, light, further in (
        ("flat", flat, ()),
        ("plain", texture, ()),
        ("told", texture, (profile,)),
        ("lie", texture, ((51041, 12, 2, (1e-9, 0.0), True),)),
    ):
        write_dng(tmp_path / "a.dng", light, noise=0.03, further=further)
        engine = open_engine()
        pipeline, _ = Pipeline.for_photo(engine, read_linear_raw(tmp_path / "a.dng"))
        assert pipeline.noise
        levels[name] = pipeline.noise.level
    assert levels["plain"] > 1.8 * levels["flat"]
    assert 0.7 * levels["flat"] < levels["told"] < 1.15 * levels["flat"]
    assert levels["lie"] == levels["plain"]


@pytest.mark.parametrize("strength", ["auto", "0.5"])
def test_the_result_tells_what_noise_is_left(tmp_path: Path, strength: str) -> None:
    profile = (51041, 12, 2, (2.5e-3, 0.0), True)
    write_dng(tmp_path / "a.dng", scene(), noise=0.05, further=(profile,))
    command = ["denoise", str(tmp_path / "a.dng"), "--format", "dng", "--strength", strength]
    done = CliRunner().invoke(group, command)
    assert done.exit_code == 0, done.output
    with (tmp_path / "a_denoised.dng").open("rb") as file:
        found = read_directory(file)[1].entries
    over, under = struct.unpack("<2I", found[50935].data)
    slope, offset = struct.unpack("<2d", found[51041].data)
    assert over / under == 0.5 if strength == "0.5" else 0.5 < over / under <= 1
    assert offset == 0
    assert slope == pytest.approx(2.5e-3 * max((1 - over / under) ** 2, 0.01), rel=1e-3)


_OPCODES = struct.pack(">I", 0)
_FURTHER = (
    (700, 1, len(XMP), XMP, True),
    (33723, 7, len(IPTC), IPTC, True),
    (50730, 10, 1, (-35, 100), True),
    (50735, 2, 0, "serial 123", True),
    (50719, 5, 2, (4, 1, 6, 1), True),
    (50720, 5, 2, (100, 1, 90, 1), True),
    (51022, 7, len(_OPCODES), _OPCODES, True),
    (51009, 7, len(_OPCODES), _OPCODES, True),
    (51041, 12, 6, (1e-5, 1e-7) * 3, True),
    (50936, 2, 0, "a profile", True),
)


def test_tags_of_the_camera_are_kept(tmp_path: Path) -> None:
    write_dng(tmp_path / "a.dng", scene(), 6, further=_FURTHER)
    photo = read_linear_raw(tmp_path / "a.dng")
    write_photo(photo, tmp_path / "b.dng")
    with (tmp_path / "b.dng").open("rb") as file:
        found = read_directory(file)[1].entries
    with (tmp_path / "a.dng").open("rb") as file:
        source = read_directory(file)[1].entries
    for tag in (
        271,
        272,
        274,
        306,
        700,
        33723,
        50708,
        50719,
        50720,
        50721,
        50728,
        50730,
        50735,
        50936,
        51022,
    ):
        assert found[tag].data == source[tag].data, tag
    assert found[51041].data == source[51041].data
    assert not {51009, 33421, 33422, 34675} & found.keys()
    write_photo(photo, tmp_path / "c.dng", choices=WriteOptions(strip_metadata=True))
    data = (tmp_path / "c.dng").read_bytes()
    assert b"serial 123" not in data and b"xmp" not in data
    assert np.abs(developed(tmp_path / "c.dng") - developed(tmp_path / "b.dng")).max() < 1e-4


def test_exiftool_validates_it(tmp_path: Path) -> None:
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool")
    write_dng(tmp_path / "a.dng", scene(), 6)
    write_photo(read_linear_raw(tmp_path / "a.dng"), tmp_path / "b.dng")
    command = [
        "exiftool",
        "-j",
        "-validate",
        "-warning",
        "-error",
        "-FileType",
        "-PhotometricInterpretation",
        str(tmp_path / "b.dng"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (found,) = json.loads(done.stdout)
    assert found["FileType"] == "DNG" and found["PhotometricInterpretation"] == "Linear Raw"
    assert "Error" not in found and found["Validate"] == "OK", found


def test_what_is_no_raw_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded(picture(), "JPEG"))
    with pytest.raises(ImageError, match="raw file only"):
        read_linear_raw(tmp_path / "a.jpg")
    done = CliRunner().invoke(group, ["denoise", str(tmp_path / "a.jpg"), "--format", "dng"])
    assert done.exit_code == 1 and "raw file only" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_a_part_has_no_crop_of_the_whole(tmp_path: Path) -> None:
    write_dng(tmp_path / "a.dng", scene(), further=_FURTHER)
    target = tmp_path / "part.dng"
    command = ["denoise", str(tmp_path / "a.dng"), "-o", str(target), "--preview", "8,8,64,48"]
    assert CliRunner().invoke(group, command).exit_code == 0
    with target.open("rb") as file:
        found = read_directory(file)[1].entries
    assert not {50719, 50720, 51022} & found.keys() and 50721 in found
    assert developed(target).shape == (48, 64, 3)


def test_hostile_tags_do_no_harm(tmp_path: Path) -> None:
    write_dng(tmp_path / "a.dng", scene(40, 60), further=_FURTHER)
    data = (tmp_path / "a.dng").read_bytes()
    start = int.from_bytes(data[4:8], "little")
    generator = np.random.default_rng(0)
    for _ in range(80):
        damaged = bytearray(data)
        for place in generator.integers(start, min(start + 700, len(data)), 3):
            damaged[place] = generator.integers(256)
        (tmp_path / "b.dng").write_bytes(damaged)
        try:
            photo = read_linear_raw(tmp_path / "b.dng", max_pixels=10_000_000)
            network_bridge_of(photo)
            write_photo(photo, tmp_path / "c.dng", overwrite=True)
        except ImageError as error:
            assert "\n" not in str(error)
    for length in (0, 100, len(data) // 2, len(data) - 10):
        (tmp_path / "b.dng").write_bytes(data[:length])
        with pytest.raises(ImageError):
            read_linear_raw(tmp_path / "b.dng")


@pytest.mark.parametrize("tag", [50721, 50728])
@pytest.mark.parametrize("values", [(0, 1), (2**31 - 1, 1), (1, 1), (1, 2**31 - 1), (5, 0)])
def test_colours_of_no_camera(tmp_path: Path, tag: int, values: tuple[int, int]) -> None:
    write_dng(tmp_path / "a.dng", scene(40, 60))
    with (tmp_path / "a.dng").open("r+b") as file:
        entry = read_directory(file)[1].entries[tag]
        data = (tmp_path / "a.dng").read_bytes()
        file.seek(data.index(entry.data))
        file.write(struct.pack("<2i", *values) * (len(entry.data) // 8))
    try:
        photo = read_linear_raw(tmp_path / "a.dng")
    except ImageError as error:
        assert "colours of its camera" in str(error)
        assert tag == 50721
        return
    network_bridge_of(photo)
    write_photo(photo, tmp_path / "b.dng")
    assert np.isfinite(developed(tmp_path / "b.dng")).all()
    assert tag == 50728


@pytest.mark.slow
@pytest.mark.parametrize("program", ["darktable-cli", "rawtherapee-cli"])
def test_raw_converters_render_it_as_its_source(tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}")
    write_dng(tmp_path / "a.dng", scene(256, 384))
    write_photo(read_linear_raw(tmp_path / "a.dng"), tmp_path / "b.dng")
    seen = []
    for name in "ab":
        source, target = str(tmp_path / f"{name}.dng"), str(tmp_path / f"{name}.tif")
        command = [program, "-o", target, "-t", "-b16", "-Y", "-c", source]
        if program == "darktable-cli":
            command = [program, source, target, "--apply-custom-presets", "false", "--core"]
            command += ["--configdir", str(tmp_path / "config"), "--library", ":memory:"]
            command += ["--conf", "plugins/darkroom/workflow=none"]
            command += ["--conf", "plugins/imageio/format/tiff/bpp=16"]
        subprocess.run(command, capture_output=True, check=True, timeout=300)
        stored = tifffile.imread(target)[..., :3]
        seen.append(stored / np.iinfo(stored.dtype).max)
    if seen[0].shape != seen[1].shape:  # RawTherapee cuts the border of a mosaic
        seen[1] = seen[1][4:-4, 4:-4]
    difference = np.abs(seen[0] - seen[1])
    assert difference.mean() < 0.004 and np.quantile(difference, 0.9) < 0.006


def test_tiff_stays_the_default(tmp_path: Path) -> None:
    write_dng(tmp_path / "a.dng", scene(40, 60))
    assert read_photo(tmp_path / "a.dng").metadata.camera is None
    assert isinstance(read_linear_raw(tmp_path / "a.dng"), Photo)
