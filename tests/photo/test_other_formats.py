"""JPEG XL, JPEG 2000, BMP, PPM, GIF, CMYK, rare TIFF codecs, and a JPEG without its end."""

import builtins
import io
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from invdn.errors import ImageError, MissingDependencyError, OutputError
from invdn.image.dtype import from_float, to_float
from invdn.photo import libjxl
from invdn.photo.color import srgb_bridge_of
from invdn.photo.color.icc import ADOBE_GAMMA, ADOBE_PRIMARIES, make_profile
from invdn.photo.photo import Metadata, Photo, WriteOptions
from invdn.photo.read import format_of_file, output_suffix, read_photo
from invdn.photo.write import write_photo
from support.full_metadata import XMP, exif, grey_profile
from support.photographs import encoded, picture, pixels


def read(tmp_path: Path, data: bytes, name: str = "photo") -> Photo:
    """The photograph of a file."""
    (tmp_path / name).write_bytes(data)
    return read_photo(tmp_path / name)


@pytest.mark.parametrize("shape", [(37, 53), (37, 53, 3), (40, 64, 3), (300, 20, 3)])
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_jxl_there_and_back(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    alpha = pixels(kind, shape[:2]) if len(shape) == 3 else None
    block = exif().tobytes().removeprefix(b"Exif\0\0")
    photo = Photo(pixels(kind, shape), alpha, Metadata(exif=block, xmp=XMP))
    write_photo(photo, tmp_path / "a.jxl")
    found = read_photo(tmp_path / "a.jxl")
    turned = np.rot90(photo.pixels)  # the block says 8
    assert np.array_equal(found.pixels, turned) and found.pixels.dtype == kind
    assert alpha is None or np.array_equal(found.alpha, np.rot90(alpha))
    assert found.metadata.xmp == XMP and b"Canon" in (found.metadata.exif or b"")
    assert found.orientation == 1 and output_suffix(tmp_path / "a.jxl") == ".jxl"
    write_photo(photo, tmp_path / "b.jxl", choices=WriteOptions(quality=80))
    assert (tmp_path / "b.jxl").stat().st_size < (tmp_path / "a.jxl").stat().st_size


@pytest.mark.skipif(not shutil.which("djxl"), reason="djxl is not installed")
@pytest.mark.parametrize("quality", [None, 90])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_libjxl_sees_the_colours_of_jxl(
    tmp_path: Path, kind: str, grey: bool, quality: int | None
) -> None:
    ramp = np.asarray(picture("L" if grey else "RGB")) / np.float32(255)
    photo = Photo(from_float(ramp, np.dtype(kind)))
    write_photo(photo, tmp_path / "a.jxl", choices=WriteOptions(quality=quality))
    again = read_photo(tmp_path / "a.jxl")
    assert again.metadata.icc is None and again.pixels.dtype == kind
    target = tmp_path / f"a.{'pgm' if grey else 'ppm'}"
    command = ["djxl", tmp_path / "a.jxl", target]
    command += ["--bits_per_sample=16"] if kind == "float32" else []
    subprocess.run(command, check=True, capture_output=True)
    for seen in (read_photo(target), again):
        assert np.abs(to_float(seen.pixels) - ramp).mean() < 0.01


@pytest.mark.skipif(not libjxl.is_available(), reason="imagecodecs brings no libjxl here")
@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
def test_linear_jxl_has_a_profile(tmp_path: Path, shape: tuple[int, ...]) -> None:
    stored = pixels("uint16", shape)
    found = read(tmp_path, bytes(imagecodecs.jpegxl_encode(stored, lossless=True)))
    assert np.array_equal(found.pixels, stored)
    bridge = srgb_bridge_of(found)[0]
    assert bridge
    half = bridge.to_srgb(np.full((1, 1, 1 if len(shape) == 2 else 3), 0.5, np.float32))
    assert half == pytest.approx(0.735, abs=2e-3)


def test_jxl_of_others(tmp_path: Path) -> None:
    stored = np.asarray(picture())
    for how in ({"lossless": True}, {"distance": 1.0}, {"lossless": True, "usecontainer": True}):
        found = read(tmp_path, imagecodecs.jpegxl_encode(stored, **how))
        assert np.abs(found.pixels.astype(int) - stored).max() < (1 if "lossless" in how else 40)
        assert found.format == "jxl" and found.metadata.icc is None
    packed = imagecodecs.brotli_encode(XMP)
    stream = imagecodecs.jpegxl_encode(stored, lossless=True, usecontainer=True)
    box = struct.pack(">I4s4s", 12 + len(packed), b"brob", b"xml ") + packed
    assert read(tmp_path, stream + box).metadata.xmp == XMP
    stack = np.stack([stored, stored])
    with pytest.raises(ImageError, match="animation"):
        read(tmp_path, imagecodecs.jpegxl_encode(stack, lossless=True))


WIDE = make_profile("wide", ADOBE_PRIMARIES, ADOBE_GAMMA)
GREYS = grey_profile(1.8)


@pytest.mark.skipif(not libjxl.is_available(), reason="imagecodecs brings no libjxl here")
@pytest.mark.parametrize("quality", [None, 95])
@pytest.mark.parametrize("shape", [(37, 53), (37, 53, 3)])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_jxl_keeps_a_profile(
    tmp_path: Path, kind: str, shape: tuple[int, ...], quality: int | None
) -> None:
    grey = len(shape) == 2
    stored = from_float(to_float(np.asarray(picture("L" if grey else "RGB"))), np.dtype(kind))
    alpha = None if grey else pixels(kind, stored.shape[:2])
    block = exif().tobytes().removeprefix(b"Exif\0\0")
    metadata = Metadata(GREYS if grey else WIDE, exif=block, xmp=XMP)
    how = WriteOptions(quality=quality)
    write_photo(Photo(stored, alpha, metadata), tmp_path / "a.jxl", choices=how)
    found = read_photo(tmp_path / "a.jxl")
    assert found.metadata.xmp == XMP and found.pixels.dtype == kind
    turned = np.rot90(stored)  # the block says 8
    if quality is None:
        assert grey or found.metadata.icc == WIDE
        assert np.array_equal(found.pixels, turned)
        assert alpha is None or np.array_equal(found.alpha, np.rot90(alpha))
    seen, meant = (
        srgb_bridge_of(one)[0] for one in (found, Photo(turned, metadata=Metadata(metadata.icc)))
    )
    assert seen and meant
    error = seen.to_srgb(to_float(found.pixels)) - meant.to_srgb(to_float(turned))
    assert np.abs(error).mean() < 0.01


@pytest.mark.skipif(not libjxl.is_available(), reason="imagecodecs brings no libjxl here")
def test_a_profile_that_libjxl_refuses(tmp_path: Path) -> None:
    strange = WIDE[:64] + b"\xff\xff\xff\xff" + WIDE[68:]  # how it is to be rendered
    with pytest.raises(OutputError, match="cannot be given its colour profile"):
        write_photo(Photo(pixels("uint8"), metadata=Metadata(strange)), tmp_path / "a.jxl")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not shutil.which("cjxl"), reason="libjxl's tools are not installed")
@pytest.mark.parametrize("distance", ["0", "0.3"])
def test_jxl_of_others_with_a_profile(tmp_path: Path, distance: str) -> None:
    image = picture()
    image.save(tmp_path / "a.png", icc_profile=WIDE)
    made = tmp_path / "a.jxl"
    command = ["cjxl", tmp_path / "a.png", made, "-d", distance]
    subprocess.run(command, check=True, capture_output=True)
    found = read_photo(made)
    assert found.metadata.icc == WIDE
    error = np.abs(found.pixels.astype(int) - np.asarray(image))
    assert error.mean() < (1 if distance != "0" else 1e-9)
    write_photo(found, tmp_path / "b.jxl")
    subprocess.run(
        ["djxl", tmp_path / "b.jxl", tmp_path / "b.png"], check=True, capture_output=True
    )
    with Image.open(tmp_path / "b.png") as seen:
        assert np.array_equal(np.asarray(seen), found.pixels)
        assert seen.info["icc_profile"] == WIDE
    for end in (100, 300, made.stat().st_size // 2):
        with pytest.raises(ImageError, match=r"damaged|cut"):
            read(tmp_path, made.read_bytes()[:end])


def test_jxl_with_a_profile_without_libjxl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = Photo(pixels("uint8"), metadata=Metadata(WIDE))
    if libjxl.is_available():
        write_photo(wide, tmp_path / "a.jxl")
    monkeypatch.setattr(libjxl, "is_available", lambda: False)
    if (tmp_path / "a.jxl").exists():
        with pytest.raises(ImageError, match="need an ICC profile"):
            read_photo(tmp_path / "a.jxl")
    with pytest.raises(OutputError, match="colour profile on this system"):
        write_photo(wide, tmp_path / "b.jxl")


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_jpeg_2000(tmp_path: Path, bits: int) -> None:
    top = (1 << bits) - 1
    kind = np.uint8 if bits == 8 else np.uint16
    stored = np.random.default_rng(0).integers(0, top, (40, 50, 3), endpoint=True).astype(kind)
    for how in ("j2k", "jp2"):
        data = imagecodecs.jpeg2k_encode(
            stored, codecformat=how, bitspersample=bits, reversible=True, level=0
        )
        found = read(tmp_path, data)
        expected = stored if bits != 12 else np.rint(stored / top * 65535)
        assert found.format == "jp2" and np.abs(found.pixels - expected.astype(float)).max() <= 1
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    buffer = io.BytesIO()
    picture().save(buffer, "JPEG2000", irreversible=False)
    assert np.array_equal(read(tmp_path, buffer.getvalue()).pixels, np.asarray(picture()))
    assert output_suffix(tmp_path / "photo") == ".tif" and profile


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        ("RGB", "BMP"),
        ("L", "BMP"),
        ("P", "BMP"),
        ("RGB", "PPM"),
        ("L", "PPM"),
        ("1", "PPM"),
        ("P", "GIF"),
        ("L", "GIF"),
    ],
)
def test_old_formats(tmp_path: Path, mode: str, name: str) -> None:
    image = picture(mode)
    data = encoded(image, name)
    found = read(tmp_path, data)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    shown = found.pixels if found.pixels.ndim == 3 else np.stack([found.pixels] * 3, axis=2)
    assert np.array_equal(shown, expected)
    assert found.format == name.lower() and output_suffix(tmp_path / "photo") == ".png"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P3 # a comment\n2 1\n#another\n255\n1 2 3  4 5 6\n", [[[1, 2, 3], [4, 5, 6]]]),
        (b"P1\n3 1\n1 0\n1", [[0, 255, 0]]),
        (b"P5 2 1 15 \x00\x0f", [[0, 255]]),
        (b"P5 1 1 1023 \x03\xff", [[65535]]),
    ],
)
def test_netpbm(tmp_path: Path, data: bytes, expected: object) -> None:
    assert read(tmp_path, data).pixels.tolist() == expected


@pytest.mark.parametrize("name", ["BMP", "PPM", "GIF", "JPEG2000", "jxl"])
def test_damage_is_told(tmp_path: Path, name: str) -> None:
    data = (
        imagecodecs.jpegxl_encode(np.asarray(picture()))
        if name == "jxl"
        else encoded(picture("L") if name == "GIF" else picture(), name)
    )
    with pytest.raises(ImageError) as caught:
        read(tmp_path, data[: len(data) // 2])
    assert "\n" not in str(caught.value)
    generator = np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(data)
        for place in generator.integers(0, len(data), 4):
            damaged[place] = generator.integers(256)
        try:
            read(tmp_path, bytes(damaged))
        except ImageError as error:
            assert "cannot read" in str(error)


def test_an_animated_gif_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    picture("P").save(buffer, "GIF", save_all=True, append_images=[picture("L").convert("P")])
    with pytest.raises(ImageError, match="animation"):
        read(tmp_path, buffer.getvalue())


@pytest.mark.parametrize("codec", ["zstd", "lzma", "lerc", "jpeg2000", "webp", "jpegxl"])
def test_rare_codecs_of_tiff(tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = np.asarray(picture())
    path = tmp_path / "a.tif"
    how = {"lossless": True} if codec == "webp" else {}
    tifffile.imwrite(
        path, stored, photometric="rgb", compression=codec, compressionargs=how, software="me"
    )
    found = read_photo(path)
    limit = 0 if codec in ("zstd", "lzma", "webp") else 60
    assert np.abs(found.pixels.astype(int) - stored).max() <= limit
    assert "it was compressed with" in found.remarks[-1]
    write_photo(found, tmp_path / "b.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), found.pixels)
    real = builtins.__import__

    def without(wanted: str, *rest: Any) -> Any:
        if wanted == "imagecodecs":
            raise ImportError(wanted)
        return real(wanted, *rest)

    monkeypatch.delitem(sys.modules, "imagecodecs")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r"compressed with \w.*invdn\[formats\]"):
        read_photo(path)


def test_unknown_codecs_of_tiff_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.asarray(picture()), photometric="rgb")
    data = (tmp_path / "a.tif").read_bytes()
    entry = struct.pack("<HHIHH", 259, 3, 1, 1, 0)
    assert entry in data
    for number in (6, 34661):  # 6: JPEG of the old style
        with pytest.raises(ImageError, match=f"compression {number}"):
            read(tmp_path, data.replace(entry, struct.pack("<HHIHH", 259, 3, 1, number, 0)))


def test_a_jpeg_without_its_end(tmp_path: Path) -> None:
    for options in ({}, {"progressive": True}):
        data = encoded(picture(), "JPEG", **options)
        whole = read(tmp_path, data)
        found = read(tmp_path, data[:-2])
        assert np.array_equal(found.pixels, whole.pixels)
        assert "lacks its end marker" in found.remarks[-1] and not whole.remarks
        for cut in (30, 200, len(data) // 2):
            with pytest.raises(ImageError, match="damaged or cut short"):
                read(tmp_path, data[:-cut])


def cmyk_profile() -> bytes:
    """The CMYK profile that libvips carries."""
    from invdn.photo.vips import pyvips

    image = pyvips.Image.black(8, 8, bands=3).copy(interpretation="srgb")
    return bytes(image.icc_transform("cmyk").get("icc-profile-data"))


@pytest.mark.parametrize("bits", [9, 12, 14])
def test_tiff_of_packed_bits(tmp_path: Path, bits: int) -> None:
    stored = np.random.default_rng(0).integers(0, 1 << bits, (30, 41, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stored, bitspersample=bits, photometric="rgb")
    expected = stored / ((1 << bits) - 1) * 65535
    assert np.abs(read_photo(tmp_path / "a.tif").pixels - expected).max() <= 0.5


@pytest.mark.parametrize("codec", [None, "deflate", "lzw", "jpeg", "zstd"])
def test_a_cut_tiff_of_an_unusual_layout_is_refused(tmp_path: Path, codec: str | None) -> None:
    stored = np.asarray(picture())
    tifffile.imwrite(
        tmp_path / "a.tif", stored, photometric="rgb", tile=(1024, 1024), compression=codec
    )
    data = (tmp_path / "a.tif").read_bytes()
    assert np.abs(read(tmp_path, data).pixels.astype(int) - stored).mean() < 4
    for share in (0.3, 0.95):
        with pytest.raises(ImageError, match="damaged or cut short"):
            read(tmp_path, data[: int(len(data) * share)])


def bitmap(kind: str) -> tuple[bytes, list[list[int]]]:
    """A bitmap of a rare kind, and which colours of its palette are where."""
    rows = [[1, 1, 1, 2, 0], [2, 0, 1, 0, 2], [0, 0, 0, 0, 0]]
    palette = [(10, 20, 30), (200, 100, 50), (255, 255, 255)]
    colours = b"".join(bytes((*reversed(rgb), 0)) for rgb in palette)
    bits, how, head = 8, 0, 40
    body = b"".join(bytes(row) + bytes(3) for row in reversed(rows))
    match kind:
        case "RLE8":  # runs, a row spelt out, a row that ends early and stays of colour 0
            how, body = 1, b"\2\0\0\0" + b"\0\5" + bytes(rows[1]) + b"\0\0\0" + b"\3\1\1\2\0\0\0\1"
        case "RLE4":
            bits, how = 4, 2
            body = b"\5\0\0\0" + b"\2\x20\1\x10\2\x02\0\0" + b"\3\x11\2\x20\0\0\0\1"
        case "OS/2 1":
            head, colours = 12, b"".join(bytes(reversed(rgb)) for rgb in palette * 86)[:768]
        case "OS/2 2":
            head, colours = 16, (colours * 86)[:1024]
    size = struct.pack("<4H" if head == 12 else "<2i2H", 5, 3, 1, bits)
    info = struct.pack("<I", head) + size
    if head == 40:
        info += struct.pack("<6I", how, len(body), 0, 0, len(palette), 0)
    start = 14 + len(info) + len(colours)
    data = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + info + colours + body
    return data, [[list(palette[index]) for index in row] for row in rows]


@pytest.mark.parametrize("kind", ["RLE8", "RLE4", "OS/2 1", "OS/2 2"])
def test_rare_kinds_of_bmp(tmp_path: Path, kind: str) -> None:
    data, expected = bitmap(kind)
    assert read(tmp_path, data).pixels.tolist() == expected
    with pytest.raises(ImageError, match="damaged"):
        read(tmp_path, data[:-7])


def test_other_kinds_of_bmp_are_named(tmp_path: Path) -> None:
    data = bytearray(encoded(picture(), "BMP"))
    data[28] = 2  # bits a pixel
    with pytest.raises(ImageError, match=r"rare kind of BMP \(2 bits, compression 0"):
        read(tmp_path, bytes(data))
    pixels = struct.pack("<3I", 0x3FF, 0x1FFC00, 0xFFE00000) + bytes(16)
    head = struct.pack("<IiiHH6I", 40, 2, 2, 1, 32, 3, 16, 0, 0, 0, 0)
    with pytest.raises(ImageError, match="32 bits, compression 3, 000003ff, 001ffc00, ffe00000"):
        read(tmp_path, b"BM" + struct.pack("<IHHI", 82, 0, 0, 66) + head + pixels)


def test_pillow_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingDependencyError, match=r"pillow: pip install 'invdn\[formats\]'"):
        read(tmp_path, bitmap("RLE8")[0])


@pytest.mark.parametrize("rubbish", [b"\0", b"\xff\0\0", b"\xff\xd0ab", b"x" * 700])
def test_stray_bytes_before_the_pixels_of_a_jpeg(tmp_path: Path, rubbish: bytes) -> None:
    exif = Image.Exif()
    exif[0x010E] = "harbour"
    data = encoded(picture(), "JPEG", exif=exif, comment=b"kept")
    whole = read(tmp_path, data)
    first = 4 + int.from_bytes(data[4:6])  # behind JFIF's segment; Pillow opens both
    tables = data.index(b"\xff\xdb")
    for at in (first, tables):
        found = read(tmp_path, data[:at] + rubbish + data[at:])
        assert np.array_equal(found.pixels, whole.pixels)
        assert found.metadata.exif == whole.metadata.exif
        assert found.metadata.native == whole.metadata.native
        assert "stray bytes" in found.remarks[0] and not whole.remarks
    scan = data.index(b"\xff\xda") + 200
    with pytest.raises(ImageError, match="damaged or cut short"):
        read(tmp_path, data[:scan] + b"\xff\xd0" + rubbish + data[scan:])


def test_cmyk_without_a_profile_is_refused(tmp_path: Path) -> None:
    for name in ("JPEG", "TIFF"):
        with pytest.raises(ImageError, match="CMYK"):
            read(tmp_path, encoded(picture().convert("CMYK"), name))


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_is_converted_by_its_profile(tmp_path: Path, name: str) -> None:
    profile = cmyk_profile()
    srgb = ImageCms.createProfile("sRGB")
    cmyk = ImageCms.profileToProfile(
        picture(), srgb, ImageCms.ImageCmsProfile(io.BytesIO(profile)), 1, "CMYK"
    )
    assert cmyk is not None
    found = read(tmp_path, encoded(cmyk, name, icc_profile=profile))
    expected = ImageCms.profileToProfile(
        cmyk, ImageCms.ImageCmsProfile(io.BytesIO(profile)), srgb, 1, "RGB"
    )
    difference = np.abs(found.pixels.astype(int) - np.asarray(expected))
    assert difference.mean() < 6 and found.metadata.icc is None
    assert "converted to sRGB" in found.remarks[-1]


def test_formats_are_told_apart(tmp_path: Path) -> None:
    for data, name in ((b"BM" + bytes(12) + b"\x28\0\0\0", "bmp"), (b"P6 1 1 255\n", "ppm")):
        (tmp_path / "a").write_bytes(data.ljust(64, b"\0"))
        assert format_of_file(tmp_path / "a") == name
    for text in (b"BM is no picture", b"P6x", b"P7 "):
        (tmp_path / "a").write_bytes(text.ljust(64, b" "))
        with pytest.raises(ImageError):
            format_of_file(tmp_path / "a")


def test_a_folder_tells_of_what_it_passes_over(tmp_path: Path) -> None:
    from click.testing import CliRunner

    from invdn.cli import group

    for name in ("a.psd", "b.txt", "c.jpg.xmp", ".hidden", "d.svg", "e", "f.doc", "g.zip"):
        (tmp_path / name).write_bytes(b"something")
    alone = CliRunner().invoke(group, ["denoise", str(tmp_path)])
    assert (
        alone.exit_code == 2
        and "6 files (a.psd, b.txt, d.svg, e, f.doc and 1 more)" in alone.output
    )
    write_photo(Photo(pixels("uint8", (16, 16, 3))), tmp_path / "h.bmp.png")
    (tmp_path / "i.bmp").write_bytes(encoded(picture(size=(16, 16)), "BMP"))
    done = CliRunner().invoke(group, ["denoise", str(tmp_path)])
    assert done.exit_code == 0 and "6 files (a.psd" in done.output
    assert (tmp_path / "i_denoised.png").exists()
