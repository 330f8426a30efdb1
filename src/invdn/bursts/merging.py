"""Averaging the photographs of a burst where they show the same, and only there."""

import numpy as np
from numpy.typing import NDArray

_Values = NDArray[np.float32]

_RADIUS = 2  # differences are averaged over 5x5 pixels, so that weak ghosts stand out of the noise
_ALIKE, _UNALIKE = 2.5, 4.0  # standard deviations: full weight below, none above
_LEVELS = 16  # steps of brightness that the noise is measured in
_ENOUGH = 64  # pixels that a step needs
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution
_LEAST_DEVIATION = 0.25 / 255  # what rounding to 8 bits leaves even without noise


class Merge:
    """A running mean of aligned frames against a reference.

    Args:
        reference: ``(H, W, C)`` noisy, which the others are compared with.
        value: what is averaged of the reference: itself, or its denoised form.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> frames = [generator.normal(0.5, 0.05, (64, 64, 1)).astype(np.float32) for _ in "123"]
        >>> merge = Merge(frames[0], frames[0])
        >>> for frame in frames[1:]:
        ...     merge.add(frame, frame, (slice(0, 64), slice(0, 64)))
        >>> bool(merge.mean().std() < 0.6 * frames[0].std())
        True
    """

    def __init__(self, reference: _Values, value: _Values) -> None:
        self._reference = reference
        self._total = value.astype(np.float32, copy=True)
        self._weights: _Values = np.ones((*reference.shape[:2], 1), np.float32)

    def add(self, frame: _Values, value: _Values, inside: tuple[slice, slice]) -> None:
        """Average another frame in.

        Args:
            frame: noisy and aligned, as the reference.
            value: what is averaged of it.
            inside: rows and columns where it has content.
        """
        weight = agreement(self._reference[inside], frame[inside])
        self._total[inside] += weight * value[inside]
        self._weights[inside] += weight

    def mean(self) -> _Values:
        """The weighted mean of all frames so far."""
        mean: _Values = self._total / self._weights
        return mean

    def frames(self) -> float:
        """How many frames a pixel is the mean of, on average."""
        return float(self._weights.mean())


def agreement(reference: _Values, frame: _Values) -> _Values:
    """How far a frame may be averaged in at each pixel: ``(H, W, 1)``, 1 where only noise differs.

    The local mean of the difference is compared with its usual size at that brightness, which the
    two frames themselves tell: most of a burst does not move, so the median of the differences
    is noise.
    """
    if 0 in reference.shape:
        return np.zeros((*reference.shape[:2], 1), np.float32)
    difference = np.abs(_box(frame - reference))
    brightness = _box(reference + frame) / 2
    score: _Values = np.zeros(reference.shape[:2], np.float32)
    for colour in range(reference.shape[2]):
        usual = _usual(difference[..., colour], brightness[..., colour])
        np.maximum(score, difference[..., colour] / usual, out=score)
    weight = ((_UNALIKE - score) / (_UNALIKE - _ALIKE)).clip(0, 1)
    return np.asarray(weight, np.float32)[..., None]


def _usual(difference: _Values, brightness: _Values) -> _Values:
    """The standard deviation of the difference at each pixel's brightness."""
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
    return np.clip(usual, _LEAST_DEVIATION, 3 * overall).astype(np.float32)


def _box(values: _Values) -> _Values:
    """Means over the window around each pixel; edges repeated."""
    side = 2 * _RADIUS + 1
    for axis in (0, 1):
        margin = [(0, 0)] * values.ndim
        margin[axis] = (_RADIUS, _RADIUS)
        padded = np.pad(values, margin, mode="edge")
        size = values.shape[axis]
        values = sum(
            (padded.take(range(start, start + size), axis) for start in range(1, side)),
            start=padded.take(range(size), axis),
        ) / np.float32(side)
    return values
