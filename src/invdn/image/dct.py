"""Luma, differences of colour and cosine waves, as JPEG has them."""

import numpy as np
from numpy.typing import NDArray

#: (3, 3), gamma-encoded RGB to Y, Cb and Cr. From: ITU-T T.871 (JFIF), section 7.
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])

#: Its first row, luma. From: ITU-R BT.601.
LUMA = YCBCR[0].astype(np.float32)

#: Pixels on a side of the squares that are transformed.
BLOCK = 8

_PLACE = np.arange(BLOCK)
_WAVES = np.cos(np.pi * (2 * _PLACE + 1) * _PLACE[:, None] / (2 * BLOCK)) / 2
_WAVES[0] /= np.sqrt(2)

#: (64, 64), the orthonormal discrete cosine transform of squares of 8x8, row by row.
DCT8X8: NDArray[np.float64] = np.array(
    [np.kron(down, right) for down in _WAVES for right in _WAVES]
)
