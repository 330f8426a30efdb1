"""The marker segments before the pixels of a JPEG.

Sources: ITU-T T.81, annex B; JFIF 1.02; EXIF 2.32; ISO/IEC 19566-5 (JUMBF); C2PA 2.1; Photoshop
File Formats (Adobe 2019).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ...errors import OutputError
from ..photo import Compression, Metadata

_JFIF = b"JFIF\0"
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MPF = b"MPF\0"
_GAIN_MAP = b"urn:iso:std:iso:ts:21496"
_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC_RESOURCE = b"8BIM\x04\x04"
_APP0, _APP1, _APP2, _APP11, _APP13, _APP15 = 0xE0, 0xE1, 0xE2, 0xEB, 0xED, 0xEF
_COMMENT, _TABLES, _SCAN = 0xFE, 0xDB, 0xDA
# what encoders and decoders tell each other, and the new file's encoder tells anew
_OF_THE_ENCODER = ((_APP2, b"ICC_PROFILE\0"), (0xE8, b"SPIFF\0"), (0xEE, b"Adobe"))
# what is true of the compressed data of the source only
_OF_THE_SOURCE = (
    (0xE4, b"SCALADO", "Scalado's index of the compressed data"),
    (_APP0, b"JFXX\0", "JFIF's thumbnail"),
)
_FRAMES = {0xC0, 0xC1, 0xC2}
_SUBSAMPLINGS = {(2, 2): "4:2:0", (2, 1): "4:2:2", (1, 2): "4:4:0", (4, 1): "4:1:1"}
_LONGEST = 65533  # bytes of payload; the length field counts itself
# markers of segments: not those without any, which mean nothing before the pixels
_MARKER = re.compile(rb"\xff[^\x00-\x01\xd0-\xd9\xff]")
# from: ITU-T T.81, table K.1, sum of the luminance quantisation table at quality 50
_STANDARD_SUM = 3688


@dataclass(frozen=True)
class JpegHeader:
    """What the segments say.

    Attributes:
        exif: EXIF as a TIFF stream.
        xmp: XMP packet.
        iptc: IPTC records.
        native: segments that only JPEG knows and that stay true of another picture's pixels.
        compression: quality and chroma.
        aspect: a pixel density without a unit, which libvips takes for pixels per millimetre.
        size: width and height.
        mpf: index of further pictures (a TIFF stream).
        mpf_at: where the index lies in the file.
        dropped: what is left out, since it is true of the source's pixels only; for people.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    native: bytes = b""
    compression: Compression = field(default_factory=Compression)
    aspect: tuple[int, int] | None = None
    size: tuple[int, int] | None = None
    mpf: bytes | None = None
    mpf_at: int = 0
    dropped: tuple[str, ...] = ()


def read_header(file: BinaryIO) -> JpegHeader:
    """Walk the segments up to the first scan; what is damaged there is left to the decoder.

    Example:
        >>> import io
        >>> comment = b"\\xff\\xfe\\x00\\x07hello"
        >>> read_header(io.BytesIO(b"\\xff\\xd8" + comment)).native == comment
        True
    """
    exif = xmp = quality = aspect = size = mpf = None
    mpf_at = 0
    subsampling = "4:4:4"
    native: list[bytes] = []
    dropped: list[str] = []
    resources: list[bytes] = []
    credentials: set[bytes] = set()
    for marker, payload, place in _segments(file):
        if marker == _APP0 and payload.startswith(_JFIF):
            if payload[7:8] == b"\0":
                aspect = (int.from_bytes(payload[8:10]), int.from_bytes(payload[10:12]))
            if payload[12:14].strip(b"\0"):
                dropped.append("JFIF's thumbnail")
        elif marker == _APP1 and payload.startswith(_EXIF):
            exif = exif or payload[len(_EXIF) :]
        elif marker == _APP1 and payload.startswith(_XMP):
            xmp = xmp or payload[len(_XMP) :]
        elif marker == _APP2 and payload.startswith(_MPF):
            if mpf is None:
                mpf, mpf_at = payload[len(_MPF) :], place + len(_MPF)
        elif marker == _APP13 and payload.startswith(_PHOTOSHOP):
            resources.append(payload[len(_PHOTOSHOP) :])
        elif marker == _APP11 and payload.startswith(b"JP"):
            if label := _about_pixels(payload, credentials):
                dropped.append(label)
            else:
                native.append(_segment(marker, payload))
        elif label := _true_of_the_source(marker, payload):
            dropped.append(label)
        elif any(marker == m and payload.startswith(start) for m, start in _OF_THE_ENCODER):
            continue
        elif marker == _COMMENT or _APP0 <= marker <= _APP15:
            native.append(_segment(marker, payload))
        elif marker == _TABLES and quality is None:
            quality = _quality_of(payload)
        elif marker in _FRAMES and len(payload) > 7:
            size = int.from_bytes(payload[3:5]), int.from_bytes(payload[1:3])
            if len(payload) > 14:  # three components or more
                sampling = divmod(payload[7], 16)  # of brightness; colours have one each
                subsampling = _SUBSAMPLINGS.get(sampling, "4:4:4")
    iptc, others, thumbnail = read_resources(b"".join(resources))
    if others:
        native += _in_segments(_APP13, _PHOTOSHOP, others)
    if thumbnail:
        dropped.append("Photoshop's thumbnail")
    compression = Compression(quality, subsampling)
    return JpegHeader(
        exif,
        xmp,
        iptc,
        b"".join(native),
        compression,
        aspect,
        size,
        mpf,
        mpf_at,
        tuple(dict.fromkeys(dropped)),
    )


def without_rubbish(file: BinaryIO) -> bytes | None:
    """Return a JPEG without what lies between its segments, where anything does before the pixels.

    Broken editors leave such bytes behind. Viewers skip them; strict decoders take them for damage.

    Example:
        >>> import io
        >>> comment = b"\\xff\\xfe\\x00\\x07hello"
        >>> without_rubbish(io.BytesIO(b"\\xff\\xd8???" + comment + b"\\xff\\xda")).hex()
        'ffd8fffe000768656c6c6fffda'
    """
    for _ in _segments(file):
        pass
    file.seek(max(2, file.tell() - 4))
    if file.read(2) == bytes((0xFF, _SCAN)):
        return None
    file.seek(0)
    data = file.read()
    parts, place = [data[:2]], 2
    while (found := _MARKER.search(data, place)) is not None:
        start = found.start()
        stop = start + 2 + int.from_bytes(data[start + 2 : start + 4])
        if data[start + 1] == _SCAN:
            return b"".join((*parts, data[start:]))
        parts.append(data[start:stop])
        place = stop
    return None


def names_of(native: bytes) -> tuple[str, ...]:
    """Return what segments that only JPEG knows are, for people.

    Example:
        >>> names_of(b"\\xff\\xfe\\x00\\x07hello")
        ('a comment',)
    """
    names = []
    for marker, payload in _native_segments(native):
        if marker == _COMMENT:
            names.append("a comment")
        elif marker == _APP13 and payload.startswith(_PHOTOSHOP):
            names.append("Photoshop's resources")
        elif payload.startswith(b"http://ns.adobe.com/xmp/extension/"):
            names.append("extended XMP")
        elif not payload.startswith(_GAIN_MAP):
            words = re.match(rb"[ -~]{3,30}", payload)
            name = f" ({words[0].decode().strip()})" if words else ""
            names.append(f"an APP{marker - _APP0} block{name}")
    return tuple(dict.fromkeys(names))


def without_gain_map(native: bytes) -> bytes:
    """Return the segments without the one that promises a gain map by ISO 21496-1.

    Example:
        >>> without_gain_map(b"\\xff\\xfe\\x00\\x07hello")[-5:]
        b'hello'
    """
    return b"".join(
        _segment(marker, payload)
        for marker, payload in _native_segments(native)
        if not payload.startswith(_GAIN_MAP)
    )


def mpf_segment(mpf: bytes) -> bytes:
    """Return the segment of an index of pictures; the index starts 8 bytes into it."""
    return _segment(_APP2, _MPF + mpf)


def segments_of(metadata: Metadata, native: bytes) -> bytes:
    """Return the segments that belong between the start of the image and what the encoder writes.

    Raises:
        OutputError: a block is longer than a JPEG segment can be.

    Example:
        >>> segments_of(Metadata(resolution=(10, 10)), b"").hex(" ", 2)[:24]
        'ffe0 0010 4a46 4946 0001'
    """
    unit, x, y = 0, 1, 1
    if metadata.resolution:
        unit, (x, y) = 1, (min(65535, max(1, round(r * 25.4))) for r in metadata.resolution)
    blocks = [_segment(_APP0, struct.pack(">5sHBHHBB", _JFIF, 0x0102, unit, x, y, 0, 0))]
    if metadata.exif:
        blocks.append(_segment(_APP1, _EXIF + metadata.exif))
    if metadata.xmp:
        blocks.append(_segment(_APP1, _XMP + metadata.xmp))
    if metadata.iptc:
        size = struct.pack(">2xI", len(metadata.iptc))
        padding = b"\0" * (len(metadata.iptc) % 2)
        blocks.append(
            _segment(_APP13, _PHOTOSHOP + _IPTC_RESOURCE + size + metadata.iptc + padding)
        )
    return b"".join(blocks) + native


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes, int]]:
    """Yield marker, payload, and where the payload lies."""
    file.seek(2)
    while len(start := file.read(4)) == 4 and start[0] == 0xFF:
        marker, length = start[1], int.from_bytes(start[2:])
        if marker == 0xFF:  # a fill byte
            file.seek(-3, 1)
            continue
        if marker == _SCAN or length < 2 or not _MARKER.match(start):
            return
        place = file.tell()
        yield marker, file.read(length - 2), place


def _native_segments(native: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(native):
        length = int.from_bytes(native[place + 2 : place + 4])
        yield native[place + 1], native[place + 4 : place + 2 + length]
        place += 2 + length


def _true_of_the_source(marker: int, payload: bytes) -> str | None:
    """Return what a segment is that another picture's compressed data makes false."""
    for other, start, label in _OF_THE_SOURCE:
        if marker == other and payload.startswith(start):
            return label
    return None


def _about_pixels(payload: bytes, credentials: set[bytes]) -> str | None:
    """Return what a piece of a JUMBF or JPEG XT box is, where a changed picture makes it false.

    Args:
        payload: of an APP11 segment.
        credentials: numbers of the boxes known to hold credentials; a box has many pieces.
    """
    number, box = payload[2:4], payload[12:16]
    if box != b"jumb":
        return "JPEG XT's extension layers"
    if number in credentials or b"c2pa" in payload[:128]:
        credentials.add(number)
        return "its content credentials (C2PA), which vouch for the original's pixels"
    return None


def _in_segments(marker: int, start: bytes, data: bytes) -> list[bytes]:
    """Return data in as many segments as it needs."""
    most = _LONGEST - len(start)
    return [
        _segment(marker, start + data[place : place + most]) for place in range(0, len(data), most)
    ]


def _segment(marker: int, payload: bytes) -> bytes:
    if len(payload) > _LONGEST:
        raise OutputError(
            f"a JPEG holds at most 64 kB of EXIF, XMP or IPTC in one piece and this photograph has "
            f"{len(payload)} bytes; write a PNG or TIFF file instead"
        )
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _quality_of(tables: bytes) -> int | None:
    """Return quality on the scale of the Independent JPEG Group, from the luminance table."""
    values = tables[1:65] if tables[:1] == b"\0" else b""
    if len(values) < 64:
        return None
    scale = 100 * sum(values) / _STANDARD_SUM
    quality = (200 - scale) / 2 if scale <= 100 else 5000 / scale
    return max(1, min(100, round(quality)))


_IPTC, _THUMBNAILS = 0x0404, (0x0409, 0x040C)


def read_resources(resources: bytes) -> tuple[bytes | None, bytes, bool]:
    """Take image resources apart.

    Args:
        resources: one behind the other; a damaged rest is left out.

    Returns:
        IPTC records; all other resources but thumbnails; whether there was a thumbnail.

    Example:
        >>> read_resources(b"8BIM" + bytes((4, 4, 0, 0, 0, 0, 0, 2)) + b"hi")
        (b'hi', b'', False)
    """
    iptc, others, thumbnail = None, [], False
    position = 0
    while resources[position : position + 4] == b"8BIM" and position + 12 <= len(resources):
        number = int.from_bytes(resources[position + 4 : position + 6])
        name = (resources[position + 6] + 2) // 2 * 2  # length byte and text, padded to even
        start = position + 6 + name + 4
        size = int.from_bytes(resources[start - 4 : start])
        stop = start + size + size % 2
        if number == _IPTC:
            iptc = iptc or resources[start : start + size]
        elif number in _THUMBNAILS:
            thumbnail = True
        else:
            others.append(resources[position:stop])
        position = stop
    return iptc, b"".join(others), thumbnail
