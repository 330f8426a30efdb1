"""HEIC and AVIF as phones store them, camera raw, and files of several pages."""

import builtins
import io
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pi_heif
import pytest
import tifffile
from PIL import Image

from invdn.errors import ImageError, MissingDependencyError, OutputError
from invdn.image.curves import SRGB
from invdn.photo.color import srgb_bridge_of
from invdn.photo.color.icc import P3_PRIMARIES, SRGB_PRIMARIES, to_pcs
from invdn.photo.containers.heif import read_header
from invdn.photo.containers.heif_items import ItemsError, read_items
from invdn.photo.linear_raw import read_linear_raw
from invdn.photo.photo import Compression, Metadata, Photo
from invdn.photo.read import format_of_file, output_suffix, read_photo
from invdn.photo.write import write_photo
from support.format_table import SAMPLES
from support.full_metadata import source
from support.photographs import encoded, picture, pixels
from support.raw_files import panasonic, write_dng


def test_heic_pixels_are_those_of_libheif() -> None:
    stored = read_photo(SAMPLES / "eight.heic")
    container = pi_heif.open_heif(SAMPLES / "eight.heic")  # whose memory the array is
    assert stored.format == "heic" and np.array_equal(stored.pixels, np.asarray(container))
    assert stored.pixels.flags.writeable
    assert (stored.orientation, stored.pixels.shape) == (1, (64, 48, 3))  # upright
    assert srgb_bridge_of(stored)[0] is not None  # Display P3
    clear = read_photo(SAMPLES / "alpha.heic")
    assert clear.alpha is not None and clear.alpha[0, 0] < 8 and clear.alpha[0, -1] > 240


def test_ten_bits_reach_white() -> None:
    stored = read_photo(SAMPLES / "ten.heic")
    assert stored.pixels.dtype == np.uint16 and stored.compression.bits == 10
    values = np.unique(stored.pixels)
    assert np.array_equal(values, np.rint(np.rint(values / 65535 * 1023) * 65535 / 1023))


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_of_every_depth(tmp_path: Path, bits: int) -> None:
    ramp = np.linspace(0, 1, 64 * 48).reshape(48, 64, 1) * np.ones(3)
    top = 255 if bits == 8 else 65535
    stored = np.rint(ramp * top).astype(np.uint8 if bits == 8 else np.uint16)
    how = Compression(bits=bits)
    write_photo(Photo(stored, format="avif", compression=how), tmp_path / "a.avif")
    found = read_photo(tmp_path / "a.avif")
    assert found.compression.bits == bits and found.pixels.dtype == stored.dtype
    assert np.abs(found.pixels.astype(float) - stored).max() / top < 6 / 255
    eight = np.asarray(Image.open(tmp_path / "a.avif")).astype(float)
    assert np.abs(eight / 255 - ramp).max() < 6 / 255


def test_avif_keeps_exif_byte_for_byte(tmp_path: Path) -> None:
    stored = read_photo(source(tmp_path, "JPEG"))
    block = b"MM\0*" + bytes(70_001)
    for alpha in (None, pixels("uint8", stored.pixels.shape[:2])):
        photo = Photo(stored.pixels, alpha, Metadata(exif=block, icc=stored.metadata.icc))
        write_photo(photo, tmp_path / "a.avif", overwrite=True)
        found = read_photo(tmp_path / "a.avif")
        assert found.metadata.exif == block and (found.alpha is None) == (alpha is None)
        image = Image.open(tmp_path / "a.avif")
        image.load()
        assert image.info["exif"].removeprefix(b"Exif\0\0") == block


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_as_exif_says(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = tmp_path / "a.png"
    path.write_bytes(encoded(picture(), "PNG", exif=exif))
    write_photo(read_photo(path), tmp_path / "a.avif")
    from PIL import ImageOps

    expected = np.asarray(ImageOps.exif_transpose(Image.open(path))).astype(int)
    found = np.asarray(Image.open(tmp_path / "a.avif")).astype(int)
    assert np.abs(found - expected).max() < 12
    assert read_photo(tmp_path / "a.avif").orientation == 1


def test_boxes_that_cannot_be_understood_are_told() -> None:
    with pytest.raises(ItemsError):
        read_items(io.BytesIO(b"\0\0\0\x10ftypavif" + bytes(40)))


@pytest.mark.parametrize("name", ["eight.heic", "alpha.heic", "ten.heic"])
def test_damaged_boxes_do_no_harm(name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    generator = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for place in generator.integers(0, min(900, len(data)), 4):
            damaged[place] = generator.integers(256)
        read_header(io.BytesIO(bytes(damaged)))


@pytest.mark.parametrize("name", ["eight.heic", "ten.heic", "alpha.heic", "copy.avif"])
def test_every_cut_is_noticed(tmp_path: Path, name: str) -> None:
    path = SAMPLES / name
    if name == "copy.avif":
        path = tmp_path / name
        write_photo(read_photo(SAMPLES / "eight.heic"), path)
    data = path.read_bytes()
    exif = 400 if name == "copy.avif" else 0  # lies last; without it the picture is whole
    for length in np.linspace(1, len(data) - 1 - exif, 30, dtype=int):
        cut = tmp_path / "cut"
        cut.write_bytes(data[:length])
        with pytest.raises(ImageError):
            read_photo(cut)


PATCHES = np.array(
    [[0.5, 0.5, 0.5], [0.8, 0.2, 0.1], [0.1, 0.6, 0.2], [0.05, 0.1, 0.7], [0.9, 0.9, 0.9]]
)


def test_raw_is_developed_as_the_document_says(tmp_path: Path) -> None:
    """Patches of known light come out as their Display P3 values, and at no other brightness."""
    light = np.repeat(np.repeat(PATCHES[None], 40, axis=0), 40, axis=1)
    write_dng(tmp_path / "a.dng", light)
    stored = read_photo(tmp_path / "a.dng")
    assert (stored.format, stored.pixels.dtype) == ("raw", np.uint16)
    assert "raw file" in stored.remarks[0]
    middles = stored.pixels[16:24].reshape(8, 5, 40, 3)[:, :, 16:24].mean(axis=(0, 2)) / 65535
    to_p3 = np.linalg.inv(to_pcs(P3_PRIMARIES)) @ to_pcs(SRGB_PRIMARIES)
    expected = SRGB.stored((PATCHES @ to_p3.T).astype(np.float32))
    assert np.abs(middles - expected).max() < 0.2 / 255


def _tiled(folder: Path) -> bytes:
    write_dng(folder / "tiled.dng", np.full((128, 128, 3), 0.3), noise=0.05, tiled=True)
    return (folder / "tiled.dng").read_bytes()


@pytest.mark.parametrize("share", [0.999, 0.9, 0.5])
@pytest.mark.parametrize("kind", ["DNG", "RW2"])
def test_a_raw_file_that_is_cut_short_is_refused(tmp_path: Path, kind: str, share: float) -> None:
    """LibRaw gives blackness or noise for what is missing in some formats, and no word."""
    data = _tiled(tmp_path) if kind == "DNG" else panasonic()
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(data)
    assert read_photo(path).format == "raw"
    path.write_bytes(data[: int(len(data) * share)])
    for read in (read_photo, read_linear_raw):
        with pytest.raises(ImageError, match="cut short"):
            read(path)


def test_a_dng_that_lacks_tiles_is_refused(tmp_path: Path) -> None:
    data = _tiled(tmp_path)
    path = tmp_path / "a.dng"
    counts = {struct.pack("<HHI", tag, kind, 4) for tag in (324, 325) for kind in (3, 4)}
    for entry in counts:
        data = data.replace(entry, entry[:4] + struct.pack("<I", 2))
    path.write_bytes(data)
    with pytest.raises(ImageError, match="damaged"):
        read_photo(path)


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201FF383501".ljust(100, b"\0") + struct.pack(">2I", 200, 5000),
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + struct.pack(">I4s", 5000, b"moov"),
    ],
    ids=["RAF", "CR3"],
)
def test_other_raw_files_that_are_cut_short_say_so(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "a.raw"
    path.write_bytes(head + bytes(300))
    with pytest.raises(ImageError, match="cut short: it ends after"):
        read_photo(path)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_raw_comes_upright(tmp_path: Path, orientation: int) -> None:
    light = np.full((40, 60, 3), 0.2)
    light[:20, :30] = 0.8  # bright corner: top left as stored
    write_dng(tmp_path / "a.dng", light, orientation)
    stored = read_photo(tmp_path / "a.dng")
    shape, corner = {3: ((40, 60), (-5, -5)), 6: ((60, 40), (5, -5)), 8: ((60, 40), (-5, 5))}[
        orientation
    ]
    assert stored.pixels.shape[:2] == shape and stored.orientation == 1
    assert stored.pixels[corner].mean() > 40000 and stored.pixels[5, 5].mean() < 40000


def test_a_raw_file_under_any_name(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    write_dng(tmp_path / "a.dng", np.full((40, 60, 3), 0.3))
    path.write_bytes((tmp_path / "a.dng").read_bytes())
    assert format_of_file(path) == "raw" and output_suffix(path) == ".tif"
    assert "RAW inside" in read_photo(path).remarks[0]


def test_a_damaged_raw_file(tmp_path: Path) -> None:
    write_dng(tmp_path / "a.dng", np.full((400, 600, 3), 0.3))
    data = (tmp_path / "a.dng").read_bytes()
    (tmp_path / "b.dng").write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError):
        read_photo(tmp_path / "b.dng")


@pytest.mark.parametrize(("name", "package"), [("raw", "rawpy"), ("heic", "pi_heif")])
def test_a_missing_package_is_named(
    tmp_path: Path, name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = SAMPLES / "eight.heic"
    if name == "raw":
        path = tmp_path / "a.dng"
        write_dng(path, np.full((40, 60, 3), 0.3))
    real = builtins.__import__

    def without(wanted: str, *rest: Any) -> Any:
        if wanted == package:
            raise ImportError(wanted)
        return real(wanted, *rest)

    monkeypatch.delitem(sys.modules, package)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=rf"pip install 'invdn\[{name}\]'"):
        read_photo(path)


@pytest.mark.parametrize("name", ["photo.heic", "photo.cr3", "photo.dng"])
def test_neither_can_be_written(tmp_path: Path, name: str) -> None:
    told = {".dng": "of a camera's raw file only", ".heic": "HEIC can be read only, .* use .*.avif"}
    reason = told.get(Path(name).suffix, "can be read only")
    with pytest.raises(OutputError, match=reason):
        write_photo(Photo(np.zeros((9, 9, 3), np.uint8)), tmp_path / name)


def test_pages_are_chosen(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    pages = [pixels("uint8", (20 + number, 30, 3)) for number in range(3)]
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(pages):
            file.write(page, photometric="rgb", description=f"page {number}", metadata=None)
    with pytest.raises(ImageError, match=r"3 pages; choose one .*--page 1 to 3"):
        read_photo(path)
    for number, page in enumerate(pages):
        found = read_photo(path, page=number + 1)
        assert np.array_equal(found.pixels, page)
        assert f"page {number}".encode() in (found.metadata.exif or b"")
    for wrong in (0, 4):
        with pytest.raises(ImageError, match=f"none of number {wrong}"):
            read_photo(path, page=wrong)
    assert read_photo(SAMPLES / "two.heic", page=2).pixels.shape == (48, 64, 3)
    (tmp_path / "one.png").write_bytes(encoded(picture(), "PNG"))
    assert read_photo(tmp_path / "one.png", page=1).width == 96
    with pytest.raises(ImageError, match="1 page and none of number 2"):
        read_photo(tmp_path / "one.png", page=2)


def test_reduced_copies_are_no_pages(tmp_path: Path) -> None:
    """Pyramids and thumbnails, as scanners and Photoshop write them."""
    path = tmp_path / "pyramid.tif"
    page = pixels("uint8", (40, 60, 3))
    with tifffile.TiffWriter(path) as file:
        file.write(page, photometric="rgb")
        file.write(page[::2, ::2], photometric="rgb", subfiletype=1)
    assert np.array_equal(read_photo(path).pixels, page)


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("tile", [None, (16, 32), (512, 1024)])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32", "float16"])
def test_tiff_of_every_layout(
    tmp_path: Path, kind: str, planes: str, tile: tuple[int, int] | None, bigtiff: bool
) -> None:
    stored = pixels(kind if kind != "float16" else "float32", (70, 90, 3)).astype(kind)
    path = tmp_path / "a.tif"
    laid_out = stored if planes == "contig" else np.moveaxis(stored, 2, 0)
    tifffile.imwrite(
        path,
        laid_out,
        photometric="rgb",
        planarconfig=planes,
        tile=tile,
        bigtiff=bigtiff,
        byteorder=">" if bigtiff else "<",
        compression="zlib",
    )
    found = read_photo(path)
    assert np.array_equal(found.pixels, stored.astype(found.pixels.dtype))
    write_photo(found, tmp_path / "b.tif")
    assert np.array_equal(tifffile.imread(tmp_path / "b.tif"), found.pixels)


def test_white_may_be_zero(tmp_path: Path) -> None:
    stored = pixels("uint16", (20, 30))
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    assert np.array_equal(read_photo(tmp_path / "a.tif").pixels, 65535 - stored)


@pytest.mark.parametrize(
    ("content", "name", "ending"),
    [
        ("JPEG", "a.JPG", ".JPG"),
        ("JPEG", "a.png", ".jpg"),
        ("PNG", "a", ".png"),
        ("TIFF", "a.tiff", ".tiff"),
        ("AVIF", "a.heic", ".avif"),
        (None, "a.heic", ".avif"),
        (None, "a.cr3", ".tif"),
    ],
)
def test_the_ending_tells_the_truth(
    tmp_path: Path, content: str | None, name: str, ending: str
) -> None:
    path = tmp_path / name
    if content:
        path.write_bytes(encoded(picture(), content))
    assert output_suffix(path) == ending
    assert output_suffix(path, "webp") == ".webp"
