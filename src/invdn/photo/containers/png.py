"""The chunks around the pixels of a PNG (PNG specification, third edition, W3C 2025)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from ..color.icc import Primaries
from ..photo import Metadata

HEADER_SIZE = 33  # the signature and the first chunk, IHDR; further ones may follow directly
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"}
_XMP = b"XML:com.adobe.xmp\0"
_IPTC = b"Raw profile type iptc\0"
_RESOURCE = b"8BIM\x04\x04"
_LARGEST = 1 << 24  # bytes; longer text is left behind, since nobody wrote it by hand


@dataclass(frozen=True)
class PngHeader:
    """What the chunks say."""

    exif: bytes | None = None
    iptc: bytes | None = None
    native: bytes = b""
    animated: bool = False


def read_header(file: BinaryIO) -> PngHeader:
    """Walk all chunks, skipping the pixels; what is damaged is left to the decoder.

    Example:
        >>> import io
        >>> gamma = _chunk(b"gAMA", (45455).to_bytes(4))
        >>> read_header(io.BytesIO(bytes(8) + gamma)).native == gamma
        True
    """
    exif = iptc = None
    native = []
    animated = False
    file.seek(8)
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        if kind in _TEXT | _COLOUR | {b"eXIf"} and length <= _LARGEST:
            payload = file.read(length)
            file.seek(4, 1)
            if kind == b"eXIf":
                exif = payload.removeprefix(b"Exif\0\0")
            elif kind == b"zTXt" and payload.startswith(_IPTC):
                iptc = iptc or _iptc_of(payload)
            elif not payload.startswith(_XMP):
                native.append(_chunk(kind, payload))
        else:
            animated = animated or kind == b"acTL"
            file.seek(length + 4, 1)
    return PngHeader(exif, iptc, b"".join(native), animated)


def colour_chunks(native: bytes) -> bytes:
    """Of the chunks that only PNG knows, those that say how the colours are meant.

    Example:
        >>> gamma, text = _chunk(b"gAMA", (45455).to_bytes(4)), _chunk(b"tEXt", b"Title\\0Dawn")
        >>> colour_chunks(text + gamma) == gamma
        True
    """
    return b"".join(_chunk(kind, data) for kind, data in _chunks(native) if kind in _COLOUR)


def described_colours(
    native: bytes,
) -> tuple[tuple[int, int] | None, float | None, Primaries | None]:
    """What such chunks say: numbers of ITU-T H.273, else exponent and primaries, else nothing.

    Example:
        >>> described_colours(_chunk(b"gAMA", (45455).to_bytes(4)))
        (None, 0.45455, None)
    """
    chunks = dict(_chunks(native))
    if len(codes := chunks.get(b"cICP", b"")) == 4:
        return (codes[0], codes[1]), None, None
    if b"sRGB" in chunks:
        return None, None, None
    gamma = int.from_bytes(chunks.get(b"gAMA", b"")[:4]) / 100_000 or None
    if len(corners := chunks.get(b"cHRM", b"")) != 32:
        return None, gamma, None
    white, red, green, blue = struct.iter_unpack(">2I", corners)
    primaries = tuple((x / 100_000, y / 100_000) for x, y in (red, green, blue, white))
    return None, gamma, cast(Primaries, primaries) if min(p[1] for p in primaries) > 0 else None


def _chunks(native: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and contents of chunks in a row."""
    place = 0
    while place + 12 <= len(native):
        size = int.from_bytes(native[place : place + 4])
        yield native[place + 4 : place + 8], native[place + 8 : place + 8 + size]
        place += 12 + size


def chunks_of(metadata: Metadata, native: bytes) -> bytes:
    """The chunks that belong right behind IHDR; only the resolution is the encoder's.

    Example:
        >>> chunks_of(Metadata(exif=b"MM"), b"")[:10]
        b'\\x00\\x00\\x00\\x02eXIfMM'
    """
    chunks = [native]
    if metadata.icc:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.exif:
        chunks.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:  # uncompressed, and neither language nor translation, as Adobe asks for
        chunks.append(_chunk(b"iTXt", _XMP + bytes(4) + metadata.xmp))
    if metadata.iptc:
        chunks.append(_chunk(b"zTXt", _IPTC + b"\0" + zlib.compress(_raw_profile(metadata.iptc))))
    return b"".join(chunks)


def _raw_profile(iptc: bytes) -> bytes:
    """Records as ImageMagick and ExifTool keep them in a PNG: hexadecimal, in Photoshop's frame."""
    size = len(iptc).to_bytes(4)
    block = _RESOURCE + bytes(2) + size + iptc + bytes(len(iptc) % 2)
    digits = block.hex().encode()
    lines = b"\n".join(digits[place : place + 72] for place in range(0, len(digits), 72))
    return b"\niptc\n%8d\n%b\n" % (len(block), lines)


def _iptc_of(payload: bytes) -> bytes | None:
    """The records in such a chunk; ``None`` where it is damaged."""
    try:
        text = zlib.decompressobj().decompress(payload[len(_IPTC) + 1 :], _LARGEST)
        block = bytes.fromhex(b"".join(text.split()[2:]).decode("ascii"))
    except (zlib.error, ValueError):
        return None
    if block.startswith(_RESOURCE):
        size = int.from_bytes(block[8:12])
        block = block[12 : 12 + size]
    return block or None


def _chunk(kind: bytes, payload: bytes) -> bytes:
    return (
        struct.pack(">I4s", len(payload), kind) + payload + zlib.crc32(kind + payload).to_bytes(4)
    )
