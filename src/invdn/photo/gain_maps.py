"""Gain maps: small pictures that make a picture for HDR screens of one for normal screens.

::

    HEIC ── tmap, or Apple's auxiliary picture ─┐                          ┌─ AVIF: tmap
    AVIF ── tmap ───────────────────────────────┼─ GainMap (ISO 21496-1) ──┤
    JPEG ── a picture behind the picture ───────┘                          └─ JPEG: Ultra HDR

The map is scaled by its picture, so it stays right as the picture's noise goes. Between files of
one codec it is copied as it is; else it is decoded and encoded again.

Sources: ISO 21496-1:2025; Ultra HDR Image Format 1.1 (Android); "Applying Apple HDR effect to your
photos" (Apple's developer documentation) for the headroom in makers' notes.
"""

import io
import math
import re
import struct
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image.curves import SRGB
from ..image.dtype import expand_bit_depth
from ..image.orientation import apply_exif_orientation
from .containers import heif
from .containers.gain_map import GainMap, Gains, channels_of, packed, parsed
from .containers.heif_items import (
    HeifItems,
    Item,
    alone,
    read_items,
    serialise,
    with_gain_map,
)
from .containers.ifd import Directory, DirectoryError, Entry, read_directory
from .containers.jpeg_attachments import Attachment
from .vips import as_image, pyvips

ISO_NAME = b"urn:iso:std:iso:ts:21496:-1\0"
_XMP_NAME = b"http://ns.adobe.com/xap/1.0/\0"
_SPACE = "http://ns.adobe.com/hdr-gain-map/1.0/"
_EXIF, _MAKER_NOTE, _APPLE_HEADROOM, _APPLE_GAIN = 34665, 37500, 33, 48
_QUALITY = 95
_LARGEST = 1 << 25  # pixels of a map


def gain_map_of(items: HeifItems, exif: bytes | None) -> GainMap | None:
    """Return the gain map of an AVIF or HEIC; ``None``: there is none that can be understood.

    Args:
        items: the file taken apart.
        exif: its EXIF; Apple's makers' notes say there how strong its maps are.
    """
    try:
        for item in items.items.values():
            if item.kind == b"tmap" and item.data[:1] == b"\0":
                base, number = item.targets(b"dimg")[:2]
                metadata = item.data[1:]
                parsed(metadata)
                if base == items.primary:
                    codes = _codes_of(item)
                    return GainMap(serialise(alone(items, number)), metadata, codes)
        number = heif.auxiliary_of(items, "hdrgainmap") or 0
        headroom = _headroom(items, number, exif)
        if number and headroom and headroom > 1:
            metadata = packed(Gains(0, math.log2(headroom), (0,), (math.log2(headroom),)))
            codes = (_codes_of(items.picture, (12, 0))[0], 16)
            return GainMap(serialise(alone(items, number)), metadata, codes, headroom)
    except (ValueError, LookupError, struct.error, OverflowError):
        pass
    return None


def gain_map_of_jpeg(attachment: Attachment) -> GainMap | None:
    """Return a JPEG's gain map; ``None``: how it is applied cannot be understood.

    Args:
        attachment: the map, with its own segments.
    """
    data = attachment.data
    try:
        place = data.find(ISO_NAME)
        if place > 4:
            size = int.from_bytes(data[place - 2 : place])
            metadata = data[place + len(ISO_NAME) : place - 2 + size]
            parsed(metadata)
            return GainMap(data, metadata)
        gains = _of_xmp(data)
        return GainMap(data, packed(gains)) if gains else None
    except (ValueError, struct.error, OverflowError):
        return None


def pixels_of(gain_map: GainMap) -> NDArray[np.uint8]:
    """Return the map, ``(h, w)`` or ``(h, w, 3)``, upright, coded as its metadata say.

    Raises:
        ValueError: it is damaged or too large.
        ImportError: ``pi-heif`` is not installed, and it is a HEIC.
    """
    stored: Any = _decoded(gain_map.picture)
    if stored.dtype == np.uint16:
        stored = (stored >> 8).astype(np.uint8)
    channels = len(parsed(gain_map.metadata).least)
    if stored.ndim == 3:
        stored = stored[..., :3] if channels == 3 and stored.shape[2] >= 3 else stored[..., 0]
    if headroom := gain_map.apple_headroom:
        light = SRGB.light(np.linspace(0, 1, 256, dtype=np.float32))
        gains = np.log2(1 + (headroom - 1) * light) / math.log2(headroom)
        stored = np.rint(gains * 255).astype(np.uint8)[stored]
    return np.ascontiguousarray(stored)


def jpeg_of(gain_map: GainMap) -> bytes:
    """Return the map as the JPEG that stands behind a picture in an Ultra HDR file.

    Raises:
        ValueError: it is damaged.
    """
    pixels = pixels_of(gain_map)
    gains = parsed(gain_map.metadata)
    coded: bytes = _image(pixels).jpegsave_buffer(Q=_QUALITY, keep="none", subsample_mode="off")
    packet = _xmp_of(gains).encode()
    segments = _segment(0xE1, _XMP_NAME + packet)
    segments += _segment(0xE2, ISO_NAME + gain_map.metadata)
    return coded[:2] + segments + coded[2:]


def avif_of(gain_map: GainMap) -> bytes:
    """Return the map as an AVIF, byte for byte where it is one that need not be turned.

    Raises:
        ValueError: it is damaged.
    """
    if not gain_map.apple_headroom and _is_upright_avif(gain_map.picture):
        return gain_map.picture
    return _avif(pixels_of(gain_map))


def auxiliary_avif(auxiliary: heif.Auxiliary) -> heif.Auxiliary:
    """Return an auxiliary picture for an AVIF, byte for byte where it need not be turned.

    Raises:
        ValueError: it is damaged or too large.
        ImportError: ``pi-heif`` is not installed, and it is a HEIC.
    """
    if _is_upright_avif(auxiliary.picture):
        return auxiliary
    stored = _decoded(auxiliary.picture)
    if stored.ndim == 3 and (stored == stored[..., :1]).all():
        stored = stored[..., 0]
    elif stored.ndim == 3:
        stored = stored[..., :3]
    coded = as_image(np.ascontiguousarray(stored)).heifsave_buffer(
        compression="av1",
        lossless=True,
        bitdepth=8 if stored.dtype == np.uint8 else 12,
        effort=4,
        keep="none",
    )
    return replace(auxiliary, picture=coded)


def _is_upright_avif(data: bytes) -> bool:
    return data[8:12] == b"avif" and not any(
        prop[4:8] in (b"irot", b"imir", b"clap")
        for item in read_items(io.BytesIO(data)).items.values()
        for prop, _ in item.properties
    )


def _decoded(data: bytes) -> NDArray[Any]:
    """Return a picture, ``(h, w)`` or ``(h, w, c)`` uint8 or uint16, upright.

    Raises:
        ValueError: it is damaged or too large.
        ImportError: ``pi-heif`` is not installed, and it is a HEIC.
    """
    if data[4:8] == b"ftyp" and data[8:12] != b"avif":
        return _of_heic(data)
    try:
        load = pyvips.Image.heifload_buffer if data[4:8] == b"ftyp" else None
        image = (load or pyvips.Image.jpegload_buffer)(data)
        if image.width * image.height > _LARGEST or image.format not in ("uchar", "ushort"):
            raise ValueError("too large or of another kind")
        kind = np.uint8 if image.format == "uchar" else np.uint16
        stored = np.frombuffer(image.write_to_memory(), kind)
        return stored.reshape(image.height, image.width, image.bands)
    except pyvips.Error as error:
        raise ValueError("damaged") from error


def with_map(items: HeifItems, gain_map: GainMap) -> HeifItems:
    """Return an AVIF with a gain map.

    Raises:
        ValueError: it is damaged.
    """
    found = read_items(io.BytesIO(avif_of(gain_map)))
    colors = heif.color_box(*gain_map.codes, 6)
    return with_gain_map(items, found, gain_map.metadata, colors)


def turned(gain_map: GainMap, orientation: int) -> GainMap:
    """Return the map upright.

    Args:
        gain_map: as the picture lies.
        orientation: EXIF's number of the picture.

    Raises:
        ValueError: it is damaged.
    """
    pixels = np.ascontiguousarray(apply_exif_orientation(pixels_of(gain_map), orientation))
    return replace(gain_map, picture=_avif(pixels), apple_headroom=None)


def iso_segment() -> bytes:
    """Return the segment by which a JPEG says that it has a gain map (ISO 21496-1, C.4)."""
    return _segment(0xE2, ISO_NAME + bytes(4))


def _avif(pixels: NDArray[np.uint8]) -> bytes:
    coded: bytes = _image(pixels).heifsave_buffer(
        compression="av1", Q=_QUALITY, bitdepth=8, effort=4, subsample_mode="off", keep="none"
    )
    return coded


def _segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _codes_of(item: Item, unknown: tuple[int, int] = (2, 16)) -> tuple[int, int]:
    for prop, _ in item.properties:
        if prop[4:12] == b"colrnclx":
            primaries, transfer = struct.unpack_from(">2H", prop, 12)
            return primaries, transfer
    return unknown


def _headroom(items: HeifItems, number: int, exif: bytes | None) -> float | None:
    """Return how many times the light of white Apple's maps reach."""
    for item in items.items.values():
        if item.kind == b"mime" and number in item.targets(b"cdsc"):
            found = re.search(rb"HDRGainMapHeadroom(?:>|=\")\s*([0-9.]+)", item.data[: 1 << 20])
            if found:
                return min(float(found[1]), 64.0)
    maker = _apple_notes(exif)
    headroom, gain = (_fraction(maker.get(tag)) for tag in (_APPLE_HEADROOM, _APPLE_GAIN))
    if headroom is None or gain is None:
        return None
    if headroom < 1:
        stops = -20 * gain + 1.8 if gain <= 0.01 else -0.101 * gain + 1.601
    else:
        stops = -70 * gain + 3.0 if gain <= 0.01 else -0.303 * gain + 2.303
    return float(2.0 ** min(max(stops, 0.0), 6.0))


def _apple_notes(exif: bytes | None) -> dict[int, Entry]:
    try:
        directory = read_directory(io.BytesIO(exif or b""))[1]
        notes = directory.children.get(_EXIF, Directory()).entries.get(_MAKER_NOTE)
        if notes is None or not notes.data.startswith(b"Apple iOS\0"):
            return {}
        order = notes.data[12:14]
        # their offsets count from their own start; a head in front makes a stream of them
        stream = order + struct.pack(">HI" if order == b"MM" else "<HI", 42, 14) + bytes(6)
        return dict(read_directory(io.BytesIO(stream + notes.data[14:]))[1].entries)
    except DirectoryError:
        return {}


def _fraction(entry: Entry | None) -> float | None:
    if entry is None or len(entry.data) < 8:
        return None
    over, under = struct.unpack_from("<2i", entry.data)
    return over / under if under else None


def _of_heic(data: bytes) -> NDArray[Any]:
    import pi_heif  # late: an extra

    try:
        container = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        width, height = container.size
        if width * height > _LARGEST:
            raise ValueError("too large")
        stored = np.array(np.asarray(container))
        if stored.dtype == np.uint16:
            bits = heif.read_header(io.BytesIO(data)).bits or 10
            stored = expand_bit_depth(stored, max(bits, 9))
        return stored
    except (RuntimeError, EOFError, SyntaxError) as error:
        raise ValueError("damaged") from error


def _image(pixels: NDArray[np.uint8]) -> Any:
    return as_image(pixels, "b-w" if pixels.ndim == 2 else "srgb")


_NAMES = (
    ("GainMapMin", "least", "0"),
    ("GainMapMax", "most", ""),
    ("Gamma", "gamma", "1"),
    ("OffsetSDR", "base_offset", "0.015625"),
    ("OffsetHDR", "alternate_offset", "0.015625"),
)


def _xmp_of(gains: Gains) -> str:
    """Return how a map is applied, in the words of Adobe's and Android's XMP."""
    single = [
        ("Version", "1.0"),
        ("BaseRenditionIsHDR", str(gains.base_headroom > gains.alternate_headroom)),
        ("HDRCapacityMin", f"{min(gains.base_headroom, gains.alternate_headroom):.6g}"),
        ("HDRCapacityMax", f"{max(gains.base_headroom, gains.alternate_headroom):.6g}"),
    ]
    lists = ""
    for (name, _, _), row in zip(_NAMES, channels_of(gains), strict=True):
        if len(set(row)) == 1:
            single.append((name, f"{row[0]:.6g}"))
        else:
            inner = "".join(f"<rdf:li>{value:.6g}</rdf:li>" for value in row)
            lists += f"<hdrgm:{name}><rdf:Seq>{inner}</rdf:Seq></hdrgm:{name}>"
    said = " ".join(f'hdrgm:{name}="{value}"' for name, value in single)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
        'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:hdrgm="{_SPACE}" {said}>{lists}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )


def _of_xmp(data: bytes) -> Gains | None:
    head = data[: 1 << 16]
    if _SPACE.encode() not in head:
        return None
    prefix = re.search(rb"xmlns:(\w+)=\"" + re.escape(_SPACE.encode()), head)
    if not prefix:
        return None

    def said(name: str, usual: str) -> tuple[float, ...]:
        label = prefix[1] + b":" + name.encode()
        found = re.search(label + rb"=\"([^\"]*)\"", head)
        texts = [found[1]] if found else []
        if not found and (block := re.search(label + rb">(.*?)</" + label, head, re.DOTALL)):
            texts = re.findall(rb"<rdf:li>([^<]*)</rdf:li>", block[1]) or [block[1]]
        if not texts and not usual:
            raise ValueError("the strength of the map is missing")
        return tuple(float(text) for text in texts) or (float(usual),)

    if re.search(rb"BaseRenditionIsHDR=\"[Tt]rue\"", head):
        return None
    rows = [said(name, usual) for name, _, usual in _NAMES]
    count = max(map(len, rows))
    least, most, gamma, base, alternate = (
        row if len(row) == count else row[:1] * count for row in rows
    )
    if count not in (1, 3) or min(gamma) <= 0:
        raise ValueError("neither one channel nor three")
    capacity = said("HDRCapacityMin", "0")[0], said("HDRCapacityMax", str(max(most)))[0]
    return Gains(*capacity, least, most, gamma, base, alternate)
