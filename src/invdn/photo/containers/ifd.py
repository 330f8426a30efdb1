"""TIFF directories, the tree of tags that TIFF files and EXIF blocks share.

Sources: TIFF 6.0 (Adobe 1992), BigTIFF (Aware Systems), EXIF 2.32 (CIPA DC-008).
"""

import io
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from .jpeg_attachments import size_of

ORIENTATION = 274
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_EXIF, _GPS, _INTEROPERABILITY = 34665, 34853, 40965
_POINTERS = (_EXIF, _GPS, _INTEROPERABILITY)
# bytes of one value by type, and the size of its parts in which the byte order shows
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES |= {16: 8, 17: 8, 18: 8}
_WORDS = _SIZES | {5: 4, 10: 4}
_MOST_TAGS, _MOST_BYTES, _DEEPEST = 4096, 1 << 26, 3


class DirectoryError(ValueError):
    """The tags cannot be read: damaged, or no TIFF at all."""


@dataclass(frozen=True)
class Entry:
    """One tag's values: TIFF type number and bytes in little-endian order."""

    type: int
    data: bytes

    @property
    def first(self) -> int:
        """The first value of a whole-number entry."""
        return int.from_bytes(self.data[: _SIZES[self.type]], "little")


@dataclass(frozen=True)
class Directory:
    """Tags and, under the tags that point to them, further directories."""

    entries: dict[int, Entry] = field(default_factory=dict)
    children: dict[int, "Directory"] = field(default_factory=dict)

    def first(self, tag: int, default: int = 0) -> int:
        """Return the first value of a whole-number tag, or the default.

        Example:
            >>> Directory({274: Entry(3, b"\\6\\0")}).first(274)
            6
        """
        return self.entries[tag].first if tag in self.entries else default


@dataclass(frozen=True)
class Layout:
    """Byte order (``"<"`` or ``">"``) of a stream, and whether its offsets have 64 bits."""

    order: str = "<"
    big: bool = False

    @property
    def head(self) -> struct.Struct:
        """How many entries a directory has."""
        return struct.Struct(self.order + ("Q" if self.big else "H"))

    @property
    def entry(self) -> struct.Struct:
        """Tag, type, count, and the value or where it lies."""
        return struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))

    @property
    def offset(self) -> struct.Struct:
        """A position in the stream."""
        return struct.Struct(self.order + ("Q" if self.big else "I"))

    @property
    def first_offset_at(self) -> int:
        """Where the stream says at which position its first directory lies."""
        return 8 if self.big else 4


def read_directory(file: BinaryIO, position: int | None = None) -> tuple[Layout, Directory]:
    """Return a directory of a stream with its EXIF, GPS and interoperability directories.

    A damaged one among the latter is left out.

    Args:
        file: the stream.
        position: where the directory lies, as :func:`positions` tells; ``None``: the first.

    Raises:
        DirectoryError: the stream is damaged or no TIFF.

    Example:
        >>> stream = serialise(Directory({274: Entry(3, b"\\x06\\x00")}))
        >>> read_directory(io.BytesIO(stream))[1].entries[274].first
        6
    """
    layout, first = _start(file)
    try:
        return layout, _read(file, layout, first if position is None else position, depth=1)
    except (struct.error, OSError, OverflowError) as error:
        raise DirectoryError("the tags are damaged") from error


def positions(file: BinaryIO) -> list[int]:
    """Return where the directories of a stream lie, one for each page; a broken chain ends early.

    Raises:
        DirectoryError: the stream is no TIFF.

    Example:
        >>> positions(io.BytesIO(serialise(Directory())))
        [8]
    """
    layout, position = _start(file)
    found: list[int] = []
    with suppress(struct.error, OSError, OverflowError):
        while position and position not in found and len(found) < _MOST_TAGS:
            file.seek(position)
            (count,) = layout.head.unpack(file.read(layout.head.size))
            found.append(position)
            file.seek(count * layout.entry.size, io.SEEK_CUR)
            (position,) = layout.offset.unpack(file.read(layout.offset.size))
    return found


def upright(exif: bytes) -> bytes:
    """Return the same block with its orientation, if it has one, set to 1; nothing else is touched.

    Example:
        >>> orientation(upright(serialise(Directory({274: Entry(3, b"\\x06\\x00")}))))
        1
    """
    with suppress(DirectoryError, struct.error, OSError, OverflowError):
        file = io.BytesIO(exif)
        layout, position = _start(file)
        file.seek(position)
        (count,) = layout.head.unpack(file.read(layout.head.size))
        for _ in range(min(count, _MOST_TAGS)):
            tag, kind, number, _ = layout.entry.unpack(file.read(layout.entry.size))
            if (tag, kind, number) == (ORIENTATION, 3, 1):
                place = file.tell() - layout.offset.size
                return exif[:place] + struct.pack(layout.order + "H", 1) + exif[place + 2 :]
    return exif


def with_resolution(exif: bytes | None, resolution: tuple[float, float]) -> bytes | None:
    """Return a block that holds the resolution as well, unless it has one or is damaged.

    Args:
        exif: the block, or ``None`` for a new one.
        resolution: horizontal and vertical pixels per millimetre.

    Example:
        >>> block = with_resolution(None, (10, 10))
        >>> with_resolution(block, (20, 20)) == block
        True
    """
    try:
        directory = read_directory(io.BytesIO(exif))[1] if exif else Directory()
    except DirectoryError:
        return exif
    if _X_RESOLUTION in directory.entries:
        return exif
    for tag, number in zip((_X_RESOLUTION, _Y_RESOLUTION), resolution, strict=True):
        per_inch = struct.pack("<2I", min(round(number * 25.4 * 1000), 2**32 - 1), 1000)
        directory.entries[tag] = Entry(5, per_inch)
    directory.entries[_RESOLUTION_UNIT] = Entry(3, b"\2\0")  # inch
    return serialise(directory)


def _start(file: BinaryIO) -> tuple[Layout, int]:
    """Return the layout of a stream and where its first directory lies."""
    file.seek(0)
    start = file.read(16)
    layouts = {
        b"II*\0": Layout("<"),
        b"MM\0*": Layout(">"),
        b"II+\0": Layout("<", big=True),
        b"MM\0+": Layout(">", big=True),
        b"IIRO": Layout("<"),  # Olympus
        b"IIRS": Layout("<"),
        b"MMOR": Layout(">"),
        b"IIU\0": Layout("<"),  # Panasonic, Leica
    }
    layout = layouts.get(start[:4])
    if layout is None:
        raise DirectoryError("no TIFF stream")
    try:
        (position,) = layout.offset.unpack_from(start, layout.first_offset_at)
    except struct.error as error:
        raise DirectoryError("the tags are damaged") from error
    return layout, position


def serialise(directory: Directory, layout: Layout | None = None, position: int = 0) -> bytes:
    """Return a directory and its children as bytes.

    Args:
        directory: what to write.
        layout: of the stream the bytes go into; ``None`` makes a stream of its own, header first.
        position: where in that stream the bytes will lie; even.
    """
    if layout is None:
        return b"II*\0\x08\0\0\0" + serialise(directory, Layout(), 8)
    tags = sorted(directory.entries.keys() | directory.children.keys())
    table_size = layout.head.size + len(tags) * layout.entry.size + layout.offset.size
    table, values = layout.head.pack(len(tags)), b""
    for tag in tags:
        here = position + table_size + len(values)
        if tag in directory.children:
            kind, count = (18 if layout.big else 4), 1
            inline = layout.offset.pack(here)
            values += serialise(directory.children[tag], layout, here)
        else:
            entry = directory.entries[tag]
            kind, count = entry.type, len(entry.data) // _SIZES[entry.type]
            inline = _ordered(entry.data, kind, layout)
            if len(inline) > layout.offset.size:
                values += inline + b"\0" * (len(inline) % 2)
                inline = layout.offset.pack(here)
        table += layout.entry.pack(tag, kind, count, inline)
    return table + bytes(layout.offset.size) + values


def orientation(exif: bytes | None) -> int:
    """Return EXIF's orientation, 1 (upright) to 8; 1 where there is none.

    Example:
        >>> orientation(None)
        1
    """
    try:
        entry = read_directory(io.BytesIO(exif or b""))[1].entries.get(ORIENTATION)
    except DirectoryError:
        return 1
    return entry.first if entry and 1 <= entry.first <= 8 else 1


def interoperability(exif: bytes | None) -> str | None:
    """Return EXIF's rule for interoperability: ``"R98"`` means sRGB and ``"R03"`` Adobe RGB.

    Example:
        >>> interoperability(None) is None
        True
    """
    try:
        directory = read_directory(io.BytesIO(exif or b""))[1]
    except DirectoryError:
        return None
    rules = directory.children.get(_EXIF, Directory()).children.get(_INTEROPERABILITY, Directory())
    entry = rules.entries.get(1)
    return entry.data.split(b"\0")[0].decode("ascii", "replace") if entry else None


def _read(file: BinaryIO, layout: Layout, position: int, depth: int) -> Directory:
    file.seek(position)
    (count,) = layout.head.unpack(file.read(layout.head.size))
    if count > _MOST_TAGS or depth > _DEEPEST:
        raise DirectoryError("the tags are damaged")
    table = file.read(count * layout.entry.size)
    directory = Directory()
    for tag, kind, number, inline in layout.entry.iter_unpack(table):
        size = number * _SIZES.get(kind, 0)
        if not size:
            continue
        data = inline[:size]
        if size > len(inline):
            if size > _MOST_BYTES:  # layers of an editor, or nonsense; no picture needs it
                continue
            file.seek(*layout.offset.unpack(inline))
            data = file.read(size)
        if len(data) < size:
            raise DirectoryError("the tags are cut short")
        entry = Entry(kind, _ordered(data, kind, layout))
        if tag not in _POINTERS:
            directory.entries[tag] = entry
            continue
        with suppress(DirectoryError, struct.error, OSError, OverflowError):  # a broken branch
            directory.children[tag] = _read(file, layout, entry.first, depth + 1)
    return directory


def _ordered(data: bytes, kind: int, layout: Layout) -> bytes:
    """Swap between little-endian and the stream's order; its own inverse."""
    word = _WORDS[kind]
    if layout.order == "<" or word == 1:
        return data
    return b"".join(data[i : i + word][::-1] for i in range(0, len(data), word))


_SOFTWARE, _COMPRESSION, _THUMBNAIL, _THUMBNAIL_SIZE = 305, 259, 513, 514
_TEXT, _LONG = 2, 4
_MOST_TAGS = 4096


@dataclass(frozen=True)
class _Table:
    """Entries of a directory, tag to (type, count, place of the entry), and where its end is."""

    start: int
    entries: dict[int, tuple[int, int, int]]
    end: int


def software(exif: bytes | None) -> str:
    """Return the program that an EXIF block names; empty: none.

    Example:
        >>> software(with_software(None, "InvDN"))
        'InvDN'
    """
    found = _first_directory(exif)
    if exif is None or found is None:
        return ""
    layout, table = found
    kind, count, place = table.entries.get(_SOFTWARE, (0, 0, 0))
    if kind != _TEXT:
        return ""
    start = place + 8
    if count > 4:
        (start,) = struct.unpack_from(layout.order + "I", exif, start)
    return exif[start : start + count].split(b"\0")[0].decode("utf-8", "replace")


def with_software(exif: bytes | None, text: str) -> bytes:
    """Return the block with another program's name.

    Args:
        exif: the block, or ``None`` for a new one; damaged ones come back unchanged.
        text: the name.
    """
    value = text.encode() + b"\0"
    if not exif:
        return serialise(Directory({_SOFTWARE: Entry(_TEXT, value)}))
    found = _first_directory(exif)
    if found is None:
        return exif
    layout, table = found
    result = bytearray(exif) + bytes(len(exif) % 2)
    inline = value.ljust(4, b"\0")
    if len(value) > 4:
        inline = struct.pack(layout.order + "I", len(result))
        result += value + bytes(len(value) % 2)
    entry = struct.pack(layout.order + "HHI", _SOFTWARE, _TEXT, len(value)) + inline
    if _SOFTWARE in table.entries:
        place = table.entries[_SOFTWARE][2]
        result[place : place + 12] = entry
        return bytes(result)
    entries = {tag: exif[place : place + 12] for tag, (_, _, place) in table.entries.items()} | {
        _SOFTWARE: entry
    }
    struct.pack_into(layout.order + "I", result, 4, len(result))
    result += struct.pack(layout.order + "H", len(entries))
    result += b"".join(entries[tag] for tag in sorted(entries))
    return bytes(result + exif[table.end : table.end + 4].ljust(4, b"\0"))


def thumbnail_size(exif: bytes | None) -> tuple[int, int] | None:
    """Return width and height of the thumbnail; ``None``: there is none, or no JPEG.

    Example:
        >>> thumbnail_size(None) is None
        True
    """
    found = _thumbnail(exif)
    return None if exif is None or found is None else size_of(exif[found[0] : sum(found[:2])])


def has_thumbnail(exif: bytes | None) -> bool:
    """Return whether the block has a second directory, which is a thumbnail's.

    Example:
        >>> has_thumbnail(None)
        False
    """
    return _second_directory(exif) is not None


def with_thumbnail(exif: bytes, picture: bytes) -> bytes:
    """Return the block with another thumbnail in place of the one that it has.

    Args:
        exif: the block; comes back unchanged if it has no thumbnail in JPEG.
        picture: a JPEG.
    """
    found = _thumbnail(exif)
    if found is None:
        return exif
    start, size, order, start_at, size_at = found
    if start + size + 2 > len(exif):  # it is last
        result = bytearray(exif[:start])
    else:
        result = bytearray(exif)
        result[start : start + size] = bytes(size)
        if len(picture) > size:
            start = len(result) + len(result) % 2
            result += bytes(start - len(result))
    result[start : start + len(picture)] = picture
    struct.pack_into(order + "I", result, start_at, start)
    struct.pack_into(order + "I", result, size_at, len(picture))
    return bytes(result)


def without_thumbnail(exif: bytes) -> bytes:
    """Return the block with its second directory, the thumbnail's, taken off.

    Example:
        >>> without_thumbnail(b"damaged")
        b'damaged'
    """
    found = _first_directory(exif)
    if found is None or _second_directory(exif) is None:
        return exif
    thumbnail = _thumbnail(exif)
    result = bytearray(exif)
    result[found[1].end : found[1].end + 4] = bytes(4)
    if thumbnail:
        start, size = thumbnail[:2]
        result[start : start + size] = bytes(len(result[start : start + size]))
        if start + size + 2 > len(exif):
            del result[start:]
    return bytes(result)


def _thumbnail(exif: bytes | None) -> tuple[int, int, str, int, int] | None:
    """Start and size, byte order, and where both are stated."""
    found = _second_directory(exif)
    if exif is None or found is None:
        return None
    layout, table = found
    if not {_THUMBNAIL, _THUMBNAIL_SIZE} <= table.entries.keys():
        return None
    if any(table.entries[tag][0] != _LONG for tag in (_THUMBNAIL, _THUMBNAIL_SIZE)):
        return None
    start_at, size_at = (table.entries[tag][2] + 8 for tag in (_THUMBNAIL, _THUMBNAIL_SIZE))
    (start,) = struct.unpack_from(layout.order + "I", exif, start_at)
    (size,) = struct.unpack_from(layout.order + "I", exif, size_at)
    if not 0 < size <= len(exif) - start or not exif.startswith(b"\xff\xd8", start):
        return None
    return start, size, layout.order, start_at, size_at


def _first_directory(exif: bytes | None) -> tuple[Layout, _Table] | None:
    if not exif or exif[:4] not in (b"II*\0", b"MM\0*"):
        return None
    layout = Layout("<" if exif[:2] == b"II" else ">")
    try:
        (start,) = struct.unpack_from(layout.order + "I", exif, 4)
        return layout, _table(exif, layout, start)
    except (struct.error, ValueError):
        return None


def _second_directory(exif: bytes | None) -> tuple[Layout, _Table] | None:
    found = _first_directory(exif)
    if exif is None or found is None:
        return None
    layout, first = found
    try:
        (start,) = struct.unpack_from(layout.order + "I", exif, first.end)
        return (layout, _table(exif, layout, start)) if start else None
    except (struct.error, ValueError):
        return None


def _table(exif: bytes, layout: Layout, start: int) -> _Table:
    (count,) = struct.unpack_from(layout.order + "H", exif, start)
    end = start + 2 + 12 * count
    if not 0 < count <= _MOST_TAGS or end > len(exif):
        raise ValueError("the tags are damaged")
    entries = {}
    for place in range(start + 2, end, 12):
        tag, kind, number = struct.unpack_from(layout.order + "HHI", exif, place)
        entries[tag] = (kind, number, place)
    return _Table(start, entries, end)
