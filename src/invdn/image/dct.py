"""Luma, differences of colour and cosine waves, as JPEG has them."""

import numpy as np
from numpy.typing import NDArray

#: (3, 3), gamma-encoded RGB to Y, Cb and Cr. From: ITU-T T.871 (JFIF), section 7.
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])

#: Its first row, luma. From: ITU-R BT.601.
LUMA = YCBCR[0].astype(np.float32)

#: Pixels on a side of the squares that are transformed.
BLOCK = 8


def _square_cosines() -> NDArray[np.float64]:
    place = np.arange(BLOCK)
    waves: NDArray[np.float64] = np.cos(np.pi * (2 * place + 1) * place[:, None] / (2 * BLOCK)) / 2
    waves[0] /= np.sqrt(2)
    return np.array([np.kron(down, along) for down in waves for along in waves])


#: (64, 64), the orthonormal discrete cosine transform of squares of 8x8, row by row.
DCT8X8 = _square_cosines()
