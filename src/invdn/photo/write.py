"""Photographs into files: same depth and metadata, whole or not at all."""

import os
from pathlib import Path

from ..atomic import atomic_output, ensure_output
from ..errors import OutputError
from ..image.dtype import white
from .color.codes import HDR
from .color.conversion import in_srgb
from .containers import jpeg
from .encode import encode
from .formats import format_of_name
from .keeping import fitted, with_new_copies
from .photo import Photo, WriteOptions
from .vips import pyvips

_LARGEST_SIDE = {"jpeg": 65535, "webp": 16383, "avif": 65535}


def write_photo(
    photo: Photo,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    choices: WriteOptions = WriteOptions(),
    mode: int = 0o666,
) -> tuple[str, ...]:
    """Write a photograph in the format that the name's ending asks for.

    Depth is kept where the format has it, else reduced: TIFF holds all; PNG 16 bits at most; AVIF
    12, JPEG and WebP 8. Profile, EXIF, XMP, IPTC and resolution are kept as docs/formats.md says
    for each format, and small copies of the picture (thumbnails, previews) are made anew from its
    pixels. The file appears at once when it is complete; nothing is left behind otherwise.

    Args:
        photo: what to write.
        path: the file; ``.jpg``, ``.png``, ``.tif``, ``.webp`` or ``.avif``.
        overwrite: whether an existing file may be replaced.
        choices: quality, chroma, and what to leave out.
        mode: permissions that the file may have at most, as of :func:`~invdn.atomic.atomic_output`.

    Returns:
        What of the photograph the file does not hold, for people.

    Raises:
        OutputError: the file exists, its folder cannot be written, the disk is full, or the format
            cannot hold the photograph.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> path = Path(tempfile.mkdtemp()) / "black.jpg"
        >>> _ = write_photo(Photo(np.zeros((8, 8, 3), np.uint8)), path)
        >>> write_photo(Photo(np.zeros((8, 8, 3), np.uint8)), path)
        Traceback (most recent call last):
            ...
        invdn.errors.OutputError: cannot write '...black.jpg': it exists already; choose another \
name or allow overwriting
    """
    path = Path(path)
    check_writable(photo, path, overwrite=overwrite, choices=choices)
    name = format_of_name(path)
    photo, notes = fitted(photo, name, choices)
    photo = with_new_copies(photo, name)
    with atomic_output(path, overwrite, mode) as temporary, temporary.open("w+b") as file:
        try:
            encode(photo, file, name, choices)
        except pyvips.Error as error:
            raise OutputError(f"cannot write {str(path)!r}: {error.detail.strip()}") from error
    return notes


def check_writable(
    photo: Photo,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    choices: WriteOptions = WriteOptions(),
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
format; use one of .jpg, ...
    """
    path = Path(path)
    name = format_of_name(path)
    ensure_output(path, overwrite)
    largest = _LARGEST_SIDE.get(name)
    if largest and max(photo.height, photo.width) > largest:
        raise _unfit(path, f"it holds at most {largest} pixels a side")
    if name == "dng" and photo.metadata.camera is None:
        raise _unfit(path, "a DNG is made of a camera's raw file only")
    if name == "jpeg":
        kept = fitted(photo, name, choices)[0]
        if kept.alpha is not None and (kept.alpha != white(kept.alpha.dtype)).any():
            raise _unfit(path, "it holds no transparency")
        try:
            jpeg.segments_of(kept.metadata, b"")
        except OutputError as error:
            raise OutputError(f"cannot write {str(path)!r}: {error}") from error
    codes = photo.metadata.codes
    if codes and name not in ("png", "avif"):
        raise OutputError(
            f"cannot write {str(path)!r}: the photograph's brightness is coded for HDR screens "
            f"({HDR[codes[1]]}), of which only PNG and AVIF can be told here; use the ending .png "
            "or .avif instead"
        )
    icc = photo.metadata.icc
    if name == "jxl" and not in_srgb(photo):
        raise _unfit(path, "JPEG XL cannot be given a colour profile here")
    if name in ("webp", "avif") and photo.pixels.ndim == 2 and icc and icc[16:20] == b"GRAY":
        raise _unfit(path, "it holds no greyscale profile")


def _unfit(path: Path, reason: str) -> OutputError:
    return OutputError(f"cannot write {str(path)!r}: {reason}; use the ending .png or .tif instead")
