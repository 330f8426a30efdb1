"""Cut an image into blocks, and run the network on one after another.

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
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..image.dtype import Floats, Pixels
from ..image.tiling import Tile, read_window, tiles
from ..options import SMALLEST_TILE, DenoiseOptions
from .engine import Engine
from .noise_shares import CELL
from .sampling import (
    WHOLE,
    Block,
    StreamingEngine,
    framed,
    num_chunks,
    sample_window,
    stream,
    supports_streaming,
)

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


def predict_blocks(
    engine: Engine,
    colors: Pixels,
    options: DenoiseOptions,
    plan: BlockPlan,
    on_forward: Callable[[], None],
    to_srgb: Callable[[Floats], Floats] | None = None,
) -> Iterator[Block]:
    """Run the network block by block.

    Where the blocks make up the image, the core of a block may be overwritten before the next one
    is asked for, and nothing else.

    Args:
        engine: the network, ready to run.
        colors: ``(H, W, 1)`` grey or ``(H, W, 3)`` RGB.
        options: how.
        plan: as :func:`plan_blocks` made it of the same image.
        on_forward: called after every pass of the network.
        to_srgb: converts windows to the colours of the network.
    """
    if plan.tiles is None and supports_streaming(engine, options):
        yield from stream(engine, colors, options, on_forward, to_srgb)
        return
    cut = plan.tiles or ()
    apart = ((tile, read_window(colors, tile)) for tile in cut)
    for tile, window in iter_windows_in_place(colors, cut) if plan.whole else apart:
        seen = to_srgb(window) if to_srgb else window
        stats = sample_window(engine, seen, tile, options, on_forward)
        size = colors.shape[:2]
        inside = tile.inside(*size)
        yield Block(tile.within(*size), window[inside], stats.cropped(inside))


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
