"""How far one photograph of a burst is shifted against another, and shifting it back."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Values = NDArray[np.float32]

_LARGEST_WINDOW = 1024  # pixels a side that are looked at, from the middle
_CUTOFF = 0.12  # of the sampling rate: above, noise outweighs what the frames share
_CELL = 4  # pixels a side that are averaged before frames are compared
_SNAP = 0.15  # parts of a pixel that are not worth the blur of interpolating
_TAPS = 3  # lobes of the Lanczos kernel on either side


@dataclass(frozen=True)
class Shift:
    """Where a photograph lies against the reference.

    Attributes:
        rows: pixels that its content lies further down.
        columns: pixels that its content lies further to the right.
        difference: share of what the two show that they do not show alike once aligned: near 0
            for the same scene, near 1 for two different ones.
    """

    rows: float
    columns: float
    difference: float


def find_shift(reference: _Values, luma: _Values) -> Shift:
    """Return the shift between two pictures of a scene, to a fraction of a pixel.

    Args:
        reference: ``(H, W)`` brightness.
        luma: the same shape.

    Reference:
        Kuglin and Hines, The phase correlation image alignment method, 1975; low-passed, so that
        the peak is a Gaussian bell whose top is found from its logarithm.

    Example:
        >>> scene = np.random.default_rng(0).random((64, 64), np.float32)
        >>> shift = find_shift(scene, np.roll(scene, (3, -2), (0, 1)))
        >>> round(shift.rows), round(shift.columns)
        (3, -2)
    """
    middle = tuple(
        slice((side - min(side, _LARGEST_WINDOW)) // 2, (side + min(side, _LARGEST_WINDOW)) // 2)
        for side in reference.shape
    )
    first, second = reference[middle], luma[middle]
    height, width = first.shape
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]
    spectra = [np.fft.rfft2((picture - picture.mean()) * window) for picture in (first, second)]
    cross = spectra[1] * spectra[0].conj()
    frequency = np.fft.fftfreq(height)[:, None] ** 2 + np.fft.rfftfreq(width)[None] ** 2
    cross *= np.exp(-frequency / (2 * _CUTOFF**2)) / np.maximum(np.abs(cross), 1e-12)
    surface = np.fft.irfft2(cross, s=(height, width))
    row, column = (int(place) for place in np.unravel_index(surface.argmax(), surface.shape))
    rows = _snapped(_top(surface[:, column], row))
    columns = _snapped(_top(surface[row], column))
    moved, inside = shifted(second[..., None], rows, columns)
    return Shift(rows, columns, _difference(first, moved[..., 0], inside))


def shifted(pixels: _Values, rows: float, columns: float) -> tuple[_Values, tuple[slice, slice]]:
    """Return a picture whose content is moved back by a shift, between pixels by Lanczos's kernel.

    Args:
        pixels: ``(H, W, C)``.
        rows: as in :class:`Shift`.
        columns: as in :class:`Shift`.

    Returns:
        ``(H, W, C)``, and the rows and columns that the picture had content for; outside, its edge
        is repeated.
    """
    moved = pixels
    inside = []
    for axis, distance in enumerate((rows, columns)):
        size = pixels.shape[axis]
        whole = int(np.floor(distance))
        part = distance - whole
        reach = _TAPS if part > 0 else 0
        positions = np.arange(size) + whole
        if part > 0:
            offsets = np.arange(1 - _TAPS, _TAPS + 1)
            weights = np.sinc(part - offsets) * np.sinc((part - offsets) / _TAPS)
            weights /= weights.sum()
        else:
            offsets, weights = np.zeros(1, int), np.ones(1)
        total = np.zeros_like(moved)
        for offset, weight in zip(offsets, weights, strict=True):
            total += moved.take(positions + offset, axis, mode="clip") * np.float32(weight)
        moved = total
        inside.append(
            slice(
                min(size, max(0, reach - whole)),
                max(0, min(size, size - whole - reach)),
            )
        )
    return moved, (inside[0], inside[1])


def _top(profile: NDArray[np.floating], peak: int) -> float:
    """Return where a bell around ``peak`` is highest, as a signed distance from 0 on a circle."""
    size = len(profile)
    around = np.log(np.maximum(profile[[(peak - 1) % size, peak, (peak + 1) % size]], 1e-12))
    curvature = around[0] - 2 * around[1] + around[2]
    offset = 0.5 * (around[0] - around[2]) / curvature if curvature < 0 else 0.0
    place = peak if peak <= size // 2 else peak - size
    return float(place + np.clip(offset, -0.5, 0.5))


def _snapped(distance: float) -> float:
    """Return the nearest whole number, if it is near."""
    return float(round(distance)) if abs(distance - round(distance)) < _SNAP else distance


def _difference(first: _Values, second: _Values, inside: tuple[slice, slice]) -> float:
    """Give variance of what differs over variance of what is there, after averaging small cells."""
    cells = [_cells(picture[inside]) for picture in (first, second)]
    if cells[0].size < 2:
        return 1.0
    content = float(cells[0].var() + cells[1].var())
    return float((cells[1] - cells[0]).var()) / content if content > 0 else 0.0


def _cells(picture: _Values) -> _Values:
    height, width = (side // _CELL * _CELL for side in picture.shape)
    cut = picture[:height, :width].reshape(height // _CELL, _CELL, width // _CELL, _CELL)
    means: _Values = cut.mean(axis=(1, 3))
    return means
