"""Find stars and other points of light, which a network softens as it softens noise.

A star is a pixel that stands far out of a calm surrounding and shares its light with its
neighbours, in all colours: noise does the first only rarely, a hot pixel (``defects``) does not do
the second.
"""

import numpy as np
from numpy.typing import NDArray

from .dct import LUMA
from .dtype import Floats

# How far a star's middle stands out of the ring of 16 pixels around: of white, and in median
# deviations of the ring; the part of that height over which the ring may vary.
_OUT, _DEVIATIONS, _RANGE = 0.12, 10.0, 0.4
# The least share of the height that its four neighbours have on the mean, and that a colour has.
_SHARED, _COLOUR = 0.15, 0.35
_RING = [0, 1, 2, 3, 4, 5, 9, 10, 14, 15, 19, 20, 21, 22, 23, 24]  # of 5x5 places
_CROSS = [7, 11, 13, 17]


def with_stars(clean: Floats, noisy: Floats) -> Floats:
    """Return a result with the stars of the noisy picture, and their eight neighbours each.

    Args:
        clean: ``(h, w, 1 or 3)`` in [0, 1], gamma-encoded.
        noisy: the same shape.

    Returns:
        The result itself where there are no stars, else a new array.
    """
    row, column = find_stars(noisy)
    if not len(row):
        return clean
    beside = np.arange(-1, 2)
    at = row[:, None, None] + beside[:, None], column[:, None, None] + beside
    result = clean.copy()
    result[at] = noisy[at]
    return result


def find_stars(colors: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find the middles of stars.

    Args:
        colors: ``(h, w, 1 or 3)`` in [0, 1], gamma-encoded. Two pixels at the borders are not
            looked at.

    Returns:
        Their rows and columns.

    Example:
        >>> sky = np.full((9, 9, 1), 0.1, np.float32)
        >>> sky[3:6, 4] = sky[4, 3:6] = 0.4
        >>> sky[4, 4] = 0.8
        >>> find_stars(sky)
        (array([4]), array([4]))
    """
    luma = colors @ LUMA if colors.shape[2] == 3 else colors[..., 0]
    if min(luma.shape) < 5:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)

    def moved(down: int, along: int) -> Floats:
        return luma[2 + down : len(luma) - 2 + down, 2 + along : luma.shape[1] - 2 + along]

    corners, beside = moved(-2, -2).copy(), moved(-1, 0).copy()
    for down, along in ((-2, 2), (2, -2), (2, 2)):
        np.maximum(corners, moved(down, along), out=corners)
    for down, along in ((1, 0), (0, -1), (0, 1)):
        np.maximum(beside, moved(down, along), out=beside)
    corners += np.float32(_OUT)
    out = (moved(0, 0) > corners) & (moved(0, 0) >= beside)
    row, column = (place + 2 for place in np.nonzero(out))
    reach = np.arange(-2, 3)
    at = row[:, None, None] + reach[:, None], column[:, None, None] + reach
    around = luma[at].reshape(-1, 25)
    ring = around[:, _RING]
    base = np.median(ring, axis=1)
    spread = np.median(np.abs(ring - base[:, None]), axis=1)
    tall = around[:, 12] - base
    found = tall > np.maximum(_OUT, _DEVIATIONS * spread)
    found &= np.ptp(ring, axis=1) < _RANGE * tall
    found &= around[:, _CROSS].mean(axis=1) - base > _SHARED * tall
    if colors.shape[2] == 3:
        every = colors[at].reshape(-1, 25, 3)
        own = every[:, 12] - np.median(every[:, _RING], axis=1)
        found &= own.min(axis=1) > _COLOUR * tall
    return row[found], column[found]
