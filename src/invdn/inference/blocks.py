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

from ..image.dtype import Pixels
from ..image.tiling import Tile, read_window, tiles
from ..options import DenoiseOptions
from .engine import Engine
from .memory import can_stream, choose_tile_size
from .noise_shares import CELL
from .sampling import Block, sample_window
from .streaming import num_chunks, stream, supports_streaming

Floats = NDArray[np.float32]


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
    cut = tuple(tiles(height, width, edge, options.tile_overlap, multiple, part))
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
        yield Block(tile, window, sample_window(engine, seen, tile, options, on_forward))


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
        kept = _tail(above, pixels[rows], rows.stop - following[0].top) if following else above
        left = pixels[rows, :0]
        for tile, right in zip(band, [*band[1:], None], strict=True):
            columns = tile.core[1]
            if right:
                width = columns.stop - right.left
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
    rows, columns = tile.core
    seen = pixels[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
    if not (len(above) or left.shape[1]):
        return read_window(pixels, tile)
    seen = seen.copy()
    seen[: rows.start - tile.top] = above[:, tile.left : tile.left + seen.shape[1]]
    seen[tile.inner[0], : columns.start - tile.left] = left
    here = Tile(0, 0, tile.height, tile.width, tile.inner)
    return read_window(seen, here)
