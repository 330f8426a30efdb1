"""Low-resolution references as files, for the originals, which read them from ``LQ/``."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..image.dtype import from_float, to_float
from ..image.resize import downscaling_matrix
from ..photo.photo import Photo
from ..photo.write import write_photo
from .images import no_progress, read_pixels
from .pairing import find_images, role_folders

FOLDER = "LQ"


def write_low_images(
    root: Path, *, scale: int = 4, progress: Callable[[int, int], None] = no_progress
) -> int:
    """Write ``LQ/``: every clean photograph of a data set, shrunk as MATLAB's ``imresize`` does it.

    Training here computes these targets itself, without rounding, and needs no such folder. Files
    that are there already are left as they are, so that a broken-off run goes on.

    Args:
        root: a data set with a folder of clean photographs (``GT/``).
        scale: by which each side shrinks.
        progress: called after every photograph.

    Returns:
        How many files were written.

    Raises:
        DataError: there are no clean photographs, or a side is not divisible by ``scale``.
        OutputError: a file cannot be written.
    """
    clean = role_folders(root).get("clean")
    if clean is None:
        raise DataError(f"{root} has no folder GT with clean photographs")
    target = root / FOLDER
    paths = list(find_images(clean))
    written = 0
    for number, path in enumerate(paths, start=1):
        file = target / path.relative_to(clean).with_suffix(".png")
        if not file.exists():
            pixels = read_pixels(path)
            if any(side % scale for side in pixels.shape[:2]):
                height, width = pixels.shape[:2]
                raise DataError(f"{path}: {height}x{width} is not divisible by {scale}")
            rows, columns = (downscaling_matrix(side, scale) for side in pixels.shape[:2])
            small = np.einsum("ih,hwc,jw->ijc", rows, to_float(pixels), columns, optimize=True)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_photo(Photo(from_float(np.clip(small, 0, 1), pixels.dtype)), file)
            written += 1
        progress(number, len(paths))
    return written
