"""Change the colours of clean crops, so that training covers the whole RGB cube."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..image.dct import YCBCR

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class ColorOptions:
    """How the colours of a crop are changed, for ``share`` of the clean photographs' crops.

    Attributes:
        share: of the crops of photographs, in [0, 1].
        saturation: least and largest factor on the chroma, drawn log-uniformly.
        hue_share: of the changed crops, whose hue is turned by any angle.
        permutation_share: of the changed crops, whose channels change places.
        white_balance: standard deviation of the logarithm of the gains of red and blue.
        gains: least and largest gain of each channel, drawn log-uniformly; what exceeds white is
            clipped.
    """

    share: float = 0.0
    saturation: tuple[float, float] = (1.0, 1.0)
    hue_share: float = 0.0
    permutation_share: float = 0.0
    white_balance: float = 0.0
    gains: tuple[float, float] = (1.0, 1.0)


def draw_color_matrix(options: ColorOptions, random: np.random.Generator) -> Matrix:
    """Draw one change of colours as a matrix (3, 3) on display RGB; the caller clips to [0, 1].

    Every change is linear, so that one product of matrices does them all: permutation, then hue and
    saturation around the luma, then white balance and gains.

    Example:
        >>> import numpy as np
        >>> (draw_color_matrix(ColorOptions(), np.random.default_rng(1)).round(6) + 0.0).tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    matrix = np.eye(3)
    if random.random() < options.permutation_share:
        matrix = matrix[random.permutation(3)]
    angle = random.uniform(-math.pi, math.pi) if random.random() < options.hue_share else 0.0
    factor = _log_uniform(options.saturation, random)
    chroma = factor * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    ycbcr = np.asarray(YCBCR, np.float64)
    turned = np.eye(3)
    turned[1:, 1:] = chroma
    balance = np.exp(options.white_balance * random.standard_normal(3) * (1.0, 0.0, 1.0))
    gains = balance * [_log_uniform(options.gains, random) for _ in range(3)]
    changed: Matrix = gains[:, None] * (np.linalg.inv(ycbcr) @ turned @ ycbcr @ matrix)
    return changed


def _log_uniform(interval: tuple[float, float], random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(math.log(interval[0]), math.log(interval[1]))))
