"""Blend the noisy and the denoised image: strength, luminance, chroma, detail, dithering.

With ``n`` the noisy pixel and ``d`` the denoised one, gamma-encoded RGB in [0, 1]::

    r = d - n                                   what denoising changes
    y = 0.299 r_red + 0.587 r_green + 0.114 r_blue          its luma, one number for a pixel
    c = r - y                                   its colour

    result = n + strength * (luminance * (1 - detail * (1 - k_luma)) * y + chroma * c)

``k_luma`` and ``k_colour`` are the shares of the change that are noise (``noise_shares``), from 0
to 1. The strength is a number, or ``"auto"``: ``k_luma`` for ``y`` and ``k_colour`` for ``c``, by
pixel, leaning as the look says. docs/control.md says how they were found.

Results of 8 bits that are smoother than 8 bits can show are dithered at the end: a sky without
noise would fall into bands, since a step of 8 bits is as wide as many pixels. There the result is
rounded up or down by a fixed pattern, in proportion to what rounding leaves::

    level = floor(value + 1/8 + 3/4 pattern(row, column)),   0 <= pattern < 1

Whole patterns would be right on average everywhere, and add as much error as rounding itself; three
quarters of one are wrong by an eighth of a step at most, and add half of that.

Whole levels stay as they are, so white and black do too. The pattern is interleaved gradient noise,
from: Jimenez, Next generation post processing in Call of Duty: Advanced Warfare, SIGGRAPH 2014. All
colours share it, so grey stays grey. It and the choice of the pixels depend on the place in the
photograph and a few pixels around, so tiles give what the whole gives.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..image.dct import LUMA
from ..image.dtype import Floats
from ..image.noise_estimation import NoiseEstimate
from ..options import LOOKS, DenoiseOptions
from .noise_shares import close_pixels, noise_shares

try:
    from . import _pixels
except ImportError:  # it is compiled, and may not be there
    _pixels = None  # type: ignore[assignment]


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
        if options.detail:
            luma *= 1 - np.float32(options.detail) * (1 - of_luma)
        if options.strength == "auto":
            luma *= np.float32(grain_removed) * of_luma
            colour *= of_colour
    # In place, and not by 1: the arrays leave the cache at every step.
    for part, share in ((luma, options.luminance), (colour, options.chroma)):
        if share != 1:
            part *= np.float32(share)
    colour += luma
    if options.strength != "auto":
        colour *= np.float32(options.strength)
    colour += noisy
    return colour


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


_REACH = 2  # pixels around that must be smooth
_WHITE = np.float32(255)
# Steps of 8 bits that a smooth surrounding spans at most: a band is then 3 pixels wide or wider.
_SMOOTH = np.float32(1.5)
_AMPLITUDE = np.float32(0.75)  # of the pattern, in steps
_REMOVED = 0.5  # share of the change that must have been made: else there was no noise


def dithered(
    clean: Floats,
    noisy: Floats,
    denoised: Floats,
    inner: tuple[slice, slice],
    place: tuple[int, int],
    blended: Floats | None = None,
) -> Floats:
    """Round a result to 8 bits by a pattern where it is smooth.

    Args:
        clean: ``(h, w, C)`` core of a window of the result, with white at 1.
        noisy: ``(H, W, 1 or C)`` window, in the network's colours.
        denoised: ``(H, W, 1 or C)`` window of the network's result.
        inner: where the core lies in the window.
        place: row and column of the core in the photograph.
        blended: the core in the network's colours; None: they are the result's.

    Returns:
        The core; values in smooth places are whole levels, the others are as they were.

    Example:
        >>> sky = np.full((6, 6, 1), 0.5, np.float32)
        >>> window = np.s_[0:6, 0:6]
        >>> levels = 255 * dithered(sky, sky + np.float32(0.02), sky, window, (0, 0))
        >>> sorted(set(levels.round(3).ravel().tolist()))
        [127.0, 128.0]
    """
    made = clean if blended is None else blended
    if _pixels is None or made.shape[2] != noisy.shape[2] or not clean.size:
        return written_out(clean, noisy, denoised, inner, place, made)
    result: Floats = np.empty(clean.shape, np.float32)
    core, mixed, before, after = map(close_pixels, (clean, made, noisy, denoised))
    top, left = inner[0].start, inner[1].start
    count = _pixels.dither(core, mixed, before, after, top, left, *place, result)
    return result if count else clean


def written_out(
    clean: Floats,
    noisy: Floats,
    denoised: Floats,
    inner: tuple[slice, slice],
    place: tuple[int, int],
    blended: Floats,
) -> Floats:
    """Do in Python what the compiled module does; arguments as of :func:`dithered`."""
    smooth = _is_smooth(denoised * _WHITE)[inner]
    before = noisy[inner]
    change = denoised[inner] - before
    made = blended - before
    energy = (change * change).sum(axis=2)
    removed = (change * made).sum(axis=2) > _REMOVED * energy
    chosen = (smooth & removed)[..., None]
    values = clean * _WHITE
    ends = (values < np.float32(0.5)) | (values > _WHITE - np.float32(0.5))
    inside = chosen & ~ends
    if not inside.any():
        return clean
    pattern = _pattern(clean.shape[0], clean.shape[1], place)[..., None]
    levels = np.floor(values + (1 - _AMPLITUDE) / 2 + _AMPLITUDE * pattern)
    result: Floats = np.where(inside, levels / _WHITE, clean)
    return result


def _is_smooth(values: Floats) -> NDArray[np.bool_]:
    """Tell where no colour spans more than a step and a half in the square around."""
    low = high = values
    for axis in (0, 1):
        fill = [(0, 0)] * 3
        fill[axis] = (_REACH, _REACH)
        below, above = (np.pad(side, fill, mode="edge") for side in (low, high))
        size = values.shape[axis]
        for offset in range(2 * _REACH + 1):
            part = tuple(
                slice(offset, offset + size) if index == axis else slice(None) for index in range(3)
            )
            low, high = np.minimum(low, below[part]), np.maximum(high, above[part])
    result: NDArray[np.bool_] = np.all(high - low < _SMOOTH, axis=2)
    return result


def _pattern(rows: int, columns: int, place: tuple[int, int]) -> Floats:
    """Return interleaved gradient noise, from 0 up to 1."""
    down = 0.00583715 * np.arange(place[0], place[0] + rows, dtype=np.float64)
    along = 0.06711056 * np.arange(place[1], place[1] + columns, dtype=np.float64)
    noise = 52.9829189 * ((down[:, None] + along) % 1.0) % 1.0
    return np.minimum(noise, 1 - 1e-6).astype(np.float32)
