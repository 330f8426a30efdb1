"""Photographs into files: same depth and metadata, whole or not at all."""

import os
from dataclasses import replace
from pathlib import Path

from ..atomic import atomic_output, ensure_output
from ..errors import OutputError
from ..image.dtype import white
from ..image.orientation import turned_upright
from .containers import jpeg
from .containers.ifd import upright, with_resolution
from .encode import encode
from .formats import format_of_name
from .iptc import xmp_with_iptc
from .photo import Photo
from .privacy import stripped
from .vips import pyvips
from .write_options import WriteChoices

_LARGEST_SIDE = {"jpeg": 65535, "webp": 16383, "avif": 65535}


def write_photo(
    photo: Photo,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    choices: WriteChoices = WriteChoices(),
) -> None:
    """Write a photograph in the format that the name's ending asks for.

    Depth is kept where the format has it, else reduced: TIFF holds all; PNG 16 bits at most; AVIF
    12, JPEG and WebP 8. Profile, EXIF, XMP, IPTC and resolution are kept as docs/formats.md says
    for each format. The file appears at once when it is complete; nothing is left behind otherwise.

    Args:
        photo: what to write.
        path: the file; ``.jpg``, ``.png``, ``.tif``, ``.webp`` or ``.avif``.
        overwrite: whether an existing file may be replaced.
        choices: quality, chroma, and what to leave out.

    Raises:
        OutputError: the file exists, its folder cannot be written, the disk is full, or the format
            cannot hold the photograph.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> path = Path(tempfile.mkdtemp()) / "black.jpg"
        >>> write_photo(Photo(np.zeros((8, 8, 3), np.uint8)), path)
        >>> write_photo(Photo(np.zeros((8, 8, 3), np.uint8)), path)
        Traceback (most recent call last):
            ...
        invdn.errors.OutputError: cannot write '...black.jpg': it exists already; choose another \
name or allow overwriting
    """
    path = Path(path)
    check_writable(photo, path, overwrite=overwrite, choices=choices)
    photo = _fitted(photo, format_of_name(path), choices)
    with atomic_output(path, overwrite) as temporary, temporary.open("w+b") as file:
        try:
            encode(photo, file, format_of_name(path), choices)
        except pyvips.Error as error:
            raise OutputError(f"cannot write {str(path)!r}: {error.detail.strip()}") from error


def check_writable(
    photo: Photo,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    choices: WriteChoices = WriteChoices(),
) -> None:
    """Raise before any work is done what :func:`write_photo` would raise after it.

    Raises:
        OutputError: the target exists, or its format cannot hold the photograph.

    Example:
        >>> import numpy as np
        >>> check_writable(Photo(np.zeros((8, 8, 3), np.uint8)), "photo.doc")
        Traceback (most recent call last):
            ...
        invdn.errors.OutputError: cannot write 'photo.doc': the ending '.doc' names no known \
format; use one of .jpg, .jpeg, .jpe, .jfif, .png, .tif, .tiff, .webp, .avif
    """
    path = Path(path)
    name = format_of_name(path)
    ensure_output(path, overwrite)
    largest = _LARGEST_SIDE.get(name)
    if largest and max(photo.height, photo.width) > largest:
        raise _unfit(path, f"it holds at most {largest} pixels a side")
    if name == "jpeg":
        if photo.alpha is not None and (photo.alpha != white(photo.alpha.dtype)).any():
            raise _unfit(path, "it holds no transparency")
        try:
            jpeg.segments_of(_fitted(photo, name, choices).metadata, b"")
        except OutputError as error:
            raise OutputError(f"cannot write {str(path)!r}: {error}") from error
    icc = photo.metadata.icc
    if name in ("webp", "avif") and photo.pixels.ndim == 2 and icc and icc[16:20] == b"GRAY":
        raise _unfit(path, "it holds no greyscale profile")


def _fitted(photo: Photo, name: str, choices: WriteChoices) -> Photo:
    """What the format and the user want of the photograph, its own pixels where they allow it."""
    metadata = stripped(photo, name) if choices.strip_metadata else photo.metadata
    if name in ("webp", "avif"):  # which hold nothing but profile, EXIF and XMP
        if metadata.iptc:
            metadata = replace(metadata, xmp=xmp_with_iptc(metadata.iptc, metadata.xmp))
        if metadata.resolution:
            exif = with_resolution(metadata.exif, metadata.resolution)
            metadata = replace(metadata, exif=exif)
    if name != "avif" or photo.orientation == 1:
        return replace(photo, metadata=metadata)
    # readers of AVIF ignore EXIF's orientation
    alpha = photo.alpha
    if alpha is not None:
        alpha = turned_upright(alpha, photo.orientation).copy()
    if metadata.exif:
        metadata = replace(metadata, exif=upright(metadata.exif))
    pixels = turned_upright(photo.pixels, photo.orientation).copy()
    return replace(photo, pixels=pixels, alpha=alpha, metadata=metadata)


def _unfit(path: Path, reason: str) -> OutputError:
    return OutputError(f"cannot write {str(path)!r}: {reason}; use the ending .png or .tif instead")
