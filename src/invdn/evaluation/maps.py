"""Results of an evaluation as image files: denoised images, and the spread as map and picture."""

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


def write_spread(folder: Path, name: str, spread: Floats) -> tuple[Path, Path]:
    """Write the spread over draws twice: to be read by programs, and to be looked at.

    Args:
        folder: made if absent.
        name: of the image.
        spread: ``(H, W)`` or ``(H, W, 3)`` standard deviation, 1 = full range.

    Returns:
        ``NAME.png``: 16 bits, the spread of each colour in the units of a 16-bit photograph
        (65535 = full range); and ``NAME_picture.png``: the mean over the colours from black to
        yellow, the brightest being the 99.5th percentile of this image.

    Raises:
        OutputError: the folder or a file cannot be written.
    """
    mean = np.atleast_3d(spread).mean(axis=2)
    picture = in_colour(mean, float(np.quantile(mean, 0.995)))
    return (
        _write(folder, f"{name}.png", from_float(spread, np.uint16)),
        _write(folder, f"{name}_picture.png", picture),
    )


def _write(folder: Path, name: str, pixels: Pixels) -> Path:
    target = folder / name
    ensure_folder(target.parent)
    write_photo(Photo(pixels), target, overwrite=True)
    return target
