"""Mean and spread of samples that arrive one by one."""

import numpy as np
from numpy.typing import NDArray


class RunningMoments:
    """Running mean and standard deviation, without keeping the samples.

    Reference:
        Welford, Note on a method for calculating corrected sums of squares, Technometrics 1962.

    Example:
        >>> import numpy as np
        >>> moments = RunningMoments((1,))
        >>> for sample in (1.0, 3.0):
        ...     moments.add(np.full(1, sample, np.float32))
        >>> moments.mean.item(), round(moments.spread().item(), 4)
        (2.0, 1.4142)
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = 0
        self.mean: NDArray[np.float32] = np.zeros(shape, np.float32)
        self._squares: NDArray[np.float32] = np.zeros(shape, np.float32)

    def add(self, sample: NDArray[np.float32]) -> None:
        """Take one more sample of the shape given at the start."""
        self.count += 1
        deviation = sample - self.mean
        self.mean += deviation / self.count
        self._squares += deviation * (sample - self.mean)

    def spread(self) -> NDArray[np.float32]:
        """Sample standard deviation (n - 1); zero as long as there is a single sample."""
        return np.sqrt(self._squares / max(self.count - 1, 1))
