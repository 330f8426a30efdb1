"""Find and take off blotches: colour noise so coarse that the network takes it for the picture.

::

    pixels ── means of 4x4 pixels ── YCbCr ── wavelets: 4, 8, 16 and 32 pixels
                                                 │ energy of colour in the quietest places:
                                                 │ blotches, if there is more than fine noise
                                                 │ leaves, and brightness varies no more
                                                 ▼
    pixels ── colour <── bilinear <── what each wavelet has too much: all of it where it is as
                                      weak as blotches are, none where colour or brightness
                                      vary by more

The map is a sixteenth of the picture, so the whole of it fits where the picture does, and no tile
sees another's blotches differently. The wavelets are "à trous" with the B3 spline, from: Starck and
Murtagh, Image restoration with noise suppression using the wavelet transform, 1994; the share is
that of Wiener's filter with the local energy.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .dct import YCBCR
from .dtype import Floats, Pixels, from_float, to_float

CELL = 4  # pixels on a side of a place of the map
_SCALES = 4  # wavelets of 4 to 32 pixels
_TELLING = (1, 2)  # those of 8 and 16 pixels tell whether there are blotches
_QUIET = 0.15  # share of all places that tells how strong blotches are: the quietest
# The mean energy of the quietest places of Gaussian noise, of that of all (measured).
_OF_ALL = 0.6
_FINE = 0.25  # what a wavelet holds, of the finer one's deviation, where noise is fine
_LEAST, _MOST = 1.0 / 255, 12 / 255  # deviations of colour that blotches have
# Noise is everywhere, so its least energies lie together, and those of a picture's colours do not.
_LOW, _HIGH, _TOGETHER = 0.05, 0.3, 3.0
_OVER_LUMA = 0.7  # how much colour varies, at least, of what brightness does in the quietest places
# Energies, in parts of the blotches', up to which and from which a place is noise or picture: of
# each wavelet. The coarsest is told last from the picture's own soft colours, so it must be quieter
# than the one before, and hardly exceed that.
_NOISE, _PICTURE = (0.0, 2.5, 2.5, 1.5), (1.0, 6.0, 6.0, 3.0)
_FALLS = 0.6
_SMALLEST = 192  # pixels on the shorter side: below there are too few places
_OVER_GRAIN = 0.15  # colour in parts of the grain, of which averages of pixels keep 0.05 to 0.1
_GRAIN = 0.7 / 255  # deviation of pixels within a cell in quiet places: blotches come with noise
_TAPS = np.array([1, 4, 6, 4, 1], np.float32) / 16
_BAND = 256  # rows that are corrected at a time
_CELLS = 8  # rows of cells that are averaged at a time


def find_blotches(colors: Pixels) -> tuple[Floats, float] | None:
    """Find low-frequency colour noise.

    Args:
        colors: ``(H, W, 3)``, uint8, uint16 or floats with white at 1.

    Returns:
        What to add to Cb and Cr at every place of the map, ``(H / 4, W / 4, 2)``, with white at 1;
        and the standard deviation of the blotches. None where there are none.
    """
    if colors.ndim != 3 or colors.shape[2] != 3 or min(colors.shape[:2]) < _SMALLEST:
        return None
    planes, grain = _map_of(colors)
    fine = float(np.quantile(grain, _QUIET))
    if fine < _GRAIN**2:
        return None
    levels = _quiet_levels(planes)
    if levels is None:
        return None
    levels[-1] = np.minimum(levels[-1], np.float32(_FALLS) * levels[-2])
    found = np.maximum(levels[1:] - np.float32(_FINE**2) * levels[:-1], 0)
    luma, *colour = np.sum([found[index - 1] for index in _TELLING], axis=0)
    level = float(np.mean(colour))
    least = max(_LEAST**2, _OVER_LUMA**2 * float(luma), _OVER_GRAIN**2 * fine)
    if not least <= level <= _MOST**2:
        return None
    change = np.zeros((*planes[0].shape, 2), np.float32)
    for index, bands in _wavelets(planes):
        if not _NOISE[index]:
            continue
        lowest, most = np.float32(_NOISE[index]), np.float32(_PICTURE[index])
        of_luma, of_colour = _energies(bands, index)
        noise_of_colour = levels[index, 1] + levels[index, 2]
        of_luma /= max(levels[index, 0], noise_of_colour / 8)
        strongest = np.maximum(of_colour / noise_of_colour, of_luma)
        noise = np.clip((most - strongest) / (most - lowest), 0, 1)
        for plane in (0, 1):
            change[..., plane] -= noise * bands[1 + plane]
    return change, level**0.5


def _quiet_levels(planes: list[Floats]) -> Floats | None:
    """Return the variances of each scale in its quietest places, ``(4, 3)``; None: no noise."""
    levels = np.empty((_SCALES, 3), np.float32)
    for index, bands in _wavelets(planes):
        energies = [_local(np.square(band), 2 << index) for band in bands]
        colour = energies[1] + energies[2]
        low, high, most = np.quantile(colour, (_LOW, _HIGH, _QUIET))
        if index in _TELLING and high > _TOGETHER * low:
            return None
        quiet = colour <= most
        levels[index] = [energy[quiet].mean() for energy in energies]
    return levels / np.float32(_OF_ALL)


def _energies(bands: list[Floats], index: int) -> tuple[Floats, Floats]:
    """Return the local energy of luma, and that of both colours together."""
    luma, *colours = (_local(np.square(band), 2 << index) for band in bands)
    return luma, colours[0] + colours[1]


def take_off(colors: Pixels, change: Floats) -> Pixels:
    """Return the pixels with a change of their colours; black and white stay.

    Args:
        colors: as :func:`find_blotches` takes them.
        change: as it returns it.
    """
    result = colors.copy()
    height, width = colors.shape[:2]
    to_rgb = np.linalg.inv(YCBCR)[:, 1:].astype(np.float32)
    across = _places(width, change.shape[1])
    down = _places(height, change.shape[0])
    for top in range(0, height, _BAND):
        rows = slice(top, min(top + _BAND, height))
        added = _between(_between(change, down.part(rows), 0), across, 1) @ to_rgb.T
        seen = to_float(colors[rows])
        ends = ((seen <= 0) | (seen >= 1)).all(axis=2, keepdims=True)
        result[rows] = from_float(seen + np.where(ends, np.float32(0), added), colors.dtype)
    return result


def _map_of(colors: Pixels) -> tuple[list[Floats], Floats]:
    """Return the means of cells in Y, Cb and Cr, ``(H / 4, W / 4)``, and the variance within them.

    A border narrower than a cell is left out.
    """
    rows, columns = (side // CELL for side in colors.shape[:2])
    planes = [np.empty((rows, columns), np.float32) for _ in range(3)]
    within = np.empty((rows, columns), np.float32)
    matrix = np.asarray(YCBCR, np.float32)
    for row in range(0, rows, _CELLS):
        part = slice(row, min(row + _CELLS, rows))
        lines = to_float(colors[CELL * row : CELL * part.stop, : CELL * columns])
        means = _cell_sums(lines) / np.float32(CELL**2)
        for plane, weights in zip(planes, matrix, strict=True):
            plane[part] = means @ weights
        apart = lines - means.repeat(CELL, axis=0).repeat(CELL, axis=1)
        within[part] = _cell_sums(np.square(apart, out=apart)).sum(axis=2) / (3 * CELL**2)
    return planes, within


def _cell_sums(lines: Floats) -> Floats:
    """Sum the pixels of every cell: ``(4 n, 4 m, 3)`` to ``(n, m, 3)``."""
    rows = lines[0::4] + lines[1::4] + (lines[2::4] + lines[3::4])
    sums: Floats = rows[:, 0::4] + rows[:, 1::4] + (rows[:, 2::4] + rows[:, 3::4])
    return sums


def _wavelets(planes: list[Floats]) -> Iterator[tuple[int, list[Floats]]]:
    """Yield scale by scale the differences between ever smoother versions of each plane."""
    planes = list(planes)
    for index in range(_SCALES):
        bands = []
        for place, plane in enumerate(planes):
            planes[place] = _smoothed(_smoothed(plane, 1 << index, 0), 1 << index, 1)
            bands.append(plane - planes[place])
        yield index, bands


def _smoothed(plane: Floats, step: int, axis: int) -> Floats:
    size = plane.shape[axis]
    index = np.arange(size)
    result = np.zeros_like(plane)
    for tap, weight in zip(range(-2, 3), _TAPS, strict=True):
        result += weight * np.take(plane, _mirrored(index + tap * step, size), axis=axis)
    return result


def _local(plane: Floats, radius: int) -> Floats:
    """Return the means over the squares around every place, as far as they lie inside."""
    for axis in (0, 1):
        size = plane.shape[axis]
        sums = np.cumsum(plane, axis=axis, dtype=np.float64)
        sums = np.concatenate((np.zeros_like(np.take(sums, [0], axis)), sums), axis)
        index = np.arange(size)
        first, last = np.maximum(index - radius, 0), np.minimum(index + radius + 1, size)
        number = (last - first)[:, None] if axis == 0 else last - first
        means = (np.take(sums, last, axis) - np.take(sums, first, axis)) / number
        plane = means.astype(np.float32)
    return plane


class _Places(NamedTuple):
    """For every pixel the places of the map on both sides, and the share of the second."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    share: Floats

    def part(self, pixels: slice) -> "_Places":
        return _Places(self.first[pixels], self.second[pixels], self.share[pixels])


def _places(pixels: int, places: int) -> _Places:
    at = (np.arange(pixels) - (CELL - 1) / 2) / CELL
    first = np.floor(at).astype(np.intp)
    share = (at - first).astype(np.float32)
    return _Places(first.clip(0, places - 1), (first + 1).clip(0, places - 1), share)


def _between(values: Floats, places: _Places, axis: int) -> Floats:
    weight = places.share[:, None, None] if axis == 0 else places.share[:, None]
    one, other = np.take(values, places.first, axis), np.take(values, places.second, axis)
    result: Floats = one + weight * (other - one)
    return result


def _mirrored(index: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    """Fold places beyond the map back into it, however far they lie beyond."""
    period = max(1, 2 * (size - 1))
    folded = np.abs(index) % period
    result: NDArray[np.intp] = np.minimum(folded, period - folded)
    return result
