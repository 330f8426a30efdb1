"""Sample the network for one window: latents, self-ensemble and running statistics."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..image.orientation import apply_symmetry, undo_symmetry
from ..image.tiling import Tile
from ..options import DenoiseOptions
from .engine import Array, Engine

Floats = NDArray[np.float32]

#: Pixels that the draws decoded together may have in all: two windows of the default tile. A batch
#: shares what does not depend on the latent; its memory grows, and two already gain most of it.
_BATCH_PIXELS = 3 * 2**18
_BLOCK = 32  # latent cells along the edge of the squares that are drawn as one


class RunningStats:
    """Running mean and standard deviation, without keeping the samples.

    Reference:
        Welford, Note on a method for calculating corrected sums of squares, Technometrics 1962.

    Example:
        >>> import numpy as np
        >>> stats = RunningStats((1,))
        >>> for sample in (1.0, 3.0):
        ...     stats.add(np.full(1, sample, np.float32))
        >>> stats.mean.item(), round(stats.std().item(), 4)
        (2.0, 1.4142)
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count = 0
        self.mean: Floats = np.zeros(shape, np.float32)
        self._squares: Floats = np.zeros(shape, np.float32)

    def add(self, sample: Floats) -> None:
        """Add one more sample of the shape given at the start."""
        self.count += 1
        deviation = sample - self.mean
        self.mean += deviation / self.count
        self._squares += deviation * (sample - self.mean)

    def std(self) -> Floats:
        """Return the sample standard deviation (n - 1); zero for a single sample."""
        return np.sqrt(self._squares / max(self.count - 1, 1))

    def cropped(self, part: tuple[slice, slice]) -> "RunningStats":
        """Return a view of the first two axes' part."""
        view = RunningStats(())
        view.count = self.count
        view.mean, view._squares = self.mean[part], self._squares[part]
        return view


@dataclass(frozen=True)
class Block:
    """A piece of an image with what the network predicts for it.

    Attributes:
        tile: its window, which lies within the image, and its core.
        noisy: ``(h, w, 1 or 3)`` window in the colours of the image, white at 1.
        stats: mean and std of the samples, of the same shape, in the network's colours.
    """

    tile: Tile
    noisy: Floats
    stats: RunningStats


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

    def window(self, row: int, column: int, height: int, width: int) -> Floats:
        """Return the cells from (row, column) on: ``(channels, height, width)`` float32."""
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

    def _block(self, block_row: int, block_column: int) -> Floats:
        stream = np.random.Philox(
            key=np.array([self.seed, self.draw * 8 + self.symmetry], np.uint64),
            counter=np.array([0, 0, block_row, block_column], np.uint64),
        )
        shape = (self.channels, _BLOCK, _BLOCK)
        return np.random.Generator(stream).standard_normal(shape, np.float32)


def sample_window(
    engine: Engine,
    window: Floats,
    tile: Tile,
    options: DenoiseOptions,
    on_forward: Callable[[], None],
) -> RunningStats:
    """Run the network on one window, once for every sample that the options ask for.

    Args:
        engine: the network, ready to run.
        window: ``(h, w, 1)`` grey or ``(h, w, 3)`` RGB in [0, 1]; both sides divisible by the
            network's scale. Grey enters every colour of the network.
        tile: where the window lies in its photograph, which decides its part of the latent; it
            may reach beyond the photograph by the architecture's border.
        options: how.
        on_forward: called after every pass of the network.

    Returns:
        Mean and std of the denoised samples, of the shape of ``window``.
    """
    colours = engine.architecture.channels
    noisy = np.broadcast_to(window, (*window.shape[:2], colours)).transpose(2, 0, 1)[None]
    bounded = options.max_memory is not None  # then a window alone may be all that fits
    together = 1 if bounded else max(1, _BATCH_PIXELS // (tile.height * tile.width))
    stats = RunningStats(window.shape)
    for symmetry in range(options.num_symmetries):
        low = engine.encode(np.require(apply_symmetry(noisy, symmetry), None, ["C", "W"]))
        on_forward()
        for first in range(0, options.num_samples, together):
            draws = range(first, min(first + together, options.num_samples))
            latent = np.stack([_latent(engine, tile, options, draw, symmetry) for draw in draws])
            images = undo_symmetry(engine.decode(low, latent), symmetry)
            for image in images.transpose(0, 2, 3, 1):
                stats.add(image if window.shape[2] > 1 else image.mean(axis=2, keepdims=True))
                on_forward()
    return stats


def _latent(engine: Engine, tile: Tile, options: DenoiseOptions, draw: int, symmetry: int) -> Array:
    """Return the tile's part of the photograph's latent, turned as the tile is: ``(C, h, w)``."""
    architecture = engine.architecture
    channels, scale = architecture.latent_channels, architecture.scale
    border = architecture.border  # where the network's picture begins, and with it the latent
    top, left, height, width = (
        edge // scale for edge in (tile.top + border, tile.left + border, tile.height, tile.width)
    )
    if options.effective_latent_std == 0:
        window = np.zeros((channels, height, width), np.float32)
    else:
        field = LatentField(channels, options.seed, draw, symmetry)
        window = field.window(top, left, height, width) * np.float32(options.effective_latent_std)
    return apply_symmetry(window, symmetry)
