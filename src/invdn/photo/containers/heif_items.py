"""AVIF and HEIC files as items, to add some, take one out, or copy one from file to file.

::

    meta ── pitm   which item is the picture              mdat   the bytes of the items
         ── iloc   where the bytes of items lie
         ── iinf   what each item is (av01, hvc1, grid, tmap, Exif, mime)
         ── iref   which items belong to which            grpl   which items stand for each other
         ── iprp   properties (size, depth, colours, rotation), and of which items they are

Sources: ISO/IEC 14496-12 (boxes), 23008-12 (HEIF), 21496-1 (``tmap``, gain maps).
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from .boxes import box, boxes

_LARGEST = 1 << 26  # bytes of boxes and items that are looked at
_FULL = 4  # bytes of version and flags
_PICTURES = {b"av01": b"avif", b"hvc1": b"heic"}  # kinds of coded pictures, and their brands
_MOST = 4096  # items that are looked at


class ItemsError(ValueError):
    """The items cannot be told apart: damaged, or laid out in a way that is not known."""


@dataclass(frozen=True)
class Item:
    """One thing in the file.

    Attributes:
        kind: four letters.
        data: its bytes.
        name: what stands behind its kind: its name and, of ``mime``, its type.
        hidden: it is not to be shown by itself.
        properties: boxes, each with whether readers must understand it.
        references: kind of reference and the items that it leads to.
    """

    kind: bytes
    data: bytes
    name: bytes = b"\0"
    hidden: bool = False
    properties: tuple[tuple[bytes, bool], ...] = ()
    references: tuple[tuple[bytes, tuple[int, ...]], ...] = ()

    def targets(self, kind: bytes) -> tuple[int, ...]:
        """Return the items that references of a kind lead to."""
        return next((items for name, items in self.references if name == kind), ())


@dataclass(frozen=True)
class HeifItems:
    """A file of still pictures.

    Attributes:
        primary: number of the item that is the picture.
        items: by number.
        brands: major brand, version, and further brands, of the file type box.
        groups: kind and members.
    """

    primary: int
    items: dict[int, Item]
    brands: bytes
    groups: tuple[tuple[bytes, tuple[int, ...]], ...] = field(default=())

    @property
    def picture(self) -> Item:
        """The item that is the picture."""
        return self.items[self.primary]


def read_items(file: BinaryIO) -> HeifItems:
    """Take a file apart.

    Raises:
        ItemsError: it is damaged, or too large for this.

    Example:
        >>> import io
        >>> read_items(io.BytesIO(b"no boxes"))
        Traceback (most recent call last):
            ...
        invdn.photo.containers.heif_items.ItemsError: no meta box
    """
    try:
        meta = _meta_of(file)
        parts = {kind: (a, b) for kind, a, b in boxes(meta, _FULL)}
        version = meta[parts[b"pitm"][0]]
        (primary,) = struct.unpack_from(">I" if version else ">H", meta, parts[b"pitm"][0] + _FULL)
        properties = _associated(meta, parts)
        references = _referenced(meta, parts)
        items = {}
        for number, kind, hidden, name in _described(meta, parts):
            items[number] = Item(
                kind,
                _item_data(file, meta, parts, number),
                name,
                hidden,
                properties.get(number, ()),
                references.get(number, ()),
            )
        if primary not in items:
            raise ItemsError("no picture")
        file.seek(0)
        size = int.from_bytes(file.read(4))
        brands = file.read(min(max(size - 4, 0), 1024))[4:]
        return HeifItems(primary, items, brands, _groups(meta, parts))
    except (struct.error, LookupError, OverflowError, MemoryError) as error:
        raise ItemsError("damaged boxes") from error


def serialise(file: HeifItems) -> bytes:
    """Return the file: type, directory of items, and their bytes."""
    table: dict[bytes, int] = {}
    owners = []
    for number, item in sorted(file.items.items()):
        owned = [
            (table.setdefault(prop, len(table) + 1), needed) for prop, needed in item.properties
        ]
        if owned:
            owners.append(
                struct.pack(">HB", number, len(owned))
                + b"".join(struct.pack(">H", index | needed << 15) for index, needed in owned)
            )
    described = [
        box(b"infe", struct.pack(">IHH", 2 << 24 | item.hidden, number, 0) + item.kind + item.name)
        for number, item in sorted(file.items.items())
    ]
    references = [
        box(kind, struct.pack(f">HH{len(to)}H", number, len(to), *to))
        for number, item in sorted(file.items.items())
        for kind, to in item.references
        if to
    ]
    groups = [
        box(kind, struct.pack(f">3I{len(members)}I", 0, number, len(members), *members))
        for number, (kind, members) in enumerate(file.groups, max(file.items) + 1)
    ]
    ipma = struct.pack(">II", 1, len(owners)) + b"".join(owners)
    parts = [
        box(b"hdlr", bytes(8) + b"pict" + bytes(13)),
        box(b"pitm", struct.pack(">IH", 0, file.primary)),
        box(b"iinf", struct.pack(">IH", 0, len(described)) + b"".join(described)),
        box(b"iprp", box(b"ipco", b"".join(table)) + box(b"ipma", ipma)),
    ]
    if references:
        parts.append(box(b"iref", bytes(_FULL) + b"".join(references)))
    if groups:
        parts.append(box(b"grpl", b"".join(groups)))
    ftyp = box(b"ftyp", file.brands)
    located = 8 + 8 + 14 * len(file.items)
    place = len(ftyp) + 8 + _FULL + located + sum(map(len, parts)) + 8
    places, bodies = [], []
    for number, item in sorted(file.items.items()):
        places.append(struct.pack(">3H2I", number, 0, 1, place, len(item.data)))
        place += len(item.data)
        bodies.append(item.data)
    iloc = struct.pack(">I2BH", 0, 0x44, 0, len(places)) + b"".join(places)
    parts.insert(2, box(b"iloc", iloc))
    meta = box(b"meta", bytes(_FULL) + b"".join(parts))
    return ftyp + meta + box(b"mdat", b"".join(bodies))


def with_item(file: HeifItems, item: Item) -> tuple[HeifItems, int]:
    """Return the file with one item more, and its number."""
    number = max(file.items) + 1
    return replace(file, items={**file.items, number: item}), number


def with_exif(file: HeifItems, exif: bytes) -> HeifItems:
    """Return the file with EXIF that belongs to the picture.

    Args:
        file: without any.
        exif: the TIFF stream.
    """
    body = struct.pack(">I", 0) + exif  # how far the TIFF stream lies behind
    return with_item(file, Item(b"Exif", body, references=((b"cdsc", (file.primary,)),)))[0]


def with_properties(file: HeifItems, *properties: bytes) -> HeifItems:
    """Return the file with more properties of the picture, none of which readers must know.

    Args:
        file: the file.
        properties: whole boxes; one of a kind (of colours too) that the picture has replaces it.
    """
    kinds = {_kind(prop) for prop in properties}
    kept = tuple(owned for owned in file.picture.properties if _kind(owned[0]) not in kinds)
    changed = replace(file.picture, properties=(*((prop, False) for prop in properties), *kept))
    return replace(file, items={**file.items, file.primary: changed})


def alone(file: HeifItems, number: int) -> HeifItems:
    """Return a file that holds nothing but one picture, and the tiles that it is made of.

    Raises:
        ItemsError: it is no picture of a known codec.
    """
    wanted: dict[int, Item] = {}
    waiting = [number]
    while waiting:
        place = waiting.pop()
        if place in wanted:
            continue
        if place not in file.items or len(wanted) > _MOST:
            raise ItemsError("a picture lacks a part")
        item = file.items[place]
        tiles = item.targets(b"dimg")
        wanted[place] = replace(
            item,
            references=((b"dimg", tiles),) if tiles else (),
            hidden=place != number,
            properties=tuple(p for p in item.properties if _kind(p[0]) != b"auxC"),
        )
        waiting += tiles
    brand = next((_PICTURES[i.kind] for i in wanted.values() if i.kind in _PICTURES), None)
    if brand is None:
        raise ItemsError("no picture of a known codec")
    return HeifItems(number, wanted, brand + bytes(4) + b"mif1" + brand)


def joined(file: HeifItems, other: HeifItems) -> tuple[HeifItems, int]:
    """Return a file with the items of another, hidden; and the number of the other's picture."""
    shift = max(file.items) + 1 - min(other.items)
    moved = {
        number + shift: replace(
            item,
            hidden=True,
            references=tuple((kind, tuple(n + shift for n in to)) for kind, to in item.references),
        )
        for number, item in other.items.items()
    }
    return replace(file, items=file.items | moved), other.primary + shift


def with_gain_map(
    file: HeifItems, gain_map: HeifItems, metadata: bytes, colors: bytes
) -> HeifItems:
    """Return the file with a gain map, from which readers make the picture for HDR screens.

    Args:
        file: the picture for normal screens.
        gain_map: a file of its own.
        metadata: how it is applied, by ISO 21496-1.
        colors: ``colr`` box of the picture for HDR screens.
    """
    whole, number = joined(file, gain_map)
    size = tuple(owned for owned in file.picture.properties if owned[0][4:8] == b"ispe")
    tone_map = Item(
        b"tmap",
        b"\0" + metadata,
        properties=((colors, False), *size),
        references=((b"dimg", (file.primary, number)),),
    )
    whole, tone_map_at = with_item(whole, tone_map)
    groups = (*whole.groups, (b"altr", (tone_map_at, file.primary)))
    brands = whole.brands if b"tmap" in whole.brands[8:] else whole.brands + b"tmap"
    return replace(whole, groups=groups, brands=brands)


def _kind(prop: bytes) -> bytes:
    """Return kind of a property; colours by number and by profile are two."""
    return prop[4:8] + (prop[8:12] if prop[4:8] == b"colr" else b"")


def _meta_of(file: BinaryIO) -> bytes:
    """Return the payload of the first ``meta`` box."""
    file.seek(0)
    while len(start := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", start)
        if size == 1:
            size = int.from_bytes(file.read(8)) - 8
        if kind == b"meta":
            return file.read(min(size - 8, _LARGEST))
        if size < 8:
            break
        file.seek(size - 8, 1)
    raise ItemsError("no meta box")


def _item_data(
    file: BinaryIO, meta: bytes, parts: dict[bytes, tuple[int, int]], wanted: int
) -> bytes:
    """Return the bytes of an item, wherever they lie; none where it is not found or too large."""
    table = meta[slice(*parts[b"iloc"])]
    version = table[0]
    offset_size, length_size = divmod(table[4], 16)
    base_size, index_size = divmod(table[5], 16)
    place = 8 if version == 2 else 6

    def number(size: int) -> int:
        nonlocal place
        place += size
        return int.from_bytes(table[place - size : place])

    count = int.from_bytes(table[6 : 6 + (4 if version == 2 else 2)])
    place = 6 + (4 if version == 2 else 2)
    for _ in range(count):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        extents = []
        for _ in range(number(2)):
            number(index_size if version else 0)
            extents.append((base + number(offset_size), number(length_size)))
        if item != wanted:
            continue
        found = b""
        for start, length in extents:
            if length > _LARGEST:
                return b""
            if method == 1 and b"idat" in parts:
                start += parts[b"idat"][0]
                found += meta[start : start + length]
            elif method == 0:
                file.seek(start)
                found += file.read(length)
        return found
    return b""


_Parts = dict[bytes, tuple[int, int]]


def _described(meta: bytes, parts: _Parts) -> Iterator[tuple[int, bytes, bool, bytes]]:
    """Yield number, kind, whether it is hidden, and name of every item."""
    start, stop = parts[b"iinf"]
    place = start + _FULL + (2 if meta[start] == 0 else 4)
    for kind, a, b in boxes(meta, place, stop):
        if kind == b"infe" and meta[a] in (2, 3):
            form = ">I2x4s" if meta[a] == 3 else ">H2x4s"
            number, name = struct.unpack_from(form, meta, a + _FULL)
            yield number, name, bool(meta[a + 3] & 1), meta[a + _FULL + struct.calcsize(form) : b]


def _associated(meta: bytes, parts: _Parts) -> dict[int, tuple[tuple[bytes, bool], ...]]:
    """Return properties of every item."""
    start, stop = parts[b"iprp"]
    inner = [(kind, a, b) for kind, a, b in boxes(meta, start, stop)]
    table: list[bytes] = []
    for kind, a, b in inner:
        if kind == b"ipco":
            table += [box(name, meta[first:last]) for name, first, last in boxes(meta, a, b)]
    found: dict[int, tuple[tuple[bytes, bool], ...]] = {}
    for kind, a, _ in inner:
        if kind != b"ipma":
            continue
        wide_items, wide_indices = meta[a] > 0, bool(meta[a + 3] & 1)
        (count,) = struct.unpack_from(">I", meta, a + _FULL)
        place = a + _FULL + 4
        for _ in range(min(count, _MOST)):
            (item,) = struct.unpack_from(">I" if wide_items else ">H", meta, place)
            place += 4 if wide_items else 2
            owned = []
            place += 1
            for _ in range(meta[place - 1]):
                (index,) = struct.unpack_from(">H" if wide_indices else ">B", meta, place)
                place += 2 if wide_indices else 1
                top = 15 if wide_indices else 7
                needed, index = bool(index >> top), index & ((1 << top) - 1)
                if index:
                    owned.append((table[index - 1], needed))
            found[item] = (*found.get(item, ()), *owned)
    return found


def _referenced(meta: bytes, parts: _Parts) -> dict[int, tuple[tuple[bytes, tuple[int, ...]], ...]]:
    """Return references of every item."""
    found: dict[int, tuple[tuple[bytes, tuple[int, ...]], ...]] = {}
    if b"iref" not in parts:
        return found
    start, stop = parts[b"iref"]
    letter = "I" if meta[start] else "H"
    size = struct.calcsize(">" + letter)
    for kind, a, _ in boxes(meta, start + _FULL, stop):
        item, count = struct.unpack_from(f">{letter}H", meta, a)
        to = struct.unpack_from(f">{min(count, _MOST)}{letter}", meta, a + size + 2)
        found[item] = (*found.get(item, ()), (kind, to))
    return found


def _groups(meta: bytes, parts: _Parts) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    if b"grpl" not in parts:
        return ()
    found = []
    for kind, a, _ in boxes(meta, *parts[b"grpl"]):
        (count,) = struct.unpack_from(">I", meta, a + 8)
        found.append((kind, struct.unpack_from(f">{min(count, _MOST)}I", meta, a + 12)))
    return tuple(found)
