"""The windows of a photograph that is denoised in its own place.

Each core is overwritten by its result before the next window is read, and that window still wants
the noisy pixels around it. Those that are gone were kept aside::

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

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from ..image.dtype import Pixels
from ..image.tiling import Tile, read_window


def noisy_windows(
    pixels: Pixels, pieces: Sequence[Tile]
) -> Iterator[tuple[Tile, NDArray[np.float32]]]:
    """Every tile with its noisy window, though the cores of earlier tiles may be overwritten.

    Between two steps of the iteration the core of the tile may be overwritten, and nothing else.
    Beside the photograph only one window and the margins that later tiles need are in memory.

    Args:
        pixels: ``(H, W, C)``.
        pieces: its tiles, row by row, as ``tiles`` gives them; a core is no smaller than what its
            window reaches beyond the photograph.

    Example:
        >>> from ..image.tiling import tiles
        >>> row = np.arange(8, dtype=np.float32).reshape(1, 8, 1)
        >>> for tile, window in noisy_windows(row, tiles(1, 8, tile=4, overlap=4, multiple=4)):
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
    """A copy of the last ``length`` rows of both, one under the other."""
    from_second = min(length, len(second))
    rows: Pixels = np.empty((length, *second.shape[1:]), second.dtype)
    rows[: length - from_second] = first[len(first) - (length - from_second) :]
    rows[length - from_second :] = second[len(second) - from_second :]
    return rows


def _window(pixels: Pixels, tile: Tile, above: Pixels, left: Pixels) -> NDArray[np.float32]:
    """The window of a tile, with what was kept aside in its place."""
    rows, columns = tile.core
    seen = pixels[tile.top : tile.top + tile.height, tile.left : tile.left + tile.width]
    if not (len(above) or left.shape[1]):
        return read_window(pixels, tile)
    seen = seen.copy()
    seen[: rows.start - tile.top] = above[:, tile.left : tile.left + seen.shape[1]]
    seen[tile.inner[0], : columns.start - tile.left] = left
    here = Tile(0, 0, tile.height, tile.width, tile.inner)
    return read_window(seen, here)
