"""SIDD validation and benchmark blocks: MATLAB files of 40 x 32 blocks of 256 x 256 pixels."""

from pathlib import Path

import numpy as np

from ..atomic import ensure_folder, remove_stale_temporary_files
from ..errors import DataError, OutputError
from ..photo.photo import Photo
from ..photo.write import write_photo
from .images import Pixels, Progress, no_progress, read_pixels
from .matlab import read_arrays


def read_blocks(path: Path) -> Pixels:
    """Read the blocks of a MATLAB file (version 5 or 7.3): ``(N, H, W, 3)`` uint8 RGB.

    Raises:
        DataError: the file is damaged or holds no array of blocks.
        MissingDependencyError: the reader of this kind of file is not installed.
    """
    arrays = read_arrays(path)
    blocks = [a for a in arrays.values() if a.ndim == 5 and a.shape[-1] == 3]
    if len(blocks) != 1 or blocks[0].dtype != np.uint8:
        shapes = [f"{name} {array.shape} {array.dtype}" for name, array in arrays.items()]
        raise DataError(
            f"{path} holds {shapes or 'nothing'}; expected one array of images x blocks x height x "
            "width x 3, uint8, like ValidationNoisyBlocksSrgb.mat"
        )
    return np.ascontiguousarray(blocks[0].reshape(-1, *blocks[0].shape[2:]))


def extract_blocks(noisy: Path, clean: Path, target: Path, progress: Progress = no_progress) -> int:
    """Write the blocks of two MATLAB files as ``TARGET/Noisy/IMAGE_BLOCK.PNG`` and ``TARGET/GT``.

    Blocks that are there already are kept, so a broken run goes on where it stopped.

    Args:
        noisy: ``ValidationNoisyBlocksSrgb.mat``.
        clean: ``ValidationGtBlocksSrgb.mat``.
        target: folder to write to.
        progress: called with blocks done and in all.

    Returns:
        The number of pairs.

    Raises:
        DataError: a file is damaged, or both do not hold blocks of equal number and size.
        OutputError: a block cannot be written, or the target holds others of the same names.
    """
    sides = {"Noisy": read_blocks(noisy), "GT": read_blocks(clean)}
    if sides["Noisy"].shape != sides["GT"].shape:
        raise DataError(
            f"{noisy} holds {sides['Noisy'].shape} and {clean} {sides['GT'].shape}: these are not "
            "two sides of the same pairs"
        )
    count = len(sides["GT"])
    for folder in sides:
        ensure_folder(target / folder)
        remove_stale_temporary_files(target / folder)
    for index in range(count):
        for folder, blocks in sides.items():
            # 32 blocks of each photograph (SIDD's own layout)
            file = target / folder / f"{index // 32}_{index % 32}.PNG"
            if not file.exists():
                write_photo(Photo(blocks[index]), file)
            elif not np.array_equal(read_pixels(file), blocks[index]):
                raise OutputError(f"{file} is there and holds another block: choose another target")
        progress(index + 1, count)
    return count
