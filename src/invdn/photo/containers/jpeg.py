"""The marker segments before the pixels of a JPEG (ITU-T T.81, annex B; JFIF 1.02; EXIF 2.32)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from ...errors import OutputError
from ..photo import Compression, Metadata

_JFIF = b"JFIF\0"
_EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PHOTOSHOP = b"Photoshop 3.0\0"
_IPTC_RESOURCE = b"8BIM\x04\x04"
_APP0, _APP1, _APP13, _COMMENT, _TABLES, _SCAN = 0xE0, 0xE1, 0xED, 0xFE, 0xDB, 0xDA
_FRAMES = {0xC0, 0xC1, 0xC2}
_SUBSAMPLINGS = {(2, 2): "4:2:0", (2, 1): "4:2:2", (1, 2): "4:4:0", (4, 1): "4:1:1"}
_LONGEST = 65533  # bytes of payload; the length field counts itself
# from: ITU-T T.81, table K.1, sum of the luminance quantisation table at quality 50
_STANDARD_SUM = 3688


@dataclass(frozen=True)
class JpegHeader:
    """What the segments say.

    ``aspect`` is a pixel density without a unit, which libvips takes for pixels per millimetre.
    """

    exif: bytes | None = None
    iptc: bytes | None = None
    native: bytes = b""
    compression: Compression = field(default_factory=Compression)
    aspect: tuple[int, int] | None = None


def read_header(file: BinaryIO) -> JpegHeader:
    """Walk the segments up to the first scan; what is damaged there is left to the decoder.

    Example:
        >>> import io
        >>> comment = b"\\xff\\xfe\\x00\\x07hello"
        >>> read_header(io.BytesIO(b"\\xff\\xd8" + comment)).native == comment
        True
    """
    exif = iptc = quality = aspect = None
    subsampling = "4:4:4"
    native = []
    for marker, payload in _segments(file):
        if marker == _APP1 and payload.startswith(_EXIF):
            exif = exif or payload[len(_EXIF) :]
        elif marker == _APP0 and payload.startswith(_JFIF) and payload[7:8] == b"\0":
            aspect = (int.from_bytes(payload[8:10]), int.from_bytes(payload[10:12]))
        elif marker == _APP13 and payload.startswith(_PHOTOSHOP):
            iptc = iptc or _iptc_of(payload[len(_PHOTOSHOP) :])
        elif marker == _COMMENT or (marker == _APP1 and payload.startswith(_MORE_XMP)):
            native.append(_segment(marker, payload))
        elif marker == _TABLES and quality is None:
            quality = _quality_of(payload)
        elif marker in _FRAMES and len(payload) > 14:  # three components or more
            horizontal, vertical = divmod(payload[7], 16)  # of brightness; colours have one each
            subsampling = _SUBSAMPLINGS.get((horizontal, vertical), "4:4:4")
    compression = Compression(quality, subsampling)
    return JpegHeader(exif, iptc, b"".join(native), compression, aspect)


def segments_of(metadata: Metadata, native: bytes) -> bytes:
    """The segments that belong between the start of the image and what the encoder writes.

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


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    file.seek(2)
    while len(start := file.read(4)) == 4 and start[0] == 0xFF:
        marker, length = start[1], int.from_bytes(start[2:])
        if marker == 0xFF:  # a fill byte
            file.seek(-3, 1)
            continue
        if marker == _SCAN or length < 2:
            return
        yield marker, file.read(length - 2)


def _segment(marker: int, payload: bytes) -> bytes:
    if len(payload) > _LONGEST:
        raise OutputError(
            f"a JPEG holds at most 64 kB of EXIF, XMP or IPTC in one piece and this photograph has "
            f"{len(payload)} bytes; write a PNG or TIFF file instead"
        )
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _iptc_of(resources: bytes) -> bytes | None:
    """The IPTC records among Photoshop's image resources."""
    position = 0
    while resources[position : position + 4] == b"8BIM" and position + 12 <= len(resources):
        name = (resources[position + 6] + 2) // 2 * 2  # length byte and text, padded to even
        start = position + 6 + name + 4
        size = int.from_bytes(resources[start - 4 : start])
        if resources[position:].startswith(_IPTC_RESOURCE):
            return resources[start : start + size]
        position = start + size + size % 2
    return None


def _quality_of(tables: bytes) -> int | None:
    """Quality on the scale of the Independent JPEG Group, from the luminance table."""
    values = tables[1:65] if tables[:1] == b"\0" else b""
    if len(values) < 64:
        return None
    scale = 100 * sum(values) / _STANDARD_SUM
    quality = (200 - scale) / 2 if scale <= 100 else 5000 / scale
    return max(1, min(100, round(quality)))
