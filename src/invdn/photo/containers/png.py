"""The chunks around the pixels of a PNG (PNG specification, third edition, W3C 2025)."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, cast

from ..color.icc import Primaries
from ..photo import Metadata

HEADER_SIZE = 33  # the signature and the first chunk, IHDR; further ones may follow directly
DENSITY_SIZE = 21  # a chunk of the resolution
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_LIGHT = {b"mDCV", b"cLLI"}
_COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"cICP"} | _LIGHT
_XMP = b"XML:com.adobe.xmp\0"
_IPTC = b"Raw profile type iptc\0"
_RESOURCE = b"8BIM\x04\x04"
_TIME, _DENSITY = b"tIME", b"pHYs"
# what belongs to the encoding of the pixels, which is done anew, or is read elsewhere
_OF_THE_ENCODER = {b"iCCP", b"tRNS", b"sBIT", b"hIST", b"iDOT", _DENSITY}
_OF_THE_SOURCE = {
    b"caBX": "its content credentials (C2PA), which vouch for the original's pixels",
    b"dSIG": "its digital signature, which vouches for the original's pixels",
}
_ANCILLARY = _SAFE_TO_COPY = 0x20  # the bit of a lower-case letter: the first, the last
_LARGEST = 1 << 24  # bytes; longer text is left behind, since nobody wrote it by hand


@dataclass(frozen=True)
class PngHeader:
    """What the chunks say.

    Attributes:
        exif: EXIF as a TIFF stream.
        iptc: IPTC records.
        native: chunks that only PNG knows.
        animated: whether there are frames.
        resolution: horizontal and vertical pixels per millimetre.
        dropped: what is left out, since it is true of the source's pixels only; for people.
    """

    exif: bytes | None = None
    iptc: bytes | None = None
    native: bytes = b""
    animated: bool = False
    resolution: tuple[float, float] | None = None
    dropped: tuple[str, ...] = ()


def read_header(file: BinaryIO) -> PngHeader:
    """Walk all chunks, skipping the pixels; what is damaged is left to the decoder.

    Example:
        >>> import io
        >>> gamma = _chunk(b"gAMA", (45455).to_bytes(4))
        >>> read_header(io.BytesIO(bytes(8) + gamma)).native == gamma
        True
    """
    exif = iptc = resolution = None
    native = []
    dropped = []
    animated = False
    file.seek(8)
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        if kind == b"IEND":
            end = file.seek(length + 4, 1)
            if (rest := file.seek(0, 2) - end) > 0:
                dropped.append(f"{rest} bytes behind the picture")
            break
        if not kind[0] & _ANCILLARY or kind in _OF_THE_ENCODER - {_DENSITY}:
            file.seek(length + 4, 1)
            continue
        if length > _LARGEST:
            dropped.append(f"a {kind.decode('latin-1')} block of {length / 1e6:.0f} MB")
            file.seek(length + 4, 1)
            continue
        payload = file.read(length)
        file.seek(4, 1)
        if kind == b"eXIf":
            exif = payload.removeprefix(b"Exif\0\0")
        elif kind == b"zTXt" and payload.startswith(_IPTC):
            iptc = iptc or _iptc_of(payload)
        elif kind in _TEXT and payload.startswith(_XMP):
            continue  # libvips reads it
        elif kind == _DENSITY and length == 9:
            x, y, unit = struct.unpack(">2IB", payload)
            if unit == 1 and x and y:
                resolution = (x / 1000, y / 1000)
            else:
                native.append(_chunk(kind, payload))
        elif kind in (b"acTL", b"fcTL", b"fdAT"):
            animated = True
        elif kind in _TEXT | _COLOUR | {_TIME} or kind[3] & _SAFE_TO_COPY:
            native.append(_chunk(kind, payload))
        else:  # from: PNG specification, 14.2: an unknown one goes when the pixels change
            name = kind.decode("latin-1")
            dropped.append(
                _OF_THE_SOURCE.get(kind, f"its {name} block, which belongs to the pixels")
            )
    return PngHeader(exif, iptc, b"".join(native), animated, resolution, tuple(dropped))


def names_of(native: bytes) -> tuple[str, ...]:
    """Return what chunks that only PNG knows are, for people; what describes colours is left out.

    Example:
        >>> names_of(_chunk(b"tEXt", b"Title\\0Dawn"))
        ("text ('Title')",)
    """
    names = []
    for kind, payload in _chunks(native):
        if kind in _TEXT:
            names.append(f"text ({payload.split(bytes(1))[0][:79].decode('latin-1')!r})")
        elif kind not in _COLOUR | {_TIME, _DENSITY}:
            names.append(f"a {kind.decode('latin-1')} block")
    return tuple(dict.fromkeys(names))


def with_chunks(head: bytes, chunks: bytes) -> bytes:
    """Return the start of a PNG with chunks behind IHDR, and without its encoder's resolution.

    Args:
        head: the first bytes, as many as IHDR and a resolution have.
        chunks: to be put in.
    """
    first, rest = head[:HEADER_SIZE], head[HEADER_SIZE:]
    return first + chunks + (b"" if rest[4:8] == _DENSITY else rest)


def colour_chunks(native: bytes) -> bytes:
    """Select of the chunks that only PNG knows those that say how colours are meant.

    Example:
        >>> gamma, text = _chunk(b"gAMA", (45455).to_bytes(4)), _chunk(b"tEXt", b"Title\\0Dawn")
        >>> colour_chunks(text + gamma) == gamma
        True
    """
    return b"".join(_chunk(kind, data) for kind, data in _chunks(native) if kind in _COLOUR)


def described_colours(
    native: bytes,
) -> tuple[tuple[int, int] | None, float | None, Primaries | None]:
    """Give what such chunks say: numbers of ITU-T H.273, else exponent and primaries, else nothing.

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


def chunks_in(native: bytes) -> dict[bytes, bytes]:
    """Return the payloads of such chunks by their kind."""
    return dict(_chunks(native))


def hdr_chunks(codes: tuple[int, int], light: dict[bytes, bytes]) -> bytes:
    """Return chunks for a picture that is made for HDR screens.

    Args:
        codes: colour primaries and transfer characteristics by ITU-T H.273.
        light: payloads of further chunks.

    Example:
        >>> hdr_chunks((9, 16), {})[4:12].hex()
        '6349435009100001'
    """
    coding = _chunk(b"cICP", bytes((*codes, 0, 1)))  # 0: RGB, 1: full range
    return coding + b"".join(_chunk(kind, body) for kind, body in light.items())


def _chunks(native: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and contents of chunks in a row."""
    place = 0
    while place + 12 <= len(native):
        size = int.from_bytes(native[place : place + 4])
        yield native[place + 4 : place + 8], native[place + 8 : place + 8 + size]
        place += 12 + size


def chunks_of(metadata: Metadata, native: bytes) -> bytes:
    """Return the chunks that belong right behind IHDR.

    A time, which is that of the last change of the picture, becomes the present one.

    Example:
        >>> chunks_of(Metadata(exif=b"MM"), b"")[:10]
        b'\\x00\\x00\\x00\\x02eXIfMM'
    """
    chunks = [_chunk(kind, _now() if kind == _TIME else data) for kind, data in _chunks(native)]
    if metadata.resolution:
        x, y = (min(2**31 - 1, max(1, round(number * 1000))) for number in metadata.resolution)
        chunks.append(_chunk(_DENSITY, struct.pack(">2IB", x, y, 1)))
    if metadata.icc:
        chunks.append(_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc)))
    if metadata.exif:
        chunks.append(_chunk(b"eXIf", metadata.exif))
    if metadata.xmp:  # uncompressed, and neither language nor translation, as Adobe asks for
        chunks.append(_chunk(b"iTXt", _XMP + bytes(4) + metadata.xmp))
    if metadata.iptc:
        chunks.append(_chunk(b"zTXt", _IPTC + b"\0" + zlib.compress(_raw_profile(metadata.iptc))))
    return b"".join(chunks)


def _now() -> bytes:
    now = datetime.now(UTC)
    return struct.pack(">H5B", now.year, now.month, now.day, now.hour, now.minute, now.second)


def _raw_profile(iptc: bytes) -> bytes:
    """Read records as ImageMagick and ExifTool keep them: hexadecimal, in Photoshop's frame."""
    size = len(iptc).to_bytes(4)
    block = _RESOURCE + bytes(2) + size + iptc + bytes(len(iptc) % 2)
    digits = block.hex().encode()
    lines = b"\n".join(digits[place : place + 72] for place in range(0, len(digits), 72))
    return b"\niptc\n%8d\n%b\n" % (len(block), lines)


def _iptc_of(payload: bytes) -> bytes | None:
    """Return the records in such a chunk; ``None`` where it is damaged."""
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
