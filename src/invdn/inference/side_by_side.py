"""Pictures of a photograph before and after, at 100 %, and of the error expected of the result.

::

    +--------------------------------+--------------------------------+
    | before: strong noise, 12.3     | after: strength auto, 0.83     |
    +--------------------------------+--------------------------------+
    | where most was changed         | the same place                 |
    +--------------------------------+--------------------------------+
    | fine structure                 | ...                            |
    +--------------------------------+--------------------------------+
    | smooth and dark                | ...                            |
    +--------------------------------+--------------------------------+
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..image.dtype import Floats, Pixels, from_float, to_float
from ..photo.vips import pyvips
from .error_map import in_colour

_SIDE = 384  # pixels of a place, on a side
_CELL = 16  # pixels of a measured cell, on a side
_GAP = 6
_LABEL = 24  # rows of a label
_INK = 32  # of 255
_RAMP = 96  # columns of the scale of colours


def telling_places(before: Pixels, after: Pixels, side: int = _SIDE) -> list[tuple[slice, slice]]:
    """Choose the places of a photograph that show best what was done.

    Args:
        before: ``(H, W)`` or ``(H, W, C)``.
        after: the same shape and type.
        side: pixels of a place; less where the photograph is smaller.

    Returns:
        Rows and columns of up to three places that do not overlap: where most was changed, where
        the result has most structure, and where it is smoothest for what was changed.

    Example:
        >>> before = np.zeros((40, 90), np.uint8)
        >>> before[:, 60:] = 9
        >>> telling_places(before, np.zeros_like(before), side=32)[0]
        (slice(0, 32, None), slice(58, 90, None))
    """
    height, width = before.shape[:2]
    rows, columns = min(side, height), min(side, width)
    change, structure = _measure(before, after)
    window = max(1, rows // _CELL), max(1, columns // _CELL)
    changed, shaped = _window_sums(change, window), _window_sums(structure, window)
    least = np.float32(1e-6)
    measures = (changed, shaped * np.sqrt(changed + least), changed / (shaped + changed + least))
    measures = (*measures[:2], np.where(changed > 0.1 * changed.max(), measures[2], 0))
    places: list[tuple[slice, slice]] = []
    for measure in measures:
        free = np.array(measure)
        for taken in places:
            top, left = taken[0].start // _CELL, taken[1].start // _CELL
            free[
                max(0, top - window[0] + 1) : top + window[0],
                max(0, left - window[1] + 1) : left + window[1],
            ] = -1
        row, column = np.unravel_index(int(free.argmax()), free.shape)
        if places and free[row, column] <= 0:
            continue
        top, left = min(_CELL * int(row), height - rows), min(_CELL * int(column), width - columns)
        if free.shape[1] - 1 == column:
            left = width - columns
        if free.shape[0] - 1 == row:
            top = height - rows
        places.append((slice(top, top + rows), slice(left, left + columns)))
    return places


def side_by_side(
    before: Sequence[Pixels], after: Sequence[Pixels], labels: tuple[str, str]
) -> NDArray[np.uint8]:
    """Put places of a photograph side by side, with a label over each column.

    Args:
        before: places of the noisy photograph, ``(h, w)`` or ``(h, w, 3)``, upright.
        after: the same of its result.
        labels: what stands over them.

    Returns:
        ``(H, W)`` or ``(H, W, 3)``.
    """
    wide = max(part.shape[1] for part in before)
    columns = []
    for parts, words in zip((before, after), labels, strict=True):
        shown = [_filled(_label(words, wide), wide, parts[0].ndim)]
        for part in parts:
            eight = from_float(to_float(part), np.uint8)
            shown += [_filled(eight, wide, eight.ndim), _filled(eight[:0], wide, eight.ndim, _GAP)]
        columns.append(np.concatenate(shown[:-1]))
    gap = np.full_like(columns[0][:, :_GAP], 255)
    return np.concatenate((columns[0], gap, columns[1]), axis=1)


def with_scale(picture: NDArray[np.uint8], widest: float) -> NDArray[np.uint8]:
    """Put the scale of colours below a picture of intervals.

    Args:
        picture: ``(H, W, 3)`` of :func:`~invdn.inference.error_map.error_picture`, upright.
        widest: the interval that is bright yellow, 1 = full range.

    Returns:
        ``(H + 24, W, 3)``.

    Example:
        >>> with_scale(np.zeros((10, 300, 3), np.uint8), 0.02).shape
        (34, 300, 3)
    """
    width = picture.shape[1]
    ramp = in_colour(np.broadcast_to(np.linspace(0, 1, _RAMP), (_LABEL, _RAMP)), 1.0)
    words = f"0 to {255 * widest:.1f} of 255: nine of ten true values lie within"
    label = _label(words, max(0, width - _RAMP))
    scale = np.concatenate((ramp, _filled(label, label.shape[1], 3)), axis=1)[:, :width]
    return np.concatenate((picture, scale))


def _measure(before: Pixels, after: Pixels) -> tuple[Floats, Floats]:
    """Return the energy of the change, and that of the result's differences, by cell."""
    height, width = before.shape[:2]
    rows, columns = -(-height // _CELL), -(-width // _CELL)
    found = np.zeros((2, rows, columns), np.float32)
    edges = np.arange(0, width, _CELL)
    for row in range(rows):
        part = slice(_CELL * row, _CELL * (row + 1))
        noisy, clean = (to_float(side[part]).reshape(-1, width, 1 if side.ndim == 2 else
                        side.shape[2]) for side in (before, after))  # fmt: skip
        change = np.square(clean - noisy).mean(axis=(0, 2))
        slope = np.square(np.diff(clean, axis=1, append=clean[:, -1:])).mean(axis=(0, 2))
        for index, line in enumerate((change, slope)):
            found[index, row] = np.add.reduceat(line, edges)
    return found[0], found[1]


def _window_sums(plane: Floats, window: tuple[int, int]) -> Floats:
    """Return the sums of all windows of so many cells that lie in the plane."""
    for axis in (0, 1):
        sums = np.cumsum(plane, axis=axis, dtype=np.float64)
        sums = np.concatenate((np.zeros_like(np.take(sums, [0], axis)), sums), axis)
        size = min(window[axis], plane.shape[axis])
        ends = np.arange(size, sums.shape[axis])
        plane = (np.take(sums, ends, axis) - np.take(sums, ends - size, axis)).astype(np.float32)
    return plane


def _label(words: str, width: int) -> NDArray[np.uint8]:
    """Draw a line of text, dark on white, ``(24, w)``, cut at the width."""
    shown = np.full((_LABEL, width), 255, np.uint8)
    try:
        text = pyvips.Image.text(words.replace("&", "+").replace("<", ""), font="sans 11", dpi=72)
    except pyvips.Error:  # a system without fonts
        return shown
    ink = text.numpy().reshape(text.height, text.width)[: _LABEL - 4, : max(0, width - 8)]
    top = (_LABEL - len(ink)) // 2
    part = shown[top : top + len(ink), 4 : 4 + ink.shape[1]]
    part[:] = 255 - ink.astype(np.uint16) * (255 - _INK) // 255
    return shown


def _filled(part: Pixels, wide: int, ndim: int, rows: int | None = None) -> NDArray[np.uint8]:
    """Return a part on a white ground of the column's width, or an empty ground of some rows."""
    high = part.shape[0] if rows is None else rows
    ground = np.full((high, wide, 3) if ndim == 3 else (high, wide), 255, np.uint8)
    seen = part[:, :, None] if part.ndim < ndim else part
    ground[: part.shape[0], : part.shape[1]] = seen
    return ground
