"""How much of what the network takes away is taken: strength, luminance, chroma, detail.

With ``n`` the noisy pixel and ``d`` the denoised one, gamma-encoded RGB in [0, 1]::

    r = d - n                                   what denoising changes
    y = 0.299 r_red + 0.587 r_green + 0.114 r_blue          its luma, one number for a pixel
    c = r - y                                   its colour

    result = n + strength * (luminance * (1 - detail * (1 - k_luma)) * y + chroma * c)

``k`` tells noise from picture. Where more is taken away than noise of the estimated level could
explain, the rest was picture::

    V = mean of y**2 (of r**2 for k_colour) over the 11x11 pixels around
    m = noise level of the photograph / 4 of 255, but 1 at least and 2 at most
    k = min(1, m * variance of the noise at this brightness / V)

The strength is a number, or ``"auto"``: ``k_colour``, pixel by pixel. This is Wiener's rule with
the network's own residual as the signal. The margin ``m`` keeps flat areas of noisy photographs,
where V is an estimate from few pixels, at full strength; where noise is hardly visible it is
Wiener's rule itself. How these numbers were found: docs/control.md.
"""

import numpy as np
from numpy.typing import NDArray

from ..imaging.noise_level import LUMA, NoiseEstimate
from .options import DenoiseOptions

Floats = NDArray[np.float32]

#: How far around a pixel variances are compared: 11x11 pixels.
REACH = 5
_MARGINS = (1.0, 2.0)  # variance that may still be noise, in units of the noise's
_MARGIN_LEVEL = 4.0  # of 255: noise of this level and below has the first margin


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
    if options.takes_everything:
        return denoised
    change = denoised - noisy
    luma = _luma(change)
    colour = change - luma
    if options.detail and noise:
        luma = luma * (1 - np.float32(options.detail) * (1 - _luma_share(luma, denoised, noise)))
    result = np.float32(options.luminance) * luma + np.float32(options.chroma) * colour
    if options.strength == "auto":
        if noise:
            result *= _colour_share(change, denoised, noise)
    else:
        result *= np.float32(options.strength)
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
    change = denoised - noisy
    shares = _luma_share(_luma(change), denoised, noise), _colour_share(change, denoised, noise)
    return np.concatenate(shares, axis=2)


def _luma_share(luma: Floats, denoised: Floats, noise: NoiseEstimate) -> Floats:
    """``k_luma`` of a change of luma ``(h, w, 1)``."""
    removed = np.square(luma, dtype=np.float64)
    return _explained(removed, _luma(denoised), noise, noise.luma)


def _colour_share(change: Floats, denoised: Floats, noise: NoiseEstimate) -> Floats:
    """``k_colour`` of a change ``(h, w, 1 or 3)``."""
    removed = np.square(change, dtype=np.float64).mean(axis=2, keepdims=True)
    return _explained(removed, _luma(denoised), noise, noise.colour)


def _luma(values: Floats) -> Floats:
    """``(h, w, 1)``."""
    return values if values.shape[2] == 1 else (values @ LUMA)[:, :, None]


def _explained(
    removed: NDArray[np.float64],
    brightness: Floats,
    noise: NoiseEstimate,
    spread: tuple[float, ...],
) -> Floats:
    """``k``: the share of the removed energy ``(h, w, 1)`` that noise explains, 0 to 1."""
    margin = min(max(noise.level / _MARGIN_LEVEL, _MARGINS[0]), _MARGINS[1])
    variance = np.interp(brightness, noise.brightness, margin * np.square(spread))
    around = np.maximum(_box_mean(removed[:, :, 0]), 1e-12)[:, :, None]
    return np.minimum(1, variance / around).astype(np.float32)


def _box_mean(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean over the square around every pixel, as far as it lies in the plane."""
    mean = plane
    for axis in (0, 1):
        size = mean.shape[axis]
        sums = np.insert(np.cumsum(mean, axis=axis), 0, 0, axis=axis)
        last = np.minimum(np.arange(size) + REACH + 1, size)
        first = np.maximum(np.arange(size) - REACH, 0)
        shape = (-1, 1) if axis == 0 else (1, -1)
        counts = (last - first).reshape(shape)
        mean = (sums.take(last, axis=axis) - sums.take(first, axis=axis)) / counts
    return mean
