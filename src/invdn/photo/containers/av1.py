"""How coarsely an AV1 still picture is quantised, from its headers.

Source: AV1 Bitstream and Decoding Process Specification 1.0.0 (AOMedia 2019), sections 5.5 and 5.9.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_SEQUENCE, _FRAME_HEADER, _FRAME = 1, 3, 6
_MOST_TILE_WIDTH, _MOST_TILE_AREA, _MOST_TILES = 4096, 4096 * 2304, 64


def base_quantizer(data: bytes) -> int | None:
    """Return ``base_q_idx``, 0 (lossless) to 255, of the first frame; ``None``: it is not found.

    Args:
        data: open bitstream units, a sequence header among them.

    Example:
        >>> base_quantizer(b"no bitstream") is None
        True
    """
    try:
        sequence = None
        for kind, payload in _units(data):
            if kind == _SEQUENCE:
                sequence = _sequence(_Bits(payload))
            elif kind in (_FRAME_HEADER, _FRAME) and sequence:
                return _frame(_Bits(payload), sequence)
    except (IndexError, _UnusualError):
        pass
    return None


def colors(data: bytes) -> tuple[int, int, int] | None:
    """Return primaries, transfer characteristics and matrix by ITU-T H.273; ``None``: untold.

    Args:
        data: open bitstream units, a sequence header among them.

    Example:
        >>> colors(b"no bitstream") is None
        True
    """
    place = _colors_at(data)
    if place is None:
        return None
    bits = _Bits(data, place)
    return bits(8), bits(8), bits(8)


def with_colors(data: bytes, primaries: int, transfer: int) -> bytes:
    """Return the units with other codes of colours, where there are codes.

    Args:
        data: open bitstream units, a sequence header among them.
        primaries: number by ITU-T H.273.
        transfer: likewise.
    """
    place = _colors_at(data)
    if place is None:
        return data
    start, shift = place // 8, 8 - place % 8
    part = int.from_bytes(data[start : start + 3]) & ~(0xFFFF << shift)
    codes = part | (primaries << 8 | transfer) << shift
    return data[:start] + codes.to_bytes(3) + data[start + 3 :]


def _colors_at(data: bytes) -> int | None:
    """Return at which bit the two numbers stand."""
    try:
        for kind, payload in _units(data):
            if kind == _SEQUENCE:
                start = data.index(payload) * 8
                bits = _Bits(payload)
                profile = payload[0] >> 5
                _sequence(bits)
                bits(2)  # CDEF, restoration
                if bits() and profile == 2:  # 10 bits or more
                    bits()
                if profile != 1:
                    bits()  # grey
                return start + bits.place if bits() else None
    except (IndexError, _UnusualError):
        pass
    return None


class _UnusualError(Exception):
    """A feature that still pictures do not use."""


class _Bits:
    """Reads numbers of so many bits, most significant first."""

    def __init__(self, data: bytes, place: int = 0) -> None:
        self._data = data
        self.place = place

    def __call__(self, count: int = 1) -> int:
        value = 0
        for _ in range(count):
            byte = self._data[self.place >> 3]
            value = value << 1 | byte >> (7 - (self.place & 7)) & 1
            self.place += 1
        return value


@dataclass(frozen=True)
class _Sequence:
    reduced: bool
    width: int
    height: int
    size_bits: tuple[int, int]
    large_blocks: bool
    superres: bool
    screen_content: int
    integer_mv: int
    order_hint_bits: int


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and contents of every unit."""
    place = 0
    while place < len(data):
        head = data[place]
        place += 1 + (head >> 2 & 1)
        size = len(data) - place
        if head & 2:
            size, shift = 0, 0
            while True:
                byte = data[place]
                place += 1
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128 or shift > 56:
                    break
        yield head >> 3 & 15, data[place : place + size]
        place += size


def _sequence(bits: _Bits) -> _Sequence:
    bits(4)  # profile, still_picture
    reduced = bool(bits())
    if reduced:
        bits(5)
    else:
        if bits():  # timing
            raise _UnusualError
        delay = bits()
        for _ in range(bits(5) + 1):
            bits(12)
            if bits(5) > 7:
                bits()
            if delay and bits():
                bits(4)
    size_bits = bits(4) + 1, bits(4) + 1
    width, height = bits(size_bits[0]) + 1, bits(size_bits[1]) + 1
    if not reduced and bits():  # frame numbers
        raise _UnusualError
    large_blocks = bool(bits())
    bits(2)
    screen_content = integer_mv = 2
    order_hint_bits = 0
    if not reduced:
        bits(4)
        order_hint = bits()
        if order_hint:
            bits(2)
        if not bits():
            screen_content = bits()
        if screen_content and not bits():
            integer_mv = bits()
        if order_hint:
            order_hint_bits = bits(3) + 1
    superres = bool(bits())
    return _Sequence(
        reduced,
        width,
        height,
        size_bits,
        large_blocks,
        superres,
        screen_content,
        integer_mv,
        order_hint_bits,
    )


def _frame(bits: _Bits, sequence: _Sequence) -> int:
    if not sequence.reduced and (bits() or bits(2) or not bits()):  # no key frame that is shown
        raise _UnusualError
    frozen = bits()
    screen_content = bits() if sequence.screen_content == 2 else sequence.screen_content
    if screen_content and sequence.integer_mv == 2:
        bits()
    own_size = not sequence.reduced and bits()
    bits(sequence.order_hint_bits)
    width, height = sequence.width, sequence.height
    if own_size:
        width, height = (bits(count) + 1 for count in sequence.size_bits)
    if sequence.superres and bits():
        raise _UnusualError
    if bits():  # another size to be shown in
        bits(32)
    if screen_content:
        bits()
    if not sequence.reduced and not frozen:
        bits()
    _skip_tiles(bits, width, height, 5 if sequence.large_blocks else 4)
    return bits(8)


def _skip_tiles(bits: _Bits, width: int, height: int, shift: int) -> None:
    """Read past the division into tiles. ``shift``: block edges are 4 << shift pixels."""
    columns = 2 * ((width + 7) >> 3)
    rows = 2 * ((height + 7) >> 3)
    across, down = ((n + (1 << shift) - 1) >> shift for n in (columns, rows))
    edge = shift + 2
    widest, largest = _MOST_TILE_WIDTH >> edge, _MOST_TILE_AREA >> (2 * edge)
    least = _log2(widest, across)
    most_across, most_down = _log2(1, min(across, _MOST_TILES)), _log2(1, min(down, _MOST_TILES))
    least_tiles = max(least, _log2(largest, across * down))
    if not bits():
        raise _UnusualError
    tiles_across = least
    while tiles_across < most_across and bits():
        tiles_across += 1
    tiles_down = max(least_tiles - tiles_across, 0)
    while tiles_down < most_down and bits():
        tiles_down += 1
    if tiles_across or tiles_down:
        bits(tiles_across + tiles_down + 2)


def _log2(block: int, target: int) -> int:
    steps = 0
    while block << steps < target:
        steps += 1
    return steps
