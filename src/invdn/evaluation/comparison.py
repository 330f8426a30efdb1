"""How far two results lie apart, and where: for checking one implementation against another."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..data.pairing import find_images
from ..errors import DataError
from ..inference.error_map import in_colour
from .pictures import in_8_bit
from .samples import match_names, read_image

Array = NDArray[np.generic]

_SMALLEST = 192  # pixels of the longer edge below which a picture is enlarged


@dataclass(frozen=True)
class Difference:
    """What separates two arrays.

    Attributes:
        name: of the file, or of the array inside a ``.npz``.
        largest: largest absolute difference, in the units of the arrays; infinite where only one
            side, or neither, is a number.
        where: index of the largest.
        first: value of the first array there.
        second: value of the second array there.
        mean: mean absolute difference.
        relative: ``largest`` over the largest magnitude of the second array.
        share: part of the values that are not equal.
    """

    name: str
    largest: float
    where: tuple[int, ...]
    first: float
    second: float
    mean: float
    relative: float
    share: float


def load_arrays(path: Path) -> dict[str, Array]:
    """Return what is to be compared: a folder of images, one image, a ``.npy`` or a ``.npz`` file.

    Raises:
        DataError: there is nothing, or it cannot be read as numbers.
        ImageError: an image is damaged.
    """
    if path.is_dir():
        files = find_images(path)
        return {str(file.relative_to(path).with_suffix("")): read_image(file) for file in files}
    if path.suffix.lower() not in (".npy", ".npz"):
        return {path.stem: read_image(path)}
    try:
        content = np.load(path, allow_pickle=False)
        arrays = (
            dict(content) if isinstance(content, np.lib.npyio.NpzFile) else {path.stem: content}
        )
    except Exception as error:  # numpy raises many kinds for a damaged file
        raise DataError(f"{path} cannot be read as numpy arrays: {error}") from error
    if not arrays:
        raise DataError(f"{path} holds no array")
    for name, array in arrays.items():
        if array.dtype.kind not in "buif":
            raise DataError(f"{name!r} in {path} holds {array.dtype}, not real numbers")
    return arrays


def compare(
    first: Mapping[str, Array], second: Mapping[str, Array], places: tuple[Path, Path]
) -> list[Difference]:
    """Return the differences of all partners, the largest first.

    Raises:
        DataError: somebody has no partner, or partners have different shapes or depths.

    Example:
        >>> a, b = {"x": np.array([1.0, 2.0])}, {"x": np.array([1.0, 2.5])}
        >>> compare(a, b, (Path("a"), Path("b")))[0].where
        (1,)
    """
    partners = match_arrays(first, second, places)
    found = [_difference(name, first[name], second[partners[name]]) for name in partners]
    return sorted(found, key=lambda difference: -difference.largest)


def match_arrays(
    first: Mapping[str, Array], second: Mapping[str, Array], places: tuple[Path, Path]
) -> dict[str, str]:
    """Give which array of ``second`` each of ``first`` is compared with: by name, or the only one.

    Raises:
        DataError: somebody has no partner.
    """
    if len(first) == len(second) == 1:
        return {next(iter(first)): next(iter(second))}
    return match_names(list(first), list(second), places)


def picture_of(difference: Difference, first: Array, second: Array) -> NDArray[np.uint8]:
    """Return first, second and their difference side by side, as ``(H, W, 3)`` uint8.

    The plane that holds the largest difference is shown; in the difference the largest is
    brightest, and a frame stands around it. Arrays that are no images ``(H, W)`` or
    ``(H, W, 1 to 4)`` are shown by their last two axes; small ones are enlarged.
    """
    planes = [_as_image(array, difference.where) for array in (first, second)]
    height, width = planes[0].shape[:2]
    apart = _apart(*planes).reshape(height, width, -1).max(axis=2)
    if math.isinf(difference.largest):  # what is no number stands out, whatever else differs
        apart = np.isinf(apart) * 1.0
    zoom = max(1, _SMALLEST // max(height, width))
    shown = _enlarged(in_colour(apart, float(apart.max())), zoom)
    row, column = np.unravel_index(int(np.argmax(apart)), apart.shape)
    _frame(shown, int(row) * zoom + zoom // 2, int(column) * zoom + zoom // 2)
    values = np.concatenate([plane[np.isfinite(plane)].ravel() for plane in planes])
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    gap = np.full((height * zoom, 4, 3), 255, np.uint8)
    sides = [_enlarged(in_8_bit(_stretched(plane, low, high)), zoom) for plane in planes]
    return np.concatenate([sides[0], gap, sides[1], gap, shown], axis=1)


def _difference(name: str, first: Array, second: Array) -> Difference:
    if first.shape != second.shape:
        raise DataError(f"{name!r}: shapes {first.shape} and {second.shape} cannot be compared")
    depths = {array.dtype for array in (first, second) if array.dtype.kind == "u"}
    if len(depths) > 1 or (depths and first.dtype.kind != second.dtype.kind):
        raise DataError(
            f"{name!r}: {first.dtype} and {second.dtype} count in different units; "
            "store both with the same depth"
        )
    if first.size == 0:
        raise DataError(f"{name!r} is empty")
    apart = _apart(first, second)
    where = tuple(int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))
    largest = float(apart[where])
    magnitude = float(np.max(np.nan_to_num(np.abs(second.astype(np.float64)), posinf=0)))
    return Difference(
        name=name,
        largest=largest,
        where=where,
        first=float(first[where]),
        second=float(second[where]),
        mean=float(apart.mean()),
        relative=largest / magnitude if magnitude > 0 else largest,
        share=float(np.count_nonzero(apart) / apart.size),
    )


def _apart(first: Array, second: Array) -> NDArray[np.float64]:
    """Return absolute difference; infinite wherever a value is not a number."""
    a, b = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.where(a == b, 0.0, np.abs(a - b))
    return np.where(np.isnan(apart), np.inf, apart)


def _as_image(array: Array, where: tuple[int, ...]) -> Array:
    """Return the two or three axes that are seen, out of any number."""
    if array.ndim == 2 or (array.ndim == 3 and array.shape[2] <= 4):
        return array
    if array.ndim < 2:
        return array.reshape(1, -1)
    return np.asarray(array[where[:-2]])


def _stretched(plane: Array, low: float, high: float) -> NDArray[np.float64]:
    """Return values as shares of the range of both sides."""
    numbers = np.nan_to_num(plane.astype(np.float64), nan=low, posinf=high, neginf=low)
    return (numbers - low) / (high - low) if high > low else np.zeros(plane.shape)


def _enlarged(picture: NDArray[np.uint8], zoom: int) -> NDArray[np.uint8]:
    return picture.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _frame(picture: NDArray[np.uint8], row: int, column: int) -> None:
    """Draw a white square of 15 pixels around a place, as far as it lies inside."""
    rows = slice(max(row - 7, 0), row + 8)
    columns = slice(max(column - 7, 0), column + 8)
    inside = picture[rows, columns]
    inside[[0, -1]] = 255
    inside[:, [0, -1]] = 255
