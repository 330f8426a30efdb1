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
    quality: int | None = None


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
        quality=_quality_of(chunks.get(b"VP8 ", b"")),
    )


def with_exif(data: bytes, exif: bytes, width: int, height: int, alpha: bool) -> bytes:
    """Return the same file with an EXIF chunk behind its picture, in the extended layout.

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


def _quality_of(frame: bytes) -> int | None:
    """Return quality on libwebp's scale of a lossy picture, from its quantiser.

    Sources: RFC 6386, section 9; libwebp's QualityToCompression.
    """
    if frame[3:6] != b"\x9d\x01\x2a" or frame[0] & 1:
        return None
    bits = _BoolDecoder(frame[10:74].ljust(64, b"\0"))
    bits(2)  # colours, clamping
    segments: list[int] = []
    absolute = 0
    if bits():
        has_map = bits()
        if bits():
            absolute = bits()
            segments = [bits.signed(7) for _ in range(4)]
            for _ in range(4):
                bits.signed(6)
        if has_map:
            for _ in range(3):
                if bits():
                    bits(8)
    bits(10)  # loop filter
    if bits() and bits():
        for _ in range(8):
            bits.signed(6)
    bits(2)  # partitions
    base = bits(7)
    # libwebp spreads its segments around the quantiser of the quality, the coarsest farther off
    index = sum(sorted(segments)[:3]) / 3 if segments and absolute else base
    linear = (1 - min(max(index, 0), 127) / 127) ** 3
    share = linear * 1.5 if linear < 0.5 else (linear + 1) / 2
    return max(1, min(100, round(100 * share)))


class _BoolDecoder:
    """Reads numbers of so many bits of even odds (RFC 6386, section 7)."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._value = int.from_bytes(data[:2])
        self._place = 2
        self._range, self._count = 255, 0

    def __call__(self, count: int = 1) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | self._bit()
        return value

    def signed(self, count: int) -> int:
        """Return an optional number with its sign behind it."""
        if not self():
            return 0
        value = self(count)
        return -value if self() else value

    def _bit(self) -> int:
        split = 1 + ((self._range - 1) * 128 >> 8)
        large = split << 8
        bit = self._value >= large
        if bit:
            self._range -= split
            self._value -= large
        else:
            self._range = split
        while self._range < 128:
            self._value <<= 1
            self._range <<= 1
            self._count += 1
            if self._count == 8:
                self._count = 0
                self._value |= self._data[self._place] if self._place < len(self._data) else 0
                self._place += 1
        return int(bit)
