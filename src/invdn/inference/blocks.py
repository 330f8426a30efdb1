"""Cut an image into blocks, which go through the network one after another.

A block is a band of rows where the engine can stream them, else a tile. The result may take the
place of the noisy pixels: each core may be overwritten before the next window is read, and that
window still needs the noisy pixels around it. Those that are gone were kept aside::

    +-----------------------------+
    | done                        |
    |-----------------------------|
    | above: noisy rows kept aside|   as wide as the photograph, one overlap high
    |---------------+-------------|
    | done   | left | core | ...  |   left: noisy columns kept aside, as high as the core
    |---------------+-------------|
    | untouched                   |
    +-----------------------------+

Tiles overlap: what is read is the window of a tile, and what is kept of it its core::

    picture  |<- core ->|<-- core -->|<- core ->|   cores touch and never overlap
    windows  |<-------------->|                     each reaches at least `overlap`
                   |<---------------------->|       beyond its core on every side
                              |<--------------->|   and starts at a multiple
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..image.dtype import Pixels, to_float
from ..options import SMALLEST_TILE, DenoiseOptions
from .engine import Engine, StreamingEngine
from .noise_shares import CELL

# Bytes. Measured by benchmarks/memory.py, each rounded up: the process with an engine open, before
# any photograph (torch: the larger one), and what a pixel of a window needs at most in an engine
# that does not say it itself (its `bytes_per_pixel`). Rows: what libvips holds of a photograph
# while it decodes and encodes, at most.
_PROCESS = 300_000_000
_WINDOW_PIXEL = 1200
_CODEC_ROWS = 3000
# What rows in flight may take where no limit is set: 13,000 columns and one draw, which is any
# photograph up to 100 megapixels.
_FLIGHT = 1_410_000_000
_STEP = 16  # tiles grow in these steps
_TILE = 512  # of an engine that does not say what suits it; docs/speed.md
#: Pixels that are taken in one piece: up to here no rows are held back, so it is a little faster.
WHOLE = 1 << 20
ROWS = 128  # of the photograph in one piece, where it is larger


@dataclass(frozen=True)
class Tile:
    """One piece of work.

    Attributes:
        top, left, height, width: the window, in pixels of the picture. All four are multiples of
            what :func:`tiles` was asked for, so the last windows may reach beyond the picture; with
            a border the first ones begin before it, and ``top`` and ``left`` are negative.
        core: rows and columns of the picture that this tile fills.

    Example:
        >>> whole, = tiles(5, 7, tile=None, overlap=0, multiple=4)
        >>> whole.height, whole.width, whole.core
        (8, 8, (slice(0, 5, None), slice(0, 7, None)))
    """

    top: int
    left: int
    height: int
    width: int
    core: tuple[slice, slice]

    @property
    def inner(self) -> tuple[slice, slice]:
        """Where the core lies in the window: ``result[tile.core] = window[tile.inner]``."""
        rows, columns = self.core
        return (
            slice(rows.start - self.top, rows.stop - self.top),
            slice(columns.start - self.left, columns.stop - self.left),
        )

    def inside(self, height: int, width: int) -> tuple[slice, slice]:
        """Return what part of the window lies in a picture of this size.

        Example:
            >>> whole, = tiles(5, 7, tile=None, overlap=0, multiple=4, border=4)
            >>> whole.inside(5, 7)
            (slice(4, 9, None), slice(4, 11, None))
        """
        return (
            slice(max(0, -self.top), min(self.height, height - self.top)),
            slice(max(0, -self.left), min(self.width, width - self.left)),
        )

    def within(self, height: int, width: int) -> "Tile":
        """Return the tile with its window cut to a picture of this size."""
        rows, columns = self.inside(height, width)
        return Tile(
            self.top + rows.start,
            self.left + columns.start,
            rows.stop - rows.start,
            columns.stop - columns.start,
            self.core,
        )


def tiles(
    height: int,
    width: int,
    tile: int | None,
    overlap: int,
    multiple: int,
    part: tuple[slice, slice] | None = None,
    border: int = 0,
) -> list[Tile]:
    """Cut a picture, or a part of it, into tiles of nearly equal size, row by row.

    The cores partition the picture: every pixel lies in exactly one. Both window and core start at
    multiples (but for the first core of a part); a window's side is at most
    ``tile + 2 * overlap``, each rounded to a multiple.

    Args:
        height: rows of the picture, 1 or more.
        width: columns of the picture, 1 or more.
        tile: largest side of a core, rounded down to a multiple (but at least one);
            ``None`` or 0 takes the picture as one tile.
        overlap: pixels read beyond the core on each side where the picture has them, rounded up
            to a multiple.
        multiple: what window positions and sizes are divisible by (the scale of the network).
        part: rows and columns that the cores partition instead; the windows still reach into the
            whole picture around it.
        border: pixels, a multiple, by which windows at the picture's edges reach beyond it.

    Raises:
        InputError: a number is negative, a size or the multiple is zero, or the part is empty or
            leaves the picture.

    Example:
        >>> [(t.left, t.width, t.core[1]) for t in tiles(8, 20, tile=8, overlap=3, multiple=4)]
        [(0, 8, slice(0, 4, None)), (0, 16, slice(4, 12, None)), (8, 12, slice(12, 20, None))]
    """
    if min(height, width, multiple) < 1 or min(tile or 0, overlap) < 0:
        raise InputError(
            f"cannot cut {height}x{width} pixels with tile {tile}, overlap {overlap} and "
            f"multiple {multiple}: sizes must be positive, tile and overlap 0 or more"
        )
    part = part or (slice(0, height), slice(0, width))
    for axis, size in zip(part, (height, width), strict=True):
        if not 0 <= axis.start < axis.stop <= size:
            raise InputError(f"{height}x{width} pixels have no part {part}")
    columns = _spans(width, part[1], tile, overlap, multiple, border)
    return [
        Tile(top, left, high, wide, (rows, cols))
        for top, high, rows in _spans(height, part[0], tile, overlap, multiple, border)
        for left, wide, cols in columns
    ]


def read_window(pixels: Pixels, tile: Tile) -> NDArray[np.float32]:
    """Return the window of a tile as float32 with white at 1; mirrored where it leaves the picture.

    The mirror does not repeat the edge pixel (numpy's ``reflect``) and sees the whole picture, so
    that it is the same for every way of tiling; a single row or column is repeated.

    Args:
        pixels: the whole picture, ``(H, W)`` or ``(H, W, C)``.
        tile: one of its tiles.

    Returns:
        ``(tile.height, tile.width)`` or ``(tile.height, tile.width, C)``.

    Example:
        >>> picture = np.array([[0, 51, 255]], np.uint8)
        >>> read_window(picture, *tiles(1, 3, tile=0, overlap=0, multiple=4))[0]
        array([0. , 0.2, 1. , 0.2], dtype=float32)
    """
    rows = _mirrored(tile.top, tile.height, pixels.shape[0])
    columns = _mirrored(tile.left, tile.width, pixels.shape[1])
    return to_float(pixels[rows[:, None], columns])


def choose_tile_size(
    engine: Engine, pixels: Pixels, options: DenoiseOptions, *, resident: int
) -> int:
    """Return the edge of a tile: the options' own, or the largest within their memory.

    Args:
        engine: what will run; it may say what it needs as ``process_bytes`` and
            ``bytes_per_pixel`` (of a window), and which edge suits it as ``tile``.
        pixels: the photograph.
        options: ``tile``, ``overlap`` and ``max_memory``.
        resident: bytes of the photograph, of its result where that is another array, and of what
            is kept beside them.

    Returns:
        0 for the whole photograph at once.

    Raises:
        InputError: not even the smallest tile fits; the message says what would.
    """
    wanted: int = getattr(engine, "tile", _TILE) if options.tile_size is None else options.tile_size
    if options.max_memory is None:
        return wanted
    fixed = _fixed(engine, pixels, options, resident)
    each: int = getattr(engine, "bytes_per_pixel", _WINDOW_PIXEL)
    border = engine.architecture.border
    height, width = (side + 2 * border for side in pixels.shape[:2])

    def needed(tile: int) -> int:
        reach = tile + 2 * max(options.tile_overlap, border) if tile else max(height, width)
        window: int = min(height, reach) * min(width, reach)
        return fixed + window * each

    if needed(wanted) <= options.max_memory:
        return wanted
    largest = wanted or max(height, width)
    for tile in range(largest // _STEP * _STEP, SMALLEST_TILE - 1, -_STEP):
        if needed(tile) <= options.max_memory:
            return tile
    raise InputError(
        f"{options.max_memory / 1e6:.0f} MB are too little for "
        f"{pixels.shape[1]}x{pixels.shape[0]} pixels: "
        f"allow {math.ceil(needed(SMALLEST_TILE) / 1e6)} MB or more"
    )


def can_stream(
    engine: StreamingEngine, pixels: Pixels, options: DenoiseOptions, *, resident: int
) -> bool:
    """Return whether the rows in flight, when a photograph is streamed, fit into the memory."""
    height, width = framed(engine, *pixels.shape[:2])
    # However low a photograph is: what goes in rows keeps some of every layer.
    in_one_piece = height * width <= WHOLE
    each = height * engine.bytes_per_pixel if in_one_piece else engine.bytes_per_column
    flight: int = width * each * (1 + options.num_samples) // 2
    if options.max_memory is None:
        return flight <= _FLIGHT
    return _fixed(engine, pixels, options, resident) + flight <= options.max_memory


def _fixed(engine: Engine, pixels: Pixels, options: DenoiseOptions, resident: int) -> int:
    """Return the bytes that do not depend on how the photograph is cut."""
    process: int = getattr(engine, "process_bytes", _PROCESS)
    rows: int = (_CODEC_ROWS + 2 * options.tile_overlap) * pixels[0].nbytes
    return process + resident + rows


@dataclass(frozen=True)
class BlockPlan:
    """How an image is cut into blocks.

    Attributes:
        tiles: the tiles, row by row; None where the image is streamed in bands of rows.
        passes: passes of the network in all.
        whole: whether the blocks make up the image, whose cores may then be overwritten.
    """

    tiles: tuple[Tile, ...] | None
    passes: int
    whole: bool


def plan_blocks(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions,
    *,
    resident: int,
    part: tuple[slice, slice] | None = None,
) -> BlockPlan:
    """Choose bands of rows or tiles for an image, or for a part of it.

    Args:
        engine: the network, ready to run.
        pixels: the image.
        options: how; the tiles and the memory matter.
        resident: bytes of arrays of the image's size that are held meanwhile, ``pixels`` included.
        part: rows and columns to denoise; None: all.

    Raises:
        InputError: not even the smallest tile fits into the memory.
    """
    height, width = pixels.shape[:2]
    if (
        part is None
        and supports_streaming(engine, options)
        and can_stream(engine, pixels, options, resident=resident)
    ):
        return BlockPlan(None, num_chunks(engine, height, width) * (1 + options.num_samples), True)
    edge = choose_tile_size(engine, pixels, options, resident=resident)
    multiple = math.lcm(engine.architecture.scale, CELL)
    border = engine.architecture.border
    cut = tuple(tiles(height, width, edge, options.tile_overlap, multiple, part, border))
    return BlockPlan(
        cut, len(cut) * options.num_symmetries * (1 + options.num_samples), part is None
    )


def supports_streaming(engine: Engine, options: DenoiseOptions) -> TypeGuard[StreamingEngine]:
    """Return whether rows can stream: the engine can, and the photograph is not turned."""
    return options.num_symmetries == 1 and hasattr(engine, "decode_rows")


def num_chunks(engine: Engine, height: int, width: int) -> int:
    """Return the number of pieces in which a photograph goes through."""
    rows, _ = framed(engine, height, width)
    return -(-rows // rows_in_one_piece(engine, height, width))


def framed(engine: Engine, height: int, width: int) -> tuple[int, int]:
    """Return the size of what the network sees of an image: with a border, in whole cells."""
    scale, border = engine.architecture.scale, engine.architecture.border
    rows, columns = (-(-side // scale) * scale + 2 * border for side in (height, width))
    return rows, columns


def rows_in_one_piece(engine: Engine, height: int, width: int) -> int:
    """Return rows in one piece: all, or as many as are worth a push."""
    rows, columns = framed(engine, height, width)
    scale = engine.architecture.scale
    return rows if rows * columns <= WHOLE else min(-(-ROWS // scale) * scale, rows)


def iter_windows_in_place(
    pixels: Pixels, pieces: Sequence[Tile]
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Yield every tile with its noisy window, though earlier cores may be overwritten.

    Between two steps of the iteration the core of the tile may be overwritten, and nothing else.
    Beside the photograph only one window and the margins that later tiles need are in memory.

    Args:
        pixels: ``(H, W, C)``.
        pieces: its tiles, row by row, as ``tiles`` gives them; a core is no smaller than what its
            window reaches beyond the photograph.

    Example:
        >>> row = np.arange(8, dtype=np.float32).reshape(1, 8, 1)
        >>> cut = tiles(1, 8, tile=4, overlap=4, multiple=4)
        >>> for tile, window in iter_windows_in_place(row, cut):
        ...     row[tile.core] = -1
        ...     window[0, :, 0].tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    bands = [list(band) for _, band in groupby(pieces, key=lambda tile: tile.core[0].start)]
    above = pixels[:0]
    for band, following in zip(bands, [*bands[1:], None], strict=True):
        rows = band[0].core[0]
        needed = rows.stop - max(0, following[0].top) if following else 0
        kept = _tail(above, pixels[rows], needed)
        left = pixels[rows, :0]
        for tile, right in zip(band, [*band[1:], None], strict=True):
            columns = tile.core[1]
            if right:
                width = columns.stop - max(0, right.left)
                beside = _tail(left.swapaxes(0, 1), pixels[tile.core].swapaxes(0, 1), width)
            yield tile, _window(pixels, tile, above, left)
            left = beside.swapaxes(0, 1) if right else left
        above = kept


def _tail(first: Pixels, second: Pixels, length: int) -> Pixels:
    """Return a copy of the last ``length`` rows of both, one under the other."""
    from_second = min(length, len(second))
    rows: Pixels = np.empty((length, *second.shape[1:]), second.dtype)
    rows[: length - from_second] = first[len(first) - (length - from_second) :]
    rows[length - from_second :] = second[len(second) - from_second :]
    return rows


def _window(pixels: Pixels, tile: Tile, above: Pixels, left: Pixels) -> NDArray[np.float32]:
    """Return the window of a tile, with what was kept aside in its place."""
    if not (len(above) or left.shape[1]):
        return read_window(pixels, tile)
    part = tile.within(*pixels.shape[:2])
    across = slice(part.left, part.left + part.width)
    seen = pixels[part.top : part.top + part.height, across].copy()
    rows, columns = part.inner
    seen[: rows.start] = above[:, across]
    seen[rows, : columns.start] = left
    beyond = tile.top - part.top, tile.left - part.left
    return read_window(seen, Tile(*beyond, tile.height, tile.width, part.inner))


def _spans(
    size: int, part: slice, tile: int | None, overlap: int, multiple: int, border: int
) -> list[tuple[int, int, slice]]:
    """Start and length of each window along one axis, and its core."""
    units = -(-size // multiple)
    begin, end = part.start // multiple, -(-part.stop // multiple)
    largest = max(1, tile // multiple) if tile else end - begin
    count = -(-(end - begin) // largest)
    margin = -(-overlap // multiple)
    spans = []
    for index in range(count):
        first, last = (begin + (end - begin) * step // count for step in (index, index + 1))
        start, stop = max(0, first - margin) * multiple, min(units, last + margin) * multiple
        if start == 0:
            start = -border
        if stop == units * multiple:
            stop += border
        core = slice(max(part.start, first * multiple), min(part.stop, last * multiple))
        spans.append((start, stop - start, core))
    return spans


def _mirrored(start: int, length: int, size: int) -> NDArray[np.intp]:
    """Return positions from ``start`` on, folded back into a picture of ``size`` pixels."""
    if size == 1:
        return np.zeros(length, np.intp)
    folded = np.arange(start, start + length) % (2 * size - 2)
    return np.minimum(folded, 2 * size - 2 - folded)
