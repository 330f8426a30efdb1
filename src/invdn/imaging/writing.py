"""Photographs into files: same depth and metadata, whole or not at all."""

import os
from pathlib import Path

from ..atomic import atomic_output, ensure_output
from ..errors import InputError, OutputError
from .containers import jpeg
from .depth import white
from .encoding import encode
from .formats import format_of_name
from .libvips import pyvips
from .photo import Photo

_LARGEST_SIDE = {"jpeg": 65535, "webp": 16383}


def write_photo(
    photo: Photo,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    quality: int | None = None,
) -> None:
    """Write a photograph in the format that the name's ending asks for.

    Depth is kept where the format has it, else reduced: TIFF holds all; PNG 16 bits at most; JPEG
    and WebP 8. The profile, EXIF, XMP and resolution are kept (WebP knows no resolution outside
    EXIF); IPTC in JPEG and TIFF. The file appears at once when it is complete; nothing is left
    behind otherwise.

    Args:
        photo: what to write.
        path: the file; ``.jpg``, ``.png``, ``.tif`` or ``.webp``.
        overwrite: whether an existing file may be replaced.
        quality: 1 to 100 for JPEG and WebP. ``None`` means 95, more where the source was a JPEG
            of more, and lossless where it was a lossless WebP.

    Raises:
        OutputError: the file exists, its folder cannot be written, the disk is full, or the format
            cannot hold the photograph.
        InputError: the quality is out of range.

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
    check_writable(photo, path, overwrite=overwrite)
    if quality is not None and not 1 <= quality <= 100:
        raise InputError(f"quality {quality} does not exist; give a number from 1 to 100")
    with atomic_output(path, overwrite) as temporary, temporary.open("w+b") as file:
        try:
            encode(photo, file, format_of_name(path), quality)
        except pyvips.Error as error:
            raise OutputError(f"cannot write {str(path)!r}: {error.detail.strip()}") from error


def check_writable(photo: Photo, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raise before any work is done what :func:`write_photo` would raise after it.

    Raises:
        OutputError: the target exists, or its format cannot hold the photograph.

    Example:
        >>> import numpy as np
        >>> check_writable(Photo(np.zeros((8, 8, 3), np.uint8)), "photo.doc")
        Traceback (most recent call last):
            ...
        invdn.errors.OutputError: cannot write 'photo.doc': the ending '.doc' names no known \
format; use one of .jpg, .jpeg, .jpe, .jfif, .png, .tif, .tiff, .webp
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
            jpeg.segments_of(photo.metadata, b"")
        except OutputError as error:
            raise OutputError(f"cannot write {str(path)!r}: {error}") from error
    icc = photo.metadata.icc
    if name == "webp" and photo.pixels.ndim == 2 and icc and icc[16:20] == b"GRAY":
        raise _unfit(path, "it holds no greyscale profile")


def _unfit(path: Path, reason: str) -> OutputError:
    return OutputError(f"cannot write {str(path)!r}: {reason}; use the ending .png or .tif instead")
