"""Photographs from files: everything or a typed error, never half a picture."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from ..errors import ImageError, MissingDependencyError
from .containers import tiff
from .containers.ifd import DirectoryError
from .decode import DAMAGED, choose_page, decode, decode_eighth, read_header
from .formats import (
    RAW_SUFFIXES,
    READABLE,
    SUFFIXES,
    WRITTEN_AS,
    format_of_content,
    suffix_of_format,
)
from .heic import decode_heic
from .other_formats import decode_other, decode_tiff
from .photo import Photo
from .raw import develop
from .vips import pyvips, run_interruptibly

_OTHERS = ("jxl", "jp2", "bmp", "ppm")
MAX_PIXELS = 500_000_000
# endings of formats that are read only, for files that cannot be looked into
_READ_ONLY = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "heic"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx"), "jp2"),
    **dict.fromkeys((".bmp", ".dib"), "bmp"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "ppm"),
    ".gif": "gif",
    ".mpo": "jpeg",
}


def read_photo(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
    content: BinaryIO | None = None,
) -> Photo:
    """Read a photograph exactly as it is stored, in any of the formats of docs/formats.md.

    The content decides the format, not the name. 8 and 16 bits and 32-bit floats keep their
    depth; palettes, fewer than 8 bits and 16-bit floats are expanded. The picture is decoded once,
    from top to bottom, straight into the arrays of the result. AVIF and HEIC are turned upright by
    their decoder; raw files are developed as :mod:`~invdn.photo.raw` says.

    Args:
        path: the file; any name, a symbolic link too.
        max_pixels: refuse larger pictures before decoding them (a guard against files that
            unpack to more than the memory holds).
        page: which picture of a file with several pages, from 1; ``None`` refuses such files.
        content: what the file holds, where it lies elsewhere than on a disk; ``path`` is then
            only its name.

    Raises:
        ImageError: missing, unreadable, damaged, cut short, too large, not a photograph, of a kind
            that is not supported (animated, say), of several pages, or holding NaN.
        MissingDependencyError: the package that reads HEIC or raw files is not installed.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from .write import write_photo
        >>> path = Path(tempfile.mkdtemp()) / "grey.png"
        >>> _ = write_photo(Photo(np.eye(4, dtype=np.uint16)), path)
        >>> read_photo(path).pixels.dtype
        dtype('uint16')
    """
    path = Path(path)
    try:
        with _opened(path, content) as file:
            name = _format(file, path)
            photo = run_interruptibly(lambda: _read(file, name, max_pixels, page))
    except (ImageError, pyvips.Error, OSError, MemoryError, ValueError) as error:
        raise ImageError(f"cannot read {str(path)!r}: {_reason(error)}") from error
    except MissingDependencyError as error:
        raise MissingDependencyError(f"cannot read {str(path)!r}: {error}") from error
    claimed = SUFFIXES.get(path.suffix.lower(), name)
    if claimed != name:
        remark = f"it is {name.upper()} inside, whatever the ending {path.suffix!r} says"
        photo = replace(photo, remarks=(remark, *photo.remarks))
    return photo


def read_eighth(path: Path, *, max_pixels: int = MAX_PIXELS) -> Photo | None:
    """Read a photograph as means of 8 x 8 pixels, where these can be decoded without the whole.

    Args:
        path: the file.
        max_pixels: as of :func:`read_photo`, of the whole.

    Returns:
        The small photograph, its sizes rounded up; None where only :func:`read_photo` can read the
        file, or say why it cannot be read.
    """
    try:
        with _opened(path, None) as file:
            if _format(file, path) != "jpeg":
                return None
            header = read_header(file, "jpeg", None)
            return run_interruptibly(lambda: decode_eighth(file, header, max_pixels))
    except (ImageError, pyvips.Error, OSError, MemoryError, ValueError):
        return None


def format_of_file(path: str | os.PathLike[str], content: BinaryIO | None = None) -> str:
    """Return the format of a file by its first bytes and, for TIFF, its tags.

    Args:
        path: the file.
        content: what it holds, as of :func:`read_photo`.

    Raises:
        ImageError: it cannot be opened or is no photograph.

    Example:
        >>> format_of_file("missing.jpg")
        Traceback (most recent call last):
            ...
        invdn.errors.ImageError: cannot read 'missing.jpg': there is no such file; check the name
    """
    path = Path(path)
    try:
        with _opened(path, content) as file:
            return _format(file, path)
    except (ImageError, OSError, ValueError) as error:
        raise ImageError(f"cannot read {str(path)!r}: {_reason(error)}") from error


def output_suffix(source: Path, wanted: str | None = None, content: BinaryIO | None = None) -> str:
    """Return the ending for the result of a photograph: its own, if that tells the truth.

    The format is the one asked for, else the source's by its content, else (HEIC and raw, which
    cannot be written) the one that stands in for it. A file that cannot be read keeps its ending;
    reading it will say why.

    Args:
        source: the photograph.
        wanted: ``"jpeg"``, ``"png"``, ``"tiff"``, ``"webp"``, ``"avif"``, or ``None``.
        content: what the file holds, where it lies elsewhere than on a disk.

    Example:
        >>> output_suffix(Path("missing.JPG")), output_suffix(Path("missing.JPG"), "tiff")
        ('.JPG', '.tif')
        >>> output_suffix(Path("missing.dng"))
        '.tif'
    """
    if wanted is None:
        wanted = _result_format(source, content)
    if wanted is None or SUFFIXES.get(source.suffix.lower()) == wanted:
        return source.suffix
    return suffix_of_format(wanted)


def _result_format(source: Path, content: BinaryIO | None) -> str | None:
    try:
        name = format_of_file(source, content)
    except ImageError:
        suffix = source.suffix.lower()
        name = "raw" if suffix in RAW_SUFFIXES else {**SUFFIXES, **_READ_ONLY}.get(suffix, "")
    return WRITTEN_AS.get(name, name) or None


def _format(file: BinaryIO, path: Path) -> str:
    name = format_of_content(file.read(64), path.suffix)
    if name == "tiff":
        try:
            if tiff.is_raw(file) or path.suffix.lower() in RAW_SUFFIXES:
                return "raw"
        except DirectoryError as error:
            raise ImageError(DAMAGED) from error
    return name


def _read(file: BinaryIO, name: str, max_pixels: int, page: int | None) -> Photo:
    if name == "raw":
        choose_page(1, page)
        return develop(file, max_pixels)
    if name in _OTHERS:
        choose_page(1, page)
        return decode_other(file, name, max_pixels)
    header = read_header(file, name, page)
    if header.detour:
        return decode_tiff(file, header, max_pixels)
    if name == "heic":
        return decode_heic(file, header, max_pixels)
    try:
        return decode(file, name, header, max_pixels)
    except pyvips.Error as error:
        if name != "tiff" or "tile size" not in error.detail:
            raise
    header = replace(header, detour="stored in tiles much larger than the picture")
    return decode_tiff(file, header, max_pixels)


def _reason(error: Exception) -> str:
    match error:
        case ImageError():
            return str(error)
        case pyvips.Error():
            return DAMAGED
        case FileNotFoundError():
            return "there is no such file; check the name"
        case PermissionError():
            return "permission is denied; change the permissions of the file"
        case MemoryError():
            return "the memory is too small for it; close other programs"
        case OSError():
            return error.strerror or str(error)
        case _:
            return str(error)


@contextmanager
def _opened(path: Path, content: BinaryIO | None) -> Iterator[BinaryIO]:
    """Yield the file, if it is a regular one: opening a pipe would wait for ever."""
    if content is not None:
        content.seek(0)
        yield content
        return
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise ImageError("it is a folder; give the photographs in it")
    if not stat.S_ISREG(mode):
        raise ImageError(f"it is no regular file; give {READABLE}")
    with path.open("rb") as file:
        yield file
