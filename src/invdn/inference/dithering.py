"""Dither 8-bit results where they are smoother than 8 bits can show.

A sky without noise would fall into bands, since a step of 8 bits is as wide as many pixels. There
the result is rounded up or down by a fixed pattern, in proportion to what rounding leaves::

    level = floor(value + 1/8 + 3/4 pattern(row, column)),   0 <= pattern < 1

Whole patterns would be right on average everywhere, and add as much error as rounding itself; three
quarters of one are wrong by an eighth of a step at most, and add half of that.

Whole levels stay as they are, so white and black do too. The pattern is interleaved gradient noise,
from: Jimenez, Next generation post processing in Call of Duty: Advanced Warfare, SIGGRAPH 2014. All
colours share it, so grey stays grey. It and the choice of the pixels depend on the place in the
photograph and a few pixels around, so tiles give what the whole gives.
"""

import numpy as np
from numpy.typing import NDArray

from ..image.dtype import Floats
from .noise_shares import close_pixels

try:
    from . import _pixels
except ImportError:  # it is compiled, and may not be there
    _pixels = None  # type: ignore[assignment]

_REACH = 2  # pixels around that must be smooth
_WHITE = np.float32(255)
# Steps of 8 bits that a smooth surrounding spans at most: a band is then 3 pixels wide or wider.
_SMOOTH = np.float32(1.5)
_AMPLITUDE = np.float32(0.75)  # of the pattern, in steps
_REMOVED = 0.5  # share of the change that must have been made: else there was no noise


def dithered(
    clean: Floats,
    noisy: Floats,
    denoised: Floats,
    inner: tuple[slice, slice],
    place: tuple[int, int],
    blended: Floats | None = None,
) -> Floats:
    """Round a result to 8 bits by a pattern where it is smooth.

    Args:
        clean: ``(h, w, C)`` core of a window of the result, with white at 1.
        noisy: ``(H, W, 1 or C)`` window, in the network's colours.
        denoised: ``(H, W, 1 or C)`` window of the network's result.
        inner: where the core lies in the window.
        place: row and column of the core in the photograph.
        blended: the core in the network's colours; None: they are the result's.

    Returns:
        The core; values in smooth places are whole levels, the others are as they were.

    Example:
        >>> sky = np.full((6, 6, 1), 0.5, np.float32)
        >>> window = np.s_[0:6, 0:6]
        >>> levels = 255 * dithered(sky, sky + np.float32(0.02), sky, window, (0, 0))
        >>> sorted(set(levels.round(3).ravel().tolist()))
        [127.0, 128.0]
    """
    made = clean if blended is None else blended
    if _pixels is None or made.shape[2] != noisy.shape[2] or not clean.size:
        return written_out(clean, noisy, denoised, inner, place, made)
    result: Floats = np.empty(clean.shape, np.float32)
    core, mixed, before, after = map(close_pixels, (clean, made, noisy, denoised))
    top, left = inner[0].start, inner[1].start
    count = _pixels.dither(core, mixed, before, after, top, left, *place, result)
    return result if count else clean


def written_out(
    clean: Floats,
    noisy: Floats,
    denoised: Floats,
    inner: tuple[slice, slice],
    place: tuple[int, int],
    blended: Floats,
) -> Floats:
    """Do in Python what the compiled module does; arguments as of :func:`dithered`."""
    smooth = _is_smooth(denoised * _WHITE)[inner]
    before = noisy[inner]
    change = denoised[inner] - before
    made = blended - before
    energy = (change * change).sum(axis=2)
    removed = (change * made).sum(axis=2) > _REMOVED * energy
    chosen = (smooth & removed)[..., None]
    values = clean * _WHITE
    ends = (values < np.float32(0.5)) | (values > _WHITE - np.float32(0.5))
    inside = chosen & ~ends
    if not inside.any():
        return clean
    pattern = _pattern(clean.shape[0], clean.shape[1], place)[..., None]
    levels = np.floor(values + (1 - _AMPLITUDE) / 2 + _AMPLITUDE * pattern)
    result: Floats = np.where(inside, levels / _WHITE, clean)
    return result


def _is_smooth(values: Floats) -> NDArray[np.bool_]:
    """Tell where no colour spans more than a step and a half in the square around."""
    low = high = values
    for axis in (0, 1):
        fill = [(0, 0)] * 3
        fill[axis] = (_REACH, _REACH)
        below, above = (np.pad(side, fill, mode="edge") for side in (low, high))
        size = values.shape[axis]
        for offset in range(2 * _REACH + 1):
            part = tuple(
                slice(offset, offset + size) if index == axis else slice(None) for index in range(3)
            )
            low, high = np.minimum(low, below[part]), np.maximum(high, above[part])
    result: NDArray[np.bool_] = np.all(high - low < _SMOOTH, axis=2)
    return result


def _pattern(rows: int, columns: int, place: tuple[int, int]) -> Floats:
    """Return interleaved gradient noise, from 0 up to 1."""
    down = 0.00583715 * np.arange(place[0], place[0] + rows, dtype=np.float64)
    along = 0.06711056 * np.arange(place[1], place[1] + columns, dtype=np.float64)
    noise = 52.9829189 * ((down[:, None] + along) % 1.0) % 1.0
    return np.minimum(noise, 1 - 1e-6).astype(np.float32)
