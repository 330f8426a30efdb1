"""Photographs as phones and cameras hand them over, put together byte by byte."""

import io
import struct

import numpy as np
from PIL import Image

from support.photographs import encoded

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
GAIN_MAP_SPACE = "http://ns.adobe.com/hdr-gain-map/1.0/"
CONTAINER = "http://ns.google.com/photos/1.0/container/"
VIDEO = (
    struct.pack(">I4s4sI4s", 20, b"ftyp", b"mp42", 0, b"isom")
    + struct.pack(">I4s", 8 + 3000, b"mdat")
    + bytes(range(250)) * 12
)
PREVIEW, VIEW, UNDEFINED = 0x010002, 0x020002, 0


def noisy(size: tuple[int, int] = (96, 64), seed: int = 0) -> Image.Image:
    """A ramp with noise."""
    generator = np.random.default_rng(seed)
    ramp = np.linspace(40, 200, size[0] * size[1] * 3).reshape(size[1], size[0], 3)
    return Image.fromarray(np.clip(ramp + generator.normal(0, 12, ramp.shape), 0, 255).astype("u1"))


def jpeg(size: tuple[int, int] = (96, 64), seed: int = 0, **options: object) -> bytes:
    """A noisy JPEG."""
    return encoded(noisy(size, seed), "JPEG", quality=90, **options)


def segment(marker: int, payload: bytes) -> bytes:
    """A marker segment."""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segments(data: bytes, *segments: bytes) -> bytes:
    """A JPEG with segments behind its JFIF header."""
    place = 4 + int.from_bytes(data[4:6])
    return data[:place] + b"".join(segments) + data[place:]


def xmp_segment(packet: str) -> bytes:
    """XMP in a segment."""
    return segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet.encode())


def packet(attributes: str = "", items: str = "", *, rest: str = "") -> str:
    """An XMP packet as phones write it, with a directory of what follows the picture."""
    listed = f"<Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory>"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 5.1.2">'
        f'<rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about=""'
        f' xmlns:hdrgm="{GAIN_MAP_SPACE}" xmlns:Container="{CONTAINER}"'
        f' xmlns:Item="{CONTAINER}item/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        f' xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" xmp:Rating="4" {attributes}>'
        f"{listed if items else ''}{rest}</rdf:Description></rdf:RDF></x:xmpmeta>"
    )


def item(semantic: str, mime: str = "image/jpeg", length: int | None = None) -> str:
    """An item of the directory."""
    told = "" if length is None else f' Item:Length="{length}"'
    return (
        '<rdf:li rdf:parseType="Resource"><Container:Item '
        f'Item:Semantic="{semantic}" Item:Mime="{mime}"{told}/></rdf:li>'
    )


def mpf(entries: list[tuple[int, int, int]], order: str = ">") -> bytes:
    """An index: attributes, length and offset of every picture."""
    table = b"".join(struct.pack(order + "3I2H", *entry, 0, 0) for entry in entries)
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(order + "IH", 8, 3)
    head += struct.pack(order + "HHI4s", 0xB000, 7, 4, b"0100")
    head += struct.pack(order + "HHII", 0xB001, 4, 1, len(entries))
    head += struct.pack(order + "HHII", 0xB002, 7, len(table), 50)
    return head + bytes(4) + table


def with_index(picture: bytes, others: list[tuple[int, bytes]], order: str = ">") -> bytes:
    """A JPEG, its index, and further pictures of given types behind it."""
    size = len(
        with_segments(picture, segment(0xE2, b"MPF\0" + mpf([(0, 0, 0)] * (1 + len(others)))))
    )
    index_at = 4 + int.from_bytes(picture[4:6]) + 8
    entries, place = [(0x030000, size, 0)], size
    for kind, data in others:
        entries.append((kind, len(data), place - index_at))
        place += len(data)
    whole = with_segments(picture, segment(0xE2, b"MPF\0" + mpf(entries, order)))
    assert len(whole) == size
    return whole + b"".join(data for _, data in others)


def gain_map(*, told: bool = True) -> bytes:
    """A gain map of a quarter of the size; it may leave it to others to say what it is."""
    data = encoded(noisy((24, 16), 5).convert("L"), "JPEG", quality=80)
    says = packet('hdrgm:Version="1.0" hdrgm:GainMapMax="2.5" hdrgm:HDRCapacityMax="2.5"')
    return with_segments(data, xmp_segment(says)) if told else data


def ultra_hdr(*, length: int | None = None, told: bool = True, order: str = ">") -> bytes:
    """A JPEG with a gain map, as current phones write them."""
    map_ = gain_map(told=told)
    items = item("Primary") + item("GainMap", length=len(map_) if length is None else length)
    says = xmp_segment(packet('hdrgm:Version="1.0"', items))
    iso = segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0" + bytes(4))
    return with_index(with_segments(jpeg(), says, iso), [(UNDEFINED, map_)], order)


def motion_photo(video: bytes = VIDEO, *, map_: bool = False) -> bytes:
    """A JPEG with a video behind it, and perhaps a gain map in between."""
    between = gain_map() if map_ else b""
    items = item("Primary")
    items += item("GainMap", length=len(between)) if map_ else ""
    items += item("MotionPhoto", "video/mp4", len(video))
    attributes = 'GCamera:MotionPhoto="1" GCamera:MotionPhotoVersion="1"'
    attributes += f' GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{len(video)}"'
    attributes += ' hdrgm:Version="1.0"' if map_ else ""
    return with_segments(jpeg(), xmp_segment(packet(attributes, items))) + between + video


def with_thumbnail(data: bytes) -> bytes:
    """A JPEG whose EXIF holds a thumbnail."""
    small = encoded(noisy((160, 107), 9), "JPEG", quality=75)
    exif = Image.Exif()
    exif[271] = "Canon"
    block = bytearray(exif.tobytes().removeprefix(b"Exif\0\0"))
    order = "<" if block[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "I", block, 4)
    (count,) = struct.unpack_from(order + "H", block, first)
    struct.pack_into(order + "I", block, first + 2 + 12 * count, len(block))
    start = len(block) + 2 + 3 * 12 + 4
    block += struct.pack(order + "H", 3)
    block += struct.pack(order + "HHIHH", 259, 3, 1, 6, 0)
    block += struct.pack(order + "HHII", 513, 4, 1, start)
    block += struct.pack(order + "HHII", 514, 4, 1, len(small))
    block += bytes(4) + small
    return with_segments(data, segment(0xE1, b"Exif\0\0" + bytes(block)))


def credentials() -> bytes:
    """A C2PA manifest store (JUMBF) in two pieces in APP11."""
    kind = b"c2pa" + bytes.fromhex("0011001080000 0aa00389b71".replace(" ", ""))
    description = struct.pack(">I4s", 30, b"jumd") + kind + b"\3c2pa\0"
    claim = b'{"claim": "this is the original"}'
    body = description + struct.pack(">I4s", 8 + len(claim), b"json") + claim
    head = struct.pack(">I4s", 8 + len(body), b"jumb")
    pieces = (body[:50], body[50:])
    return b"".join(
        segment(0xEB, b"JP" + struct.pack(">HI", 1, number) + head + piece)
        for number, piece in enumerate(pieces, 1)
    )


def opened(data: bytes) -> Image.Image:
    """What Pillow sees."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image
