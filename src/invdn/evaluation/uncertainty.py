"""Whether the spread over draws knows where the error is: sparsification and correlation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Predicted spread against true error over the pixels of a set.

    Both are root mean squares over the colours of a pixel, in units of the full range.

    Attributes:
        pixels: how many entered.
        pearson: linear correlation.
        spearman: correlation of the ranks.
        removed: shares of pixels taken away, 0 to below 1.
        by_spread: RMS error of what is left, when the pixels of largest spread go first, as a
            share of the RMS error of all.
        by_error: the same, when those of largest error go first: the best that is possible.
        ause: area between both (area under the sparsification error): 0 is perfect.
        ause_random: the same area for pixels taken away at random: what knows nothing.
        predicted: mean spread of each tenth of the pixels, from small to large.
        observed: RMS error of that tenth; on ``predicted = observed`` the spread is the error.
    """

    pixels: int
    pearson: float
    spearman: float
    removed: tuple[float, ...]
    by_spread: tuple[float, ...]
    by_error: tuple[float, ...]
    ause: float
    ause_random: float
    predicted: tuple[float, ...]
    observed: tuple[float, ...]


def pixel_samples(
    spread: NDArray[np.floating],
    restored: NDArray[np.floating],
    reference: NDArray[np.floating],
    limit: int = 65_536,
) -> tuple[Values, Values]:
    """Spread and true error of one image's pixels (of a random part of a large image's).

    Args:
        spread: ``(H, W)`` or ``(H, W, 3)`` standard deviation over draws, 1 = full range.
        restored: the mean over draws, the same shape, in [0, 1].
        reference: the clean image.
        limit: pixels that are taken at most, at random, to bound the memory of a large set.

    Returns:
        Two ``(pixels,)`` arrays: RMS over the colours of spread and of error.

    Raises:
        InputError: the shapes differ.
    """
    if not spread.shape == restored.shape == reference.shape:
        raise InputError(
            f"spread {spread.shape}, image {restored.shape} and reference {reference.shape} "
            "must have one shape"
        )
    error = restored.astype(np.float64) - reference.astype(np.float64)
    predicted, true = _rms_over_colours(spread), _rms_over_colours(error)
    if predicted.size > limit:
        chosen = np.random.default_rng(0).choice(predicted.size, limit, replace=False)
        predicted, true = predicted[chosen], true[chosen]
    return predicted, true


def calibrate(samples: Sequence[tuple[Values, Values]], steps: int = 50) -> Calibration:
    """Measure how well spread predicts error over the pixels of a set.

    Args:
        samples: spread and error of each image, as ``pixel_samples`` gives them.
        steps: points of the sparsification curve.

    Raises:
        InputError: there are fewer than ``steps`` pixels.

    Reference:
        Ilg et al., Uncertainty estimates and multi-hypotheses networks for optical flow,
        ECCV 2018, section 5 (sparsification plots and AUSE).

    Example:
        >>> import numpy as np
        >>> error = np.linspace(0.0, 1.0, 1000)
        >>> perfect = calibrate([(error / 2, error)])
        >>> round(perfect.ause, 6), round(perfect.spearman, 6)
        (0.0, 1.0)
    """
    spread = np.concatenate([np.zeros(0), *(predicted for predicted, _ in samples)])
    error = np.concatenate([np.zeros(0), *(true for _, true in samples)])
    if spread.size < steps:
        raise InputError(f"calibration needs {steps} pixels or more, not {spread.size}")
    removed = np.arange(steps) / steps
    by_spread, by_error = (_sparsified(order, error, removed) for order in (spread, error))
    tenths = np.array_split(np.argsort(spread, kind="stable"), 10)
    return Calibration(
        pixels=int(spread.size),
        pearson=_correlation(spread, error),
        spearman=_correlation(_ranks(spread), _ranks(error)),
        removed=tuple(removed.tolist()),
        by_spread=tuple(by_spread.tolist()),
        by_error=tuple(by_error.tolist()),
        ause=float(np.trapezoid(by_spread - by_error, removed)),
        ause_random=float(np.trapezoid(1 - by_error, removed)),
        predicted=tuple(float(spread[part].mean()) for part in tenths),
        observed=tuple(float(np.sqrt(np.mean(error[part] ** 2))) for part in tenths),
    )


def _rms_over_colours(values: NDArray[np.floating]) -> Values:
    wide = np.atleast_3d(values).astype(np.float64)
    return np.asarray(np.sqrt(np.mean(wide**2, axis=2)).ravel())


def _sparsified(order: Values, error: Values, removed: Values) -> Values:
    """RMS error of what is left when the largest of ``order`` go first, relative to all."""
    squares = error[np.argsort(order, kind="stable")] ** 2
    kept = np.maximum(1, np.round((1 - removed) * error.size).astype(int))
    left = np.sqrt(np.cumsum(squares)[kept - 1] / kept)
    return np.asarray(left / left[0]) if left[0] > 0 else np.ones(len(removed))


def _correlation(a: Values, b: Values) -> float:
    """Pearson's r; 0 where one side is constant and nothing can correlate."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: Values) -> Values:
    """Ranks from 0, equal values sharing their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts) - 1
    return np.asarray((last - (counts - 1) / 2)[place])
