"""Pictures for people: scalar maps in colour, crops, and PNG bytes for reports."""

import base64
from pathlib import Path
from typing import cast

import numpy as np
import pyvips
from numpy.typing import NDArray

from ..atomic import ensure_folder
from ..image.dtype import Pixels, from_float, to_float
from ..inference.error_map import in_colour
from ..photo.photo import Photo
from ..photo.write import write_photo
from .methods import Floats


def in_8_bit(pixels: Pixels) -> NDArray[np.uint8]:
    """Return ``(H, W, 3)`` uint8 of pixels of any kind, grey ones included, to be looked at."""
    eight = np.asarray(from_float(to_float(pixels), np.uint8), np.uint8)
    if eight.ndim == 2:
        eight = eight[:, :, None]
    return np.ascontiguousarray(np.broadcast_to(eight[:, :, :3], (*eight.shape[:2], 3)))


def png(picture: NDArray[np.uint8]) -> bytes:
    """Return the ``(H, W, 3)`` picture as a PNG file in memory."""
    image = pyvips.Image.new_from_array(picture, interpretation="srgb")
    return cast("bytes", image.pngsave_buffer(compression=9, strip=True))


def as_data_address(picture: NDArray[np.uint8]) -> str:
    """Return the picture inside a ``data:`` address, for a page that opens without a network."""
    return "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")


def worst_place(error: NDArray[np.floating], size: int) -> tuple[slice, slice]:
    """Find the square of at most ``size`` pixels where the mean of ``error`` (H, W) is largest."""
    height, width = (min(size, extent) for extent in error.shape)
    sums = np.pad(error.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    boxes = (
        sums[height:, width:]
        - sums[:-height, width:]
        - sums[height:, :-width]
        + sums[:-height, :-width]
    )
    row, column = np.unravel_index(int(np.argmax(boxes)), boxes.shape)
    return slice(int(row), int(row) + height), slice(int(column), int(column) + width)


def write_image(folder: Path, name: str, pixels: Pixels) -> Path:
    """Write a result as ``FOLDER/NAME.png``, 16 bits, over an earlier one.

    Raises:
        OutputError: the folder or file cannot be written.
    """
    return _write(folder, f"{name}.png", from_float(to_float(pixels), np.uint16))


def write_uncertainty(folder: Path, name: str, expected: Floats) -> tuple[Path, Path]:
    """Write the expected error twice: to be read by programs, and to be looked at.

    Args:
        folder: made if absent.
        name: of the image.
        expected: ``(H, W)`` root mean squared error, 1 = full range.

    Returns:
        ``NAME.png``: 16 bits, in the units of a 16-bit photograph (65535 = full range); and
        ``NAME_picture.png``: from black to yellow, the brightest being the 99.5th percentile of
        this image.

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    picture = in_colour(expected, float(np.quantile(expected, 0.995)))
    return (
        _write(folder, f"{name}.png", from_float(expected, np.uint16)),
        _write(folder, f"{name}_picture.png", picture),
    )


def _write(folder: Path, name: str, pixels: Pixels) -> Path:
    target = folder / name
    ensure_folder(target.parent)
    write_photo(Photo(pixels), target, overwrite=True)
    return target
