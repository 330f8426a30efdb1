"""Read the size of photographs from their first bytes, to estimate the time left.

libvips is not asked, since it collects the messages of all its threads in one place, and reading
looks there for damage.
"""

import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import ImageError
from ..photo.containers.ifd import read_directory
from ..photo.containers.jpeg_attachments import FRAMES
from ..photo.formats import RAW_SUFFIXES, format_of_content

_WIDTH, _HEIGHT = 256, 257  # from: TIFF 6.0, section 8


def megapixels_of(path: Path) -> float | None:
    """Return the millions of pixels that the header of a JPEG, PNG, TIFF or WebP names.

    None where it names none: another format, damage, not a file, not readable.

    Example:
        >>> megapixels_of(Path("no such file"))
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever
            return None
        if path.suffix.lower() in RAW_SUFFIXES:  # their tags begin with a thumbnail's
            return None
        with path.open("rb") as file:
            width, height = _size(file)
    except (OSError, ValueError, LookupError, ImageError):
        return None
    return width * height / 1e6


def megapixels_of_content(file: BinaryIO) -> float | None:
    """Do what :func:`megapixels_of` does for the first bytes of a file that lies elsewhere.

    Example:
        >>> import io
        >>> megapixels_of_content(io.BytesIO(b"no photograph"))
    """
    try:
        width, height = _size(file)
    except (OSError, ValueError, LookupError, ImageError):
        return None
    return width * height / 1e6


def _size(file: BinaryIO) -> tuple[int, int]:
    start = file.read(64)
    match format_of_content(start):
        case "jpeg":
            return _size_of_jpeg(file)
        case "png":
            return int.from_bytes(start[16:20]), int.from_bytes(start[20:24])
        case "webp":
            return _size_of_webp(start)
        case "tiff":
            return _size_of_tiff(file)
        case name:
            raise ImageError(f"the size of {name} is not read here")


def _size_of_jpeg(file: BinaryIO) -> tuple[int, int]:
    file.seek(2)
    while True:
        marker = file.read(1)
        while marker == b"\xff":
            marker = file.read(1)
        length = int.from_bytes(file.read(2))
        if not marker or length < 2:
            raise ImageError("it is cut short")
        if marker[0] in FRAMES:
            frame = file.read(5)
            return int.from_bytes(frame[3:5]), int.from_bytes(frame[1:3])
        file.seek(length - 2, 1)


def _size_of_webp(start: bytes) -> tuple[int, int]:
    # from: RFC 9649, sections 2.6 and 2.7; RFC 6386, section 9.1
    match start[12:16]:
        case b"VP8X":
            width, height = (int.from_bytes(start[at : at + 3], "little") for at in (24, 27))
            return width + 1, height + 1
        case b"VP8L":
            both = int.from_bytes(start[21:25], "little")
            return (both & 0x3FFF) + 1, (both >> 14 & 0x3FFF) + 1
        case _:
            width, height = (int.from_bytes(start[at : at + 2], "little") for at in (26, 28))
            return width & 0x3FFF, height & 0x3FFF


def _size_of_tiff(file: BinaryIO) -> tuple[int, int]:
    entries = read_directory(file)[1].entries
    return entries[_WIDTH].first, entries[_HEIGHT].first
