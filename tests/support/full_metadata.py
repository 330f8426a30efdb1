"""Files with everything that a format can say about its picture, written by other libraries."""

import struct
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from support.photographs import encoded, picture

SUFFIXES = {".jpg": "JPEG", ".png": "PNG", ".tif": "TIFF", ".webp": "WEBP", ".avif": "AVIF"}
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = (
    b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
    b"<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    b"<rdf:Description rdf:about='' xmlns:xmp='http://ns.adobe.com/xap/1.0/' xmp:Rating='4'/>"
    b"</rdf:RDF></x:xmpmeta>"
)
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
        packed = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
        text = f"\niptc\n{len(packed):8}\n{packed.hex()}\n"
        options["pnginfo"].add_text("Raw profile type iptc", text, zip=True)
        options["pnginfo"].add(b"gAMA", struct.pack(">I", 45455))
    if name == "JPEG":
        options["comment"] = b"a comment"
    path = folder / f"source.{name}"
    data = encoded(picture(), name, **options)
    if name == "JPEG":
        packed = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(IPTC)) + IPTC
        packed += b"\0" * (len(IPTC) % 2)
        data = data[:2] + b"\xff\xed" + struct.pack(">H", len(packed) + 2) + packed + data[2:]
    path.write_bytes(data)
    return path


def check_exif(found: Image.Exif, *, upright: bool = False) -> None:
    """All three directories; where the picture was turned upright, the tag says so or is gone."""
    for tag, value in MAIN.items():
        assert found.get(tag, 1) == (1 if upright and tag == 274 else value), tag
    shot, place = found.get_ifd(0x8769), found.get_ifd(0x8825)
    for tag, value in SHOT.items():
        assert shot[tag] == (pytest.approx(value) if isinstance(value, float) else value), tag
    assert place[1] == "N" and place[3] == "E"
    assert [float(v) for v in place[4]] == [19, 3, 1.5]


def grey_profile(gamma: float) -> bytes:
    """An ICC profile of greys by one exponent, as Photoshop and scanners write them."""
    white = b"".join(round(value * 65536).to_bytes(4) for value in (0.9642, 1, 0.8249))
    curve = b"curv" + bytes(4) + (1).to_bytes(4) + round(gamma * 256).to_bytes(2) + bytes(2)
    point = b"XYZ " + bytes(4) + white
    tags = (2).to_bytes(4)
    tags += b"wtpt" + (156).to_bytes(4) + len(point).to_bytes(4)
    tags += b"kTRC" + (156 + len(point)).to_bytes(4) + (14).to_bytes(4)
    header = bytearray(128)
    header[:4] = (156 + len(point) + len(curve)).to_bytes(4)
    header[8:12], header[12:16], header[16:24] = b"\2\x10\0\0", b"mntr", b"GRAYXYZ "
    header[36:40], header[68:80] = b"acsp", white
    return bytes(header) + tags + point + curve
