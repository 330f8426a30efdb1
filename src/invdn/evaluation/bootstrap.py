"""How sure a difference between two methods is: the paired bootstrap."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class Interval:
    """The mean difference of paired scores, and where it would lie on other images of this kind.

    Attributes:
        mean: mean of ``first - second`` over the images.
        low: lower end of the interval.
        high: upper end.
        confidence: share of resampled sets whose mean lies inside.
        images: pairs that entered.
        left_out: pairs that did not, because a score is infinite.
    """

    mean: float
    low: float
    high: float
    confidence: float
    images: int
    left_out: int


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Return percentile interval of the mean difference, images being resampled in pairs.

    Args:
        first: scores of one method, an image each.
        second: scores of the other on the same images in the same order.
        confidence: share of the resampled means to cover.
        resamples: how many sets are drawn.
        seed: of the drawing.

    Raises:
        InputError: the lengths differ, or no pair of finite scores is left.

    Reference:
        Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 13.

    Example:
        >>> interval = paired_bootstrap([31.0, 33.0, 32.5], [30.0, 32.0, 31.5])
        >>> interval.mean, interval.low, interval.high
        (1.0, 1.0, 1.0)
    """
    if len(first) != len(second):
        raise InputError(f"{len(first)} scores cannot be paired with {len(second)}")
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    difference = a[finite] - b[finite]
    if difference.size == 0:
        raise InputError("no image has a finite score in both methods")
    random = np.random.default_rng(seed)
    count = difference.size
    means = np.array(
        [difference[random.integers(0, count, count)].mean() for _ in range(resamples)]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail)).tolist()
    return Interval(
        float(difference.mean()), low, high, confidence, count, int(finite.size - count)
    )
