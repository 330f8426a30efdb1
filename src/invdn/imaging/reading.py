"""Photographs from files: everything or a typed error, never half a picture."""

import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import ImageError
from .containers import jpeg, png, tiff, webp
from .containers.directories import DirectoryError
from .depth import Pixels, is_finite
from .formats import format_of_content
from .interruptible import interruptible
from .libvips import pyvips
from .photo import Compression, Metadata, Photo

MAX_PIXELS = 500_000_000
_ROWS = 256  # decoded in one go
_TYPES = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32}
_COLOURS = {"b-w", "grey16", "srgb", "rgb", "rgb16", "scrgb", "multiband"}
_TAG_COMPLAINT = re.compile(r'Bad value .* for ".*" tag')
_FINEST = 1e5  # pixels per millimetre; more is nonsense, and libvips cannot write it
_DAMAGED = "the file is damaged or cut short; fetch it again from where it came from"
# libvips has one buffer of messages for all threads, and some damage shows only there
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class _Header:
    """What the blocks around the pixels say, before libvips is asked."""

    exif: bytes | None
    iptc: bytes | None
    native: bytes
    compression: Compression
    aspect: tuple[int, int] | None = None


def read_photo(path: str | os.PathLike[str], *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a JPEG, PNG, TIFF or WebP photograph exactly as it is stored.

    The content decides the format, not the name. 8 and 16 bits and 32-bit floats keep their
    depth; palettes, fewer than 8 bits and 16-bit floats are expanded. The picture is decoded once,
    from top to bottom, straight into the arrays of the result.

    Args:
        path: the file; any name, a symbolic link too.
        max_pixels: refuse larger pictures before decoding them (a guard against files that
            unpack to more than the memory holds).

    Raises:
        ImageError: missing, unreadable, damaged, cut short, too large, not a photograph, of a kind
            that is not supported (CMYK, several pages, animated), or holding NaN.

    Example:
        >>> import tempfile
        >>> from .writing import write_photo
        >>> path = Path(tempfile.mkdtemp()) / "grey.png"
        >>> write_photo(Photo(np.eye(4, dtype=np.uint16)), path)
        >>> read_photo(path).pixels.dtype
        dtype('uint16')
    """
    path = Path(path)
    try:
        with _opened(path) as file:
            name = format_of_content(file.read(32))
            header = _read_header(file, name)
            return interruptible(lambda: _decode(file, name, header, max_pixels))
    except (ImageError, pyvips.Error, OSError, MemoryError, ValueError) as error:
        raise ImageError(f"cannot read {str(path)!r}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    match error:
        case ImageError():
            return str(error)
        case pyvips.Error():
            return _DAMAGED
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
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, if it is a regular one: opening a pipe would wait for ever."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise ImageError("it is a folder; give the photographs in it")
    if not stat.S_ISREG(mode):
        raise ImageError("it is no regular file; give a JPEG, PNG, TIFF or WebP photograph")
    with path.open("rb") as file:
        yield file


def _read_header(file: BinaryIO, name: str) -> _Header:
    match name:
        case "jpeg":
            j = jpeg.read_header(file)
            return _Header(j.exif, j.iptc, j.native, j.compression, j.aspect)
        case "png":
            p = png.read_header(file)
            _refuse_animation(p.animated)
            return _Header(p.exif, None, p.native, Compression())
        case "webp":
            file.seek(0)
            w = webp.read_header(file.read())
            _refuse_animation(w.animated)
            return _Header(w.exif, None, b"", Compression(lossless=w.lossless))
        case _:
            try:
                t = tiff.read_header(file)
            except DirectoryError as error:
                raise ImageError(_DAMAGED) from error
            if t.obstacle:
                raise ImageError(t.obstacle)
            return _Header(t.exif, t.iptc, b"", Compression())


def _refuse_animation(animated: bool) -> None:
    if animated:
        raise ImageError("it is an animation; save the frame that you want as a still picture")


def _decode(file: BinaryIO, name: str, header: _Header, max_pixels: int) -> Photo:
    # only warnings tell of a JPEG's missing rows; other formats warn of trifles
    strict, lenient = ("warning", "error") if name == "jpeg" else ("error", "truncated")
    with _one_at_a_time:
        try:
            return _attempt(file, name, header, max_pixels, strict)
        except pyvips.Error as error:
            if _is_damage(name, error.detail):
                raise
        return _attempt(file, name, header, max_pixels, lenient)


def _is_damage(name: str, messages: str) -> bool:
    """Whether pixels are at stake, and not only a formality such as an impossible orientation."""
    match name:
        case "jpeg":
            return any(sign in messages for sign in ("Corrupt JPEG data", "premature end"))
        case "tiff":
            return any(not _TAG_COMPLAINT.search(line) for line in messages.split("\n") if line)
        case _:
            return True


def _attempt(file: BinaryIO, name: str, header: _Header, max_pixels: int, strictness: str) -> Photo:
    pyvips.Error("")  # creating one empties the buffer of messages
    file.seek(0)
    if name == "webp":  # would be mapped into memory, which crashes if the file shrinks meanwhile
        source = pyvips.Source.new_from_memory(file.read())
    else:
        source = pyvips.Source.new_from_descriptor(file.fileno())
    load = getattr(pyvips.Image, f"{name}load_source")
    image = load(source, access="sequential", fail_on=strictness)
    _check(image, max_pixels)
    pixels, alpha = _arrays(image)
    messages = pyvips.Error("").detail
    told_late = name == "jpeg" or strictness == "truncated"  # in the last rows, or not as an error
    if told_late and messages and _is_damage(name, messages):
        raise ImageError(_DAMAGED)
    resolution = (image.xres, image.yres)
    made_up = [(1.0, 1.0)]  # libvips' own numbers where the file has none
    if header.aspect:
        made_up += [header.aspect, (72 / 25.4, 72 / 25.4)]
    metadata = Metadata(
        icc=_blob(image, "icc-profile-data"),
        exif=header.exif,
        xmp=_blob(image, "xmp-data"),
        iptc=header.iptc,
        resolution=None if resolution in made_up or max(resolution) > _FINEST else resolution,
        native=header.native,
    )
    return Photo(pixels, alpha, metadata, name, header.compression)


def _check(image: Any, max_pixels: int) -> None:
    """Refuse what cannot be represented before any pixel is decoded."""
    if image.width * image.height > max_pixels:
        raise ImageError(
            f"it has {image.width}x{image.height} pixels and the limit is {max_pixels / 1e6:g} "
            "million; raise it (max_pixels, or --max-megapixels of the command) if the file is "
            "trustworthy and the memory large enough"
        )
    if image.get_typeof("n-pages") and image.get("n-pages") > 1:
        raise ImageError(f"it has {image.get('n-pages')} pages; save each page as its own file")
    if image.interpretation not in _COLOURS:
        raise ImageError(
            f"its colours are {image.interpretation.upper()}; convert it to RGB or greyscale in a "
            "photo editor first"
        )
    if image.format not in _TYPES or image.bands > 4:
        raise ImageError(
            f"it has {image.bands} channels of type {image.format}; save it as greyscale or RGB "
            "with 8 or 16 bits, or as 32-bit floating point"
        )


def _arrays(image: Any) -> tuple[Pixels, Pixels | None]:
    """Decode strip by strip into the arrays of colours and alpha."""
    height, width, bands, kind = image.height, image.width, image.bands, _TYPES[image.format]
    pixels = np.empty((height, width, 3) if bands > 2 else (height, width), kind)
    alpha = np.empty((height, width), kind) if bands in (2, 4) else None
    region = pyvips.Region.new(image)
    for top in range(0, height, _ROWS):
        rows = min(_ROWS, height - top)
        strip = np.frombuffer(region.fetch(0, top, width, rows), kind).reshape(rows, width, bands)
        pixels[top : top + rows] = strip[..., :3] if bands > 2 else strip[..., 0]
        if alpha is not None:
            alpha[top : top + rows] = strip[..., -1]
    if not is_finite(pixels) or (alpha is not None and not is_finite(alpha)):
        raise ImageError("some of its pixels are NaN or infinite; replace them by numbers first")
    return pixels, alpha


def _blob(image: Any, name: str) -> bytes | None:
    return bytes(image.get(name)) if image.get_typeof(name) else None
