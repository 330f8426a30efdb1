"""The latent of a whole photograph: one random field that every tile reads its part of."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLOCK = 32  # cells along the edge of the squares that are drawn as one


@dataclass(frozen=True)
class LatentField:
    """Samples of N(0, 1) keyed by seed, draw, symmetry and position.

    The plane of latent cells is cut into fixed squares, and each square is an independent stream
    of a counter-based generator whose key is (seed, draw and symmetry) and whose counter is the
    square's place. So a value depends on where in the photograph it lies, never on tiling,
    batching, engine or order of work.

    Attributes:
        channels: channels of the latent.
        seed: 0 to 2**64 - 1.
        draw: number of the sample, from 0.
        symmetry: number of the symmetry, 0 to 7.

    Reference:
        Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (Philox), SC 2011.

    Example:
        >>> field = LatentField(channels=45, seed=0, draw=0, symmetry=0)
        >>> whole = field.window(0, 0, 50, 60)
        >>> bool((field.window(20, 30, 8, 9) == whole[:, 20:28, 30:39]).all())
        True
    """

    channels: int
    seed: int
    draw: int = 0
    symmetry: int = 0

    def window(self, row: int, column: int, height: int, width: int) -> NDArray[np.float32]:
        """The cells from (row, column): ``(channels, height, width)`` float32."""
        window = np.empty((self.channels, height, width), np.float32)
        for block_row in range(row // _BLOCK, -(-(row + height) // _BLOCK)):
            for block_column in range(column // _BLOCK, -(-(column + width) // _BLOCK)):
                top, left = block_row * _BLOCK - row, block_column * _BLOCK - column
                rows = slice(max(top, 0), min(top + _BLOCK, height))
                columns = slice(max(left, 0), min(left + _BLOCK, width))
                window[:, rows, columns] = self._block(block_row, block_column)[
                    :,
                    rows.start - top : rows.stop - top,
                    columns.start - left : columns.stop - left,
                ]
        return window

    def _block(self, block_row: int, block_column: int) -> NDArray[np.float32]:
        stream = np.random.Philox(
            key=np.array([self.seed, self.draw * 8 + self.symmetry], np.uint64),
            counter=np.array([0, 0, block_row, block_column], np.uint64),
        )
        shape = (self.channels, _BLOCK, _BLOCK)
        return np.random.Generator(stream).standard_normal(shape, np.float32)
