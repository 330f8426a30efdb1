"""Stored pixels <-> the float32 form in [0, 1] that everything computes with."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import InputError

#: What everything computes with.
Floats = NDArray[np.float32]
#: What is stored.
Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.floating]
_BLOCK = 1 << 20  # values looked at in one go, so that a check never copies a whole photo


def white(dtype: DTypeLike) -> int:
    """Return the stored value that means 1.0.

    Raises:
        InputError: pixels of this type have no agreed meaning.

    Example:
        >>> white("uint8"), white("uint16"), white("float32")
        (255, 65535, 1)
    """
    kind = np.dtype(dtype)
    if kind == np.uint8 or kind == np.uint16:
        return int(np.iinfo(kind).max)
    if kind.kind == "f":
        return 1
    raise InputError(f"pixels are {kind}; give uint8, uint16, or floats in [0, 1]")


def to_float(pixels: Pixels) -> NDArray[np.float32]:
    """Return stored pixels (any shape, a slice too) as float32, white being 1.

    Floats keep their values, also those outside [0, 1], and float32 is returned as it is.

    Raises:
        InputError: the type is neither uint8, uint16 nor a float.

    Example:
        >>> to_float(np.array([0, 51, 255], np.uint8))
        array([0. , 0.2, 1. ], dtype=float32)
    """
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32, copy=False)
    return np.divide(pixels, np.float32(white(pixels.dtype)), dtype=np.float32)


def from_float(values: NDArray[np.floating], dtype: DTypeLike) -> Pixels:
    """Return values with white at 1 in the type of a file: clipped and rounded for whole numbers.

    ``from_float(to_float(pixels), pixels.dtype)`` is ``pixels``, exactly, for every uint8, uint16
    and float32. Floats are neither clipped nor rounded. Halves go to the even number.

    Raises:
        InputError: the type is neither uint8, uint16 nor a float.

    Example:
        >>> from_float(np.array([-0.1, 0.2, 7.0], np.float32), np.uint8)
        array([  0,  51, 255], dtype=uint8)
    """
    top = white(dtype)
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype, copy=False)
    scaled = np.clip(values, 0, 1)
    scaled *= top
    whole: Pixels = np.rint(scaled, out=scaled).astype(dtype)
    return whole


def expand_bit_depth(samples: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """Return samples of fewer bits that lie in the upper bits of 16, spread over the whole range.

    Example:
        >>> expand_bit_depth(np.array([0, 1023 << 6], np.uint16), 10).tolist()
        [0, 65535]
    """
    top = 2**bits - 1
    whole = (samples >> np.uint16(16 - bits)).astype(np.uint32)
    wide: NDArray[np.uint16] = ((whole * 65535 + top // 2) // top).astype(np.uint16)
    return wide


def reduce_bit_depth(samples: NDArray[np.uint16], bits: int) -> NDArray[np.uint16]:
    """Return the inverse of :func:`expand_bit_depth`; values between are rounded.

    Example:
        >>> reduce_bit_depth(np.array([0, 65535], np.uint16), 10).tolist()
        [0, 65472]
    """
    top = 2**bits - 1
    whole = (samples.astype(np.uint32) * top + 32767) // 65535
    narrow: NDArray[np.uint16] = (whole << np.uint32(16 - bits)).astype(np.uint16)
    return narrow


def is_finite(pixels: Pixels) -> bool:
    """Return whether no value is NaN or infinite; whole numbers always pass.

    Example:
        >>> is_finite(np.array([0.5, np.nan])), is_finite(np.array([1, 2], np.uint8))
        (False, True)
    """
    if pixels.dtype.kind != "f":
        return True
    rows = max(1, _BLOCK // max(1, pixels[:1].size))
    return all(
        bool(np.isfinite(pixels[top : top + rows]).all()) for top in range(0, len(pixels), rows)
    )
