"""Results of an evaluation as image files: denoised images, and the expected error as a map."""

from pathlib import Path

import numpy as np

from ..atomic import ensure_folder
from ..image.dtype import Pixels, from_float, to_float
from ..photo.photo import Photo
from ..photo.write import write_photo
from .methods import Floats
from .pictures import in_colour


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
