"""Which ending the name of a result gets."""

from pathlib import Path
from typing import BinaryIO

from ..errors import ImageError
from .formats import RAW_SUFFIXES, SUFFIXES, WRITTEN_AS, suffix_of_format
from .read import format_of_file

# endings of formats that are read only, for files that cannot be looked into
_READ_ONLY = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "heic"),
    **dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx"), "jp2"),
    **dict.fromkeys((".bmp", ".dib"), "bmp"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "ppm"),
    ".gif": "gif",
    ".mpo": "jpeg",
}


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
        wanted = _format(source, content)
    if wanted is None or SUFFIXES.get(source.suffix.lower()) == wanted:
        return source.suffix
    return suffix_of_format(wanted)


def _format(source: Path, content: BinaryIO | None) -> str | None:
    try:
        name = format_of_file(source, content)
    except ImageError:
        suffix = source.suffix.lower()
        name = "raw" if suffix in RAW_SUFFIXES else {**SUFFIXES, **_READ_ONLY}.get(suffix, "")
    return WRITTEN_AS.get(name, name) or None
