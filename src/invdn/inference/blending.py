"""Blend the noisy and the denoised image: strength, luminance, chroma, detail.

With ``n`` the noisy pixel and ``d`` the denoised one, gamma-encoded RGB in [0, 1]::

    r = d - n                                   what denoising changes
    y = 0.299 r_red + 0.587 r_green + 0.114 r_blue          its luma, one number for a pixel
    c = r - y                                   its colour

    result = n + strength * (luminance * (1 - detail * (1 - k_luma)) * y + chroma * c)

``k_luma`` and ``k_colour`` are the shares of the change that are noise (``noise_shares``), from 0
to 1. The strength is a number, or ``"auto"``: ``k_luma`` for ``y`` and ``k_colour`` for ``c``, by
pixel, leaning as the look says. docs/control.md says how they were found.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..image.dct import LUMA
from ..image.noise_estimation import NoiseEstimate
from ..options import LOOKS, DenoiseOptions
from .noise_shares import noise_shares

Floats = NDArray[np.float32]


def blend(
    noisy: Floats, denoised: Floats, options: DenoiseOptions, noise: NoiseEstimate | None
) -> Floats:
    """Return the result between a noisy window and what the network made of it, as the options say.

    Args:
        noisy: ``(h, w, 1)`` grey or ``(h, w, 3)`` RGB in [0, 1].
        denoised: the same shape.
        options: strength, luminance, chroma and detail.
        noise: of the whole photograph; None: it is too small to tell (``noise_shares``).

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
        towards_noise, grain_removed = LOOKS[options.look]
        shares = noise_shares(noisy, denoised, noise, towards_noise)
        of_luma, of_colour = np.split(shares, 2, axis=2)
        luma *= 1 - np.float32(options.detail) * (1 - of_luma)
        if options.strength == "auto":
            luma *= np.float32(grain_removed) * of_luma
            colour *= of_colour
    result = np.float32(options.luminance) * luma + np.float32(options.chroma) * colour
    if options.strength != "auto":
        result *= np.float32(options.strength)
    result += noisy
    return result


def _luma(values: Floats) -> Floats:
    """Return ``(h, w, 1)``."""
    return values.copy() if values.shape[2] == 1 else (values @ LUMA)[:, :, None]


#: From so many steps of 8 bits on, noise is called so.
_WORDS = ((0.0, "light"), (3.0, "moderate"), (8.0, "strong"), (20.0, "extreme"))


def noise_word(level: float) -> str:
    """Name the strength of noise.

    Args:
        level: standard deviation in steps of 8 bits (255 = white).

    Example:
        >>> [noise_word(level) for level in (0.4, 3.0, 12.0, 40.0)]
        ['light', 'moderate', 'strong', 'extreme']
    """
    return [word for least, word in _WORDS if level >= least][-1]


@dataclass
class Findings:
    """Sums over the pixels that were blended by automatic strength.

    Attributes:
        whole: sum of squares of what the network changed.
        made: sum of squares of what was changed.
        both: sum of the products of the two.
        count: number of values.

    Example:
        >>> findings = Findings()
        >>> findings.strength, findings.noise_level
        (None, None)
        >>> findings.add(np.full((4, 4, 3), 0.04), np.full((4, 4, 3), 0.02))
        >>> round(findings.strength, 3), round(findings.noise_level, 2)
        (0.5, 5.1)
    """

    whole: float = 0.0
    made: float = 0.0
    both: float = 0.0
    count: int = 0

    def add(self, change: Floats, made: Floats) -> None:
        """Count pixels in: what the network changed, and what of it was made."""
        self.whole += float(np.vdot(change, change))
        self.made += float(np.vdot(made, made))
        self.both += float(np.vdot(change, made))
        self.count += change.size

    @property
    def strength(self) -> float | None:
        """The single strength nearest to what was done, 0 to 1; None before anything was."""
        if not self.count:
            return None
        return min(1.0, max(0.0, self.both / self.whole)) if self.whole else 0.0

    @property
    def noise_level(self) -> float | None:
        """Standard deviation of the noise that was removed, in steps of 8 bits (255 = white)."""
        return 255 * (self.made / self.count) ** 0.5 if self.count else None
