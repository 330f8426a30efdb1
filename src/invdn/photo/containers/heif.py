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

import io
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import BinaryIO

from .av1 import base_quantizer, colors
from .av1 import with_colors as with_colors_in_stream
from .boxes import box
from .heif_items import (
    HeifItems,
    Item,
    ItemsError,
    alone,
    joined,
    read_items,
    serialise,
    with_item,
    with_properties,
)

_BOXES_OF_PICTURES = {b"ftyp", b"meta", b"mdat", b"free", b"skip", b"wide", b"moov", b"mini"}
_MOST = 16  # auxiliary pictures
_HEVC_DEPTH = b"urn:mpeg:hevc:2015:auxid:2\0"
_DEPTH = b"urn:mpeg:mpegB:cicp:systems:auxiliary:depth\0"
_ALPHA = ("auxid:1", "auxiliary:alpha", "alpha")
#: What a note calls a gain map.
GAIN_MAP = "its gain map (HDR)"
# parts of the names of auxiliary pictures
_AUXILIARY = {
    "hdrgainmap": GAIN_MAP,
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
_LIGHT = (b"clli", b"mdcv", b"amve")  # content light level, mastering display, surroundings


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
        light: boxes that tell how bright the scene and its screen are, of HDR pictures.
        quality: of an AVIF, 1 to 100 on libheif's scale with libaom, from its quantiser.
        items: the file taken apart, where it holds a gain map or auxiliary pictures.
        further: what the file holds besides the pictures, EXIF and XMP, for people.
    """

    exif: bytes | None = None
    bits: int | None = None
    subsampling: str = "4:4:4"
    grey: bool = False
    primaries: int | None = None
    transfer: int | None = None
    light: tuple[bytes, ...] = ()
    quality: int | None = None
    items: HeifItems | None = None
    further: tuple[str, ...] = ()


def read_header(file: BinaryIO) -> HeifHeader:
    """Look through the boxes; what is damaged is left to the decoder.

    Example:
        >>> import io
        >>> read_header(io.BytesIO(bytes(100))).bits is None
        True
    """
    try:
        return _header(file, read_items(file))
    except (struct.error, LookupError, ValueError, OverflowError):
        return HeifHeader()


def with_colors(items: HeifItems, codes: tuple[int, int], light: Sequence[bytes] = ()) -> HeifItems:
    """Return an AVIF whose colours are given by number, in its boxes and in its bitstream.

    Args:
        items: a picture of one piece.
        codes: colour primaries and transfer characteristics by ITU-T H.273.
        light: further properties of the picture.
    """
    coded = items.picture.data
    matrix = (colors(coded) or (0, 0, 2))[2]
    picture = replace(items.picture, data=with_colors_in_stream(coded, *codes))
    items = replace(items, items={**items.items, items.primary: picture})
    return with_properties(items, color_box(*codes, matrix), *light)


def color_box(primaries: int, transfer: int, matrix: int) -> bytes:
    """Return the box that tells colours of the full range by number."""
    return box(b"colr", b"nclx" + struct.pack(">3HB", primaries, transfer, matrix, 0x80))


@dataclass(frozen=True)
class Auxiliary:
    """A picture that says more of its picture: how far things are, or what is skin or hair.

    Attributes:
        label: what it is, for people.
        picture: an AVIF or HEIC of its own.
        kind: the box that says what it is (``auxC``).
        notes: what its file says of it: kind, name and bytes of items.
    """

    label: str
    picture: bytes
    kind: bytes
    notes: tuple[tuple[bytes, bytes, bytes], ...] = ()


def auxiliaries_of(items: HeifItems) -> tuple[Auxiliary, ...]:
    """Return the auxiliary pictures of the picture but for its transparency."""
    found: list[Auxiliary] = []
    for number, item in items.items.items():
        kind = next((prop for prop, _ in item.properties if prop[4:8] == b"auxC"), b"")
        belongs = items.primary in item.targets(b"auxl") and not _urn(kind).endswith(_ALPHA)
        if not kind or not belongs or len(found) == _MOST:
            continue
        notes = tuple(
            (note.kind, note.name, note.data)
            for note in items.items.values()
            if number in note.targets(b"cdsc") and note.data
        )
        with suppress(ItemsError):
            found.append(
                Auxiliary(_label(_urn(kind)), serialise(alone(items, number)), kind, notes)
            )
    return tuple(found)


def with_auxiliary(items: HeifItems, auxiliary: Auxiliary) -> HeifItems:
    """Return an AVIF with an auxiliary picture.

    Args:
        items: the file.
        auxiliary: an AVIF.
    """
    whole, number = joined(items, read_items(io.BytesIO(auxiliary.picture)))
    item = whole.items[number]
    kind = auxiliary.kind.replace(_HEVC_DEPTH, _DEPTH)
    kind = box(b"auxC", kind[8:])
    item = replace(
        item,
        properties=(*item.properties, (kind, True)),
        references=(*item.references, (b"auxl", (whole.primary,))),
    )
    whole = replace(whole, items={**whole.items, number: item})
    for kind, name, data in auxiliary.notes:
        whole, _ = with_item(whole, Item(kind, data, name, references=((b"cdsc", (number,)),)))
    return whole


def auxiliary_of(items: HeifItems, sign: str) -> int | None:
    """Return the auxiliary picture whose name holds some letters; ``None``: there is none.

    Args:
        items: the file.
        sign: letters of the name, as ``"hdrgainmap"``.
    """
    for number, item in items.items.items():
        for prop, _ in item.properties:
            if prop[4:8] == b"auxC" and sign in _urn(prop):
                return number
    return None


def _header(file: BinaryIO, items: HeifItems) -> HeifHeader:
    exif = next((item.data for item in items.items.values() if item.kind == b"Exif"), b"")
    skipped = int.from_bytes(exif[:4]) + 4
    stream = exif[skipped:].removeprefix(b"Exif\0\0")
    bits, subsampling, grey = None, "4:4:4", False
    primaries = transfer = None
    light = []
    for prop, _ in _properties(items):
        kind, payload = prop[4:8], prop[8:]
        if kind == b"av1C" and bits is None:
            flags = payload[2]
            bits = 8 if not flags & 0x40 else 12 if flags & 0x20 else 10
            grey = bool(flags & 0x10)
            subsampling = {0x0C: "4:2:0", 0x08: "4:2:2"}.get(flags & 0x0C, "4:4:4")
        elif kind == b"hvcC" and bits is None:
            subsampling = {1: "4:2:0", 2: "4:2:2"}.get(payload[16] & 3, "4:4:4")
            grey = not payload[16] & 3
            bits = 8 + (payload[17] & 7)
        elif kind == b"colr" and payload[:4] == b"nclx" and primaries is None:
            primaries, transfer = struct.unpack_from(">2H", payload, 4)
        elif kind in _LIGHT:
            light.append(prop)
    coded = _coded(items)
    if primaries is None and coded.kind == b"av01":
        primaries, transfer, _ = colors(coded.data) or (None, None, None)
    has_map = any(item.kind == b"tmap" for item in items.items.values())
    has_more = has_map or any(item.targets(b"auxl") for item in items.items.values())
    further = (*_further_items(items), *_further_boxes(file))
    return HeifHeader(
        stream or None,
        bits,
        subsampling,
        grey,
        primaries,
        transfer,
        tuple(dict.fromkeys(light)),
        _quality(coded.data) if coded.kind == b"av01" else None,
        items if has_more else None,
        further,
    )


def _coded(items: HeifItems) -> Item:
    """Return the picture, or its first tile."""
    tiles = items.picture.targets(b"dimg")
    return items.items.get(tiles[0], items.picture) if tiles else items.picture


def _properties(items: HeifItems) -> tuple[tuple[bytes, bool], ...]:
    return (*items.picture.properties, *_coded(items).properties)


def _quality(data: bytes) -> int | None:
    index = base_quantizer(data)
    if index is None:
        return None
    for (coarse, low), (fine, high) in pairwise(_QUALITIES):
        if index >= fine:
            return max(1, round(low + (high - low) * (coarse - index) / (coarse - fine)))
    return 100


def _urn(prop: bytes) -> str:
    return prop[8 + _FULL :].split(b"\0")[0].decode("latin-1")


def _label(urn: str) -> str:
    known = (label for sign, label in _AUXILIARY.items() if sign in urn)
    return next(known, f"an auxiliary picture ({urn.rpartition(':')[2]})")


def _further_items(items: HeifItems) -> tuple[str, ...]:
    """Give items that belong to the picture and are no part of it: depth, gain maps, thumbnails."""
    every = items.items.values()
    found = [GAIN_MAP] if any(item.kind == b"tmap" for item in every) else []
    if any(item.targets(b"thmb") for item in every):
        found.append("its thumbnail")
    urns = (_urn(prop) for item in every for prop, _ in item.properties if prop[4:8] == b"auxC")
    found += [_label(urn) for urn in urns if not urn.endswith(_ALPHA)]
    return tuple(dict.fromkeys(found))


def _further_boxes(file: BinaryIO) -> tuple[str, ...]:
    """Return boxes beside the picture's own: a Motion Photo's video, credentials."""
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
