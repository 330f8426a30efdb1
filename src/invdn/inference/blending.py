"""Blend the noisy and the denoised image: strength, luminance, chroma, detail.

With ``n`` the noisy pixel and ``d`` the denoised one, gamma-encoded RGB in [0, 1]::

    r = d - n                                   what denoising changes
    y = 0.299 r_red + 0.587 r_green + 0.114 r_blue          its luma, one number for a pixel
    c = r - y                                   its colour

    result = n + strength * (luminance * (1 - detail * (1 - k_luma)) * y + chroma * c)

``k_luma`` and ``k_colour`` are the shares of the change that are noise (``noise_shares``), from 0
to 1. The strength is a number, or ``"auto"``: ``k_luma`` for ``y`` and ``k_colour`` for ``c``, by
pixel. docs/control.md says how they were found.
"""

import numpy as np
from numpy.typing import NDArray

from ..image.dct import LUMA
from ..image.noise_estimation import NoiseEstimate
from ..options import DenoiseOptions
from .noise_shares import noise_shares

Floats = NDArray[np.float32]


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
    if options.needs_noise_estimate:
        of_luma, of_colour = np.split(noise_shares(noisy, denoised, noise), 2, axis=2)
        luma *= 1 - np.float32(options.detail) * (1 - of_luma)
        if options.strength == "auto":
            luma *= of_luma
            colour *= of_colour
    result = np.float32(options.luminance) * luma + np.float32(options.chroma) * colour
    if options.strength != "auto":
        result *= np.float32(options.strength)
    result += noisy
    return result


def _luma(values: Floats) -> Floats:
    """Return ``(h, w, 1)``."""
    return values.copy() if values.shape[2] == 1 else (values @ LUMA)[:, :, None]
