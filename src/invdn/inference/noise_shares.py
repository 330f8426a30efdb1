"""How much of what the network takes away is noise: a share for luma and one for colour, by place.

::

    noisy, denoised ── cells of 4x4 pixels ── 20 statistics of each
                                                │ their means over 12, 20 and 44 pixels around
                                                ▼
    noise of the photograph ──────────> 67 features ── two small layers ── 2 shares of the cell
                                                                             │ bilinear
                                                                             ▼
                                                                     2 shares of the pixel

The statistics are energies of the change and of the result, coarse and fine, in luma and in colour,
how the two correlate, which direction the change has, and how it repeats: noise does neither follow
the result, nor does it have a direction or a period. Where the result is smooth nearby, what was
taken there tells what noise looks like; and the spectrum of the photograph's quietest squares tells
a camera's noise from fine texture. The layers were trained by ``benchmarks/noise_shares.py``:
they minimise the logarithm of the squared error that blending by their shares leaves.

All sums run in a fixed order over a bounded surrounding, so a window gives what the whole gives.
Where the compiled module was built, it does this work (``src/native/pixels.cpp``, seven times as
fast); what stands here says what it does, serves without it, and is the witness of its tests.
"""

from functools import cache, lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ..image.noise_estimation import NoiseEstimate

try:
    from . import _pixels
except ImportError:  # it is compiled, and may not be there
    _pixels = None  # type: ignore[assignment]

Floats = NDArray[np.float32]

#: Pixels on a side of a cell. Windows start at multiples of it, lest two see different cells.
CELL = 4
#: How far around a pixel it matters what was removed: 8 cells.
REACH = 32
_RADII = (1, 2, 5)  # cells around a cell over which its statistics are averaged
# What grey pictures have for colour, in parts of luma; without any the layers see grey texture.
# Chosen on grey versions of the real and the clean sets.
_COLOUR_OF_GREY = np.float32(0.8)
_NO_COLOUR = 0.0015  # squared steps of 8 bits, below which a photograph is grey
_BEYOND = 0.05  # the sigmoid runs so far beyond 0 and 1, so that shares reach both
# From so strong noise on, in steps of 8 bits, and in full at the second: texture hides in it, and
# no clean photograph is estimated so high, so what is added to the logits costs nothing there.
_STRONG, _TRUST = (6.0, 12.0), 0.75
_EVEN = 0.02  # squared steps of 8 bits in 9 cells: less than one pixel's difference by one
_BAND = 64  # rows of pixels that are measured at a time
_LAGS = (2, 4)  # pixels: repetition of the change
_LAYERS, _KINDS = ("first", "second", "last"), ("weight", "bias")
_FLOOR = np.float32(0.03)  # of squared steps of 8 bits, below the rounding of 8 bits (1/12)
_WHITE = np.float32(255)
# YCbCr of JPEG; from: ITU-T T.871. The last two scale blue and red less luma to Cb and Cr.
_RED, _GREEN, _BLUE = (np.float32(weight) for weight in (0.299, 0.587, 0.114))
_CB, _CR = np.float32(0.5 / (1 - 0.114)), np.float32(0.5 / (1 - 0.299))


def noise_shares(
    noisy: Floats, denoised: Floats, noise: NoiseEstimate | None, towards_noise: float = 0.0
) -> Floats:
    """Tell how much of the change is noise.

    Args:
        noisy: ``(h, w, 1)`` grey or ``(h, w, 3)`` RGB in [0, 1], a window that starts at a multiple
            of ``CELL``.
        denoised: the network's result, of the same shape.
        noise: of the whole photograph; None where it is too small to tell: then as much is noise
            as the pixels around vary.
        towards_noise: added to the logits of the shares; 0 is what was trained.

    Returns:
        ``(h, w, 2)``, shares of luma and of colour from 0 to 1; exact ``REACH`` pixels within
        borders that are none of the photograph.

    Example:
        >>> noise_shares(np.ones((1, 1, 3), np.float32), np.zeros((1, 1, 3), np.float32), None)
        array([[[0., 0.]]], dtype=float32)
    """
    height, width = noisy.shape[:2]
    if noise is None:
        return _to_pixels(_variation_shares(noisy, denoised))[:height, :width]
    low, high = _STRONG
    trust = min(max((noise.level - low) / (high - low), 0.0), 1.0)
    towards_noise += _TRUST * trust
    if _pixels is not None:
        return _compiled_shares(noisy, denoised, noise, towards_noise)
    return written_out(noisy, denoised, noise, towards_noise)


def written_out(
    noisy: Floats, denoised: Floats, noise: NoiseEstimate, towards_noise: float
) -> Floats:
    """Do in Python what the compiled module does; arguments as of :func:`noise_shares`."""
    height, width = noisy.shape[:2]
    statistics = _statistics(noisy, denoised)
    shares = _shares(_features(statistics, noise), towards_noise)
    shares[_is_even(statistics)] = 0
    return _to_pixels(shares)[:height, :width]


def _compiled_shares(
    noisy: Floats, denoised: Floats, noise: NoiseEstimate, towards_noise: float
) -> Floats:
    shares: Floats = np.empty((*noisy.shape[:2], 2), np.float32)
    given = compiled_arguments(noisy, denoised, noise)
    _pixels.noise_shares(*given, towards_noise, _single_layers(), shares)
    return shares


def compiled_arguments(
    noisy: Floats, denoised: Floats, noise: NoiseEstimate
) -> tuple[Floats, Floats, Floats, list[NDArray[np.float64]]]:
    """Return the windows, and what is known of the photograph, as the compiled module has them."""
    known = (*_of_photograph(noise), _log(np.float32(noise.level**2)), noise.correlation)
    spreads = [
        float(_WHITE) * np.array(numbers)
        for numbers in (noise.brightness, noise.colour, noise.luma)
    ]
    return close_pixels(noisy), close_pixels(denoised), np.array(known, np.float32), spreads


def close_pixels(window: Floats) -> Floats:
    """Return a window whose pixels lie close in a row, as the compiled module needs them."""
    size, (_, column, channel) = window.itemsize, window.strides
    if column == window.shape[2] * size and channel == size:
        return window
    return np.ascontiguousarray(window)


def _is_even(statistics: Floats) -> NDArray[np.bool_]:
    """Tell where the noisy picture does not vary at all, so that nothing can be taken: ``(H, W)``.

    Its differences are those of the change and of the result together.
    """
    varies = np.zeros_like(statistics[0])
    for first in (0, 5):
        change, result, both = statistics[first + 2 : first + 5]
        varies += change + result + 2 * both
    even: NDArray[np.bool_] = np.less(box_sums(np.maximum(varies, 0), _RADII[0]), _EVEN)
    return even


def _variation_shares(noisy: Floats, denoised: Floats) -> Floats:
    """Allow no more energy to be taken than the pixels around vary: ``(H, W, 2)`` of cells."""
    height, width = noisy.shape[:2]
    fill = ((0, -height % CELL), (0, -width % CELL), (0, 0))
    sides = [np.pad(side, fill, mode="edge") * _WHITE for side in (noisy, denoised)]
    before, after = (_planes(side) for side in sides)
    number = box_sums(_cells(np.ones_like(before[0])), _RADII[1])
    energies: list[tuple[Floats, Floats]] = []
    for seen, clean in zip(before, after, strict=True):
        change = seen - clean
        mean = box_sums(_cells(seen), _RADII[1]) / number
        varies = box_sums(_cells(seen * seen), _RADII[1]) / number - mean * mean
        energies.append((varies, box_sums(_cells(change * change), _RADII[1]) / number))
    shares = []
    for part in (energies[:1], energies[1:] or energies[:1]):
        varies, taken = (np.sum([pair[index] for pair in part], axis=0) for index in (0, 1))
        shares.append(np.clip((varies - _FLOOR) / (taken + _FLOOR), 0, 1))
    return np.stack(shares, axis=2).astype(np.float32)


def _statistics(noisy: Floats, denoised: Floats) -> Floats:
    """Measure every cell: ``(20, H, W)``, in steps of 8 bits.

    Of luma, then of both colours together: energy of the change, of its mean, of its first
    differences, of those of the result, and their product. Then the change's difference between
    directions (2), the result's mean and its square, the change's products with itself at each lag
    along and down, the share of clipped pixels, and the saturation.
    """
    height, width = noisy.shape[:2]
    rows, columns = -(-height // CELL), -(-width // CELL)
    fill = ((0, CELL * (rows + 1) - height), (0, CELL * (columns + 1) - width), (0, 0))
    sides = [np.pad(side, fill, mode="edge") for side in (noisy, denoised)]
    out = np.zeros((20, rows, columns), np.float32)
    for top in range(0, CELL * rows, _BAND):
        high = min(_BAND, CELL * rows - top)
        before, after = (side[top : top + high + CELL] * _WHITE for side in sides)
        _measure(before, after, out[:, top // CELL : (top + high) // CELL])
    if noisy.shape[2] == 1:
        out[5:10] = _COLOUR_OF_GREY * out[:5]
    return out


def _measure(noisy: Floats, denoised: Floats, out: Floats) -> None:
    """Measure a band of cells; one more row and column of cells is given, for the differences."""
    high, wide = CELL * out.shape[1], CELL * out.shape[2]

    def right(plane: Floats, pixels: int = 1) -> Floats:
        return plane[:high, pixels : wide + pixels]

    def down(plane: Floats, pixels: int = 1) -> Floats:
        return plane[pixels : high + pixels, :wide]

    results = _planes(denoised)
    for index, (before, result) in enumerate(zip(_planes(noisy), results, strict=True)):
        whole = before - result
        change, still = whole[:high, :wide], result[:high, :wide]
        along, across = right(whole) - change, down(whole) - change
        slope, fall = right(result) - still, down(result) - still
        part = out[:5] if index == 0 else out[5:10]
        part[0] += _cells(change * change)
        mean = _cells(change)
        part[1] += mean * mean
        horizontal, vertical = _cells(along * along), _cells(across * across)
        part[2] += horizontal + vertical
        part[3] += _cells(slope * slope + fall * fall)
        part[4] += _cells(along * slope + across * fall)
        if index == 0:
            out[10], out[11] = horizontal - vertical, 2 * _cells(along * across)
            brightness = _cells(still)
            out[12], out[13] = brightness, brightness * brightness
            for place, lag in zip((14, 16), _LAGS, strict=True):
                out[place] = _cells(change * right(whole, lag))
                out[place + 1] = _cells(change * down(whole, lag))
    core = noisy[:high, :wide]
    clipped: Floats = np.asarray(((core <= 0) | (core >= _WHITE)).any(axis=2), np.float32)
    out[18] = _cells(clipped)
    core = denoised[:high, :wide]
    saturation: Floats = core.max(axis=2) - core.min(axis=2)
    out[19] = _cells(saturation)


def _features(statistics: Floats, noise: NoiseEstimate) -> Floats:
    """Put together what the layers see: ``(67, H, W)``."""
    clipped, saturation = statistics[18:]
    ones: Floats = np.ones_like(clipped)
    brightness: Floats = statistics[12]
    features: list[Floats] = []
    smooth: Floats = ones
    for radius in _RADII:
        number = box_sums(ones, radius)
        means: list[Floats] = [box_sums(plane, radius) / number for plane in statistics[:18]]
        luma, colour = means[:5], means[5:10]
        features += [_log(plane) for plane in (*luma[:4], *colour[:4])]
        for plane in (luma, colour):
            features.append(plane[4] / np.sqrt(plane[2] * plane[3] + np.float32(0.01)))
        turned: Floats = np.sqrt(means[10] * means[10] + means[11] * means[11])
        features.append(turned / (luma[2] + np.float32(0.05)))
        if radius > _RADII[0]:
            for place in (14, 16):
                along, down = (plane / (luma[0] + np.float32(0.02)) for plane in means[place:][:2])
                features += [np.float32(0.5) * (along + down), np.abs(along - down)]
        if radius < _RADII[-1]:
            coarse: Floats = means[13] - means[12] * means[12]
            features.append(_log(coarse))
            if radius == _RADII[0]:
                smooth = 1 / np.square(luma[3] + colour[3] + np.maximum(coarse, 0) + 1)
    features += [_log(statistics[index]) for index in (0, 5, 3)]
    weight = box_sums(smooth, _RADII[-1])
    for index in (0, 2, 1, 5, 7):
        features.append(_log(box_sums(smooth * statistics[index], _RADII[-1]) / weight))
    features.append(_log(1 / np.sqrt(weight / box_sums(ones, _RADII[-1]))))
    near, far = (box_sums(clipped, radius) / box_sums(ones, radius) for radius in (1, 5))
    features += [brightness / _WHITE, near, far, saturation / _WHITE]
    features += [np.full_like(brightness, number) for number in _of_photograph(noise)]
    places = _WHITE * np.array(noise.brightness)
    for spread in (noise.colour, noise.luma):
        there = np.interp(brightness, places, _WHITE * np.array(spread)).astype(np.float32)
        features.append(_log(there * there))
    features.append(np.full_like(brightness, _log(np.float32(noise.level**2))))
    features.append(np.full_like(brightness, noise.correlation))
    return np.stack([feature.astype(np.float32, copy=False) for feature in features])


@lru_cache(maxsize=8)
def _of_photograph(noise: NoiseEstimate) -> tuple[float, ...]:
    """Describe the quietest squares of the photograph.

    Returns:
        The logarithm of the energy at low, middle and high frequencies, of luma and of colour, and
        the share of quiet squares.
    """
    scale = (255 * float(np.mean(noise.colour))) ** 2
    spectrum = scale * np.square(noise.spectrum or (1.0,) * 6)
    luma, colour = spectrum[:3], spectrum[3:]
    if not len(colour) or colour.max() < _NO_COLOUR:
        colour = float(_COLOUR_OF_GREY) ** 2 * luma
    energies = np.concatenate((luma, colour)) + float(_FLOOR)
    return (*(float(number) for number in np.log(energies)), noise.flat)


@cache
def _layers() -> dict[str, NDArray[np.float64]]:
    """Return the trained numbers, as float64: so their sums' rounding never comes to light."""
    with (files(__package__) / "noise_shares.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        return {name: arrays[name].astype(np.float64) for name in arrays.files}


@cache
def _single_layers() -> list[Floats]:
    """Return the trained numbers in the order of the compiled module."""
    layers = _layers()
    names = ("mean", "spread", *(f"{layer}.{kind}" for layer in _LAYERS for kind in _KINDS))
    return [np.ascontiguousarray(layers[name], np.float32) for name in names]


def _shares(features: Floats, towards_noise: float = 0.0) -> Floats:
    """Run the layers: ``(67, H, W)`` to ``(H, W, 2)``."""
    layers = _layers()
    rows, columns = features.shape[1:]
    shares = np.empty((rows, columns, 2), np.float32)
    for row in range(rows):
        values = (features[:, row].T - layers["mean"]) / layers["spread"]
        values = values.clip(-5, 5)
        for name in ("first", "second"):
            values = np.maximum(values @ layers[f"{name}.weight"] + layers[f"{name}.bias"], 0)
        values = values @ layers["last.weight"] + (layers["last.bias"] + towards_noise)
        shares[row] = ((1 + 2 * _BEYOND) / (1 + np.exp(-values)) - _BEYOND).clip(0, 1)
    return shares


def _planes(colours: Floats) -> list[Floats]:
    """Take luma and two differences of colour apart; grey has luma only."""
    if colours.shape[2] == 1:
        return [colours[:, :, 0]]
    red, green, blue = np.moveaxis(colours, 2, 0)
    luma = _RED * red + _GREEN * green + _BLUE * blue
    return [luma, (blue - luma) * _CB, (red - luma) * _CR]


def _cells(plane: Floats) -> Floats:
    """Average cells, by additions of a fixed order."""
    rows = plane[0::4] + plane[1::4] + (plane[2::4] + plane[3::4])
    total = rows[:, 0::4] + rows[:, 1::4] + (rows[:, 2::4] + rows[:, 3::4])
    mean: Floats = total * np.float32(1 / CELL**2)
    return mean


def box_sums(plane: Floats, radius: int) -> Floats:
    """Sum over the square of cells around every cell, as far as it lies in the window."""
    for axis in (0, 1):
        lines = np.moveaxis(plane, axis, 0)
        sums = lines.copy()
        for distance in range(1, radius + 1):
            sums[distance:] += lines[:-distance]
            sums[:-distance] += lines[distance:]
        plane = np.moveaxis(sums, 0, axis)
    return plane


def _log(values: Floats | np.float32) -> Floats:
    """Take the logarithm of energies, with the rounding of 8 bits as the least."""
    result: Floats = np.log(np.maximum(values, 0) + _FLOOR)
    return result


def _to_pixels(cells: Floats) -> Floats:
    """Interpolate linearly between the centres of cells: ``(H, W, 2)`` to ``(4 H, 4 W, 2)``."""
    for axis in (0, 1):
        lines = np.moveaxis(cells, axis, 0)
        around = np.concatenate((lines[:1], lines, lines[-1:]))
        spread = np.empty((len(lines), CELL, *lines.shape[1:]), np.float32)
        for place in range(CELL):
            offset = (place - (CELL - 1) / 2) / CELL  # of the pixel from the centre, in cells
            other = around[2:] if offset > 0 else around[:-2]
            near, far = np.float32(1 - abs(offset)), np.float32(abs(offset))
            spread[:, place] = lines * near + other * far
        cells = np.moveaxis(spread.reshape(-1, *lines.shape[1:]), 0, axis)
    return cells
