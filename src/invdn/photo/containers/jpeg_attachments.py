"""What follows the picture in a JPEG file: gain maps, second pictures, previews, videos.

::

    SOI  segments (MPF among them)  scans  EOI │ JPEG │ JPEG │ padding │ MP4 │ ...
         the picture                           │ the attachments, known by their own bytes

The Multi-Picture Format (MPF) lists the pictures with lengths and offsets, XMP lists them with
lengths, and programs get both wrong. So attachments are found by walking their own structure, and
the lists only say what they are.

Sources: CIPA DC-007-2009 (MPF), ISO 21496-1 (gain maps), Ultra HDR Image Format 1.1, Motion Photo
Format 1.0.
"""

import io
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

#: The end of a picture.
END = b"\xff\xd9"
_END, _SCAN = 0xD9, 0xDA
_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_CHUNK = 1 << 20
_LARGEST = 1 << 29  # bytes of all attachments
_MOST = 64  # attachments; what follows them is one more
_HEAD = 1 << 16  # bytes of a picture in which it says what it is
_GAIN_MAP_SIGNS = (b"hdr-gain-map/1.0", b"urn:iso:std:iso:ts:21496", b"HDRGainMap")
#: Markers that start a frame. From: ITU-T T.81, table B.1.
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_BOXES = re.compile(rb"[A-Za-z0-9 ]{4}")
# from: CIPA DC-007-2009, table 4, and ISO 21496-1 for the gain map
_TYPES = {0x01: "preview", 0x02: "view", 0x04: "picture", 0x05: "gain map"}
#: Attributes in the index of a picture that others belong to, and of one of an unknown kind.
PRIMARY, OTHER = 0x030000, 0
_VERSION, _NUMBER, _ENTRIES = 0xB000, 0xB001, 0xB002


@dataclass(frozen=True)
class Attachment:
    """One thing that follows the picture.

    Attributes:
        kind: ``"gain map"``, ``"preview"`` (a smaller copy), ``"view"`` (of a stereo pair, panorama
            or series), ``"depth map"``,
            ``"picture"`` (any other), ``"video"``, or ``"data"``.
        data: its bytes.
        entry: its number in the MPF index, from 0; ``None``: it is not listed there.
    """

    kind: str
    data: bytes
    entry: int | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of a picture."""
        return size_of(self.data)


def end_of_picture(file: BinaryIO) -> int | None:
    """Return where the first picture of a JPEG ends; ``None`` where it has no end.

    Args:
        file: at the start of the picture.

    Example:
        >>> end_of_picture(io.BytesIO(b"\\xff\\xd8\\xff\\xd9trailer"))
        4
    """
    start = file.tell()
    position = start + 2
    while True:
        file.seek(position)
        head = file.read(4)
        if len(head) < 2 or head[0] != 0xFF:
            return None
        marker = head[1]
        if marker == 0xFF:  # a fill byte
            position += 1
        elif marker == _END:
            return position + 2
        elif 0xD0 <= marker <= 0xD8 or marker == 0x01:
            position += 2
        else:
            length = int.from_bytes(head[2:])
            if len(head) < 4 or length < 2:
                return None
            position += 2 + length
            if marker == _SCAN:
                found = _end_of_scan(file, position)
                if found is None:
                    return None
                position = found


def lacks_end(file: BinaryIO) -> bool:
    """Return whether a JPEG lacks its end marker and no scan.

    Of a progressive one, the last scans may be missing without a trace but for the precision of
    the coefficients; so every coefficient must have come down to its last bit.

    Example:
        >>> lacks_end(io.BytesIO(b"\\xff\\xd8\\xff\\xd9"))
        False
    """
    file.seek(0)
    if end_of_picture(file) is not None:
        return False
    position, progressive = 2, False
    left: set[tuple[int, int]] = set()
    while True:
        file.seek(position)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF:
            return False
        marker, length = head[1], int.from_bytes(head[2:])
        payload = file.read(length - 2) if length > 2 else b""
        position += 2 + length
        if marker in FRAMES and len(payload) > 8:
            progressive = marker == 0xC2
            components = payload[6 : 6 + 3 * payload[5] : 3]
            left = {(name, number) for name in components for number in range(64)}
        elif marker == _SCAN and len(payload) > 4:
            first, last, bits = payload[-3:]
            if not progressive or not bits & 15:
                done = range(first, last + 1) if progressive else range(64)
                names = payload[1 : 1 + 2 * payload[0] : 2]
                left -= {(name, number) for name in names for number in done}
            found = _end_of_scan(file, position)
            if found is None:
                return not left
            position = found


def size_of(data: bytes) -> tuple[int, int] | None:
    """Return width and height from the frame header of a JPEG; ``None``: it has none.

    Example:
        >>> size_of(b"no picture") is None
        True
    """
    position = 2
    while data[:2] == b"\xff\xd8" and data[position : position + 1] == b"\xff":
        marker, length = data[position + 1 : position + 2], data[position + 2 : position + 4]
        if len(length) < 2 or marker[0] in (_SCAN, _END):
            return None
        if marker[0] in FRAMES:
            height, width = struct.unpack(">2H", data[position + 5 : position + 9].ljust(4, b"\0"))
            return (width, height) if width and height else None
        position += 2 + int.from_bytes(length)
    return None


def read_attachments(
    file: BinaryIO, mpf: bytes | None, mpf_at: int, size: tuple[int, int] | None
) -> tuple[tuple[Attachment, ...], tuple[str, ...]]:
    """Find everything behind the picture of a JPEG file.

    Args:
        file: the file.
        mpf: the MPF index (a TIFF stream), if there is one.
        mpf_at: where the index lies in the file; its offsets count from there.
        size: width and height of the picture.

    Returns:
        The attachments, which make up all that follows but for zeros at the end; and what is wrong
        with them, for people.
    """
    file.seek(0)
    end = end_of_picture(file)
    total = file.seek(0, io.SEEK_END)
    if end is None or end >= total:
        return (), (("its index names further pictures, which the file lacks",) if mpf else ())
    if total - end > _LARGEST:
        return (), (f"the {(total - end) / 1e6:.0f} MB behind the picture are left out",)
    file.seek(end)
    tail = file.read()
    entries = _entries(mpf)[1:]
    places = {mpf_at + offset - end: number for number, (_, _, offset) in enumerate(entries, 1)}
    found, remarks = [], []
    for start, piece, kind, cut in _pieces(tail):
        number = places.get(start)
        if kind == "picture":
            listed = entries[number - 1][0] if number else None
            kind = _kind_of_picture(piece, listed, size)
        elif kind == "data" and start + len(piece) == len(tail):
            piece = piece.rstrip(b"\0")
        if cut:
            remarks.append(f"the {kind} behind it is cut short, and kept as it is")
        if piece:
            found.append(Attachment(kind, piece, number))
    lost = len(entries) - sum(attachment.entry is not None for attachment in found)
    if lost:
        remarks.append(
            f"its index of pictures points {lost} time{'s' * (lost > 1)} to where no picture is; "
            "the result's is corrected"
        )
    return tuple(found), tuple(remarks)


def index_of(mpf: bytes, attachments: Sequence[Attachment]) -> tuple[bytes, tuple[Attachment, ...]]:
    """Return an index of the picture and those attachments that are listed, and nothing else.

    It is the given one where that is so already, so that what it says besides is kept.

    Args:
        mpf: the index of the source.
        attachments: those that the new file holds.

    Returns:
        The index, and the attachments with their numbers in it.
    """
    old = _entries(mpf)
    listed = [a for a in attachments if a.entry is not None and a.entry < len(old)]
    numbers = {a.entry: number for number, a in enumerate(listed, 1)}
    renumbered = tuple(replace(a, entry=numbers.get(a.entry)) for a in attachments)
    if sorted(numbers, key=str) == sorted(range(1, len(old)), key=str):
        return mpf, tuple(attachments)
    kept = [old[0], *(old[entry] for entry in numbers if entry is not None)] if old else []
    return new_index([kind for kind, _, _ in kept]), renumbered


def new_index(kinds: Sequence[int]) -> bytes:
    """Return an index of pictures whose lengths and offsets are still to be filled in.

    Args:
        kinds: attributes of each, as MPF numbers them; the first is the picture itself.
    """
    table = b"".join(struct.pack("<3I2H", kind, 0, 0, 0, 0) for kind in kinds)
    head = struct.pack("<H", 3)
    head += struct.pack("<HHI4s", _VERSION, 7, 4, b"0100")
    head += struct.pack("<HHII", _NUMBER, 4, 1, len(kinds))
    head += struct.pack("<HHII", _ENTRIES, 7, len(table), 8 + 2 + 36 + 4)
    return b"II*\0" + struct.pack("<I", 8) + head + bytes(4) + table


def located(
    mpf: bytes, mpf_at: int, end_of_picture: int, attachments: Sequence[Attachment]
) -> bytes:
    """Return the index with the lengths and offsets of a finished file.

    Args:
        mpf: the index that :func:`index_of` made.
        mpf_at: where it lies in the file.
        end_of_picture: where the attachments start.
        attachments: in the order of the file.
    """
    found = _table(mpf)
    if found is None:
        return mpf
    order, table, count = found
    result = bytearray(mpf)
    places = {0: (end_of_picture, 0)}
    place = end_of_picture
    for attachment in attachments:
        if attachment.entry is not None:
            places[attachment.entry] = (len(attachment.data), place - mpf_at)
        place += len(attachment.data)
    for number, (length, offset) in places.items():
        if number < count and max(length, offset) < 1 << 32:
            struct.pack_into(order + "2I", result, table + 16 * number + 4, length, offset)
    return bytes(result)


def _end_of_scan(file: BinaryIO, position: int) -> int | None:
    """Return where the marker behind the compressed data lies."""
    file.seek(position)
    buffer = b""
    while chunk := file.read(_CHUNK):
        buffer = buffer[-2:] + chunk if buffer else chunk
        base = file.tell() - len(buffer)
        if found := _MARKER.search(buffer):
            return base + found.end() - 2
    return None


def _pieces(tail: bytes) -> Iterator[tuple[int, bytes, str, bool]]:
    """Start, bytes and rough kind of everything behind the picture, and whether it is cut."""
    place, pending = 0, 0
    for _ in range(_MOST):
        found = _next(tail, place)
        if found is None:
            break
        start, stop, kind = found
        if start > pending:
            yield pending, tail[pending:start], "data", False
        yield start, tail[start:stop], kind, stop > len(tail)
        place = pending = stop
    if pending < len(tail):
        yield pending, tail[pending:], "data", False


def _next(tail: bytes, place: int) -> tuple[int, int, str] | None:
    """Start, end and kind of the next picture or video, with nothing but zeros before it.

    What is cut short ends behind the end of the file.
    """
    start = place
    while start < len(tail) and tail[start] == 0:
        start += 1
    if tail[start : start + 3] == b"\xff\xd8\xff":
        length = end_of_picture(io.BytesIO(tail[start:]))
        return start, start + length if length else len(tail) + 1, "picture"
    for begin in (start - 3, start - 2, start - 1):  # the zeros of a box's length
        if begin >= place and tail[begin + 4 : begin + 8] == b"ftyp":
            return begin, begin + _length_of_boxes(tail[begin:]), "video"
    return None


def _length_of_boxes(data: bytes) -> int:
    """Return how far the boxes of an MP4 reach, or should reach where they are cut short."""
    place = 0
    while place + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        if size == 1 and place + 16 <= len(data):
            size = int.from_bytes(data[place + 8 : place + 16])
        elif size == 0 and _BOXES.fullmatch(name):  # to the end
            return len(data)
        if size < 8 or not _BOXES.fullmatch(name):
            return place
        place += size
    return place


def _kind_of_picture(piece: bytes, listed: int | None, size: tuple[int, int] | None) -> str:
    """Return what a picture is, by its own words, its attributes in the index, and its size."""
    head = piece[:_HEAD]
    if any(sign in head for sign in _GAIN_MAP_SIGNS):
        return "gain map"
    if listed is None:
        return "picture"
    if kind := _TYPES.get(listed >> 16 & 0xFF):
        return kind
    return "view" if size and size_of(piece) == size else "picture"


def _table(mpf: bytes | None) -> tuple[str, int, int] | None:
    """Return byte order, place and number of the entries of an index; ``None``: it is damaged."""
    if not mpf or mpf[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order = "<" if mpf[:2] == b"II" else ">"
    try:
        (place,) = struct.unpack_from(order + "I", mpf, 4)
        (count,) = struct.unpack_from(order + "H", mpf, place)
        for number in range(min(count, 64)):
            tag, _, size, offset = struct.unpack_from(order + "HHII", mpf, place + 2 + 12 * number)
            if tag == _ENTRIES and offset + size <= len(mpf):
                return order, offset, min(size // 16, _MOST)
    except struct.error:
        pass
    return None


def _entries(mpf: bytes | None) -> list[tuple[int, int, int]]:
    """Return attributes, length and offset of every picture in an index."""
    found = _table(mpf)
    if mpf is None or found is None:
        return []
    order, place, count = found
    return [struct.unpack_from(order + "3I", mpf, place + 16 * number) for number in range(count)]
