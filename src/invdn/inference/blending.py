"""How much of what the network takes away is taken: strength, luminance, chroma, detail.

With ``n`` the noisy pixel and ``d`` the denoised one, gamma-encoded RGB in [0, 1]::

    r = d - n                                   what denoising changes
    y = 0.299 r_red + 0.587 r_green + 0.114 r_blue          its luma, one number for a pixel
    c = r - y                                   its colour

    result = n + strength * (luminance * (1 - detail * (1 - k_luma)) * y + chroma * c)

``k`` tells noise from picture. Squares of 8x8 pixels of ``r``, every 4 pixels, are taken apart into
waves (discrete cosine transform of luma and colour differences), each measured in spreads that the
noise has at its frequency and at the brightness there. Waves beyond a limit were picture, and are
left out; the squares are put together again to ``e``, what noise explains of ``r``::

    k = sum of e * r / sum of r * r, over the 5x5 pixels around; 0 at least and 1 at most

The limit is the higher, the noisier the photograph, since spots of noise are seen in flat areas
before the loss of a faint wave is; where a square has much more energy than noise, it is low.
``k_luma`` is that of the luma, ``k_colour`` of the three colours together. The strength is a
number, or ``"auto"``: ``k_colour``, pixel by pixel. How the numbers were found: docs/control.md.

Reference:
    Yaroslavsky et al., Transform domain image restoration methods: review, comparison, and
    interpretation, SPIE 4304, 2001 (thresholds in the sliding cosine transform).
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..image.dct import LUMA, SIDE, SQUARE_COSINES, YCBCR
from ..image.noise_estimation import NoiseEstimate
from ..options import DenoiseOptions

Floats = NDArray[np.float32]

#: Squares lie at multiples of so many pixels, counted from the start of a window. So windows start
#: at multiples of it too, lest two of them see different squares.
GRID = 4
#: How far around a pixel it matters what was removed: 9 pixels, and a multiple of the grid.
REACH = 12
_AROUND = 2  # pixels on each side whose products are summed up: 5x5
_LEVELS = (1.0, 4.0, 7.0, 14.0, 40.0)  # noise of a photograph, in steps of 8 bits, at which
_LIMITS = (0.8, 1.9, 2.6, 4.5, 8.0)  # waves of flat squares are picture from so many spreads on
_BUSY_LIMIT = 1.5  # and waves of busy squares at the latest
_ENERGIES = (1.4, 2.5)  # mean squares of a flat and of a busy square's waves, in spreads
_COLOUR = 1.2  # times what the noise of colour is: its spots are seen more than a loss of colour
_FROM_YCBCR = np.linalg.inv(YCBCR)
_TINY = 1e-6  # of white, below the rounding of any format
_LEAST = 1e-3  # spread of the noise, in that of all, where it has none of a frequency
_RAMP = 0.25  # share of the limit, below and above, within which a wave fades


def blend(
    noisy: Floats, denoised: Floats, options: DenoiseOptions, noise: NoiseEstimate | None
) -> Floats:
    """The result between a noisy window and what the network made of it, as the options say.

    Args:
        noisy: ``(h, w, 1)`` grey or ``(h, w, 3)`` RGB in [0, 1].
        denoised: the same shape.
        options: strength, luminance, chroma and detail.
        noise: of the whole photograph; None counts everything that was taken away as noise.

    Returns:
        A new array, or ``denoised`` itself where everything is taken.

    Example:
        >>> noisy, denoised = np.ones((1, 1, 3), np.float32), np.zeros((1, 1, 3), np.float32)
        >>> blend(noisy, denoised, DenoiseOptions(strength=0.25), None)[0, 0].tolist()
        [0.75, 0.75, 0.75]
    """
    if options.is_full_strength:
        return denoised
    change = denoised - noisy
    luma = _luma(change)
    colour = change - luma
    strength: Floats | np.float32 = np.float32(1)
    if options.needs_noise_estimate:
        of_luma, of_colours = np.split(explained(noisy, denoised, noise), 2, axis=2)
        luma = luma * (1 - np.float32(options.detail) * (1 - of_luma))
        strength = of_colours
    if options.strength != "auto":
        strength = np.float32(options.strength)
    result = np.float32(options.luminance) * luma + np.float32(options.chroma) * colour
    result *= strength
    result += noisy
    return result


def explained(noisy: Floats, denoised: Floats, noise: NoiseEstimate | None) -> Floats:
    """``k_luma`` and ``k_colour``, for those who blend by themselves: ``(h, w, 2)``, 0 to 1.

    Args:
        noisy: ``(h, w, 1)`` grey or ``(h, w, 3)`` RGB in [0, 1].
        denoised: what the network made of it.
        noise: of the whole photograph; None counts everything that was taken away as noise.

    Example:
        >>> explained(np.ones((1, 1, 3)), np.zeros((1, 1, 3)), None).tolist()
        [[[1.0, 1.0]]]
    """
    if noise is None:
        return np.ones((*noisy.shape[:2], 2), np.float32)
    change = denoised - noisy  # (h, w, c)
    planes = change if change.shape[2] == 1 else _mixed(change, YCBCR)
    colour = np.maximum(noise.colour, _TINY)
    spread: Floats = np.interp(_luma(denoised), noise.brightness, colour).astype(np.float32)
    spectrum = np.maximum(noise.spectrum, _LEAST)  # (c, 64)
    spectrum[1:] *= _COLOUR
    limit = float(np.interp(noise.level, _LEVELS, _LIMITS))
    noiselike = _noiselike(planes / spread, spectrum, (limit, min(limit, _BUSY_LIMIT)))
    noiselike *= spread
    of_luma = _share(noiselike[:, :, :1], planes[:, :, :1])
    del planes
    colours = noiselike if change.shape[2] == 1 else _mixed(noiselike, _FROM_YCBCR)
    return np.stack((of_luma, _share(colours, change)), axis=2)


def _noiselike(
    planes: Floats, spectrum: NDArray[np.float64], limits: tuple[float, float]
) -> Floats:
    """``planes`` (h, w, c) without waves that stand out of the noise.

    A row of squares at a time; every pixel lies in four squares, whose mean it takes. Waves are
    float64, lest their rounding, which depends on how many lie in a row, comes to light.

    Args:
        planes: what was removed.
        spectrum: (c, 64) spread of the noise.
        limits: of flat and of busy squares.
    """
    height, width, channels = planes.shape
    fill = [(GRID, GRID + -side % GRID) for side in (height, width)]
    padded = np.pad(planes, (*fill, (0, 0)), mode="reflect")
    total = np.zeros_like(padded)
    for top in range(0, len(padded) - GRID, GRID):
        rows = slice(top, top + SIDE)
        squares = sliding_window_view(padded[rows], SIDE, axis=1)[:, ::GRID]  # (8, n, c, 8)
        waves = squares.transpose(1, 2, 0, 3).reshape(-1, channels, SIDE**2) @ SQUARE_COSINES.T
        strength = np.abs(waves) / spectrum
        energy = np.square(strength).mean(axis=(1, 2), keepdims=True)
        strength /= np.interp(energy, _ENERGIES, limits)
        waves *= ((1 + _RAMP - strength) / (2 * _RAMP)).clip(0, 1)
        kept = (waves @ SQUARE_COSINES).reshape(-1, channels, SIDE, SIDE).transpose(2, 0, 3, 1) / 4
        left, right = kept[:, :, :GRID], kept[:, :, GRID:]
        total[rows, :-GRID] += left.reshape(SIDE, -1, channels)
        total[rows, GRID:] += right.reshape(SIDE, -1, channels)
    return total[GRID : GRID + height, GRID : GRID + width]


def _share(part: Floats, whole: Floats) -> Floats:
    """How much of ``whole`` (h, w, c) is ``part``, around every pixel: (h, w), 0 to 1."""
    products, squares = (_box_sum((factor * whole).sum(axis=2)) for factor in (part, whole))
    share = np.divide(products, squares, out=np.ones_like(products), where=squares > 0)
    return share.clip(0, 1)


def _mixed(colours: Floats, matrix: NDArray[np.float64]) -> Floats:
    """Other planes of three colours, by sums that do not depend on where a pixel lies."""
    red, green, blue = np.moveaxis(colours, 2, 0)
    rows = matrix.astype(np.float32)
    return np.stack([row[0] * red + row[1] * green + row[2] * blue for row in rows], axis=2)


def _luma(values: Floats) -> Floats:
    """``(h, w, 1)``."""
    return values if values.shape[2] == 1 else (values @ LUMA)[:, :, None]


def _box_sum(plane: Floats) -> Floats:
    """The sum over the square around every pixel, as far as it lies in the plane."""
    sums = np.pad(plane, _AROUND)
    for axis in (0, 1):
        sums = sliding_window_view(sums, 2 * _AROUND + 1, axis=axis).sum(axis=-1)
    return sums
