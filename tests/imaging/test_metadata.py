"""Profile, EXIF, XMP, IPTC and resolution survive; Pillow, the second library, looks."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photographs import encoded, picture
from PIL import Image, ImageCms, IptcImagePlugin

from invdn.imaging.containers.directories import (
    Directory,
    DirectoryError,
    Entry,
    Layout,
    read_directory,
    serialise,
)
from invdn.imaging.photo import Metadata, Photo
from invdn.imaging.reading import format_of_file, read_photo
from invdn.imaging.writing import write_photo

SUFFIXES = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".webp": "WEBP"}
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF/></x:xmpmeta>"
IPTC = b"\x1c\x02\x19\x00\x05kitty" + b"\x1c\x02\x78\x00\x03cap"
MAIN = {271: "Canon", 272: "EOS", 274: 8, 315: "Zoe", 33432: "(c) me"}
SHOT = {33434: 0.008, 33437: 2.8, 34855: 3200, 36867: "2020:01:02 03:04:05", 42036: "50mm"}
PLACE = {1: "N", 2: (47.0, 30.0, 0.0), 3: "E", 4: (19.0, 3.0, 1.5)}


def exif() -> Image.Exif:
    """A block with all three directories."""
    block = Image.Exif()
    block.update(MAIN)
    block[0x8769], block[0x8825] = dict(SHOT), dict(PLACE)
    loaded = Image.Exif()
    loaded.load(block.tobytes())
    return loaded


def source(folder: Path, name: str) -> Path:
    """A file with everything that Pillow can put into this format."""
    block = exif()
    options: dict[str, Any] = {"icc_profile": ICC, "exif": block, "dpi": (300, 150)}
    if name != "TIFF":
        options["xmp"] = XMP
    else:
        block.update({700: XMP, 33723: IPTC})
    if name == "PNG":
        from PIL.PngImagePlugin import PngInfo

        options["pnginfo"] = PngInfo()
        options["pnginfo"].add_text("Description", "an evening")
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", XMP.decode())
        options["pnginfo"].add(b"gAMA", struct.pack(">I", 45455))
    if name == "JPEG":
        options["comment"] = b"a comment"
    path = folder / f"source.{name}"
    data = encoded(picture(), name, **options)
    if name == "JPEG":
        block = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
        block += b"\0" * (len(IPTC) % 2)
        data = data[:2] + b"\xff\xed" + struct.pack(">H", len(block) + 2) + block + data[2:]
    path.write_bytes(data)
    return path


def check_exif(found: Image.Exif) -> None:
    for tag, value in MAIN.items():
        assert found[tag] == value, tag
    shot, place = found.get_ifd(0x8769), found.get_ifd(0x8825)
    for tag, value in SHOT.items():
        assert shot[tag] == (pytest.approx(value) if isinstance(value, float) else value), tag
    assert place[1] == "N" and place[3] == "E"
    assert [float(v) for v in place[4]] == [19, 3, 1.5]


@pytest.mark.parametrize("name", SUFFIXES.values())
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_kept_from_any_format_to_any(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"copy{suffix}"
    photo = read_photo(source(tmp_path, name))
    write_photo(photo, path)
    found = Image.open(path)
    found.load()
    assert found.info["icc_profile"] == ICC
    check_exif(Image.open(path).getexif())  # a fresh look: loading turns a TIFF and its tag
    assert path.read_bytes().count(XMP) == 1
    if name != "WEBP" and suffix != ".webp":
        assert [float(v) for v in found.info["dpi"]] == pytest.approx([300, 150], abs=0.1)
    if name in ("JPEG", "TIFF") and suffix in (".jpg", ".tif"):
        iptc = IptcImagePlugin.getiptcinfo(found)
        assert iptc == {(2, 25): b"kitty", (2, 120): b"cap"}
    if SUFFIXES[suffix] == name:
        again = read_photo(path)
        assert again.metadata == photo.metadata
        assert again.orientation == 8
        if name == "JPEG":
            assert found.info["comment"] == b"a comment"
        if name == "PNG":
            assert found.info["Description"] == "an evening" and found.info["gamma"] == 0.45455
            assert list(found.text) == ["Description", "XML:com.adobe.xmp"]  # nothing twice


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_exif_blocks_are_not_touched(tmp_path: Path, name: str) -> None:
    """Byte for byte, the embedded thumbnail and unknown tags included."""
    block = exif().tobytes().removeprefix(b"Exif\0\0") + b"thumbnail"
    path = tmp_path / "a"
    path.write_bytes(encoded(picture(), name, exif=b"Exif\0\0" + block))
    photo = read_photo(path)
    assert photo.metadata.exif == block
    suffix = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[name]
    write_photo(photo, tmp_path / f"b{suffix}")
    assert (tmp_path / f"b{suffix}").read_bytes().count(block) == 1


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_made_up(tmp_path: Path, suffix: str) -> None:
    bare = tmp_path / "bare"
    bare.write_bytes(encoded(picture(), SUFFIXES[suffix]))
    write_photo(read_photo(bare), tmp_path / f"copy{suffix}")
    found = Image.open(tmp_path / f"copy{suffix}")
    assert not {"icc_profile", "exif", "xmp", "comment", "photoshop"} & set(found.info)
    if suffix == ".jpg":
        assert "dpi" not in found.info


def test_webp_with_alpha_profile_and_exif(tmp_path: Path) -> None:
    for mode in ("RGB", "RGBA"):
        image = picture(mode)
        if mode == "RGBA":
            image.putalpha(100)
        for lossless in (False, True):
            for icc in (b"", ICC):
                data = encoded(image, "WEBP", exif=exif(), icc_profile=icc, lossless=lossless)
                (tmp_path / "a").write_bytes(data)
                write_photo(read_photo(tmp_path / "a"), tmp_path / "b.webp", overwrite=True)
                found = Image.open(tmp_path / "b.webp")
                found.load()
                assert found.mode == mode
                assert found.info.get("icc_profile", b"") == icc
                check_exif(found.getexif())


def test_a_bigtiff_and_a_big_endian_tiff(tmp_path: Path) -> None:
    for magic, layout in ((b"MM\0*", Layout(">")), (b"II+\0\x08\0\0\0", Layout("<", big=True))):
        start = layout.first_offset_at + layout.offset.size
        tree = read_directory(io.BytesIO(exif().tobytes()[6:]))[1]
        stream = magic + layout.offset.pack(start) + serialise(tree, layout, start)
        found_layout, found = read_directory(io.BytesIO(stream))
        assert (found_layout, found) == (layout, tree)


short = st.binary(min_size=2, max_size=40).map(lambda b: b[: len(b) // 2 * 2])
trees = st.recursive(
    st.builds(
        Directory,
        st.dictionaries(st.integers(1, 30000), short.map(lambda b: Entry(3, b)), max_size=5),
    ),
    lambda below: st.builds(
        Directory,
        st.dictionaries(st.integers(1, 30000), short.map(lambda b: Entry(7, b)), max_size=5),
        st.dictionaries(st.sampled_from([34665, 34853, 40965]), below, max_size=2),
    ),
    max_leaves=3,
)


@given(trees.filter(lambda tree: not any(c.children for c in tree.children.values())))
def test_directories_come_back(tree: Directory) -> None:
    assert read_directory(io.BytesIO(serialise(tree))) == (Layout(), tree)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0" + bytes(8)):
        try:
            read_directory(io.BytesIO(start + data))
        except DirectoryError:
            continue


def test_camera_raw_is_recognised_by_its_tags(tmp_path: Path) -> None:
    from invdn.errors import ImageError

    for tags in ({254: 1}, {50706: b"\1\4\0\0"}):
        (tmp_path / "raw.tif").write_bytes(encoded(picture(), "TIFF", tiffinfo=tags))
        assert format_of_file(tmp_path / "raw.tif") == "raw"
        with pytest.raises(ImageError, match="LibRaw cannot develop it"):
            read_photo(tmp_path / "raw.tif")


def test_an_impossible_orientation_costs_no_photo(tmp_path: Path) -> None:
    """Some cameras write 0; libtiff calls that an error."""
    block = exif()
    block[274] = 0
    for name in SUFFIXES.values():
        path = tmp_path / name
        path.write_bytes(encoded(picture(), name, exif=block))
        photo = read_photo(path)
        assert photo.orientation == 1
        write_photo(photo, tmp_path / "copy.tif", overwrite=True)
        assert read_photo(tmp_path / "copy.tif").orientation == 1


def test_a_damaged_profile_is_kept_all_the_same(tmp_path: Path) -> None:
    photo = Photo(np.zeros((9, 9, 3), np.uint8), metadata=Metadata(icc=ICC[:300] + bytes(50)))
    for suffix in SUFFIXES:
        write_photo(photo, tmp_path / f"a{suffix}")
        data = (tmp_path / f"a{suffix}").read_bytes()
        assert ICC[:300] in data or suffix == ".png"  # compressed there
        assert read_photo(tmp_path / f"a{suffix}").width == 9
