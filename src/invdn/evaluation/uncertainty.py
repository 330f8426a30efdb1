"""Whether the expected error is the true one: sparsification, correlation, coverage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..inference.error_map import BLOCK, COVERAGE, interval

Values = NDArray[np.float64]
_TENTHS = 10


@dataclass(frozen=True)
class BlockSamples:
    """Predicted and true error of blocks of 8x8 pixels, in units of the full range.

    Attributes:
        predicted: (n,) root mean square over colours and pixels, as predicted.
        error: (n,) the true one.
        inside: (n,) share of the values whose error lies within the interval.
    """

    predicted: Values
    error: Values
    inside: Values


@dataclass(frozen=True)
class Calibration:
    """Predicted against true error over the blocks of a set.

    Attributes:
        blocks: how many entered.
        pearson: linear correlation.
        spearman: correlation of the ranks.
        removed: shares of blocks taken away, 0 to below 1.
        by_prediction: RMS error of what is left, when the blocks of largest prediction go first,
            as a share of the RMS error of all.
        by_error: the same, when those of largest error go first: the best that is possible.
        ause: area between both (area under the sparsification error): 0 is perfect.
        ause_random: the same area for blocks taken away at random: what knows nothing.
        predicted: mean prediction of each tenth of the blocks, from small to large.
        observed: RMS error of that tenth; on ``predicted = observed`` the prediction is the error.
        nominal: share of the values that the intervals are to cover.
        coverage: share of the values that they cover.
        covered: the same in each tenth of the blocks.
    """

    blocks: int
    pearson: float
    spearman: float
    removed: tuple[float, ...]
    by_prediction: tuple[float, ...]
    by_error: tuple[float, ...]
    ause: float
    ause_random: float
    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    nominal: float
    coverage: float
    covered: tuple[float, ...]


def block_samples(
    predicted: NDArray[np.floating],
    restored: NDArray[np.floating],
    reference: NDArray[np.floating],
) -> BlockSamples:
    """Compare predicted and true error of one image's blocks.

    Args:
        predicted: ``(H, W)`` expected error, 1 = full range, as ``expected_error`` gives it.
        restored: ``(H, W)`` or ``(H, W, 3)`` result, in [0, 1].
        reference: the clean image, of the same shape.

    Returns:
        One number for each whole block.

    Raises:
        InputError: the shapes differ.
    """
    if restored.shape != reference.shape or predicted.shape != restored.shape[:2]:
        raise InputError(
            f"prediction {predicted.shape}, image {restored.shape} and reference "
            f"{reference.shape} must have one size"
        )
    error = np.abs(restored.astype(np.float64) - reference.astype(np.float64))
    error = error.reshape(*error.shape[:2], -1)
    inside = (error <= interval() * predicted[:, :, None]).mean(axis=2)
    return BlockSamples(
        np.sqrt(_by_block(predicted.astype(np.float64) ** 2)),
        np.sqrt(_by_block(np.mean(error**2, axis=2))),
        _by_block(inside),
    )


def calibrate(samples: Sequence[BlockSamples], steps: int = 50) -> Calibration:
    """Measure how well the expected error predicts the true one over a set.

    Args:
        samples: of each image.
        steps: points of the sparsification curve, at most; one for each block suffices.

    Raises:
        InputError: there are fewer than ten blocks.

    Reference:
        Ilg et al., Uncertainty estimates and multi-hypotheses networks for optical flow,
        ECCV 2018, section 5 (sparsification plots and AUSE).

    Example:
        >>> import numpy as np
        >>> error = np.linspace(0.0, 1.0, 1000)
        >>> perfect = calibrate([BlockSamples(error / 2, error, np.ones(1000))])
        >>> round(perfect.ause, 6), round(perfect.spearman, 6), perfect.coverage
        (0.0, 1.0, 1.0)
    """
    predicted, error, inside = (
        np.concatenate([np.zeros(0), *(getattr(sample, name) for sample in samples)])
        for name in BlockSamples.__dataclass_fields__
    )
    if predicted.size < _TENTHS:
        raise InputError(
            f"calibration needs {_TENTHS} blocks of {BLOCK}x{BLOCK} pixels or more, not "
            f"{predicted.size}"
        )
    steps = min(steps, predicted.size)
    removed = np.arange(steps) / steps
    by_prediction, by_error = (_sparsified(order, error, removed) for order in (predicted, error))
    tenths = np.array_split(np.argsort(predicted, kind="stable"), _TENTHS)
    return Calibration(
        blocks=int(predicted.size),
        pearson=_correlation(predicted, error),
        spearman=_correlation(_ranks(predicted), _ranks(error)),
        removed=tuple(removed.tolist()),
        by_prediction=tuple(by_prediction.tolist()),
        by_error=tuple(by_error.tolist()),
        ause=float(np.trapezoid(by_prediction - by_error, removed)),
        ause_random=float(np.trapezoid(1 - by_error, removed)),
        predicted=tuple(float(predicted[part].mean()) for part in tenths),
        observed=tuple(float(np.sqrt(np.mean(error[part] ** 2))) for part in tenths),
        nominal=COVERAGE,
        coverage=float(inside.mean()),
        covered=tuple(float(inside[part].mean()) for part in tenths),
    )


def _by_block(values: Values) -> Values:
    """Average whole blocks, ``(H, W)`` to ``(blocks,)``."""
    rows, columns = (size // BLOCK for size in values.shape)
    whole = values[: rows * BLOCK, : columns * BLOCK]
    return np.asarray(whole.reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3)).ravel())


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
