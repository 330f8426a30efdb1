"""Overlapping tiles: what is read (windows) and what is kept of it (cores).

::

    picture  |<- core ->|<-- core -->|<- core ->|   cores touch and never overlap
    windows  |<-------------->|                     each reaches at least `overlap`
                   |<---------------------->|       beyond its core on every side
                              |<--------------->|   and starts at a multiple
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .dtype import Pixels, to_float


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
