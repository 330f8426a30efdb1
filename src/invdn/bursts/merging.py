"""Averaging the photographs of a burst where they show the same, and only there."""

import numpy as np
from numpy.typing import NDArray

_Values = NDArray[np.float32]

_RADIUS = 2  # differences are averaged over 5x5 pixels, so that weak ghosts stand out of the noise
_ALIKE, _UNALIKE = 2.5, 4.0  # standard deviations: full weight below, none above
_LEVELS = 16  # steps of brightness that the noise is measured in
_ENOUGH = 64  # pixels that a step needs
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_NOISE_RADIUS = 7  # energies are measured over 15x15 pixels: for two frames 0.3 dB over 9x9
_LEAST_FREEDOM = 0.25  # frames beyond the first that a place needs before its noise is known
_LEAST_DEVIATION = 0.25 / 255  # what rounding to 8 bits leaves even without noise


class Merge:
    """A running mean of aligned frames, and how uncertain it is.

    Args:
        reference: ``(H, W, C)`` noisy, which the others are compared with; the first frame.

    Reference:
        West, Updating mean and variance estimates, Communications of the ACM 1979 (weighted).

    Example:
        >>> generator = np.random.default_rng(0)
        >>> frames = [generator.normal(0.5, 0.06, (64, 64, 1)).astype(np.float32) for _ in "1234"]
        >>> merge = Merge(frames[0])
        >>> for frame in frames[1:]:
        ...     merge.add(frame, (slice(0, 64), slice(0, 64)))
        >>> round(float(merge.mean.std()), 2), round(float(merge.variance().mean() ** 0.5), 2)
        (0.03, 0.03)
    """

    def __init__(self, reference: _Values) -> None:
        self._reference = reference
        self.mean: _Values = reference.astype(np.float32, copy=True)
        self.weights: _Values = np.ones((*reference.shape[:2], 1), np.float32)
        self._squares: _Values = np.zeros_like(self.mean)

    def add(self, frame: _Values, inside: tuple[slice, slice]) -> None:
        """Average another frame in, where it agrees with the reference.

        Args:
            frame: noisy and aligned, as the reference.
            inside: rows and columns where it has content.
        """
        weight = motion_weight(self._reference[inside], frame[inside])
        self.weights[inside] += weight
        deviation = frame[inside] - self.mean[inside]
        self.mean[inside] += deviation * weight / self.weights[inside]
        self._squares[inside] += weight * deviation * (frame[inside] - self.mean[inside])

    def variance(self) -> _Values:
        """Return that of the noise left in the mean, by the frames' differences around each pixel.

        It is infinite where nothing was averaged.
        """
        freedom = _box(self.weights - 1, _NOISE_RADIUS)
        single = _box(self._squares, _NOISE_RADIUS) / np.maximum(freedom, 1e-6)
        known = np.where(freedom > _LEAST_FREEDOM, single / self.weights, np.inf)
        return np.asarray(known, np.float32)

    def restore_detail(self, denoised: _Values) -> _Values:
        """Return to a denoised picture what the mean shows above its own noise.

        A network takes fine detail away with the noise, alike at every noise level. How much of
        the difference between the mean and its denoised form is noise is known here, so the rest is
        detail: Wiener's rule with local energies, ``1 - noise / difference``.

        Args:
            denoised: the mean without noise, ``(H, W, C)``.

        Reference:
            Lee, Digital image enhancement and noise filtering by use of local statistics, 1980.
        """
        difference = self.mean - denoised
        energy = np.maximum(_box(difference**2, _NOISE_RADIUS), 1e-12)
        share = (1 - self.variance() / energy).clip(0, 1)
        return np.asarray(denoised + share * difference, np.float32)


def motion_weight(reference: _Values, frame: _Values) -> _Values:
    """Return how far a frame may be averaged in: ``(H, W, 1)``, 1 where only noise differs.

    The local mean of the difference is compared with its usual size at that brightness, which the
    two frames themselves tell: most of a burst does not move, so the median of the differences
    is noise.
    """
    if 0 in reference.shape:
        return np.zeros((*reference.shape[:2], 1), np.float32)
    difference = np.abs(_box(frame - reference, _RADIUS))
    brightness = _box((reference + frame) * np.float32(0.5), _RADIUS)
    score: _Values = np.zeros(reference.shape[:2], np.float32)
    for colour in range(reference.shape[2]):
        usual = _usual(difference[..., colour], brightness[..., colour])
        np.maximum(score, difference[..., colour] / usual, out=score)
    weight = ((_UNALIKE - score) / (_UNALIKE - _ALIKE)).clip(0, 1)
    return np.asarray(weight, np.float32)[..., None]


def _usual(difference: _Values, brightness: _Values) -> _Values:
    """Return the standard deviation of the difference at each pixel's brightness."""
    overall = max(float(np.median(difference)) * _MAD_TO_DEVIATION, _LEAST_DEVIATION)
    step = (brightness * _LEVELS).clip(0, _LEVELS - 1).astype(np.intp)
    deviations = np.full(_LEVELS, np.nan)
    for level in range(_LEVELS):
        of_level = difference[step == level]
        if of_level.size >= _ENOUGH:
            deviations[level] = np.median(of_level) * _MAD_TO_DEVIATION
    known = np.isfinite(deviations)
    if not known.any():
        return np.full_like(difference, overall)
    centres = (np.arange(_LEVELS) + 0.5) / _LEVELS
    usual = np.interp(brightness, centres[known], deviations[known])
    # A step of brightness that only something moving has must not take its own size for noise.
    return np.asarray(usual.clip(_LEAST_DEVIATION, 3 * overall), np.float32)


def _box(values: _Values, radius: int) -> _Values:
    """Average over the window around each pixel; edges repeated."""
    side = 2 * radius + 1
    for axis in (0, 1):
        margin = [(0, 0)] * values.ndim
        margin[axis] = (radius, radius)
        padded = np.pad(values, margin, mode="edge")
        size = values.shape[axis]
        total: _Values = np.zeros_like(values)
        for start in range(side):
            total += padded[(slice(None),) * axis + (slice(start, start + size),)]
        values = total / np.float32(side)
    return values
