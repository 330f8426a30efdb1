"""The RIFF chunks around the pixels of a WebP (RFC 9649)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_KNOWN = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ICCP", b"EXIF", b"XMP ", b"ANIM", b"ANMF"}
_CREDENTIALS = "its content credentials (C2PA), which vouch for the original's pixels"
_EXIF_FLAG, _ALPHA_FLAG = 0x08, 0x10


@dataclass(frozen=True)
class WebpHeader:
    """What the chunks say."""

    exif: bytes | None = None
    lossless: bool = False
    animated: bool = False
    dropped: tuple[str, ...] = ()


def read_header(data: bytes) -> WebpHeader:
    """Look through the chunks of a whole file; what is damaged is left to the decoder.

    Example:
        >>> read_header(b"RIFF....WEBP" + b"VP8L" + (1).to_bytes(4, "little") + b"..").lossless
        True
    """
    chunks = dict(_chunks(data))
    exif = chunks.get(b"EXIF")
    return WebpHeader(
        exif.removeprefix(b"Exif\0\0") if exif else None,
        lossless=b"VP8L" in chunks,
        animated=b"ANIM" in chunks,
        dropped=tuple(
            _CREDENTIALS if kind == b"C2PA" else f"its block {kind.decode('latin-1')!r}"
            for kind in chunks
            if kind not in _KNOWN
        ),
    )


def with_exif(data: bytes, exif: bytes, width: int, height: int, alpha: bool) -> bytes:
    """The same file with an EXIF chunk behind its picture, in the extended layout.

    Args:
        data: a still WebP without EXIF.
        exif: the TIFF stream to add.
        width: columns of the picture.
        height: rows of the picture.
        alpha: whether it has an alpha channel.
    """
    chunks = list(_chunks(data))
    extended = chunks.pop(0)[1] if chunks[0][0] == b"VP8X" else bytes([_ALPHA_FLAG * alpha])
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunks.insert(0, (b"VP8X", struct.pack("<B3x", extended[0] | _EXIF_FLAG) + size))
    before_xmp = next((i for i, (kind, _) in enumerate(chunks) if kind == b"XMP "), len(chunks))
    chunks.insert(before_xmp, (b"EXIF", exif))
    body = b"".join(
        kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)
        for kind, payload in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        kind = data[position : position + 4]
        (length,) = struct.unpack_from("<I", data, position + 4)
        yield kind, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
