"""Luma, differences of colour and squares, as JPEG has them."""

import numpy as np

#: (3, 3), gamma-encoded RGB to Y, Cb and Cr. From: ITU-T T.871 (JFIF), section 7.
YCBCR = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])

#: Its first row, luma. From: ITU-R BT.601.
LUMA = YCBCR[0].astype(np.float32)

#: Pixels on a side of the squares that are transformed.
BLOCK = 8
