"""Profile, EXIF, XMP, IPTC and resolution survive; Pillow, the second library, looks."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, IptcImagePlugin

from invdn.photo.containers.ifd import (
    Directory,
    DirectoryError,
    Entry,
    Layout,
    read_directory,
    serialise,
)
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import format_of_file, read_photo
from invdn.photo.write import write_photo
from support.full_metadata import ICC, SUFFIXES, XMP, check_exif, exif, source
from support.photographs import encoded, picture


@pytest.mark.parametrize("name", SUFFIXES.values())
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_kept_from_any_format_to_any(tmp_path: Path, name: str, suffix: str) -> None:
    path = tmp_path / f"copy{suffix}"
    photo = read_photo(source(tmp_path, name))
    write_photo(photo, path)
    found = Image.open(path)
    found.load()
    assert found.info["icc_profile"] == ICC
    upright = "AVIF" in (name, SUFFIXES[suffix])
    fresh = Image.open(path)  # loading turns a TIFF and its tag
    check_exif(fresh.getexif(), upright=upright)
    assert fresh.size == ((64, 96) if upright or suffix == ".tif" else (96, 64))
    if suffix in (".webp", ".avif"):  # which hold IPTC as XMP
        assert path.read_bytes().count(b"xmp:Rating='4'") == 1
        assert (path.read_bytes().count(b"kitty") == 1) == (name in ("JPEG", "PNG", "TIFF"))
    else:
        assert path.read_bytes().count(XMP) == 1
    if {name, SUFFIXES[suffix]}.isdisjoint({"WEBP", "AVIF"}):
        assert [float(v) for v in found.info["dpi"]] == pytest.approx([300, 150], abs=0.1)
    if name in ("JPEG", "TIFF") and suffix in (".jpg", ".tif"):
        iptc = IptcImagePlugin.getiptcinfo(found)
        assert iptc == {(2, 25): b"kitty", (2, 120): b"cap"}
    if SUFFIXES[suffix] == name:
        again = read_photo(path)
        assert again.metadata == photo.metadata
        assert again.orientation == (1 if upright else 8)
        if name == "JPEG":
            assert found.info["comment"] == b"a comment"
        if name == "PNG":
            assert found.info["Description"] == "an evening" and found.info["gamma"] == 0.45455
            kept = ["Description", "Raw profile type iptc", "XML:com.adobe.xmp"]
            assert sorted(found.text) == kept  # type: ignore[attr-defined]  # nothing twice


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
