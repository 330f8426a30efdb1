"""Files of what the network predicted, so that another strength costs no second run.

A file holds, for every block, its place and the mean of its samples: numpy arrays, one after
another.
"""

import errno
from collections.abc import Iterator
from typing import IO

import numpy as np

from ..errors import EngineError
from ..inference import DenoiseOptions
from ..inference.blocks import Tile
from ..inference.pipeline import PredictedBlock
from ..inference.sampling import Block

_MEAN_BYTES = 16  # for a pixel: three float32, and a third more where tiles overlap
_HEAD = 256  # bytes of an array's description, at most


def prediction_bytes(pixels: int, options: DenoiseOptions) -> int:
    """Estimate the bytes that a prediction takes; 0 where no network is needed.

    Example:
        >>> prediction_bytes(12_000_000, DenoiseOptions(strength=0.5)) // 10**6
        192
    """
    if options.is_identity:
        return 0
    return pixels * _MEAN_BYTES


class PredictionWriter:
    """Writes the blocks of a running pipeline into a file.

    Where the room does not suffice, or the disk is full, the work goes on all the same, and the
    file is empty in the end.

    Args:
        file: empty, to be written.
        room: bytes that it may have.
    """

    def __init__(self, file: IO[bytes], room: int) -> None:
        self._file = file
        self._room = room
        self._full = False

    def __call__(self, block: Block) -> None:
        """Write one more block."""
        if self._full:
            return
        tile = block.tile
        rows, columns = tile.core
        core = (rows.start, rows.stop, columns.start, columns.stop)
        head = np.array([tile.top, tile.left, tile.height, tile.width, *core], np.int64)
        arrays = (head, block.stats.mean)
        try:
            size = sum(array.nbytes + _HEAD for array in arrays)
            if self._file.tell() + size > self._room:
                raise OSError(errno.EFBIG, "no room")
            for array in arrays:
                np.save(self._file, array)
        except OSError:
            self._full = True
            self._file.seek(0)
            self._file.truncate()


def read_prediction(file: IO[bytes], height: int, width: int) -> Iterator[PredictedBlock]:
    """Read the blocks that a :class:`PredictionWriter` wrote of an image of this size.

    Raises:
        EngineError: the file is damaged, or does not hold the whole image.
    """
    missing = height * width
    while missing > 0:
        try:
            place = np.load(file, allow_pickle=False)
            top, left, rows, columns, first_row, end_row, first_column, end_column = (
                int(number) for number in place
            )
            mean = np.load(file, allow_pickle=False)
        except (EOFError, TypeError, ValueError, OSError) as error:
            raise EngineError(
                "the network's prediction is not kept whole; run the network again"
            ) from error
        core = slice(first_row, end_row), slice(first_column, end_column)
        yield PredictedBlock(Tile(top, left, rows, columns, core), mean, None)
        missing -= (end_row - first_row) * (end_column - first_column)
