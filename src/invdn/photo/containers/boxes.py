"""Boxes: a length, four letters and a payload, of which HEIF, JPEG 2000 and JPEG XL files consist.

Source: ISO/IEC 14496-12, 4.2.
"""

import struct
from collections.abc import Iterator


def boxes(data: bytes, start: int = 0, stop: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Iterate over boxes in a row: kind, and where the payload starts and stops.

    A length that lies ends the iteration, or at the end of the data.

    Example:
        >>> [(kind, a, b) for kind, a, b in boxes(box(b"free", b"123") + bytes(3))]
        [(b'free', 8, 11)]
    """
    stop = len(data) if stop is None else min(stop, len(data))
    while start + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16]), 16
        elif size == 0:
            size = stop - start
        if size < head:
            return
        yield kind, start + head, min(start + size, stop)
        start += size


def box(kind: bytes, payload: bytes) -> bytes:
    """Return a box.

    Example:
        >>> box(b"free", b"x")
        b'\\x00\\x00\\x00\\tfreex'
    """
    return struct.pack(">I4s", len(payload) + 8, kind) + payload
