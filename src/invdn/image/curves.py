"""Tone curves: stored value to light and back, beyond [0, 1] as well.

Every curve f is continued to negative values as -f(-x), and above 1 by its own formula or, where
it is a table, by its last slope. So noise around black and highlights above white come back.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


class Curve(Protocol):
    """A growing function with f(0) near 0 and f(1) near 1."""

    def light(self, stored: Values) -> Values:
        """Return light from stored values, any shape."""
        ...

    def stored(self, light: Values) -> Values:
        """Return stored values from light."""
        ...


@dataclass(frozen=True)
class ParametricCurve:
    """``(a x + b) ** gamma + e`` from ``d`` on, ``c x + f`` below (ICC.1:2022, 10.18, type 4).

    Example:
        >>> stored = np.array([-0.5, 0.5, 1.5], np.float32)
        >>> SRGB.light(stored).round(3), SRGB.stored(SRGB.light(stored)).round(3)
        (array([-0.214,  0.214,  2.537], dtype=float32), array([-0.5,  0.5,  1.5], dtype=float32))
    """

    gamma: float = 1.0
    a: float = 1.0
    b: float = 0.0
    c: float = 0.0
    d: float = 0.0
    e: float = 0.0
    f: float = 0.0

    def light(self, stored: Values) -> Values:
        """See :class:`Curve`."""
        if self == LINEAR:
            return stored
        size = np.abs(stored)
        upper: Values = np.maximum(np.float32(self.a) * size + np.float32(self.b), 0)
        upper = upper ** np.float32(self.gamma) + np.float32(self.e)
        if self.d > 0:
            lower = np.float32(self.c) * size + np.float32(self.f)
            upper = np.where(size < np.float32(self.d), lower, upper)
        return np.copysign(upper, stored)

    def stored(self, light: Values) -> Values:
        """See :class:`Curve`."""
        if self == LINEAR:
            return light
        size = np.abs(light)
        upper = np.maximum(size - np.float32(self.e), 0) ** np.float32(1 / self.gamma)
        upper = (upper - np.float32(self.b)) / np.float32(self.a)
        if self.d > 0:
            # where the two parts meet; from the upper part, so that its values come back
            bend = (self.a * self.d + self.b) ** self.gamma + self.e
            lower = (size - np.float32(self.f)) / np.float32(self.c) if self.c else 0 * size
            upper = np.where(size < np.float32(bend), lower, upper)
        return np.copysign(upper, light)


class Table:
    """Values at equal distances over [0, 1], joined by straight lines.

    Args:
        values: light, growing; two or more.

    Example:
        >>> curve = Table(np.array([0, 0.25, 1]))
        >>> curve.light(np.array([0.5, 2], np.float32)).tolist()
        [0.25, 2.5]
        >>> curve.stored(np.array([0.25, 2.5], np.float32)).tolist()
        [0.5, 2.0]
    """

    def __init__(self, values: NDArray[np.floating]) -> None:
        self._light = np.append(values, 2 * values[-1] - values[-2]).astype(np.float64)
        self._stored = np.arange(len(self._light)) / (len(values) - 1)
        self._slope = max(float(values[-1] - values[-2]) * (len(values) - 1), 1e-3)

    def light(self, stored: Values) -> Values:
        """See :class:`Curve`."""
        size = np.abs(stored)
        found = np.interp(size, self._stored, self._light)
        found += np.maximum(size - self._stored[-1], 0) * self._slope
        return np.copysign(found, stored).astype(np.float32)

    def stored(self, light: Values) -> Values:
        """See :class:`Curve`."""
        size = np.abs(light)
        found = np.interp(size, self._light, self._stored)
        found += np.maximum(size - self._light[-1], 0) / self._slope
        return np.copysign(found, light).astype(np.float32)


LINEAR = ParametricCurve()
# from: IEC 61966-2-1, with the constants that ICC's own sRGB profile has
SRGB_GAMMA, SRGB_OFFSET, SRGB_SLOPE, SRGB_KNEE = 2.4, 0.055, 12.92, 0.04045
SRGB_KNEE_LIGHT = 0.0031308
SRGB = ParametricCurve(
    SRGB_GAMMA,
    1 / (1 + SRGB_OFFSET),
    SRGB_OFFSET / (1 + SRGB_OFFSET),
    1 / SRGB_SLOPE,
    SRGB_KNEE,
)
