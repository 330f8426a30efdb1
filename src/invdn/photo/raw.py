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
from contextlib import suppress
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np

from ..errors import ImageError, MissingDependencyError
from .color.curves import SRGB_GAMMA, SRGB_SLOPE
from .color.icc import P3_PRIMARIES, make_profile
from .containers import jpeg
from .containers.ifd import (
    Directory,
    DirectoryError,
    read_directory,
    serialise,
    upright,
)
from .containers.tiff import DESCRIPTIVE, IPTC, XMP
from .decode import check_size
from .photo import Metadata, Photo

_SRGB_CURVE = (SRGB_GAMMA, SRGB_SLOPE)  # LibRaw's power and slope at black
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
    file.seek(0)
    try:
        with rawpy.imread(file) as raw:
            check_size(raw.sizes.width, raw.sizes.height, max_pixels)
            metadata = _metadata(file, raw, rawpy)
            pixels = raw.postprocess(
                demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD,
                use_camera_wb=True,
                output_color=rawpy.ColorSpace.P3D65,
                gamma=_SRGB_CURVE,
                no_auto_bright=True,
                adjust_maximum_thr=0.0,  # white is the camera's, not the brightest pixel
                highlight_mode=rawpy.HighlightMode.Clip,
                output_bps=16,
            )
    except rawpy.LibRawError as error:
        raise ImageError(
            f"LibRaw cannot develop it ({words_of(error)}); it is damaged, or the camera or its "
            "compression is not supported: develop it to a 16-bit TIFF with another program"
        ) from error
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = np.ascontiguousarray(pixels[..., 0])
    icc = make_profile("Display P3", P3_PRIMARIES) if pixels.ndim == 3 else None
    return Photo(pixels, None, replace(metadata, icc=icc), "raw", remarks=(_REMARK,))


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


def words_of(error: Exception) -> str:
    """Return what LibRaw says, which comes as bytes."""
    said = error.args[0] if error.args else ""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return text or type(error).__name__
