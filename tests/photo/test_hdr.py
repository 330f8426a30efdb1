"""Pictures for HDR screens: PQ, HLG, and gain maps of AVIF, HEIC and JPEG, each into the others."""

import io
import json
import shutil
import struct
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import imagecodecs
import numpy as np
import pytest
import pyvips

from invdn.errors import OutputError
from invdn.photo import gain_maps
from invdn.photo.color import srgb_bridge_of
from invdn.photo.color.hdr import as_normal
from invdn.photo.color.icc import HDR, HLG, PQ, REC2020_PRIMARIES, make_profile
from invdn.photo.containers import heif
from invdn.photo.containers.boxes import box
from invdn.photo.containers.gain_map import GainMap, Gains, packed, parsed
from invdn.photo.containers.heif_items import (
    HeifItems,
    Item,
    alone,
    joined,
    read_items,
    serialise,
    with_exif,
    with_gain_map,
    with_properties,
)
from invdn.photo.containers.ifd import Directory, Entry
from invdn.photo.containers.ifd import serialise as exif_of
from invdn.photo.containers.jpeg_attachments import Attachment
from invdn.photo.gain_maps import jpeg_of, pixels_of
from invdn.photo.keeping import of_a_part
from invdn.photo.photo import Compression, Metadata, Photo, WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from invdn.photo.xmp import promises
from support.attachments import noisy, opened, ultra_hdr
from support.photographs import encoded, pixels

SAMPLES = Path(__file__).parent.parent / "samples"
LIGHT = (
    box(b"clli", struct.pack(">2H", 1000, 400)),
    box(b"mdcv", struct.pack(">8H2I", *range(1, 9), 10_000_000, 50)),
)


def items_of(path: Path) -> HeifItems:
    return read_items(io.BytesIO(path.read_bytes()))


def hdr_photo(transfer: int = PQ, bits: int = 10) -> Photo:
    stored = np.repeat(np.repeat(pixels("uint16", (12, 18, 3)), 4, 0), 4, 1)
    how = Compression(95, bits=bits)
    return Photo(stored, metadata=Metadata(codes=(9, transfer), light=LIGHT), compression=how)


def tags(path: Path) -> dict[str, Any]:
    if not shutil.which("exiftool"):
        pytest.skip("ExifTool is not installed")
    command = ["exiftool", "-j", "-struct", str(path)]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    found: dict[str, Any] = json.loads(said)[0]
    return found


@pytest.mark.parametrize("transfer", HDR)
@pytest.mark.parametrize(("suffix", "bits"), [(".png", 16), (".avif", 10), (".avif", 12)])
def test_colour_tags_depth_and_values_of_hdr_are_kept(
    tmp_path: Path, transfer: int, suffix: str, bits: int
) -> None:
    """And again from that file into both formats."""
    write_photo(hdr_photo(transfer, bits), tmp_path / f"a{suffix}")
    first = read_photo(tmp_path / f"a{suffix}")
    for other in (".png", ".avif"):
        write_photo(first, tmp_path / f"b{other}", overwrite=True)
        found = read_photo(tmp_path / f"b{other}")
        assert found.metadata.codes == (9, transfer) and found.metadata.icc is None
        assert found.metadata.light == LIGHT and found.pixels.dtype == np.uint16
        apart = np.abs(found.pixels.astype(int) - first.pixels.astype(int))
        assert np.median(apart) < (1 if other == ".png" else 1500)
        assert not found.remarks
    assert read_photo(tmp_path / "b.avif").compression.bits == (12 if suffix == ".png" else bits)
    assert srgb_bridge_of(first) == (None, ()), "the network sees it as it is coded"


def test_other_programs_see_hdr(tmp_path: Path) -> None:
    """ffmpeg looks into the bitstream, ExifTool into the boxes."""
    write_photo(hdr_photo(), tmp_path / "a.avif")
    with av.open(tmp_path / "a.avif") as file:
        (picture,) = file.decode(video=0)
        context = file.streams.video[0].codec_context
        assert (int(context.color_primaries), int(context.color_trc)) == (9, PQ)
        assert "10" in picture.format.name
    write_photo(hdr_photo(HLG), tmp_path / "a.png")
    assert b"cICP\x09\x12\0\1" in (tmp_path / "a.png").read_bytes()
    assert "2084" in tags(tmp_path / "a.avif")["TransferCharacteristics"]
    assert "HLG" in tags(tmp_path / "a.png")["TransferCharacteristics"]


def test_avif_of_another_encoder_and_heic_in_hdr(tmp_path: Path) -> None:
    ten = hdr_photo().pixels >> np.uint16(6)
    data = imagecodecs.avif_encode(
        ten, level=100, bitspersample=10, primaries=9, transfer=PQ, matrix=9
    )
    (tmp_path / "a.avif").write_bytes(data)
    assert read_photo(tmp_path / "a.avif").metadata.codes == (9, PQ)
    heic = with_properties(items_of(SAMPLES / "ten.heic"), heif.color_box(9, HLG, 9))
    (tmp_path / "a.heic").write_bytes(serialise(heic))
    photo = read_photo(tmp_path / "a.heic")
    assert photo.metadata.codes == (9, HLG)
    write_photo(photo, tmp_path / "b.avif")
    found = read_photo(tmp_path / "b.avif")
    assert found.metadata.codes == (9, HLG) and found.compression.bits == 10


def test_a_profile_may_say_that_it_is_for_hdr(tmp_path: Path) -> None:
    """As Camera Raw embeds it in TIFF: numbers beside curves for those who know none."""
    plain = make_profile("Rec. 2100 PQ", REC2020_PRIMARIES)
    tag = b"cicp" + bytes(4) + bytes((9, PQ, 0, 1))
    count = int.from_bytes(plain[128:132])
    table = bytearray(plain[132 : 132 + 12 * count])
    for place in range(4, len(table), 12):
        struct.pack_into(">I", table, place, struct.unpack_from(">I", table, place)[0] + 12)
    table += struct.pack(">4s2I", b"cicp", len(plain) + 12, len(tag))
    body = (count + 1).to_bytes(4) + bytes(table) + plain[132 + 12 * count :] + tag
    profile = (len(plain) + 12 + len(tag)).to_bytes(4) + plain[4:128] + body
    photo = Photo(pixels("uint16", (40, 60, 3)), metadata=Metadata(icc=profile))
    assert srgb_bridge_of(photo) == (None, ())
    write_photo(photo, tmp_path / "a.tif")
    assert read_photo(tmp_path / "a.tif").metadata.icc == profile
    assert srgb_bridge_of(replace(photo, metadata=Metadata(icc=plain)))[0]


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".webp", ".jxl"])
def test_formats_that_cannot_be_told_of_hdr_are_refused_before_any_work(
    tmp_path: Path, suffix: str
) -> None:
    with pytest.raises(OutputError, match=r"HDR screens \(PQ\).*\.png or \.avif"):
        write_photo(hdr_photo(), tmp_path / f"a{suffix}")
    assert not list(tmp_path.iterdir())


def test_stripped_hdr_stays_hdr(tmp_path: Path) -> None:
    for name in ("a.png", "a.avif"):
        write_photo(hdr_photo(), tmp_path / name, choices=WriteOptions(strip_metadata=True))
        assert read_photo(tmp_path / name).metadata.codes == (9, PQ)


def test_small_copies_of_hdr_are_for_normal_screens() -> None:
    """Paper white is bright, the brightest is white, black is black, and grey stays grey."""
    ramp = np.linspace(0, 1, 200, dtype=np.float32)[None, :, None].repeat(3, axis=2)
    for codes in ((9, PQ), (9, HLG), (12, PQ), (2, PQ)):
        seen = as_normal(codes)(ramp)
        assert (np.diff(seen[0, :, 1]) > -1e-6).all() and seen[0, 0].max() < 0.01
        assert seen[0, -1].min() > 0.99 and np.ptp(seen, axis=2).max() < 5e-3
    red = np.array([[[0.58, 0.1, 0.1]]], np.float32)
    assert as_normal((9, PQ))(red)[0, 0, 1] < 0.05, "beyond sRGB is clipped"


def test_a_gain_map_does_not_make_its_picture_hdr(tmp_path: Path) -> None:
    """The alternate's colours stand in the same table of properties."""
    path = avif_with_map(tmp_path)
    photo = read_photo(path)
    assert photo.metadata.codes is None and photo.metadata.gain_map and not photo.remarks
    assert photo.metadata.gain_map.codes == (9, PQ)
    assert np.abs(photo.pixels.astype(int) - np.asarray(noisy())).mean() < 4


GAINS = Gains(0.0, 2.5, (-0.5,), (2.5,), (1.5,), (0.015625,), (0.015625,))


def avif_with_map(folder: Path, **changes: Any) -> Path:
    """An AVIF with a gain map of its half size."""
    path = folder / "map.avif"
    write_photo(Photo(np.asarray(noisy()).copy()), path)
    small = np.asarray(noisy((48, 32), 7).convert("L"))
    write_photo(Photo(small.copy()), folder / "small.avif")
    found = items_of(folder / "small.avif")
    if properties := changes.get("properties"):
        owned = (*found.picture.properties, *properties)
        found = replace(found, items={found.primary: replace(found.picture, properties=owned)})
    metadata = changes.get("metadata", packed(GAINS))
    whole = with_gain_map(items_of(path), found, metadata, heif.color_box(9, PQ, 9))
    path.write_bytes(serialise(whole))
    return path


def map_in(path: Path) -> tuple[np.ndarray, Gains]:
    """The map of a file and how it is applied."""
    metadata = read_photo(path).metadata
    found = metadata.gain_map
    if found is None:
        found = gain_maps.gain_map_of_jpeg(metadata.attachments[0])
    assert found
    return pixels_of(found), parsed(found.metadata)


def test_a_gain_map_goes_from_avif_to_avif_byte_for_byte(tmp_path: Path) -> None:
    path = avif_with_map(tmp_path)
    write_photo(read_photo(path), tmp_path / "b.avif")
    (before, after) = (
        [i.data for i in items_of(p).items.values() if i.hidden]
        for p in (path, tmp_path / "b.avif")
    )
    assert before == after and len(before) == 1
    image = pyvips.Image.new_from_file(str(tmp_path / "b.avif"))
    assert (image.width, image.height) == (96, 64) and b"tmap" in items_of(path).brands


@pytest.mark.parametrize("source", ["avif", "heic", "jpeg"])
@pytest.mark.parametrize("suffix", [".avif", ".jpg"])
def test_a_gain_map_goes_from_each_format_to_each(tmp_path: Path, source: str, suffix: str) -> None:
    path = {"avif": avif_with_map, "heic": heic_with_map, "jpeg": jpeg_with_map}[source](tmp_path)
    before, gains = map_in(path)
    assert not write_photo(read_photo(path), tmp_path / f"b{suffix}")
    promised = promises(read_photo(tmp_path / f"b{suffix}").metadata.xmp)
    assert ("gain map" in promised) == (suffix == ".jpg"), "AVIF needs none"
    after, found = map_in(tmp_path / f"b{suffix}")
    assert after.shape == before.shape
    assert np.abs(after.astype(int) - before.astype(int)).mean() < 6
    for one, other in zip(
        np.hstack([np.ravel(v) for v in vars(gains).values()]),
        np.hstack([np.ravel(v) for v in vars(found).values()]),
        strict=True,
    ):
        assert float(one) == pytest.approx(float(other), abs=1e-5)
    if suffix == ".jpg":
        told = tags(tmp_path / "b.jpg")
        listed = [entry["Item"]["Semantic"] for entry in told["Directory"]]
        assert told["MPImage2"] and listed == ["Primary", "GainMap"]
        opened((tmp_path / "b.jpg").read_bytes())
        seen = pyvips.Image.uhdrload(str(tmp_path / "b.jpg"))  # through libultrahdr
        assert seen.width == read_photo(path).width and seen.get_typeof("gainmap-data")


def heic_with_map(folder: Path) -> Path:
    """A HEIC with a gain map by ISO 21496-1."""
    path = folder / "map.heic"
    base = items_of(SAMPLES / "eight.heic")
    whole = with_gain_map(base, grey_heic(), packed(GAINS), heif.color_box(9, PQ, 9))
    path.write_bytes(serialise(whole))
    return path


def grey_heic() -> HeifItems:
    """The alpha of a sample as a picture of its own."""
    clear = items_of(SAMPLES / "alpha.heic")
    number = heif.auxiliary_of(clear, "alpha") or heif.auxiliary_of(clear, "auxid:1")
    assert number
    return alone(clear, number)


def jpeg_with_map(folder: Path) -> Path:
    path = folder / "map.jpg"
    path.write_bytes(ultra_hdr())
    return path


def apple_heic(folder: Path, *, notes: bool) -> Path:
    """A HEIC as iPhones write it; its headroom in makers' notes or in the map's XMP."""
    base = items_of(SAMPLES / "eight.heic")
    name = box(b"auxC", bytes(4) + b"urn:com:apple:photo:2020:aux:hdrgainmap\0")
    small = with_properties(grey_heic(), name)
    whole, number = joined(base, small)
    item = whole.items[number]
    item = replace(item, references=(*item.references, (b"auxl", (whole.primary,))))
    whole = replace(whole, items={**whole.items, number: item})
    if notes:
        inner = {33: Entry(10, struct.pack("<2i", 9, 10)), 48: Entry(10, struct.pack("<2i", 0, 1))}
        stream = exif_of(Directory(inner))
        # Apple's: a name, then a directory whose offsets count from the name
        body = bytearray(b"Apple iOS\0\0\1II" + stream[8:])
        for place in (24, 36):
            (offset,) = struct.unpack_from("<I", body, place)
            struct.pack_into("<I", body, place, offset + 6)
        exif = Directory({}, {34665: Directory({37500: Entry(7, bytes(body))})})
        others = {n: i for n, i in whole.items.items() if i.kind != b"Exif"}
        whole = with_exif(replace(whole, items=others), exif_of(exif))
    else:
        said = b'<x HDRGainMap:HDRGainMapHeadroom="3.482202"/>'
        mime = Item(b"mime", said, b"\0application/rdf+xml\0", references=((b"cdsc", (number,)),))
        whole = replace(whole, items={**whole.items, max(whole.items) + 1: mime})
    path = folder / "apple.heic"
    path.write_bytes(serialise(whole))
    return path


@pytest.mark.parametrize("notes", [True, False])
def test_the_gain_map_of_an_iphone_keeps_its_light(tmp_path: Path, notes: bool) -> None:
    """Apple's formula on the source's map, ISO's on the result's: the same gains."""
    photo = read_photo(apple_heic(tmp_path, notes=notes))
    found = photo.metadata.gain_map
    assert found and not any("gain map" in remark for remark in photo.remarks)
    headroom = 2**1.8 if notes else 3.482202
    assert found.apple_headroom == pytest.approx(headroom)
    plain = pixels_of(replace(found, apple_headroom=None)) / 255
    light = np.where(plain <= 0.04045, plain / 12.92, ((plain + 0.055) / 1.055) ** 2.4)
    wanted = np.log2(1 + (headroom - 1) * light)
    for name in ("b.avif", "b.jpg"):
        assert not write_photo(photo, tmp_path / name)
        stored, gains = map_in(tmp_path / name)
        seen = gains.least[0] + (gains.most[0] - gains.least[0]) * stored / 255
        assert np.abs(seen - wanted).mean() < 0.03 and gains.alternate_headroom == pytest.approx(
            np.log2(headroom), abs=1e-5
        )


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
def test_a_gain_map_without_a_place_is_told(tmp_path: Path, suffix: str) -> None:
    photo = read_photo(avif_with_map(tmp_path))
    (note,) = write_photo(photo, tmp_path / f"b{suffix}")
    assert "its gain map (HDR)" in note
    (note,) = write_photo(photo, tmp_path / "c.avif", choices=WriteOptions(strip_metadata=True))
    assert "left out with the metadata: its gain map (HDR)" in note
    assert not read_photo(tmp_path / "c.avif").metadata.gain_map
    assert "its gain map (HDR)" in of_a_part(photo).remarks[-1]


def test_a_turned_gain_map_is_upright_with_its_picture(tmp_path: Path) -> None:
    exif = exif_of(Directory({274: Entry(3, struct.pack("<H", 6))}))
    path = tmp_path / "a.jpg"
    path.write_bytes(ultra_hdr())
    photo = read_photo(path)
    photo = replace(photo, metadata=replace(photo.metadata, exif=exif))
    write_photo(photo, tmp_path / "b.avif")
    before, after = map_in(path)[0], map_in(tmp_path / "b.avif")[0]
    assert np.abs(after.astype(int) - np.rot90(before, -1).astype(int)).mean() < 6
    turned = avif_with_map(tmp_path, properties=((box(b"irot", b"\3"), True),))
    write_photo(read_photo(turned), tmp_path / "c.avif")
    assert map_in(tmp_path / "c.avif")[0].shape == (48, 32)
    kinds = [p[4:8] for i in items_of(tmp_path / "c.avif").items.values() for p, _ in i.properties]
    assert b"irot" not in kinds


@pytest.mark.parametrize(
    "metadata",
    [
        b"",
        packed(GAINS)[:20],
        b"\0\1" + packed(GAINS)[2:],
        packed(GAINS)[:9] + bytes(4) + packed(GAINS)[13:],
    ],
)
def test_gain_maps_that_cannot_be_understood_are_told(tmp_path: Path, metadata: bytes) -> None:
    photo = read_photo(avif_with_map(tmp_path, metadata=metadata))
    assert photo.metadata.gain_map is None and "its gain map (HDR)" in photo.remarks[0]
    write_photo(photo, tmp_path / "b.avif")
    assert len(items_of(tmp_path / "b.avif").items) == 1


def test_a_damaged_map_does_not_harm_its_picture(tmp_path: Path) -> None:
    """Its data are rubbish, or its references lead in a circle."""
    path = avif_with_map(tmp_path)
    whole = items_of(path)
    number = next(n for n, item in whole.items.items() if item.hidden)
    for item in (
        replace(whole.items[number], data=bytes(80)),
        replace(whole.items[number], references=((b"dimg", (number, 4000)),)),
    ):
        path.write_bytes(serialise(replace(whole, items={**whole.items, number: item})))
        photo = read_photo(path)
        notes = write_photo(photo, tmp_path / "b.jpg", overwrite=True)
        assert "its gain map (HDR)" in "".join((*photo.remarks, *notes))
        opened((tmp_path / "b.jpg").read_bytes())


def test_three_channels_and_shared_denominators() -> None:
    three = Gains(0, 3, (0, 0.5, 1), (2, 3, 4), (1, 1, 2), (0, 0, 0), (0.5, 0, 0), False)
    assert parsed(packed(three)) == three
    body = struct.pack(">HHBI", 0, 0, 0x08, 1000) + struct.pack(
        ">2IiiIii", 0, 2500, -500, 2500, 1500, 10, 20
    )
    found = parsed(body)
    assert found.most == (2.5,) and found.least == (-0.5,) and found.gamma == (1.5,)
    assert found.base_offset == (0.01,) and not found.base_colors


def test_xmp_of_three_channels_is_read_back() -> None:
    colour = encoded(noisy((24, 16)), "JPEG")
    three = Gains(0, 3, (0, 0.5, 1), (2, 3, 4), (1, 1, 2), (0, 0, 0), (0.5, 0, 0))
    made = jpeg_of(GainMap(colour, packed(three)))
    assert opened(made).mode == "RGB"
    without = made.replace(gain_maps.ISO_NAME, b"x" * len(gain_maps.ISO_NAME))
    found = gain_maps.gain_map_of_jpeg(Attachment("gain map", without))
    assert found and parsed(found.metadata) == three


@pytest.mark.parametrize("cut", [12, 40, 120, 260, 400])
def test_cut_and_mangled_boxes_are_no_crash(tmp_path: Path, cut: int) -> None:
    data = bytearray(avif_with_map(tmp_path).read_bytes())
    generator = np.random.default_rng(cut)
    for _ in range(40):
        mangled = data.copy()
        for place in generator.integers(0, min(len(data), 700), 3):
            mangled[place] = generator.integers(0, 256)
        heif.read_header(io.BytesIO(mangled))
        heif.read_header(io.BytesIO(data[:cut]))


def test_lengths_of_the_map_in_an_ultra_hdr_jpeg_of_a_heic_are_right(tmp_path: Path) -> None:
    write_photo(read_photo(heic_with_map(tmp_path)), tmp_path / "b.jpg")
    data = (tmp_path / "b.jpg").read_bytes()
    told = tags(tmp_path / "b.jpg")
    length = int(told["Directory"][1]["Item"]["Length"])
    assert data[len(data) - length :][:3] == b"\xff\xd8\xff"


NOTE = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


def heic_with_depth(folder: Path, *properties: tuple[bytes, bool]) -> Path:
    """A HEIC with a depth map, of which XMP says something, and a matte, as iPhones write them."""
    small = serialise(grey_heic())
    items = items_of(SAMPLES / "eight.heic")
    for name, notes in (
        (b"urn:mpeg:hevc:2015:auxid:2", ((b"mime", b"\0application/rdf+xml\0", NOTE),)),
        (b"urn:com:apple:photo:2018:aux:portraiteffectsmatte", ()),
    ):
        kind = box(b"auxC", bytes(4) + name + b"\0")
        items = heif.with_auxiliary(items, heif.Auxiliary("", small, kind, notes))
    items = replace(
        items,
        items={
            number: replace(item, properties=(*item.properties, *properties))
            if item.targets(b"auxl")
            else item
            for number, item in items.items.items()
        },
    )
    path = folder / "depth.heic"
    path.write_bytes(serialise(items))
    return path


@pytest.mark.parametrize("turn", [False, True])
def test_depth_and_mattes_go_from_heic_to_avif(tmp_path: Path, turn: bool) -> None:
    photo = read_photo(heic_with_depth(tmp_path, *[(box(b"irot", b"\3"), True)] * turn))
    assert photo.remarks == ()
    stored = gain_maps._decoded(serialise(grey_heic()))
    stored = np.rot90(stored.reshape(stored.shape[:2]), -1 if turn else 0)
    assert write_photo(photo, tmp_path / "b.avif") == ()
    found = read_photo(tmp_path / "b.avif")
    depth, matte = found.metadata.auxiliary
    assert (depth.label, matte.label) == ("its depth map", "its portrait matte")
    assert depth.notes[0][2] == NOTE and found.metadata.xmp == photo.metadata.xmp
    for auxiliary in (depth, matte):
        values = gain_maps._decoded(auxiliary.picture)
        assert np.array_equal(values, np.repeat(stored[..., None], 3, axis=2))
    write_photo(found, tmp_path / "c.avif")  # from AVIF to AVIF byte for byte
    again = read_photo(tmp_path / "c.avif").metadata.auxiliary
    assert [a.picture for a in again] == [depth.picture, matte.picture]
    image = pyvips.Image.new_from_file(str(tmp_path / "c.avif"))
    assert (image.width, image.height) == (48, 64)


@pytest.mark.skipif(not shutil.which("heif-convert"), reason="needs libheif's heif-convert")
def test_libheif_finds_depth_and_matte(tmp_path: Path) -> None:
    write_photo(read_photo(heic_with_depth(tmp_path)), tmp_path / "b.avif")
    command = ["heif-convert", "--with-aux", tmp_path / "b.avif", tmp_path / "o.png"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Depth image" in said and "portraiteffectsmatte" in said


def test_depth_has_no_place_elsewhere(tmp_path: Path) -> None:
    photo = read_photo(heic_with_depth(tmp_path))
    (note,) = write_photo(photo, tmp_path / "b.jpg")
    assert note.endswith("JPEG has no place for it: its depth map, its portrait matte")
    (note,) = write_photo(photo, tmp_path / "b.avif", choices=WriteOptions(strip_metadata=True))
    assert "its depth map" in note and len(items_of(tmp_path / "b.avif").items) == 1
    assert "its portrait matte" in of_a_part(photo).remarks[-1]
    assert not of_a_part(photo).metadata.auxiliary


def test_depth_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    photo = read_photo(heic_with_depth(tmp_path))
    depth, matte = photo.metadata.auxiliary
    cut = replace(depth, picture=depth.picture[:-60])
    photo = replace(photo, metadata=replace(photo.metadata, auxiliary=(cut, matte)))
    (note,) = write_photo(photo, tmp_path / "b.avif")
    assert note == "left out, since it cannot be decoded: its depth map"
    assert len(read_photo(tmp_path / "b.avif").metadata.auxiliary) == 1
