"""Sample the network: window by window, or streamed from top to bottom without tiles.

A window is sampled once for every draw and symmetry; mean and std are running statistics. Where an
engine can stream, a photograph goes through the whole network in rows instead::

    noisy rows ──> encoder ──> rows of low ──┬─> decoder ──> clean rows, of every draw
                               latent rows ──┘

Rows come out as soon as all that they depend on went in, some hundred rows behind, and equal bit by
bit those of the photograph taken whole. Only the rows in flight are in memory.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..image.dtype import Pixels, to_float
from ..image.orientation import apply_symmetry, undo_symmetry
from ..options import DenoiseOptions
from .blocks import (
    ROWS,
    BlockPlan,
    Tile,
    framed,
    iter_windows_in_place,
    read_window,
    rows_in_one_piece,
    supports_streaming,
)
from .engine import Array, Engine, StreamingEngine
from .noise_shares import CELL, REACH

Floats = NDArray[np.float32]

#: Pixels that the draws decoded together may have in all: two windows of the default tile. A batch
#: shares what does not depend on the latent; its memory grows, and two already gain most of it.
_BATCH_PIXELS = 3 * 2**18
#: Draws decoded together at most: between two calls a run can be stopped, and a tiny picture has
#: room for thousands in one.
_BATCH_DRAWS = 4
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
        if self.count == 1:
            self.mean[...] = sample
            return
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


def sample_windows(
    engine: Engine,
    windows: Sequence[Floats],
    tiles: Sequence[Tile],
    options: DenoiseOptions,
    on_forward: Callable[[], None],
) -> list[RunningStats]:
    """Run the network on windows of one size together, once for every sample of the options.

    Args:
        engine: the network, ready to run.
        windows: ``(h, w, 1)`` grey or ``(h, w, 3)`` RGB in [0, 1]; both sides divisible by the
            network's scale. Grey enters every colour of the network.
        tiles: where the windows lie in their photograph, which decides their part of the latent;
            they may reach beyond the photograph by the architecture's border.
        options: how.
        on_forward: called for every window after every pass of the network.

    Returns:
        Mean and std of the denoised samples of each window, of its shape.
    """
    colours = engine.architecture.channels
    height, width, channels = windows[0].shape
    shape = len(windows), height, width, colours
    noisy = np.broadcast_to(np.stack(windows), shape).transpose(0, 3, 1, 2)
    bounded = options.max_memory is not None  # then a window alone may be all that fits
    fitting = max(1, _BATCH_PIXELS // (height * width))
    together = 1 if bounded or len(windows) > 1 else min(fitting, _BATCH_DRAWS)
    stats = [RunningStats(window.shape) for window in windows]
    for symmetry in range(options.num_symmetries):
        low = engine.encode(np.require(apply_symmetry(noisy, symmetry), None, ["C", "W"]))
        for _ in windows:
            on_forward()
        for first in range(0, options.num_samples, together):
            draws = range(first, min(first + together, options.num_samples))
            latent = [
                _latent(engine, tile, options, draw, symmetry) for draw in draws for tile in tiles
            ]
            images = undo_symmetry(engine.decode(low, np.stack(latent)), symmetry)
            for number, image in enumerate(images.transpose(0, 2, 3, 1)):
                sample = image if channels > 1 else image.mean(axis=2, keepdims=True)
                stats[number % len(windows)].add(sample)
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


def predict_blocks(
    engine: Engine,
    colors: Pixels,
    options: DenoiseOptions,
    plan: BlockPlan,
    on_forward: Callable[[], None],
    to_srgb: Callable[[Floats], Floats] | None = None,
) -> Iterator[Block]:
    """Run the network block by block.

    Where the blocks make up the image, the core of a block may be overwritten before the next one
    is asked for, and nothing else.

    Args:
        engine: the network, ready to run.
        colors: ``(H, W, 1)`` grey or ``(H, W, 3)`` RGB.
        options: how.
        plan: as :func:`plan_blocks` made it of the same image.
        on_forward: called after every pass of the network.
        to_srgb: converts windows to the colours of the network.
    """
    if plan.tiles is None and supports_streaming(engine, options):
        yield from stream(engine, colors, options, on_forward, to_srgb)
        return
    cut = plan.tiles or ()
    apart = ((tile, read_window(colors, tile)) for tile in cut)
    windows = iter_windows_in_place(colors, cut) if plan.whole else apart
    size = colors.shape[:2]
    room = 0 if options.max_memory is not None else getattr(engine, "batch_pixels", 0)
    for batch in _batches(windows, room):
        seen = [to_srgb(window) if to_srgb else window for _, window in batch]
        found = sample_windows(engine, seen, [tile for tile, _ in batch], options, on_forward)
        for (tile, window), stats in zip(batch, found, strict=True):
            inside = tile.inside(*size)
            yield Block(tile.within(*size), window[inside], stats.cropped(inside))


def _batches(
    windows: Iterable[tuple[Tile, Floats]], room: int
) -> Iterator[list[tuple[Tile, Floats]]]:
    """Yield neighbours of one size that have this many pixels at most together, or one alone."""
    batch: list[tuple[Tile, Floats]] = []
    for tile, window in windows:
        if batch and window.shape != batch[0][1].shape:
            yield batch
            batch = []
        batch.append((tile, window))
        if (len(batch) + 1) * window.shape[0] * window.shape[1] > room:
            yield batch
            batch = []
    if batch:
        yield batch


def stream(
    engine: StreamingEngine,
    colours: Pixels,
    options: DenoiseOptions,
    on_forward: Callable[[], None],
    to_srgb: Callable[[Floats], Floats] | None = None,
) -> Iterator[Block]:
    """Yield blocks of full width from top to bottom, with what the network predicts for them.

    The core of a band may be overwritten before the next one is asked for. Where it is not the end
    of the photograph, its window reaches ``REACH`` rows beyond it.

    Args:
        engine: the network, ready to run.
        colours: ``(H, W, 1)`` grey or ``(H, W, 3)`` RGB.
        options: how; ``tile`` and ``overlap`` do not matter.
        on_forward: called ``1 + options.num_samples`` times for each of the :func:`num_chunks`.
        to_srgb: converts windows to the colours of the network.
    """
    scale, border = engine.architecture.scale, engine.architecture.border
    height, width, _ = colours.shape
    full = framed(engine, height, width)
    piece = rows_in_one_piece(engine, height, width)
    encoder = engine.encode_rows(*full, piece)
    # At the end the encoder lets go of all the rows that it held back: they go on in pieces, too.
    decoder = engine.decode_rows(*full, options.num_samples, piece // scale)
    bands = RowBuffer(colours)
    frame = Frame(colours, full, border)
    given = 0  # rows of `low`
    out = 0  # rows of the framed image
    for top in range(0, full[0], piece):
        window = frame.rows(top, min(piece, full[0] - top))
        seen = to_srgb(window) if to_srgb else window
        shape = (*seen.shape[:2], engine.architecture.channels)
        noisy = np.broadcast_to(seen, shape).transpose(2, 0, 1)
        low = encoder.push(noisy)
        on_forward()
        for start in range(0, low.shape[1], piece // scale):
            part = low[:, start : start + piece // scale]
            images = decoder.push(part, _latents(engine, options, given, part.shape))
            given += part.shape[1]
            for row in range(0, images.shape[2], ROWS):  # the last push ends hundreds of rows
                new = images[:, :, row : row + ROWS, border : border + width]
                inside = slice(max(0, border - out), max(0, border + height - out))
                out += new.shape[2]
                if new[:, :, inside].shape[2]:
                    yield bands.next(new[:, :, inside])
        for _ in range(options.num_samples):
            on_forward()


class Frame:
    """Reads an image with the mirrored border that the network sees.

    The rows below the image are read at once: what they mirror may be overwritten when they come.

    Args:
        colours: ``(H, W, C)``.
        full: rows and columns with the border.
        border: pixels before the first row and column.
    """

    def __init__(self, colours: Pixels, full: tuple[int, int], border: int) -> None:
        self._colours, self._border, self._width = colours, border, full[1]
        self._below = self._read(len(colours), full[0] - border - len(colours))

    def rows(self, top: int, count: int) -> Floats:
        """Return ``count`` rows from ``top`` on, where 0 is the first of the border."""
        top -= self._border
        height = len(self._colours)
        above = self._read(top, max(0, min(count, height - top)))
        below = self._below[max(0, top - height) : max(0, top + count - height)]
        return np.concatenate((above, below))

    def _read(self, top: int, count: int) -> Floats:
        window = Tile(top, -self._border, count, self._width, (slice(0), slice(0)))
        return read_window(self._colours, window)


class RowBuffer:
    """Puts finished rows together with the noisy ones, and with the last rows of the band before.

    ::

        rows     | held | new ......... |
        core        | ............. |       the rest waits for its surroundings
        next                   | held | new ...
    """

    def __init__(self, colours: Pixels) -> None:
        self._colours = colours
        self._top = 0  # of what is held
        self._done = 0  # rows that were in a core
        self._noisy: Floats = np.empty((0, *colours.shape[1:]), np.float32)
        self._images: Floats | None = None  # (N, 3, n, W)

    def next(self, images: Floats) -> Block:
        """Return the band that these new rows finish."""
        height, width, channels = self._colours.shape
        first = self._top + len(self._noisy)
        new = to_float(self._colours[first : first + images.shape[2]])
        noisy = np.concatenate((self._noisy, new))
        if self._images is not None:
            images = np.concatenate((self._images, images), axis=2)
        end = self._top + len(noisy)
        stop = height if end == height else max(self._done, (end - REACH) // CELL * CELL)
        core = slice(self._done, stop), slice(0, width)
        band = Tile(self._top, 0, len(noisy), width, core)
        keep = min(len(noisy), end - stop + REACH)
        self._top, self._done = end - keep, stop
        self._noisy, self._images = noisy[len(noisy) - keep :], images[:, :, -keep:]
        return Block(band, noisy, _stats(images, channels))


def _latents(
    engine: Engine, options: DenoiseOptions, row: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Return the latent of every draw for rows of ``low`` of this shape: ``(N, 45, n, w)``."""
    channels = engine.architecture.latent_channels
    scale = np.float32(options.effective_latent_std)
    if scale == 0:
        return np.zeros((options.num_samples, channels, *shape[1:]), np.float32)
    return np.stack(
        [
            LatentField(channels, options.seed, draw).window(row, 0, *shape[1:]) * scale
            for draw in range(options.num_samples)
        ]
    )


def _stats(images: NDArray[np.float32], channels: int) -> RunningStats:
    samples = images.transpose(0, 2, 3, 1)
    stats = RunningStats((*samples.shape[1:3], channels))
    for sample in samples:
        stats.add(sample if channels > 1 else sample.mean(axis=2, keepdims=True))
    return stats
