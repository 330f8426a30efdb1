"""The eight symmetries of the square, numbered.

A number from 0 to 7 is three independent choices, done in this order:

======  ==========================================
bit     meaning
======  ==========================================
1       mirror left and right
2       mirror top and bottom
4       then swap rows and columns
======  ==========================================

so that 0 leaves everything as it is, 3 is half a turn, 5 and 6 are the quarter turns and 7 is the
mirror along the other diagonal. Used by the self-ensemble (Timofte et al., CVPR 2016, section 3.7).
"""

from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

SYMMETRIES = range(8)
#: EXIF orientation -> the symmetry that turns a picture upright. From: EXIF 2.32, tag 274.
SYMMETRY_OF_ORIENTATION = {1: 0, 2: 1, 3: 3, 4: 2, 5: 4, 6: 6, 7: 7, 8: 5}

T = TypeVar("T", bound=np.generic)
P = TypeVar("P", bound=NDArray[Any])


def apply_symmetry(array: NDArray[T], symmetry: int) -> NDArray[T]:
    """Return the array seen through one symmetry of its last two axes; a view, nothing is copied.

    Args:
        array: ``(..., H, W)``.
        symmetry: 0 to 7, as the table of this module says.

    Returns:
        ``(..., H, W)``, or ``(..., W, H)`` from 4 on.

    Raises:
        InputError: the number is not one of the eight, or the array has fewer than two axes.

    Example:
        >>> apply_symmetry(np.array([[1, 2], [3, 4]]), 5)
        array([[2, 4],
               [1, 3]])
    """
    _check(array, symmetry)
    if symmetry & 1:
        array = array[..., ::-1]
    if symmetry & 2:
        array = array[..., ::-1, :]
    return array.swapaxes(-1, -2) if symmetry & 4 else array


def apply_exif_orientation(picture: P, orientation: int) -> P:
    """Return a view of a picture ``(H, W)`` or ``(H, W, C)`` as a viewer should see it.

    Args:
        picture: as stored.
        orientation: EXIF's number, 1 to 8.

    Example:
        >>> apply_exif_orientation(np.array([[1, 2], [3, 4]]), 6).tolist()
        [[3, 1], [4, 2]]
    """
    planes = picture if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
    turned = apply_symmetry(planes, SYMMETRY_OF_ORIENTATION[orientation])
    turned = turned if picture.ndim == 2 else np.moveaxis(turned, 0, 2)
    return cast(P, turned)


def undo_symmetry(array: NDArray[T], symmetry: int) -> NDArray[T]:
    """Return the inverse of :func:`apply_symmetry` with the same number; a view as well.

    Example:
        >>> picture = np.arange(6).reshape(2, 3)
        >>> all((undo_symmetry(apply_symmetry(picture, s), s) == picture).all() for s in SYMMETRIES)
        True
    """
    _check(array, symmetry)
    if symmetry & 4:
        array = array.swapaxes(-1, -2)
    return apply_symmetry(array, symmetry & 3)


def _check(array: NDArray[T], symmetry: int) -> None:
    if symmetry not in SYMMETRIES:
        raise InputError(f"symmetry {symmetry} does not exist; give a number from 0 to 7")
    if array.ndim < 2:
        raise InputError(f"an array of shape {array.shape} is no picture; give (..., H, W)")
