"""What automatic strength found in an image: how much was noise, and of what strength."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

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
