"""The boxes around the pixels of an AVIF or HEIC picture (ISO/IEC 14496-12 and 23008-12).

::

    ftyp
    meta ── pitm   which item is the picture
         ── iinf   items: what each is (av01, hvc1, grid, Exif, mime)
         ── iloc   items: where their bytes lie
         ── iprp   properties: size, depth, colour, rotation
         ── iref   which item belongs to which
    mdat           the bytes of the items
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from .av1 import base_quantizer

_LARGEST = 1 << 26  # bytes of boxes and blocks that are looked at
_XMP_TYPE = b"application/rdf+xml"
_BOXES_OF_PICTURES = {b"ftyp", b"meta", b"mdat", b"free", b"skip", b"wide", b"moov", b"mini"}
_ALPHA = ("auxid:1", "auxiliary:alpha", "alpha")
# parts of the names of auxiliary pictures
_AUXILIARY = {
    "hdrgainmap": "its gain map (HDR)",
    "depth": "its depth map",
    "disparity": "its depth map",
    "auxid:2": "its depth map",
    "portraiteffectsmatte": "its portrait matte",
}
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
# base_q_idx that libaom 3 chooses for qualities of libheif, measured
_QUALITIES = (
    *((255, 0), (249, 5), (216, 20), (172, 40), (120, 60)),
    *((76, 75), (60, 80), (32, 90), (16, 95), (0, 100)),
)
_FULL = 4  # bytes of version and flags


@dataclass(frozen=True)
class HeifHeader:
    """What the boxes say.

    Attributes:
        exif: EXIF as a TIFF stream.
        bits: of a sample, where the codec's configuration tells.
        subsampling: of the chroma, as in ``"4:2:0"``.
        grey: whether there is no chroma at all.
        primaries: number of the colour primaries by ITU-T H.273, where the file gives them so.
        transfer: number of the transfer characteristics, likewise.
        quality: of an AVIF, 1 to 100 on libheif's scale with libaom, from its quantiser.
        further: what the file holds besides the pictures, EXIF and XMP, for people.
    """

    exif: bytes | None = None
    bits: int | None = None
    subsampling: str = "4:4:4"
    grey: bool = False
    primaries: int | None = None
    transfer: int | None = None
    quality: int | None = None
    further: tuple[str, ...] = ()


def read_header(file: BinaryIO) -> HeifHeader:
    """Look through the boxes; what is damaged is left to the decoder.

    Example:
        >>> import io
        >>> read_header(io.BytesIO(bytes(100))).bits is None
        True
    """
    try:
        return _header(file, _meta(file))
    except (struct.error, LookupError, ValueError, OverflowError):
        return HeifHeader()


def with_exif(data: bytes, exif: bytes) -> bytes:
    """The same file with an item of EXIF that belongs to the picture.

    Args:
        data: a still picture as libheif writes it: 32-bit offsets, everything in one ``meta``.
        exif: the TIFF stream to add.

    Raises:
        ValueError: the file is laid out in another way.
    """
    boxes = list(_boxes(data))
    start, stop = next((a, b) for kind, a, b in boxes if kind == b"meta")
    parts = {kind: data[a:b] for kind, a, b in _boxes(data, start + _FULL, stop)}
    (picture,) = struct.unpack_from(">H", parts[b"pitm"], _FULL)
    version, sizes = parts[b"iloc"][0], parts[b"iloc"][4:6]
    if version != 0 or sizes != b"\x44\x40":
        raise ValueError("items are located in an unknown way")
    number = 1 + max(struct.unpack_from(">H", p)[0] for p in _locations(parts[b"iloc"]))
    block = struct.pack(">I", 0) + exif  # how far the TIFF stream lies behind
    info = struct.pack(">I2H4sx", 2 << 24, number, 0, b"Exif")
    parts[b"iinf"] = _counted(parts[b"iinf"]) + _box(b"infe", info)
    reference = _box(b"cdsc", struct.pack(">3H", number, 1, picture))
    parts[b"iref"] = parts.get(b"iref", bytes(_FULL)) + reference
    place = struct.pack(">2HI H2I", number, 0, 0, 1, 0, len(block))
    grown = sum(len(payload) + 8 for payload in parts.values()) + _FULL + len(place)
    moved = grown - (stop - start)
    body = parts[b"iloc"]
    located = [
        struct.pack(">2HIH", item, data_file, base, len(extents))
        + b"".join(struct.pack(">2I", offset + moved, length) for offset, length in extents)
        for item, data_file, base, extents in map(_location, _locations(body))
    ]
    place = struct.pack(">2HI H2I", number, 0, 0, 1, len(data) + moved + 8, len(block))
    parts[b"iloc"] = _counted(body[:8]) + b"".join(located) + place
    meta = _box(b"meta", bytes(_FULL) + b"".join(_box(kind, part) for kind, part in parts.items()))
    return data[: start - 8] + meta + data[stop:] + _box(b"mdat", block)


def _header(file: BinaryIO, meta: bytes) -> HeifHeader:
    parts = {kind: (a, b) for kind, a, b in _boxes(meta, _FULL)}
    exif = next(
        (
            block
            for item, kind in _items(meta[slice(*parts[b"iinf"])])
            if kind == b"Exif" and (block := _item(file, meta, parts, item))
        ),
        b"",
    )
    skipped = int.from_bytes(exif[:4]) + 4
    bits, subsampling, grey, primaries, transfer = None, "4:4:4", False, None, None
    start, stop = parts[b"iprp"]
    for kind, a, b in _boxes(meta, start, stop):
        if kind != b"ipco":
            continue
        for name, first, last in _boxes(meta, a, b):
            payload = meta[first:last]
            if name == b"av1C" and bits is None:
                flags = payload[2]
                bits = 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
                grey = bool(flags & 0x10)
                subsampling = {0x0C: "4:2:0", 0x08: "4:2:2"}.get(flags & 0x0C, "4:4:4")
            elif name == b"hvcC" and bits is None:
                subsampling = {1: "4:2:0", 2: "4:2:2"}.get(payload[16] & 3, "4:4:4")
                grey = not payload[16] & 3
                bits = 8 + (payload[17] & 7)
            elif name == b"colr" and payload[:4] == b"nclx":
                primaries, transfer = struct.unpack_from(">2H", payload, 4)
    stream = exif[skipped:].removeprefix(b"Exif\0\0")
    further = (*_further_items(meta, parts), *_further_boxes(file))
    quality = _quality(file, meta, parts)
    return HeifHeader(
        stream or None, bits, subsampling, grey, primaries, transfer, quality, further
    )


def _quality(file: BinaryIO, meta: bytes, parts: dict[bytes, tuple[int, int]]) -> int | None:
    """Quality of the picture, or of its first tile."""
    pictures = [item for item, kind in _items(meta[slice(*parts[b"iinf"])]) if kind == b"av01"]
    if not pictures:
        return None
    (primary,) = struct.unpack_from(">H", meta, parts[b"pitm"][0] + _FULL)
    wanted = primary if primary in pictures else pictures[0]
    index = base_quantizer(_item(file, meta, parts, wanted))
    if index is None:
        return None
    for (coarse, low), (fine, high) in pairwise(_QUALITIES):
        if index >= fine:
            return max(1, round(low + (high - low) * (coarse - index) / (coarse - fine)))
    return 100


def _further_items(meta: bytes, parts: dict[bytes, tuple[int, int]]) -> tuple[str, ...]:
    """Items that belong to the picture and are no part of it: depth, gain maps, thumbnails."""
    kinds = dict(_items(meta[slice(*parts[b"iinf"])])).values()
    found = [_AUXILIARY["hdrgainmap"]] if b"tmap" in kinds else []
    references = b""
    if b"iref" in parts:
        start, stop = parts[b"iref"]
        references = b"".join(name for name, _, _ in _boxes(meta, start + _FULL, stop))
    if b"thmb" in references:
        found.append("its thumbnail")
    start, stop = parts[b"iprp"]
    for kind, a, b in _boxes(meta, start, stop):
        for name, first, last in _boxes(meta, a, b) if kind == b"ipco" else ():
            if name != b"auxC":
                continue
            urn = meta[first + _FULL : last].split(b"\0")[0].decode("latin-1")
            if urn.endswith(_ALPHA):
                continue
            known = (label for sign, label in _AUXILIARY.items() if sign in urn)
            found.append(next(known, f"an auxiliary picture ({urn.rpartition(':')[2]})"))
    return tuple(dict.fromkeys(found))


def _further_boxes(file: BinaryIO) -> tuple[str, ...]:
    """Boxes beside the picture's own: a Motion Photo's video, credentials."""
    found = []
    file.seek(0)
    while len(start := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", start)
        head = 8
        if size == 1:
            size, head = int.from_bytes(file.read(8)), 16
        if size < head or not kind.isascii():
            break
        name = file.read(16) if kind == b"uuid" else b""
        if kind == b"mpvd":
            found.append(f"its video ({size / 1e6:.1f} MB)")
        elif name == _C2PA:
            found.append("its content credentials (C2PA), which vouch for the original's pixels")
        elif kind not in _BOXES_OF_PICTURES:
            found.append(f"its block {kind.decode()!r}")
        file.seek(size - head - len(name), 1)
    return tuple(dict.fromkeys(found))


def _meta(file: BinaryIO) -> bytes:
    """The payload of the first ``meta`` box."""
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
    raise ValueError("no meta box")


def _boxes(
    data: bytes, start: int = 0, stop: int | None = None
) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where the payload starts and stops, of each box in a row."""
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


def _items(info: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and kind of every item."""
    for kind, a, _ in _boxes(info, _FULL + (2 if info[0] == 0 else 4)):
        if kind == b"infe" and info[a] in (2, 3):
            wide = info[a] == 3
            yield struct.unpack_from(">I2x4s" if wide else ">H2x4s", info, a + _FULL)


def _item(file: BinaryIO, meta: bytes, parts: dict[bytes, tuple[int, int]], wanted: int) -> bytes:
    """The bytes of an item, wherever they lie."""
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


def _locations(table: bytes) -> Iterator[bytes]:
    """The entry of every item in a table of version 0 with sizes of 4 bytes."""
    (count,) = struct.unpack_from(">H", table, 6)
    place = 8
    for _ in range(count):
        (extents,) = struct.unpack_from(">H", table, place + 8)
        yield table[place : place + 10 + 8 * extents]
        place += 10 + 8 * extents


def _location(entry: bytes) -> tuple[int, int, int, list[tuple[int, int]]]:
    item, data_file, base, _ = struct.unpack_from(">2HIH", entry)
    return item, data_file, base, list(struct.iter_unpack(">2I", entry[10:]))


def _counted(table: bytes) -> bytes:
    """A table with one entry more: its last number of 16 bits before the entries goes up."""
    place = 6 if len(table) == 8 else _FULL
    (count,) = struct.unpack_from(">H", table, place)
    return table[:place] + struct.pack(">H", count + 1) + table[place + 2 :]


def _box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", len(payload) + 8, kind) + payload
