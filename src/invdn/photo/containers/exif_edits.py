"""Edit an EXIF block in place: the program that made the picture, and its thumbnail.

A block is changed where it must be and grows at its end; all other bytes, makers' notes and their
offsets among them, stay where they are.
"""

import struct
from dataclasses import dataclass

from .ifd import Directory, Entry, Layout, serialise
from .jpeg_attachments import size_of

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
    """Start and size, byte order, and where both are told."""
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
