"""Which format a file has: by content when reading, by its name when writing."""

from pathlib import Path

from ..errors import ImageError, OutputError

SUFFIXES = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
}
_READABLE = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
}
_OTHER = {
    b"GIF8": "a GIF animation",
    b"BM": "a BMP picture",
    b"%PDF": "a PDF document",
    b"8BPS": "a Photoshop document",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
    b"FUJIFILMCCD-RAW": "a camera's raw file",
    b"IIRO": "a camera's raw file",
    b"IIU\0": "a camera's raw file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML document",
    b"PK\x03\x04": "a ZIP archive",
}
_ADVICE = "give a JPEG, PNG, TIFF or WebP photograph"


def format_of_content(start: bytes) -> str:
    """The format of a file from its first 16 bytes or more, whatever it is called.

    Raises:
        ImageError: it is no photograph that can be read; says what it is where that is known.

    Example:
        >>> format_of_content(b"RIFF....WEBPVP8 ")
        'webp'
        >>> format_of_content(b"%PDF-1.7 and so on")
        Traceback (most recent call last):
            ...
        invdn.errors.ImageError: it is a PDF document; give a JPEG, PNG, TIFF or WebP photograph
    """
    if not start:
        raise ImageError("the file is empty; fetch it again from where it came from")
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start[:4] in (b"II*\0", b"MM\0*") and start[8:10] == b"CR":
        raise ImageError("it is a camera's raw file; develop it to a 16-bit TIFF first")
    for magic, name in _READABLE.items():
        if start.startswith(magic):
            return name
    for magic, name in _OTHER.items():
        if start.startswith(magic):
            raise ImageError(f"it is {name}; {_ADVICE}")
    if start[4:8] == b"ftyp":
        raise ImageError(f"it is a HEIC, AVIF or raw picture or a video; {_ADVICE}")
    raise ImageError(f"it is no picture of a known format; {_ADVICE}")


def format_of_name(path: Path) -> str:
    """The format that a name's ending asks for.

    Raises:
        OutputError: the ending belongs to no format that can be written.

    Example:
        >>> format_of_name(Path("holiday.JPG"))
        'jpeg'
    """
    name = SUFFIXES.get(path.suffix.lower())
    if name is None:
        raise OutputError(
            f"cannot write {str(path)!r}: the ending {path.suffix!r} names no known format; "
            f"use one of {', '.join(SUFFIXES)}"
        )
    return name
