"""Find and mend what no network sees as noise: hot and dead pixels, banding, blotches.

::

    pixels ── hot and dead pixels: the median of their surroundings
           ── rows and columns:    their common offset is taken off
           ── colour blotches:     taken off by :mod:`invdn.image.blotches`

Each is measured first, and nothing is touched where nothing is found. Windows are rows of the
picture, so that memory does not grow with it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .blotches import find_blotches, take_off
from .dct import LUMA
from .dtype import Pixels, from_float, to_float, white

Floats = NDArray[np.float32]

_STRIP = 256  # rows that are looked at together
_ROWS = 32  # rows that are looked at for single pixels: they stay in the cache
# A hot pixel stands out of its neighbours by so much of white, out of the 5x5 pixels around by so
# many of their median deviations; its four neighbours share less than this part of its height (a
# star's share a third), and the ring of pixels around varies by less than this part (texture varies
# by more). More than this share of all pixels is noise or texture.
_OUT, _DEVIATIONS, _SHARED, _RANGE, _MOST = 0.1, 8.0, 0.2, 0.5, 1e-3
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
        around. Nothing where there are too many for a defect.
    """
    height = colors.shape[0]

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
    near = np.s_[
        _mirrored(row[:, None, None] + reach[:, None], height),
        _mirrored(column[:, None, None] + reach, colors.shape[1]),
        channel[:, None, None],
    ]
    around = to_float(colors[near]).reshape(-1, 25)
    ring = np.delete(around, [6, 7, 8, 11, 12, 13, 16, 17, 18], axis=1)
    middle = np.median(ring, axis=1)
    spread = np.median(np.abs(ring - middle[:, None]), axis=1)
    above = around[:, 12] - middle
    four = np.abs(around[:, [7, 11, 13, 17]].mean(axis=1) - middle)
    height_of = np.abs(above)
    hot = (height_of > np.maximum(_OUT, _DEVIATIONS * spread)) & (four < _SHARED * height_of)
    hot &= np.ptp(ring, axis=1) < _RANGE * height_of
    if hot.sum() > _MOST * colors[..., 0].size:
        hot[:] = False
    return row[hot], column[hot], channel[hot], from_float(middle[hot], colors.dtype)


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


def _mirrored(index: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    folded = np.abs(index)
    return np.where(folded >= size, 2 * (size - 1) - folded, folded)
