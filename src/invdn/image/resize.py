"""MATLAB-compatible bicubic downscaling, the source of the network's low-resolution target."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def _cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return keys' cubic with a = -0.5 (Keys, IEEE ASSP 1981, equation 15)."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


@lru_cache(maxsize=32)
def downscaling_matrix(size: int, factor: int) -> NDArray[np.float32]:
    """Return the linear map of MATLAB's ``imresize(x, 1/factor, 'bicubic')`` along one axis.

    The kernel is widened by ``factor`` (antialiasing) and the border is mirrored including the
    edge pixel (symmetric padding). Source of the protocol: paper section 3.3 and MATLAB's
    documentation of ``imresize``.

    Args:
        size: pixels along the axis; divisible by ``factor``.
        factor: whole factor by which the axis shrinks.

    Returns:
        ``(size / factor, size)`` float32, rows summing to one; ``matrix @ column`` downscales.

    Raises:
        ValueError: ``size`` is not a positive multiple of ``factor``.

    Example:
        >>> import numpy as np
        >>> downscaling_matrix(16, 4).shape
        (4, 16)
        >>> bool(np.allclose(downscaling_matrix(16, 4) @ np.ones(16), 1, atol=1e-6))
        True
    """
    if size <= 0 or factor <= 0 or size % factor:
        raise ValueError(f"size {size} is not a positive multiple of the factor {factor}")
    out = size // factor
    centre = (np.arange(out) + 0.5) * factor - 0.5
    taps = np.arange(-2 * factor, 2 * factor + 1)
    source = np.floor(centre)[:, None].astype(int) + taps
    weight = _cubic((centre[:, None] - source) / factor)
    weight /= weight.sum(axis=1, keepdims=True)
    mirrored = source % (2 * size)
    mirrored = np.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    matrix = np.zeros((out, size))
    np.add.at(matrix, (np.arange(out)[:, None], mirrored), weight)
    result = matrix.astype(np.float32)
    result.flags.writeable = False
    return result
