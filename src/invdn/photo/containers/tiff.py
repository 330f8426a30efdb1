"""The tags of a TIFF file: what rules it out, and the EXIF that libvips does not carry.

EXIF in a TIFF file is no block but tags among the others plus two directories below them. Reading
gathers these into the block that JPEG, PNG and WebP hold; writing spreads a block out again.
A thumbnail in the block has no place in a TIFF and is left out there; so are camera makers' notes
whose inner offsets count from the start of the original file (their bytes are kept, yet a reader
may not follow them).
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO

from ..photo import Metadata
from .ifd import (
    ORIENTATION,
    Directory,
    DirectoryError,
    Entry,
    positions,
    read_directory,
    serialise,
)
from .jpeg import read_resources

XMP, IPTC, _ICC = 700, 33723, 34675
# document name, description, make, model, orientation, page name, software, date, artist, host
# computer, ratings, copyright; Windows' title, comment, author, keywords and subject
DESCRIPTIVE = {269, 270, 271, 272, ORIENTATION, 285, 305, 306, 315, 316, 18246, 18249, 33432}
DESCRIPTIVE |= {40091, 40092, 40093, 40094, 40095}
_SUBFILE, _BITS, _PHOTOMETRIC, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _DNG = 254, 258, 262, 338, 339, 50706
_PLANAR, _TILE = 284, 322
_X, _Y, _UNIT, _INCH, _CENTIMETRE = 282, 283, 296, 2, 3
_PHOTOSHOP, _LAYERS, _PARTS = 34377, 37724, 330
# how the pixels lie and are coded, which the new file's encoder tells anew; and what is read above
_OF_THE_ENCODER = {*range(254, 260), *range(262, 267), 273, *range(277, 282), 284, *range(288, 294)}
_OF_THE_ENCODER |= {297, 317, 320, 321, 322, 323, 324, 325, 326, 327, 328, 332, 334, 336}
_OF_THE_ENCODER |= {338, 339, 340, 341, *range(343, 348), 351, *range(512, 522), *range(529, 533)}
_OF_THE_ENCODER |= {XMP, IPTC, _ICC, _X, _Y, _UNIT, 34675, 50674}
_COMPRESSION = 259
# from: libtiff's tiff.h; those that tifffile and imagecodecs decode
_CODECS = {
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34925: "LZMA",
    50000: "Zstandard",
    34926: "Zstandard",
    50001: "WebP",
    34927: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
    22610: "JPEG XR",
    34934: "JPEG XR",
    50013: "Pixar's log",
}
_HELD = {1, 2, 3, 4, 5, 7, 8, 32771, 32773, 32946}  # by libvips' wheel
_REDUCED, _NO_PAGE = 1, 1 | 4  # bits of the kind of a subfile: a reduced copy, a mask
# sample format, bits
_READABLE = {(1, 1), (1, 2), (1, 4), *((1, bits) for bits in range(8, 17)), (3, 16), (3, 32)}
_PHOTOMETRICS = {0: "grey", 1: "grey", 2: "RGB", 3: "palette", 6: "YCbCr"}
_FOREIGN = {4: "a mask", 5: "CMYK", 8: "Lab", 9: "Lab", 10: "Lab", 32844: "LogLuv", 32845: "LogLuv"}


@dataclass(frozen=True)
class TiffHeader:
    """What the tags say.

    Attributes:
        exif: the block that other formats hold.
        iptc: IPTC records.
        obstacle: why the picture cannot be read, or ``None``.
        pages: numbers (from 0) of the directories that hold pictures; reduced copies and masks
            of them do not count.
        resolution: horizontal and vertical pixels per millimetre.
        native: a stream of tags that only TIFF knows.
        transparency: whether a further channel is one, and not of unknown meaning.
        dropped: what is left out of every result, for people.
        detour: why libvips' wheel cannot decode the pixels and tifffile must, to follow "its pixels
            are"; empty: it can.
    """

    exif: bytes | None = None
    iptc: bytes | None = None
    obstacle: str | None = None
    pages: tuple[int, ...] = (0,)
    resolution: tuple[float, float] | None = None
    native: bytes = b""
    transparency: bool = True
    dropped: tuple[str, ...] = ()
    detour: str = ""


def is_raw(file: BinaryIO) -> bool:
    """Return whether the first directory is a camera's: a DNG, or a preview with the picture below.

    Raises:
        DirectoryError: the tags are damaged.
    """
    _, directory = read_directory(file)
    return _DNG in directory.entries or bool(directory.first(_SUBFILE) & _REDUCED)


def read_header(file: BinaryIO, page: int | None = None) -> TiffHeader:
    """Look at a page of a TIFF or BigTIFF file.

    Args:
        file: open for reading.
        page: which of the pages, from 0; ``None`` takes the first.

    Raises:
        DirectoryError: the tags are damaged.
    """
    places = positions(file)
    pages = tuple(
        number
        for number, place in enumerate(places)
        if not number or not read_directory(file, place)[1].first(_SUBFILE) & _NO_PAGE
    )
    number = pages[page] if page is not None and page < len(pages) else 0
    _, directory = read_directory(file, places[number] if places else None)
    entries = directory.entries
    exif = Directory(
        {tag: entry for tag, entry in entries.items() if tag in DESCRIPTIVE}, directory.children
    )
    plain = exif.entries.keys() <= {ORIENTATION} and exif.first(ORIENTATION, 1) == 1
    return TiffHeader(
        None if plain and not exif.children else serialise(exif),
        entries[IPTC].data if IPTC in entries else None,
        _obstacle(directory),
        pages,
        _resolution(directory),
        _native(directory),
        directory.first(_EXTRA_SAMPLES, 2) != 0,
        _dropped(directory, len(places) - len(pages)),
        _detour(directory),
    )


def names_of(native: bytes) -> tuple[str, ...]:
    """Return what tags that only TIFF knows are, for people.

    Example:
        >>> names_of(serialise(Directory({33550: Entry(12, bytes(24))})))
        ('the TIFF tag 33550',)
    """
    if not native:
        return ()
    tags = read_directory(io.BytesIO(native))[1].entries
    known = {_PHOTOSHOP: "Photoshop's resources"}
    return tuple(
        known.get(tag, f"the TIFF tag {tag}") for tag in tags if tag not in (_X, _Y, _UNIT)
    )


def add_metadata(
    file: BinaryIO, metadata: Metadata, native: bytes = b"", *, transparency: bool = True
) -> None:
    """Add everything to a finished TIFF file by appending a new first directory.

    EXIF that is too damaged to be taken apart is left out. A resolution that the photograph does
    not have is taken off: the encoder has made it up.

    Args:
        file: open for reading and writing.
        metadata: whose profile, EXIF, XMP and IPTC are added.
        native: a stream of tags that only TIFF knows.
        transparency: whether a further channel is one, and not of unknown meaning.
    """
    additions = Directory()
    if native:
        additions.entries.update(read_directory(io.BytesIO(native))[1].entries)
    if metadata.exif:
        try:
            block = read_directory(io.BytesIO(metadata.exif))[1]
        except DirectoryError:
            block = Directory()
        additions.entries.update((t, e) for t, e in block.entries.items() if t in DESCRIPTIVE)
        additions.children.update(block.children)
        if not 1 <= additions.first(ORIENTATION, 1) <= 8:  # libtiff would refuse the file
            del additions.entries[ORIENTATION]
    for tag, kind, blob in (
        (XMP, 1, metadata.xmp),
        (IPTC, 7, metadata.iptc),
        (_ICC, 7, metadata.icc),
    ):
        if blob:
            additions.entries[tag] = Entry(kind, blob)
    if not transparency:
        additions.entries[_EXTRA_SAMPLES] = Entry(3, b"\0\0")
    layout, directory = read_directory(file)
    made_up = not metadata.resolution and {_X, _Y} <= directory.entries.keys()
    if not additions.entries and not additions.children and not made_up:
        return
    if made_up:
        for tag in (_X, _Y, _UNIT):
            directory.entries.pop(tag, None)
    directory.entries.update(additions.entries)
    directory.children.update(additions.children)
    position = file.seek(0, io.SEEK_END)
    position += file.write(b"\0" * (-position % 8))
    file.write(serialise(directory, layout, position))
    file.seek(layout.first_offset_at)
    file.write(layout.offset.pack(position))


def _resolution(directory: Directory) -> tuple[float, float] | None:
    unit = {_INCH: 25.4, _CENTIMETRE: 10.0}.get(directory.first(_UNIT, _INCH))
    numbers = []
    for tag in (_X, _Y):
        entry = directory.entries.get(tag)
        if not unit or entry is None or entry.type != 5:
            return None
        over, under = struct.unpack_from("<2I", entry.data)
        if not over or not under:
            return None
        numbers.append(over / under / unit)
    return numbers[0], numbers[1]


def _native(directory: Directory) -> bytes:
    """Return tags that say something of the picture and have no place in other formats."""
    found: dict[int, Entry] = {}
    left_out = DESCRIPTIVE | _OF_THE_ENCODER | {_LAYERS, _PARTS}
    for tag, entry in directory.entries.items():
        if tag == _PHOTOSHOP:
            others = read_resources(entry.data)[1]
            found |= {tag: Entry(entry.type, others)} if others else {}
        elif tag not in left_out:
            found[tag] = entry
    found |= {tag: directory.entries[tag] for tag in (_X, _Y, _UNIT) if tag in directory.entries}
    return serialise(Directory(found)) if found else b""


def _dropped(directory: Directory, other_directories: int) -> tuple[str, ...]:
    dropped = []
    if other_directories > 0:
        dropped.append(
            f"{other_directories} reduced cop{'ies' if other_directories > 1 else 'y'} or masks"
        )
    if _PARTS in directory.entries:
        dropped.append("the pictures below it (SubIFDs)")
    if _LAYERS in directory.entries:
        dropped.append("Photoshop's layers")
    if _PHOTOSHOP in directory.entries and read_resources(directory.entries[_PHOTOSHOP].data)[2]:
        dropped.append("Photoshop's thumbnail")
    return tuple(dropped)


def _detour(directory: Directory) -> str:
    if codec := _CODECS.get(directory.first(_COMPRESSION, 1)):
        return f"compressed with {codec}"
    kind, bits = directory.first(_SAMPLE_FORMAT, 1), directory.first(_BITS, 1)
    if 8 < bits < 16:
        return f"packed in {bits} bits"
    tiled_or_half = _TILE in directory.entries or (kind, bits) == (3, 16)
    if directory.first(_PLANAR, 1) == 2 and tiled_or_half:
        return "stored in a plane of each colour"
    return ""


def _obstacle(directory: Directory) -> str | None:
    photometric = directory.first(_PHOTOMETRIC, 1)
    compression = directory.first(_COMPRESSION, 1)
    if compression not in _HELD | _CODECS.keys():
        return (
            f"its pixels are compressed in a way that cannot be decoded (TIFF's compression "
            f"{compression}); save it with deflate or LZW"
        )
    if photometric == 5 and _ICC in directory.entries and compression in _HELD:
        return None
    sample = (directory.first(_SAMPLE_FORMAT, 1), directory.first(_BITS, 1))
    if photometric not in _PHOTOMETRICS:
        kind = _FOREIGN.get(photometric, f"of kind {photometric}")
        if photometric == 5:
            kind = "CMYK without a profile"
        return f"its colours are {kind}; convert it to RGB or greyscale in a photo editor first"
    if sample not in _READABLE:
        number = {1: "unsigned", 2: "signed", 3: "floating-point"}.get(sample[0], "complex")
        return (
            f"its samples are {number} numbers of {sample[1]} bits; "
            "save it with 8 or 16 bits, or as 32-bit floating point"
        )
    if directory.first(_EXTRA_SAMPLES) == 1:
        return (
            "its colours are premultiplied with alpha; save it with straight (unassociated) alpha"
        )
    return None
