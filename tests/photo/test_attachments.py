"""What lies beside the picture: gain maps, videos, second pictures, thumbnails, unknown blocks."""

import io
import json
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from invdn.errors import ImageError
from invdn.photo import xmp
from invdn.photo.containers import ifd
from invdn.photo.containers.jpeg_attachments import end_of_picture, read_attachments
from invdn.photo.photo import Photo, WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.attachments import (
    PREVIEW,
    UNDEFINED,
    VIDEO,
    VIEW,
    credentials,
    gain_map,
    item,
    jpeg,
    motion_photo,
    mpf,
    noisy,
    opened,
    packet,
    segment,
    ultra_hdr,
    with_index,
    with_segments,
    with_thumbnail,
    xmp_segment,
)
from support.photographs import encoded


def kept(tmp_path: Path, data: bytes, suffix: str = ".jpg", **how: Any) -> tuple[bytes, str, Photo]:
    """The file made of a file with brighter pixels, what was told, and what was read."""
    source = tmp_path / "source.jpg"
    source.write_bytes(data)
    photo = read_photo(source, page=how.pop("page", None))
    brighter = replace(photo, pixels=np.minimum(photo.pixels, 225) + np.uint8(30))
    target = tmp_path / f"result{suffix}"
    notes = write_photo(brighter, target, overwrite=True, choices=WriteOptions(**how))
    return target.read_bytes(), "\n".join((*photo.remarks, *notes)), photo


def exiftool(path: Path, *options: str) -> dict[str, Any]:
    """What ExifTool says of a file."""
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool")
    command = ["exiftool", "-j", "-n", "-a", "-G1", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("told", [True, False])
def test_a_gain_map_stays(tmp_path: Path, told: bool, order: str) -> None:
    data, notes, photo = kept(tmp_path, ultra_hdr(told=told, order=order))
    assert notes == "" and [a.kind for a in photo.metadata.attachments] == ["gain map"]
    assert data.endswith(gain_map(told=told))
    found = exiftool(tmp_path / "result.jpg")
    assert found["MPImage2:MPImageStart"] == len(data) - len(gain_map(told=told))
    assert found["MPImage1:MPImageLength"] == found["MPImage2:MPImageStart"]
    assert found["XMP-Container:DirectoryItemLength"] == len(gain_map(told=told))
    assert found["XMP-hdrgm:Version"] == 1 and found["XMP-xmp:Rating"] == 4
    assert b"urn:iso:std:iso:ts:21496" in data


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_a_gain_map_is_not_promised_where_it_cannot_be(tmp_path: Path, suffix: str) -> None:
    _, notes, _ = kept(tmp_path, ultra_hdr(), suffix)
    assert "gain map (HDR)" in notes
    found = exiftool(tmp_path / f"result{suffix}")
    assert not [tag for tag in found if "hdrgm" in tag or "Container" in tag]
    assert found["XMP-xmp:Rating"] == 4


def test_stripping_tells_of_what_it_takes(tmp_path: Path) -> None:
    data, notes, _ = kept(tmp_path, motion_photo(map_=True), strip_metadata=True)
    assert "gain map" in notes and "video" in notes
    assert data.endswith(b"\xff\xd9") and b"hdr-gain-map" not in data and b"mdat" not in data


@pytest.mark.parametrize("map_", [True, False])
def test_a_video_stays(tmp_path: Path, map_: bool) -> None:
    data, notes, _ = kept(tmp_path, motion_photo(map_=map_))
    assert notes == "" and data.endswith(VIDEO)
    found = exiftool(tmp_path / "result.jpg")
    assert found["XMP-GCamera:MicroVideoOffset"] == len(VIDEO)
    data, notes, _ = kept(tmp_path, motion_photo(map_=map_), ".png")
    assert "its video (0.0 MB)" in notes
    found = exiftool(tmp_path / "result.png")
    assert not [tag for tag in found if "GCamera" in tag or "Container" in tag or "hdrgm" in tag]


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        (motion_photo()[:-1500], "video"),
        (motion_photo(map_=True)[: -len(VIDEO) - 100], "gain map"),
        (ultra_hdr()[:-1], "gain map"),
        (with_index(jpeg(), [(PREVIEW, jpeg((48, 32), 1))])[:-200], "preview"),
    ],
)
def test_what_is_cut_short_is_kept_and_told(tmp_path: Path, source: bytes, kind: str) -> None:
    data, notes, photo = kept(tmp_path, source)
    assert notes.count(f"the {kind} behind it is cut short") == 1
    (last,) = photo.metadata.attachments
    assert last.kind == kind and source.endswith(last.data)
    assert kind == "preview" or data.endswith(last.data)
    if kind == "video":
        assert exiftool(tmp_path / "result.jpg")["XMP-GCamera:MicroVideoOffset"] == len(last.data)
    whole = kept(tmp_path, motion_photo(map_=True) + VIDEO)[1]
    assert "cut" not in whole


def test_a_promise_of_a_video_that_is_not_there_goes(tmp_path: Path) -> None:
    data, _, _ = kept(tmp_path, motion_photo()[: -len(VIDEO) + 5])
    found = exiftool(tmp_path / "result.jpg")
    assert not [tag for tag in found if "GCamera" in tag], data[-20:]


def test_two_videos_and_padding_stay(tmp_path: Path) -> None:
    source = motion_photo() + bytes(5) + VIDEO + bytes(9)
    data, notes, photo = kept(tmp_path, source)
    assert [a.kind for a in photo.metadata.attachments] == ["video", "data", "video"]
    assert data.endswith(VIDEO + bytes(5) + VIDEO) and notes == ""


def test_lengths_that_lie_are_corrected(tmp_path: Path) -> None:
    for lie in (0, 17, 10**6, 2**40):
        data, _, _ = kept(tmp_path, ultra_hdr(length=lie))
        assert f'Item:Length="{len(gain_map())}"'.encode() in data
    promised = with_segments(
        jpeg(), xmp_segment(packet('hdrgm:Version="1.0"', item("GainMap", length=99)))
    )
    data, _, _ = kept(tmp_path, promised)  # a promise that the source did not keep either
    assert b"Version" not in data.partition(b"<x:xmpmeta")[2].partition(b"</x:xmpmeta>")[0]


@pytest.mark.parametrize("offset", [0, 7, 10**5, 2**32 - 1])
def test_an_index_that_points_nowhere_is_corrected(tmp_path: Path, offset: int) -> None:
    index = mpf([(0x030000, 10, 0), (0, 2**32 - 1, offset), (0, 5, offset)])
    source = with_segments(jpeg(), segment(0xE2, b"MPF\0" + index)) + gain_map()
    data, notes, _ = kept(tmp_path, source)
    assert "points 2 times to where no picture is" in notes
    assert data.endswith(gain_map()) and b"MPF\0" not in data
    data, notes, _ = kept(tmp_path, with_segments(jpeg(), segment(0xE2, b"MPF\0" + index)))
    assert "which the file lacks" in notes and b"MPF\0" not in data


def test_a_broken_entry_does_not_take_the_others_along(tmp_path: Path) -> None:
    whole = with_index(jpeg(), [(UNDEFINED, gain_map()), (PREVIEW, jpeg((48, 32), 1))])
    at = whole.index(b"MPF\0") + 4 + 50 + 16 + 8  # the offset of the second picture
    broken = whole[:at] + struct.pack(">I", 2**31) + whole[at + 4 :]
    data, notes, _ = kept(tmp_path, broken)
    assert "points 1 time " in notes
    found = exiftool(tmp_path / "result.jpg")
    assert found["MPF0:NumberOfImages"] == 2
    start = found["MPImage2:MPImageStart"]
    assert data[start : start + 3] == b"\xff\xd8\xff"
    assert opened(data[start:]).size == (48, 32)


def test_a_picture_within_a_picture_within_a_picture(tmp_path: Path) -> None:
    inner = with_index(jpeg((40, 30), 2), [(UNDEFINED, jpeg((20, 15), 3))])
    data, _, photo = kept(tmp_path, with_index(jpeg(), [(UNDEFINED, inner)]))
    assert data.endswith(inner)
    assert [a.kind for a in photo.metadata.attachments] == ["picture", "picture"]


def test_previews_are_made_anew(tmp_path: Path) -> None:
    source = with_index(jpeg(), [(PREVIEW, jpeg((48, 32), 1))])
    data, notes, _ = kept(tmp_path, source)
    assert notes == ""
    found = exiftool(tmp_path / "result.jpg")
    start = found["MPImage2:MPImageStart"]
    assert start + found["MPImage2:MPImageLength"] == len(data)
    assert _looks_like(opened(data[start:]), opened(data)) and opened(data[start:]).size == (48, 32)


def _looks_like(small: Image.Image, whole: Image.Image) -> bool:
    expected = np.asarray(whole.convert("RGB").resize(small.size)).astype(float)
    return bool(np.abs(np.asarray(small.convert("RGB")) - expected).mean() < 8)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avif"])
def test_thumbnails_are_made_anew(tmp_path: Path, suffix: str) -> None:
    _, notes, photo = kept(tmp_path, with_thumbnail(jpeg()), suffix)
    assert notes == ""
    before = ifd._thumbnail(photo.metadata.exif)
    exif = read_photo(tmp_path / f"result{suffix}").metadata.exif
    found = ifd._thumbnail(exif)
    assert before and exif and found
    small = opened(exif[found[0] : found[0] + found[1]])
    assert small.size == (160, 107)
    assert np.asarray(small).mean() == pytest.approx(photo.pixels.mean() + 30, abs=3)
    assert exif[: before[0]][:8] == photo.metadata.exif[:8]
    told = exiftool(tmp_path / f"result{suffix}")
    if suffix != ".avif":
        assert told["IFD1:ThumbnailLength"] == found[1] and "ExifTool:Warning" not in told


def test_no_thumbnail_in_tiff_is_told(tmp_path: Path) -> None:
    assert "the thumbnail in EXIF" in kept(tmp_path, with_thumbnail(jpeg()), ".tif")[1]


def test_a_stereo_pair_is_two_pages(tmp_path: Path) -> None:
    for kind in (VIEW, UNDEFINED):
        right = jpeg(seed=1)
        source = with_index(jpeg(), [(kind, right)])
        with pytest.raises(ImageError, match="2 pages; choose one"):
            kept(tmp_path, source)
        data, notes, photo = kept(tmp_path, source, page=2)
        assert np.array_equal(photo.pixels, np.asarray(opened(right)))
        assert "left out: 1 other picture of the file" in notes and b"MPF\0" not in data
        data, notes, photo = kept(tmp_path, source, page=1)
        assert opened(data).size == (96, 64) and b"MPF\0" not in data


def test_other_pictures_are_kept_and_told(tmp_path: Path) -> None:
    data, notes, _ = kept(tmp_path, with_index(jpeg(), [(UNDEFINED, jpeg((40, 30), 3))]))
    assert "further picture in the file (40x30) is kept as it was" in notes
    assert data.endswith(jpeg((40, 30), 3))


def test_unknown_segments_stay_and_false_ones_go(tmp_path: Path) -> None:
    segments = [
        segment(0xE5, b"RMETA\0something of the camera"),
        segment(0xE2, b"FPXR\0flash pix"),
        segment(0xE6, b"GoPro\0\1\2"),
        segment(0xFE, b"a comment"),
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x0a\0\0\0\0\0\1\1\0"),
    ]
    data, notes, _ = kept(tmp_path, with_segments(jpeg(), credentials(), *segments))
    assert notes.count("content credentials (C2PA)") == 1 and b"jumb" not in data
    assert all(data.count(one) == 1 for one in segments)
    _, notes, _ = kept(tmp_path, with_segments(jpeg(), *segments), ".png")
    for name in ("APP5 block (RMETA)", "(FPXR)", "(GoPro)", "a comment", "Photoshop's resources"):
        assert name in notes


def test_samsungs_trailer_stays(tmp_path: Path) -> None:
    trailer = b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + VIDEO + b"SEFH" + bytes(20) + b"SEFT"
    data, notes, _ = kept(tmp_path, jpeg() + trailer)
    assert data.endswith(trailer) and notes == ""
    assert "Samsung's trailer with its video" in kept(tmp_path, jpeg() + trailer, ".webp")[1]


@settings(max_examples=60)
@given(st.data())
def test_damage_behind_the_picture_does_no_harm(data: st.DataObject) -> None:
    whole = bytearray(motion_photo(map_=True))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(2, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(2, len(whole)))])
    found, _ = read_attachments(io.BytesIO(cut), cut[50:300], 50, (96, 64))
    end = end_of_picture(io.BytesIO(cut))
    if found and end:
        assert cut[end:].rstrip(b"\0").startswith(b"".join(a.data for a in found)[:1])
        assert b"".join(a.data for a in found).rstrip(b"\0") == cut[end:].rstrip(b"\0")


def test_a_region_leaves_the_gain_map_out(tmp_path: Path) -> None:
    from invdn.photo.keeping import of_a_part

    (tmp_path / "a.jpg").write_bytes(ultra_hdr())
    part = of_a_part(read_photo(tmp_path / "a.jpg"))
    assert "belongs to the whole: its gain map" in part.remarks[-1]
    assert not xmp.promises(part.metadata.xmp) and part.metadata.mpf is None


class TestXmp:
    def test_edits_touch_nothing_else(self) -> None:
        text = packet('hdrgm:Version="1.0"', item("Primary") + item("GainMap", length=5)).encode()
        changed = xmp.with_lengths(text, [("gain map", 77)], None)
        assert changed == text.replace(b'Length="5"', b'Length="77"')
        without = xmp.without_promises(text, ["gain map"])
        expected = text.replace(b' hdrgm:Version="1.0"', b"")
        start, stop = expected.index(b"<Container:Dir"), expected.index(b"</rdf:Description>")
        assert without == expected[:start] + expected[stop:]

    @pytest.mark.parametrize(
        "text",
        [
            "<a:li xmlns:a='RDF'><b:Item xmlns:b='C' xmlns:i='CI'"
            " i:Semantic='GainMap' i:Length= '5'/></a:li>",
            "<a:li xmlns:a='RDF' xmlns:i='CI'><i:Semantic>GainMap</i:Semantic>"
            "<i:Length>5</i:Length></a:li>",
            "<a:li xmlns:a='RDF' xmlns:i='CI' i:Semantic=\"GainMap\"\n\ti:Length=\"5\"/>",
        ],
    )
    def test_any_spelling(self, text: str) -> None:
        text = text.replace("'CI'", f"'{ITEM}'")
        text = text.replace("'RDF'", f"'{RDF}'").replace("='C'", f"='{CONTAINER}'")
        body = f"<d:Directory xmlns:d='{CONTAINER}'>{text}</d:Directory>".encode()
        assert xmp.directory(body) == (("gain map", 5),)
        changed = xmp.with_lengths(body, [("gain map", 123)], None)
        assert changed is not None and xmp.directory(changed) == (("gain map", 123),)
        assert abs(len(changed) - len(body) - 2) <= 1  # a space may go

    def test_history_grows(self) -> None:
        once = xmp.with_event(packet().encode(), "edited", "A 1", 'a "quoted" <thing>')
        twice = xmp.with_event(once, "edited", "B 2", "")
        assert xmp.agents(twice) == ("A 1", "B 2")
        assert twice is not None
        Xml.fromstring(twice)  # noqa: S314  our own
        assert twice.count(b"<xmpMM:History>") == 1 and b'xmp:Rating="4"' in twice

    @pytest.mark.parametrize(
        "text", [b"", b"rubbish", b"<a>", b"<a" * 5000, b"<a>" * 5000, b"\xff\xfe<\0a\0/\0>\0"]
    )
    def test_what_is_no_packet_stays(self, text: bytes) -> None:
        assert xmp.promises(text) == frozenset() and xmp.agents(text) == ()
        assert xmp.without_promises(text, ["gain map"]) == text
        if text:
            assert xmp.with_event(text, "edited", "A", "") == text

    def test_a_packet_of_ten_megabytes(self) -> None:
        filler = "".join(f"<rdf:li>{number:0500}</rdf:li>" for number in range(20_000))
        text = packet('hdrgm:Version="1.0"', rest=f"<xmp:Labels>{filler}</xmp:Labels>").encode()
        assert len(text) > 10**7 and xmp.promises(text) == {"gain map"}
        assert xmp.without_promises(text, ["gain map"]) == text.replace(
            b' hdrgm:Version="1.0"', b""
        )


RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
CONTAINER = "http://ns.google.com/photos/1.0/container/"
ITEM = "http://ns.google.com/photos/1.0/container/item/"


@pytest.mark.parametrize("before", [None, "", "HDR+ 1.0.540104767zd, a long name", "abc"])
@pytest.mark.parametrize("after", ["abc", "a longer name than before, much longer"])
def test_the_program_in_exif(before: str | None, after: str) -> None:
    exif = Image.Exif()
    exif[271], exif[36867] = "Canon", "2020:01:01 00:00:00"
    if before is not None:
        exif[305] = before
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    edited = ifd.with_software(block, after)
    again = Image.Exif()
    again.load(b"Exif\0\0" + edited)
    assert again[305] == after and again[271] == "Canon" and ifd.software(edited) == after
    assert edited[8 : len(block)].count(b"Canon") == 1


def png(*chunks: bytes) -> bytes:
    """A PNG with chunks behind its IHDR."""
    data = encoded(noisy(), "PNG")
    return data[:33] + b"".join(chunks) + data[33:]


def chunk(kind: bytes, payload: bytes) -> bytes:
    """A chunk of a PNG."""
    import zlib

    check = zlib.crc32(kind + payload).to_bytes(4)
    return len(payload).to_bytes(4) + kind + payload + check


def test_chunks_of_png(tmp_path: Path) -> None:
    safe, ratio = chunk(b"teSt", b"safe to copy"), chunk(b"pHYs", struct.pack(">2IB", 3, 4, 0))
    time = chunk(b"tIME", struct.pack(">H5B", 2001, 2, 3, 4, 5, 6))
    source = png(safe, ratio, time, chunk(b"caBX", b"c2pa"), chunk(b"teST", b"of the pixels"))
    data, notes, _ = kept(tmp_path, source, ".png")
    assert safe in data and ratio in data and time not in data
    year = struct.unpack(">H", data[data.index(b"tIME") + 4 :][:2])[0]
    assert year > 2020
    assert "content credentials (C2PA)" in notes and "its teST block" in notes
    assert b"caBX" not in data and b"teST" not in data
    _, notes, _ = kept(tmp_path, png(chunk(b"tEXt", b"Title\0Dawn"), safe), ".jpg")
    assert "text ('Title')" in notes and "a teSt block" in notes


def test_bytes_behind_a_png_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(noisy(), "PNG") + b"garbage" * 100)
    assert "left out: 700 bytes behind the picture" in read_photo(tmp_path / "a.png").remarks


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_no_resolution_is_invented(tmp_path: Path, suffix: str) -> None:
    kept(tmp_path, encoded(noisy(), "PNG"), suffix)
    found = exiftool(tmp_path / f"result{suffix}")
    wanted = {"JFIF:XResolution": 1} if suffix == ".jpg" else {}
    found = {
        tag: value for tag, value in found.items() if tag.endswith(("XResolution", "sPerUnitX"))
    }
    assert found == wanted


def test_a_channel_of_unknown_meaning(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (30, 40, 4), dtype=np.uint8)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", extrasamples=[0], metadata=None)
    photo = read_photo(path)
    assert not photo.transparency
    assert write_photo(photo, tmp_path / "b.tif") == ()
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages[0].tags[338].value == (0,)
        assert np.array_equal(file.asarray(), stored)
    for suffix in (".png", ".jpg", ".webp"):
        (note,) = write_photo(photo, tmp_path / f"b{suffix}")
        assert "fourth channel" in note and read_photo(tmp_path / f"b{suffix}").alpha is None


def test_private_tags_of_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    resources = b"8BIM\x04\x0c\0\0\0\0\0\4aaaa" + b"8BIM\x04\x0a\0\0\0\0\0\1\1\0"
    tags = [
        (33550, 12, 3, (1.0, 2.0, 0.0), True),  # GeoTIFF's scale
        (34377, 7, len(resources), resources, True),
        (37724, 7, 100, bytes(100), True),
        (65000, 2, 0, "private", True),
    ]
    with tifffile.TiffWriter(path) as file:
        page = np.asarray(noisy())
        file.write(page, photometric="rgb", extratags=tags, resolution=(3, 2), resolutionunit=1)
        file.write(page[::2, ::2], photometric="rgb", subfiletype=1)
    photo = read_photo(path)
    assert "Photoshop's layers" in photo.remarks[0] and "Photoshop's thumbnail" in photo.remarks[0]
    assert "1 reduced copy" in photo.remarks[0]
    write_photo(photo, tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        tags_found = file.pages[0].tags
        assert tags_found[33550].value == (1.0, 2.0, 0.0) and tags_found[65000].value == "private"
        assert tags_found[34377].value == resources[16:]
        assert (tags_found[282].value, tags_found[296].value) == ((3, 1), 1)
        assert 37724 not in tags_found
    (note,) = write_photo(photo, tmp_path / "b.png")
    assert "the TIFF tag 65000" in note and "Photoshop's resources" in note


@pytest.mark.parametrize(
    ("urn", "told"),
    [
        ("urn:mpeg:mpegB:cicp:systems:auxiliary:depth", "depth map"),
        ("urn:com:apple:photo:2020:aux:hdrgainmap", "gain map"),
        ("urn:com:apple:photo:2018:aux:semanticskinmatte", "semanticskinmatte"),
        ("urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", ""),
    ],
)
def test_auxiliary_pictures_of_heif_are_told(tmp_path: Path, urn: str, told: str) -> None:
    clear = Photo(np.asarray(noisy()).copy(), np.full((64, 96), 99, np.uint8))
    write_photo(clear, tmp_path / "a.avif")
    data = (tmp_path / "a.avif").read_bytes()
    old = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
    assert old in data
    from invdn.photo.containers import heif

    header = heif.read_header(
        io.BytesIO(
            data.replace(
                old,
                urn.encode().ljust(len(old), b"\0")[: len(old)]
                if len(urn) <= len(old)
                else urn.encode()[: len(old)],
            )
        )
    )
    assert (told[:12] in "".join(header.further)) if told else not header.further


def test_further_boxes_of_heif_are_told(tmp_path: Path) -> None:
    write_photo(Photo(np.asarray(noisy()).copy()), tmp_path / "a.avif")
    with (tmp_path / "a.avif").open("ab") as file:
        file.write(struct.pack(">I4s", 8 + len(VIDEO), b"mpvd") + VIDEO)
        file.write(
            struct.pack(">I4s", 32, b"uuid")
            + bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
            + bytes(8)
        )
    (remark,) = read_photo(tmp_path / "a.avif").remarks
    assert "its video (0.0 MB)" in remark and "C2PA" in remark


def test_further_chunks_of_webp_are_told(tmp_path: Path) -> None:
    data = encoded(noisy(), "WEBP", exif=b"Exif\0\0II*\0" + bytes(20))
    body = data[8:] + b"C2PA" + struct.pack("<I", 4) + b"abcd"
    (tmp_path / "a.webp").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert "C2PA" in read_photo(tmp_path / "a.webp").remarks[0]
