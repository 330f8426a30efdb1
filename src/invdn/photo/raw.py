"""Cameras' raw files and DNG, developed by LibRaw through the package ``rawpy`` (an extra).

::

    mosaic ── black and white level, defects (LibRaw)
           ── white balance as the camera set it; daylight where it set none
           ── demosaicing (AHD), highlights clipped at white
           ── the camera's matrix to Display P3, no brightening
           ── sRGB's tone curve, 16 bits
           ── turned upright

A raw file cannot be written: the result is a photograph with a Display P3 profile, meant for a
16-bit TIFF. That space has the tone curve the network knows and holds nearly all colours of a
camera; those beyond it are clipped.
"""

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from ..errors import ImageError, MissingDependencyError
from ..image.curves import SRGB_GAMMA, SRGB_SLOPE
from .color.icc import P3_PRIMARIES, make_profile
from .containers import jpeg
from .containers.ifd import (
    Directory,
    DirectoryError,
    Entry,
    positions,
    read_directory,
    serialise,
    upright,
)
from .containers.tiff import DESCRIPTIVE, IPTC, XMP
from .decode import DAMAGED, check_size
from .photo import Metadata, Photo
from .raw_codecs import MOSAICS, readable_by_libraw

_SRGB_CURVE = (SRGB_GAMMA, SRGB_SLOPE)  # LibRaw's power and slope at black
_PARTS, _PHOTOMETRIC, _WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT = 330, 262, 256, 257, 322, 323
_PIECES = ((273, 279), (324, 325))  # places and lengths, of strips and of tiles
_MOST_DIRECTORIES = 64
_MARGINS = 1.25  # pixels of a sensor for one that is shown, at most
_RAF_HEAD, _RAF_PICTURE = 108, 100  # Fujifilm: where place and length of the mosaic stand
# Panasonic's RW2: where the picture begins, how it is packed, and the bytes of a pixel at least
_PANASONIC_AT, _PANASONIC_KIND, _PANASONIC_COMPRESSED, _PANASONIC_PACKED = 280, 45, 8, 8 / 7
_REMARK = "it is a camera's raw file: developed to 16 bits of Display P3 (see docs/formats.md)"


def import_rawpy() -> Any:
    """Return the module rawpy, which is an extra.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import rawpy
    except ImportError as error:
        raise MissingDependencyError(
            "reading a camera's raw files needs the package rawpy: pip install 'invdn[raw]'"
        ) from error
    return rawpy


def develop(file: BinaryIO, max_pixels: int) -> Photo:
    """Return the photograph that a raw file holds, developed as the drawing above says.

    Raises:
        ImageError: damaged, too large, or of a camera that LibRaw does not know.
        MissingDependencyError: ``rawpy`` is not installed.
    """
    rawpy = import_rawpy()
    with opened_raw(file, max_pixels, "develop it to a 16-bit TIFF with another program") as raw:
        metadata = _metadata(file, raw, rawpy)
        pixels = raw.postprocess(
            demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD,
            # where the file has none, LibRaw would take the picture's mean for grey
            use_camera_wb=min(raw.camera_whitebalance[:3]) > 0,
            output_color=rawpy.ColorSpace.P3D65,
            gamma=_SRGB_CURVE,
            no_auto_bright=True,
            adjust_maximum_thr=0.0,  # white is the camera's, not the brightest pixel
            highlight_mode=rawpy.HighlightMode.Clip,
            output_bps=16,
        )
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = np.ascontiguousarray(pixels[..., 0])
    icc = make_profile("Display P3", P3_PRIMARIES) if pixels.ndim == 3 else None
    return Photo(pixels, None, replace(metadata, icc=icc), "raw", remarks=(_REMARK,))


@contextmanager
def opened_raw(file: BinaryIO, max_pixels: int, advice: str) -> Iterator[Any]:
    """Open a raw file in LibRaw.

    Args:
        file: open for reading.
        max_pixels: refuse larger ones.
        advice: what to do with a file that LibRaw cannot develop.

    Raises:
        ImageError: damaged, cut short, too large, or of a camera that LibRaw does not know.
        MissingDependencyError: ``rawpy`` is not installed.
    """
    rawpy = import_rawpy()
    try:
        with rawpy.imread(readable_by_libraw(file, max_pixels)) as raw:
            sizes = raw.sizes
            check_size(sizes.width, sizes.height, max_pixels)
            sensor = sizes.raw_width * sizes.raw_height
            if sensor > _MARGINS * max_pixels:  # all of it is unpacked
                check_size(sizes.raw_width, sizes.raw_height, max_pixels)
            _check_whole(file, sensor)
            yield raw
    except rawpy.LibRawError as error:
        _check_whole(file, 0)
        raise ImageError(
            f"LibRaw cannot develop it ({_words_of(error)}); it is damaged, or the camera or its "
            f"compression is not supported: {advice}"
        ) from error


def _metadata(file: BinaryIO, raw: Any, rawpy: Any) -> Metadata:
    """Read the tags of a TIFF-like file, else EXIF of the preview that the camera made."""
    found = Metadata()
    with suppress(DirectoryError):
        found = metadata_of_tags(file)
    if found.exif is None:
        found = replace(found, exif=preview_exif(raw, rawpy))
    return replace(found, exif=upright(found.exif)) if found.exif else found


def preview_exif(raw: Any, rawpy: Any) -> bytes | None:
    """Return the EXIF of the preview that the camera made."""
    with suppress(rawpy.LibRawError):
        thumbnail = raw.extract_thumb()
        if thumbnail.format == rawpy.ThumbFormat.JPEG:
            return jpeg.read_header(io.BytesIO(thumbnail.data)).exif
    return None


def metadata_of_tags(file: BinaryIO) -> Metadata:
    """Return what the tags of a TIFF-like raw file say besides the picture.

    Raises:
        DirectoryError: it is no such file.
    """
    directory = read_directory(file)[1]
    entries = {tag: entry for tag, entry in directory.entries.items() if tag in DESCRIPTIVE}
    exif = Directory(entries, directory.children)
    xmp, iptc = (directory.entries.get(tag) for tag in (XMP, IPTC))
    return Metadata(
        exif=serialise(exif) if exif.entries or exif.children else None,
        xmp=xmp.data if xmp else None,
        iptc=iptc.data if iptc else None,
    )


def _check_whole(file: BinaryIO, pixels: int) -> None:
    """Raise if a raw file is cut short, which LibRaw takes for darkness in some formats.

    Args:
        file: open for reading.
        pixels: of the sensor.

    Raises:
        ImageError: the file ends before its picture does.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(_RAF_HEAD)
    try:
        if head.startswith(b"FUJIFILMCCD-RAW"):
            ends = [sum(struct.unpack_from(">2I", head, _RAF_PICTURE))]
        elif head[4:8] == b"ftyp":
            ends = list(_ends_of_boxes(file, size))
        else:
            ends = list(_ends_of_strips(file, size, pixels))
    except (DirectoryError, struct.error):
        return
    if max(ends, default=0) > size:
        raise ImageError(
            f"the file is cut short: it ends after {size} bytes, its picture after {max(ends)}; "
            "fetch it again from where it came from"
        )


def _ends_of_boxes(file: BinaryIO, size: int) -> Iterator[int]:
    """Yield where the boxes of a CR3 end, or say that they do."""
    place = 0
    while place + 8 <= size:
        file.seek(place)
        length, _ = struct.unpack(">I4s", file.read(8))
        if length == 1:
            length = int.from_bytes(file.read(8))
        if length < 8:  # the last one may be as long as the file
            return
        place += length
        yield place


def _ends_of_strips(file: BinaryIO, size: int, pixels: int) -> Iterator[int]:
    """Yield where the strips and tiles end of all pictures of a file that is built like a TIFF."""
    waiting = positions(file)
    for position in waiting:
        directory = read_directory(file, position)[1]
        tags = directory.entries
        if _PARTS in tags and len(waiting) < _MOST_DIRECTORIES:
            waiting += [place for place in _numbers(tags[_PARTS]) if place not in waiting]
        if _PANASONIC_AT in tags:
            packed = directory.first(_PANASONIC_KIND) < _PANASONIC_COMPRESSED
            least = pixels * _PANASONIC_PACKED if packed else 0
            yield directory.first(_PANASONIC_AT) + int(least)
            continue
        mosaic = directory.first(_PHOTOMETRIC) in MOSAICS
        for offsets, lengths in _PIECES:
            if offsets in tags and lengths in tags:
                for start, length in zip(
                    _numbers(tags[offsets]), _numbers(tags[lengths]), strict=False
                ):
                    if start < size or mosaic:  # makers leave places that lead nowhere
                        yield start + length
        if mosaic and _TILE_HEIGHT in tags and _PIECES[1][0] in tags:
            across = -(-directory.first(_WIDTH) // max(directory.first(_TILE_WIDTH, 1), 1))
            down = -(-directory.first(_HEIGHT) // max(directory.first(_TILE_HEIGHT, 1), 1))
            if len(_numbers(tags[_PIECES[1][0]])) < across * down:
                raise ImageError(f"{DAMAGED} (tiles are missing)")


def _numbers(entry: Entry) -> list[int]:
    code = {3: "H", 4: "I", 13: "I", 16: "Q"}.get(entry.type)
    count = len(entry.data) // struct.calcsize(code) if code else 0
    return list(struct.unpack_from(f"<{count}{code}", entry.data)) if count else []


def _words_of(error: Exception) -> str:
    """Return what LibRaw says, which comes as bytes."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return text or type(error).__name__
