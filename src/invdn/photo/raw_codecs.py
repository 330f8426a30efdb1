"""DNGs that LibRaw cannot decode, or not rightly, with plain samples for it in memory.

JPEG XL came with DNG 1.7: Adobe's programs write it, and phones do. Its samples may be stored as
four small pictures, one for each place of the mosaic. Lossy files hold values of even steps to the
eye, which opcodes make linear; LibRaw knows these of one compression only.

Source: Digital Negative Specification 1.7.1 (Adobe 2023).
"""

import io
import struct
from contextlib import suppress
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from .containers.ifd import Directory, DirectoryError, Entry, Layout, read_directory, serialise
from .containers.opcodes import OpcodeError, ValueMap, read_maps
from .decode import DAMAGED, check_size
from .other_formats import import_tifffile

MOSAICS = (32803, 34892)  # kinds of colour of a raw picture: a filter array, linear
_PARTS, _SUBFILE, _PHOTOMETRIC = 330, 254, 262
_WIDTH, _HEIGHT, _BITS, _COMPRESSION = 256, 257, 258, 259
_START, _BANDS, _ROWS, _SIZE, _FORMAT, _FLOATING = 273, 277, 278, 279, 339, 3
_DEFLATE, _OLD_DEFLATE, _JPEG_XL = 8, 32946, 52546
_VERSION, _BACKWARD, _PRIVATE, _OPCODES_2 = 50706, 50707, 50740, 51009
_TABLE, _BLACK_REPEATS, _BLACK, _WHITE, _AREA = 50712, 50713, 50714, 50717, 50829
_ROWS_APART, _COLUMNS_APART = 50975, 52547
# what describes samples as they were stored
_OF_SAMPLES = {317, 322, 323, 324, 325, _FORMAT, _TABLE, _ROWS_APART, _COLUMNS_APART}
_OF_BLACK = {_BLACK_REPEATS, 50715, 50716}
_MOST_PARTS, _MOST_APART, _FULL = 16, 64, 65535


def mosaic_of(file: BinaryIO) -> tuple[int, Directory]:
    """Return the directory of a raw file's picture: the first or one below it, and its place.

    Returns:
        Place and directory; 0 and an empty one where there is none.

    Raises:
        DirectoryError: it is not built like a TIFF.
    """
    layout, first = read_directory(file)
    file.seek(layout.first_offset_at)
    (start,) = layout.offset.unpack(file.read(layout.offset.size))
    found = [(start, first)]
    if places := first.entries.get(_PARTS):
        for (place,) in struct.iter_unpack("<I", places.data[: 4 * _MOST_PARTS]):
            with suppress(DirectoryError):
                found.append((place, read_directory(file, place)[1]))
    for place, directory in found:
        if directory.first(_PHOTOMETRIC) in MOSAICS and not directory.first(_SUBFILE) & 1:
            return place, directory
    return 0, Directory()


def readable_by_libraw(file: BinaryIO, max_pixels: int) -> BinaryIO:
    """Return a raw file that LibRaw decodes rightly.

    Args:
        file: open for reading.
        max_pixels: refuse larger ones before they are decoded.

    Returns:
        The file, or one in memory with the same picture and tags, but without EXIF.

    Raises:
        ImageError: damaged, too large, or to be corrected in a way that is not known here.
        MissingDependencyError: the packages that decode it are not installed.
    """
    try:
        place, picture = mosaic_of(file)
    except DirectoryError:
        place, picture = 0, Directory()
    file.seek(0)
    try:
        maps = read_maps(picture.entries[_OPCODES_2].data) if _OPCODES_2 in picture.entries else ()
    except OpcodeError as error:
        if not error.optional:
            raise ImageError(str(error)) from error
        maps = ()
    compression = picture.first(_COMPRESSION)
    deflate = compression in (_DEFLATE, _OLD_DEFLATE)  # LibRaw knows it of floating numbers
    unknown = compression == _JPEG_XL or (deflate and picture.first(_FORMAT) != _FLOATING)
    if not unknown and not maps:
        return file
    check_size(picture.first(_WIDTH), picture.first(_HEIGHT), max_pixels)
    first = read_directory(file)[1]
    entries = {**first.entries, **picture.entries}
    stored = _decoded(file, place)
    try:
        samples = _samples(stored, entries, maps)
    except OpcodeError as error:
        raise ImageError(f"{error}; convert it with Adobe's DNG Converter") from error
    except (struct.error, IndexError, ValueError, ZeroDivisionError) as error:
        raise ImageError(DAMAGED) from error
    if maps or stored.dtype.kind == "f":
        entries = {tag: entry for tag, entry in entries.items() if tag not in _OF_BLACK}
        entries |= {_BLACK: Entry(3, bytes(2)), _WHITE: Entry(3, struct.pack("<H", _FULL))}
    return _plain(entries, samples)


def _decoded(file: BinaryIO, place: int) -> NDArray[Any]:
    tifffile = import_tifffile("its samples are compressed in a way that LibRaw lacks", "raw")
    file.seek(0)
    try:
        with tifffile.TiffFile(file) as tiff:
            main: Any = tiff.pages[0]
            page = next(page for page in (main, *(main.pages or ())) if page.offset == place)
            stored: NDArray[Any] = page.asarray()
    except Exception as error:  # codecs raise errors of their own, without a common base
        raise ImageError(DAMAGED) from error
    return stored


def _samples(
    stored: NDArray[Any], entries: dict[int, Entry], maps: tuple[ValueMap, ...]
) -> NDArray[Any]:
    """Return samples of 16 bits in their places, linear if opcodes say how."""
    apart = (_ROWS_APART, _COLUMNS_APART)
    for axis, step in enumerate(entries[tag].first if tag in entries else 1 for tag in apart):
        if step > _MOST_APART:
            raise ValueError("no such distance")
        if step > 1:  # each step-th row stands together, and column
            order = np.arange(stored.shape[axis])
            order = np.concatenate([order[first::step] for first in range(step)])
            result = np.empty_like(stored)
            result[order if axis == 0 else (slice(None), order)] = stored
            stored = result
    if stored.dtype.kind == "f":
        white = _values(entries, _WHITE, [1.0])[0]
        scaled = np.clip(stored.astype(np.float32) * np.float32(_FULL / white), 0, _FULL)
        whole: NDArray[Any] = np.rint(scaled).astype(np.uint16)
        return whole
    if stored.dtype.kind != "u" or stored.dtype.itemsize > 2:
        raise ImageError(
            "its samples are no numbers of 16 bits; convert it with Adobe's DNG Converter"
        )
    if _TABLE in entries:
        table = np.frombuffer(entries[_TABLE].data, "<u2")
        stored = table[np.minimum(stored, len(table) - 1)]
    return _mapped(stored, entries, maps) if maps else stored


def _mapped(
    stored: NDArray[Any], entries: dict[int, Entry], maps: tuple[ValueMap, ...]
) -> NDArray[np.uint16]:
    """Return samples with black at 0 and white at 65535 after the opcodes."""
    shape = stored.shape
    stored = stored if stored.ndim == 3 else stored[..., None]
    bands = stored.shape[2]
    white = _values(entries, _WHITE, [float(np.iinfo(stored.dtype).max)])
    down, along = (int(number) for number in _values(entries, _BLACK_REPEATS, [1, 1])[:2])
    black = np.broadcast_to(_values(entries, _BLACK, [0]), down * along * bands)
    black = black.reshape(down, along, bands)
    rows = int(np.lcm.reduce([down, *(one.pitch[0] for one in maps)]))
    columns = int(np.lcm.reduce([along, *(one.pitch[1] for one in maps)]))
    result = np.empty(stored.shape, np.uint16)
    if max(rows, columns) > _MOST_APART:
        raise ValueError("no such mosaic")
    size = shape[:2]
    if _AREA in entries:
        top, left, bottom, right = (int(number) for number in _values(entries, _AREA, []))
        size = bottom - top, right - left
    values = np.arange(int(np.iinfo(stored.dtype).max) + 1, dtype=np.float64)
    for row, column, band in np.ndindex(rows, columns, bands):
        dark = black[row % down, column % along, band]
        light = (values - dark) / (white[min(band, len(white) - 1)] - dark)
        for one in maps:
            light = one(light, row, column, band, size)
        table = np.rint(np.clip(light, 0, 1) * _FULL).astype(np.uint16)
        at = slice(row, None, rows), slice(column, None, columns), band
        result[at] = table[stored[at]]
    return result.reshape(shape)


def _plain(entries: dict[int, Entry], samples: NDArray[Any]) -> BinaryIO:
    """Return a DNG of one directory whose samples are not compressed."""
    data = samples.astype("<u2", copy=False).tobytes()
    bands = 1 if samples.ndim == 2 else samples.shape[2]
    dropped = {_PARTS, _PRIVATE, _OPCODES_2} | _OF_SAMPLES
    entries = {tag: entry for tag, entry in entries.items() if tag not in dropped}
    height, width = samples.shape[:2]
    numbers = {_SUBFILE: 0, _WIDTH: width, _HEIGHT: height, _ROWS: height}
    numbers |= {_START: 8, _SIZE: len(data)}
    entries |= {tag: Entry(4, struct.pack("<I", number)) for tag, number in numbers.items()}
    entries |= {
        _BITS: Entry(3, struct.pack("<H", 16) * bands),
        _COMPRESSION: Entry(3, struct.pack("<H", 1)),
        _BANDS: Entry(3, struct.pack("<H", bands)),
        _VERSION: Entry(1, bytes((1, 4, 0, 0))),
        _BACKWARD: Entry(1, bytes((1, 1, 0, 0))),
    }
    end = 8 + len(data)
    made = io.BytesIO()
    made.write(b"II*\0" + struct.pack("<I", end))
    made.write(data)
    made.write(serialise(Directory(entries), Layout(), end))
    made.seek(0)
    return made


def _values(entries: dict[int, Entry], tag: int, default: list[float]) -> list[float]:
    """Return the numbers of a tag, fractions too."""
    entry = entries.get(tag)
    if entry is None:
        return default
    form = {3: "<u2", 4: "<u4", 5: "<u4", 9: "<i4", 10: "<i4", 11: "<f4", 12: "<f8"}[entry.type]
    numbers = np.frombuffer(entry.data, form).astype(np.float64)
    if entry.type in (5, 10):
        numbers = numbers[::2] / numbers[1::2]
    return [float(number) for number in numbers]
