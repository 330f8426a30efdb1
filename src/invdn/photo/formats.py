"""Which format a file has: by content when reading, by its name when writing."""

from pathlib import Path

from ..errors import ImageError, OutputError

#: Endings of the formats that can be written, the usual one of each format first.
SUFFIXES = {
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".jpe": "jpeg",
    ".jfif": "jpeg",
    ".png": "png",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".webp": "webp",
    ".avif": "avif",
    ".jxl": "jxl",
}
#: Ending of the raw format that can be written as well, of raw files.
DNG = ".dng"
#: Formats that can only be read, and the format that their results have instead.
WRITTEN_AS = {
    "heic": "avif",
    "raw": "tiff",
    "jp2": "tiff",
    "bmp": "png",
    "ppm": "png",
    "gif": "png",
}
#: Endings of cameras' raw files; some are TIFF files that only the name tells apart.
RAW_SUFFIXES = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc"}
    | {".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl"}
    | {".sr2", ".srf", ".srw", ".x3f"}
)
_HEIC_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
#: Endings that a folder is searched for; a file that is named outright may have any.
PHOTOGRAPH_SUFFIXES = frozenset(
    {*SUFFIXES, *RAW_SUFFIXES, *_HEIC_SUFFIXES, ".mpo", ".jp2", ".j2k", ".jpf", ".jpx"}
    | {".bmp", ".dib", ".ppm", ".pgm", ".pbm", ".pnm", ".gif"}
)
XMP_SUFFIX = ".xmp"
#: Of files with settings of RawTherapee, DxO, ON1, Capture One, Apple.
SETTINGS_SUFFIXES = (".pp3", ".dop", ".on1", ".cos", ".aae")
#: Endings of files that belong to a photograph.
SIDECARS = frozenset({XMP_SUFFIX, *SETTINGS_SUFFIXES})
READABLE = "a JPEG, PNG, TIFF, WebP, AVIF, JPEG XL, HEIC or raw photograph"
_READABLE = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"FUJIFILMCCD-RAW": "raw",
    b"IIRO": "raw",  # Olympus
    b"IIRS": "raw",
    b"MMOR": "raw",
    b"IIU\0": "raw",  # Panasonic, Leica
    b"FOVb": "raw",  # Sigma
    b"\0MRM": "raw",  # Minolta
    b"\0\0\0\x0cJXL ": "jxl",
    b"\xff\x0a": "jxl",
    b"\0\0\0\x0cjP  ": "jp2",
    b"\xff\x4f\xff\x51": "jp2",
    b"GIF8": "gif",
    b"II\x1a\0\0\0HEAPCCDR": "raw",  # Canon, before 2004
}
# from: ISO/IEC 23008-12 and 14496-12, brands of the file type box
_BRANDS = {
    b"avif": "avif",
    b"heic": "heic",
    b"heix": "heic",
    b"heim": "heic",
    b"heis": "heic",
    b"crx ": "raw",  # Canon
}
_BMP_HEADS = {12, 16, 40, 52, 56, 64, 108, 124}  # bytes, by version
_SEQUENCES = {b"avis", b"hevc", b"hevx", b"msf1"}
_OTHER = {
    b"%PDF": "a PDF document",
    b"8BPS": "a Photoshop document",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML document",
    b"PK\x03\x04": "a ZIP archive",
}
_ADVICE = f"give {READABLE}"


def format_of_content(start: bytes, suffix: str = "") -> str:
    """Return the format of a file from its first 64 bytes or more, whatever it is called.

    A raw file that is built as a TIFF file is ``"tiff"`` here: its tags tell it apart.

    Args:
        start: the bytes.
        suffix: the ending of its name. Some old cameras' raw files begin with the picture itself,
            so the ending of a raw file is believed where nothing else is known.

    Raises:
        ImageError: it is no photograph that can be read; says what it is where that is known.

    Example:
        >>> format_of_content(b"RIFF....WEBPVP8 ")
        'webp'
        >>> format_of_content(b"%PDF-1.7 and so on")
        Traceback (most recent call last):
            ...
        invdn.errors.ImageError: it is a PDF document; give a JPEG, PNG, TIFF, WebP, AVIF, \
JPEG XL, HEIC or raw photograph
    """
    if not start:
        raise ImageError("the file is empty; fetch it again from where it came from")
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start[:4] in (b"II*\0", b"MM\0*") and start[8:10] == b"CR":  # Canon, 2004 to 2018
        return "raw"
    for magic, name in _READABLE.items():
        if start.startswith(magic):
            return name
    if start[:2] == b"BM" and int.from_bytes(start[14:18], "little") in _BMP_HEADS:
        return "bmp"
    if start[:1] == b"P" and start[1:2] in b"123456" and start[2:3].isspace():
        return "ppm"
    for magic, name in _OTHER.items():
        if start.startswith(magic):
            raise ImageError(f"it is {name}; {_ADVICE}")
    if start[4:8] == b"ftyp":
        return _format_of_brands(start)
    if suffix.lower() in RAW_SUFFIXES:
        return "raw"
    raise ImageError(f"it is no picture of a known format; {_ADVICE}")


def format_of_name(path: Path) -> str:
    """Return the format that a name's ending asks for.

    Raises:
        OutputError: the ending belongs to no format that can be written.

    Example:
        >>> format_of_name(Path("holiday.JPG"))
        'jpeg'
    """
    suffix = path.suffix.lower()
    if suffix == DNG:
        return "dng"
    name = SUFFIXES.get(suffix)
    if name is None:
        if suffix in _HEIC_SUFFIXES:
            raise OutputError(
                f"cannot write {str(path)!r}: HEIC can be read only, since its encoders may not be "
                "shipped with this program; use the ending .avif, which keeps depth, metadata and "
                "gain map in the same container"
            )
        kind = "no known format"
        if suffix in PHOTOGRAPH_SUFFIXES:
            kind = "a format that can be read only"
        raise OutputError(
            f"cannot write {str(path)!r}: the ending {path.suffix!r} names {kind}; "
            f"use one of {', '.join(SUFFIXES)}"
        )
    return name


def suffix_of_format(name: str) -> str:
    """Return the usual ending of a format that can be written.

    Example:
        >>> suffix_of_format("tiff")
        '.tif'
    """
    if name == "dng":
        return DNG
    return next(suffix for suffix, other in SUFFIXES.items() if other == name)


def _format_of_brands(start: bytes) -> str:
    size = min(int.from_bytes(start[:4]), len(start))
    brands = [start[8:12], *(start[place : place + 4] for place in range(16, size - 3, 4))]
    if brands[0] in _SEQUENCES:
        raise ImageError("it is an animation; save the frame that you want as a still picture")
    for brand in brands:
        if name := _BRANDS.get(brand):
            return name
    if brands[0] in (b"mif1", b"miaf"):
        return "heic"
    raise ImageError(f"it is a video or a picture of an unknown kind; {_ADVICE}")
