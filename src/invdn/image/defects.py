"""Find and mend what no network sees as noise: hot and dead pixels, banding, blotches.

::

    pixels ── hot and dead pixels: the median of their surroundings
           ── rows and columns:    their common offset is taken off
           ── colour blotches:     taken off as below

Each is measured first, and nothing is touched where nothing is found. Windows are rows of the
picture, so that memory does not grow with it.

Blotches are colour noise so coarse that the network takes it for the picture::

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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .dct import LUMA, YCBCR
from .dtype import Floats, Pixels, from_float, to_float, white

_STRIP = 256  # rows that are looked at together
_ROWS = 32  # rows that are looked at for single pixels: they stay in the cache
# A hot pixel stands out of its neighbours by so much of white, out of the 5x5 pixels around by so
# many of their median deviations; its four neighbours share less than this part of its height (a
# star's share a third), and the ring of pixels around varies by less than this part (texture varies
# by more). More than this share of all pixels is noise or texture.
_OUT, _DEVIATIONS, _SHARED, _RANGE, _MOST = 0.1, 8.0, 0.2, 0.5, 1e-3
# Demosaicing spreads a hot site over the neighbours, in one channel alone: it is so bright, they
# share less than this part of its height, and the other channels, which any light would reach, less
# than that, on the mean and in the middle.
_BRIGHT, _SPREAD, _ELSEWHERE = 0.5, 0.5, 0.04
_WITHIN = [6, 7, 8, 11, 12, 13, 16, 17, 18]  # of 5x5 places, the middle and its eight neighbours
# Bands: lines beside a line that tell what it would be, blocks along it that must agree, how much
# the offsets exceed what noise gives, in its deviations and in white, how far they may repeat, and
# how many deviations of the offsets an edge of the picture exceeds.
_LINES, _BLOCKS, _SIGNIFICANT, _LEAST, _REPEATS, _EDGE = 4, 8, 2.5, 0.5 / 255, 0.5, 4.0
_SOME = 4  # every so many lines tell how strong the noise is
_AGREEMENT = 0.5  # correlation of every block's offsets with those of all


@dataclass(frozen=True)
class Mending:
    """What to look for.

    Attributes:
        hot_pixels: single pixels that are far too bright or too dark.
        banding: offsets that whole rows or columns share.
        blotches: colour noise of 8 to 40 pixels.
    """

    hot_pixels: bool = True
    banding: bool = True
    blotches: bool = True


def mend(colors: Pixels, mending: Mending = Mending()) -> tuple[Pixels, tuple[str, ...]]:
    """Mend the defects that are found.

    Args:
        colors: ``(H, W, 1 or 3)``, uint8, uint16 or floats with white at 1.
        mending: what to look for.

    Returns:
        The same array where nothing is found, else a new one; and what was found, in words.

    Example:
        >>> picture = np.full((40, 40, 3), 90, np.uint8)
        >>> picture[20, 20, 0] = 255
        >>> mended, found = mend(picture)
        >>> mended[20, 20].tolist(), found
        ([90, 90, 90], ('1 hot or dead pixel was mended',))
    """
    found = []
    if min(colors.shape[:2]) < 5:
        return colors, ()
    result = colors
    if mending.hot_pixels:
        *place, values = find_hot_pixels(colors)
        if len(values):
            result = colors.copy()
            result[tuple(place)] = values
            number = len(set(zip(*(axis.tolist() for axis in place[:2]), strict=True)))
            found.append(
                "1 hot or dead pixel was mended"
                if number == 1
                else f"{number} hot or dead pixels were mended"
            )
    with ThreadPoolExecutor(3, "invdn-mend") as pool:  # most photographs need nothing: look at once
        looked_at = result
        bands = [pool.submit(find_bands, result, axis) for axis in (0, 1) if mending.banding]
        spots = pool.submit(find_blotches, result) if mending.blotches else None
        for axis, look in enumerate(bands):
            offsets = look.result() if result is looked_at else find_bands(result, axis)
            if offsets is None:
                continue
            shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
            values = to_float(result) - offsets.reshape(shape)
            result = from_float(values, result.dtype)
            size = 255 * float(np.sqrt(np.mean(np.square(offsets))))
            name = ("rows", "columns")[axis]
            found.append(f"banding of {name} was taken off ({size:.1f} of 255)")
        blotches = None
        if spots:
            blotches = spots.result() if result is looked_at else find_blotches(result)
    if blotches:
        change, level = blotches
        result = take_off(result, change)
        found.append(f"blotches of colour were taken off ({255 * level:.1f} of 255)")
    return result, tuple(found)


def find_hot_pixels(
    colors: Pixels,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], Pixels]:
    """Find single values that do not belong to their surroundings.

    Returns:
        Row, column and channel of each, and what to put there: the median of the ring of 16 pixels
        around. Where one is spread over its neighbours, those follow. Nothing where there are too
        many for a defect.
    """
    height, width = colors.shape[:2]

    def look(top: int) -> NDArray[np.intp]:
        found = _stand_out(colors[max(0, top - 1) : top + _ROWS + 1])
        found[:, :] += [max(0, top - 1), 0, 0]
        return found[(found[:, 0] >= top) & (found[:, 0] < top + _ROWS)]

    with ThreadPoolExecutor(2, "invdn-mend") as pool:
        places = np.concatenate(list(pool.map(look, range(0, height, _ROWS))))
    if len(places) > 20 * _MOST * colors.size:
        places = places[:0]
    row, column, channel = places.T
    reach = np.arange(-2, 3)
    rows = _mirrored(row[:, None, None] + reach[:, None], height)
    columns = _mirrored(column[:, None, None] + reach, width)
    around = to_float(colors[rows, columns]).reshape(len(row), 25, colors.shape[2])
    ring = np.delete(around, _WITHIN, axis=1)
    middle = np.median(ring, axis=1)
    own = (np.arange(len(row)), channel)
    spread = np.median(np.abs(ring - middle[:, None]), axis=1)[own]
    above = around[:, 12] - middle
    height_of = np.abs(above)[own]
    four = np.abs(around[:, [7, 11, 13, 17]].mean(axis=1) - middle)[own]
    elsewhere = np.maximum(np.abs(above), np.abs(around[:, _WITHIN].mean(axis=1) - middle))
    elsewhere[own] = 0
    alone = (colors.shape[2] == 3) & (elsewhere.max(axis=1, initial=0) < _ELSEWHERE * height_of)
    alone &= above[own] > _BRIGHT
    hot = height_of > np.maximum(_OUT, _DEVIATIONS * spread)
    hot &= np.ptp(ring, axis=1)[own] < _RANGE * height_of
    single = hot & (four < _SHARED * height_of)
    blurred = hot & ~single & (four < _SPREAD * height_of) & alone
    if single.sum() + blurred.sum() > _MOST * colors[..., 0].size:
        single[:] = blurred[:] = False
    beside = np.broadcast_to(rows, (len(row), 5, 5)), np.broadcast_to(columns, (len(row), 5, 5))
    beside_rows, beside_columns = (place[blurred, 1:4, 1:4].ravel() for place in beside)
    values = from_float(middle[own], colors.dtype)
    return (
        np.concatenate((row[single], beside_rows)),
        np.concatenate((column[single], beside_columns)),
        np.concatenate((channel[single], np.repeat(channel[blurred], 9))),
        np.concatenate((values[single], np.repeat(values[blurred], 9))),
    )


def _stand_out(strip: Pixels) -> NDArray[np.intp]:
    """Find values beyond all eight neighbours by the least height: (n, 3) row, column, channel."""
    edges = ((1, 1), (1, 1), (0, 0))
    padded = np.pad(strip, edges, mode="reflect" if len(strip) > 1 else "edge")
    left, middle, right = (padded[:, shift : shift + strip.shape[1]] for shift in range(3))
    low, top = (
        extreme(extreme(beside[:-2], beside[2:]), extreme(left[1:-1], right[1:-1]))
        for extreme in (np.minimum, np.maximum)
        for beside in (extreme(extreme(left, middle), right),)
    )
    least = _OUT if strip.dtype.kind == "f" else int(_OUT * white(strip.dtype))
    # Whole numbers without a sign: what lies between is 0, never less.
    above, below = strip - np.minimum(strip, top), np.maximum(strip, low) - strip
    found = np.flatnonzero((above > least) | (below > least))
    return np.stack(np.unravel_index(found, strip.shape), axis=1)


def find_bands(colors: Pixels, axis: int) -> Floats | None:
    """Find what whole rows (axis 0) or columns (1) lie above or below their surroundings.

    Bands are offsets that all blocks of a line share, that do not repeat as stripes of a picture
    do, and that exceed what noise leaves in the mean of a line.

    Returns:
        The offset of each line, 0 for those that hold an edge; None where there are no bands.
    """
    lines, along = colors.shape[axis], colors.shape[1 - axis]
    if lines < 16 * _LINES or along < 8 * _BLOCKS:
        return None
    edges = np.linspace(0, along, _BLOCKS + 1).astype(int)
    parts = [slice(first, last) for first, last in pairwise(edges)]
    turned = colors if axis == 0 else colors.swapaxes(0, 1)
    blocks = np.empty((_BLOCKS, lines), np.float32)
    for start, rest in _rests(turned):
        for index, part in enumerate(parts):
            blocks[index, start : start + len(rest)] = _medians(rest[:, part])
    offsets = np.median(blocks, axis=0)
    deviation = 1.4826 * float(np.median(np.abs(offsets)))
    if deviation < _LEAST:  # most photographs, which are not looked at twice
        return None
    noise = []
    for start, rest in _rests(turned):
        for index, part in enumerate(parts):
            some = rest[::_SOME, part]
            median = blocks[index, start : start + len(rest) : _SOME, None]
            spread = 1.4826 * _medians(np.abs(some - median))
            noise.append(1.2533 * spread / np.sqrt(part.stop - part.start))
    expected = float(np.median(np.concatenate(noise))) / np.sqrt(_BLOCKS)
    if deviation < _SIGNIFICANT * expected:
        return None
    offsets[np.abs(offsets) > _EDGE * deviation] = 0
    centred = offsets - offsets.mean()
    power = float((centred**2).mean())
    repeats = [float((centred[lag:] * centred[:-lag]).mean()) / power for lag in range(2, 17)]
    if max(np.abs(repeats)) > _REPEATS:
        return None
    limit = _EDGE * deviation
    agreement = [np.corrcoef(block, offsets)[0, 1] for block in blocks.clip(-limit, limit)]
    if min(agreement) < _AGREEMENT:
        return None
    gain = 1 + 1 / (2 * _LINES)  # an offset lifts what its neighbours are compared with
    return (offsets / np.float32(gain)).astype(np.float32)


def _medians(lines: Floats) -> Floats:
    """Return the median of each line; numpy's looks for what is not a number as well."""
    middle = lines.shape[1] // 2
    around = (middle,) if lines.shape[1] % 2 else (middle - 1, middle)
    parted = np.partition(lines, around, axis=1)
    medians: Floats = parted[:, around].mean(axis=1)
    return medians


def _rests(turned: Pixels) -> Iterator[tuple[int, Floats]]:
    """Yield strips of lines of the luma without what the lines beside have, and where each begins.

    Args:
        turned: the picture, a line of it first.
    """
    lines = len(turned)
    for start in range(0, lines, _STRIP):
        first, last = max(0, start - _LINES), min(lines, start + _STRIP + _LINES)
        luma = to_float(turned[first:last])
        plane = luma @ LUMA if luma.shape[2] == 3 else luma[..., 0]
        yield start, _beside(plane)[start - first :][: min(_STRIP, lines - start)]


def _beside(plane: Floats) -> Floats:
    """Take off every line the mean of the lines beside it."""
    padded = np.pad(plane, ((_LINES, _LINES), (0, 0)), mode="reflect")
    total = np.zeros_like(plane)
    for distance in range(2 * _LINES + 1):
        if distance != _LINES:
            total += padded[distance : distance + len(plane)]
    return plane - total / np.float32(2 * _LINES)


CELL = 4  # pixels on a side of a place of the map
_SCALES = 4  # wavelets of 4 to 32 pixels
_TELLING = (1, 2)  # those of 8 and 16 pixels tell whether there are blotches
_QUIET = 0.15  # share of all places that tells how strong blotches are: the quietest
# The mean energy of the quietest places of Gaussian noise, of that of all (measured).
_OF_ALL = 0.6
_FINE = 0.25  # what a wavelet holds, of the finer one's deviation, where noise is fine
_FAINTEST, _STRONGEST = 1.0 / 255, 12 / 255  # deviations of colour that blotches have
# Noise is everywhere, so its least energies lie together, and those of a picture's colours do not.
_LOW, _HIGH, _TOGETHER = 0.05, 0.3, 3.0
_OVER_LUMA = 0.7  # how much colour varies, at least, of what brightness does in the quietest places
# Energies, in parts of the blotches', up to which and from which a place is noise or picture: of
# each wavelet. The coarsest comes last, from the picture's own soft colours, so it must be quieter
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
    least = max(_FAINTEST**2, _OVER_LUMA**2 * float(luma), _OVER_GRAIN**2 * fine)
    if not least <= level <= _STRONGEST**2:
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
