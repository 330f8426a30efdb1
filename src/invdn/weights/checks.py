"""How far an exported form of the network may lie from torch, and how far it does."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError

#: Largest difference from torch, relative to values of 1, of a form that computes in float32.
TOLERANCE = 1e-4
#: Largest root mean square, of white, by which half precision may change a picture: an independent
#: error of this size takes 0.02 dB from a result of 40 dB, 10 log10(1 + 6.8e-4**2 / 1e-4).
HALF_TOLERANCE = 6.8e-4

_STEPS = 255  # of 8 bits


@dataclass(frozen=True)
class Comparison:
    """One check of an exported form against torch.

    Attributes:
        graph: file name of the form.
        shape: ``(batch, height, width)`` of the image.
        difference: largest absolute difference from torch, divided by the largest value where
            that is above 1.
        error: root mean square of the difference, divided likewise.

    Example:
        >>> Comparison("plain.onnx", (1, 8, 8), difference=1e-3, error=1e-4).decibels
        80.0
    """

    graph: str
    shape: tuple[int, int, int]
    difference: float
    error: float

    @property
    def steps(self) -> float:
        """The largest difference in steps of 8 bits."""
        return self.difference * _STEPS

    @property
    def decibels(self) -> float:
        """PSNR of the form's result against torch's; infinite where they are equal."""
        return float("inf") if self.error == 0 else float(-20 * np.log10(self.error))


def compare(
    graph: str,
    shape: tuple[int, int, int],
    found: NDArray[Any],
    expected: NDArray[Any],
    *,
    half: bool = False,
) -> Comparison:
    """Compare a form's result with torch's.

    Args:
        graph: file name of the form.
        shape: ``(batch, height, width)`` of the image.
        found: what the form gave.
        expected: what torch gave.
        half: whether the form computes in half precision, and is judged by its mean error.

    Raises:
        EngineError: the two differ in shape, or by more than the tolerance.
    """
    if found.shape != expected.shape:
        raise EngineError(f"{graph} gives {found.shape} where torch gives {expected.shape}")
    scale = max(1.0, float(np.abs(expected).max()))
    apart = (found.astype(np.float64) - expected) / scale
    difference = float(np.abs(apart).max())
    error = float(np.sqrt(np.mean(np.square(apart))))
    seen, limit = (error, HALF_TOLERANCE) if half else (difference, TOLERANCE)
    if not seen <= limit:
        size = "x".join(map(str, shape))
        raise EngineError(
            f"{graph} differs from torch by {seen:.1e} at {size}, more than {limit:.0e}; "
            "it was not written"
        )
    return Comparison(graph, shape, difference, error)
