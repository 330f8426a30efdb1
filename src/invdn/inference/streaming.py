"""Stream a photograph through the whole network from top to bottom, without tiles.

::

    noisy rows ──> encoder ──> rows of low ──┬─> decoder ──> clean rows, of every draw
                               latent rows ──┘

Rows come out as soon as all that they depend on went in, some hundred rows behind, and equal bit by
bit those of the photograph taken whole. Only the rows in flight are in memory.
"""

from collections.abc import Callable, Iterator
from typing import Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..image.dtype import Pixels, to_float
from ..image.tiling import Tile, read_window
from ..options import DenoiseOptions
from .engine import Array, Engine
from .noise_shares import CELL, REACH
from .sampling import Block, LatentField, RunningStats

Floats = NDArray[np.float32]

#: Pixels that are taken in one piece: up to here no rows are held back, so it is a little faster.
WHOLE = 1 << 20
_ROWS = 128  # of the photograph in one piece, where it is larger


class RowEncoder(Protocol):
    """Takes noisy rows, gives rows of ``low``."""

    def push(self, noisy: Array) -> Array:
        """The next ``(3, n, W)`` rows, to the ``(3, m, w)`` rows that they finish."""
        ...


class RowDecoder(Protocol):
    """Takes rows of ``low`` and of latents, gives rows of images."""

    def push(self, low: Array, latent: Array) -> Array:
        """The next ``(3, n, w)`` and ``(N, 45, n, w)`` rows, to the ``(N, 3, m, W)`` finished."""
        ...


class StreamingEngine(Engine, Protocol):
    """An engine that can work through a photograph row by row.

    Attributes:
        bytes_per_pixel: memory of a picture that goes through in one piece.
        bytes_per_column: memory of the rows in flight, for one draw.
    """

    bytes_per_pixel: int
    bytes_per_column: int

    def encode_rows(self, height: int, width: int, piece: int) -> RowEncoder:
        """An encoder of one picture, for at most ``piece`` rows at a time."""
        ...

    def decode_rows(self, height: int, width: int, draws: int, piece: int) -> RowDecoder:
        """A decoder of one picture, for at most ``piece`` rows of ``low`` at a time."""
        ...


def supports_streaming(engine: Engine, options: DenoiseOptions) -> TypeGuard[StreamingEngine]:
    """Return whether rows can stream: the engine can, and the photograph is not turned."""
    return options.num_symmetries == 1 and hasattr(engine, "decode_rows")


def num_chunks(engine: Engine, height: int, width: int) -> int:
    """Return the number of pieces in which a photograph goes through."""
    rows, _ = framed(engine, height, width)
    return -(-rows // _piece(engine, height, width))


def framed(engine: Engine, height: int, width: int) -> tuple[int, int]:
    """Return the size of what the network sees of an image: with a border, in whole cells."""
    scale, border = engine.architecture.scale, engine.architecture.border
    rows, columns = (-(-side // scale) * scale + 2 * border for side in (height, width))
    return rows, columns


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
    piece = _piece(engine, height, width)
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
            for row in range(0, images.shape[2], _ROWS):  # the last push ends hundreds of rows
                new = images[:, :, row : row + _ROWS, border : border + width]
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
        """The band that these new rows finish."""
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


def _piece(engine: Engine, height: int, width: int) -> int:
    """Rows in one piece: all, or as many as are worth a push."""
    rows, columns = framed(engine, height, width)
    scale = engine.architecture.scale
    return rows if rows * columns <= WHOLE else min(-(-_ROWS // scale) * scale, rows)


def _latents(
    engine: Engine, options: DenoiseOptions, row: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The latent of every draw for rows of ``low`` of this shape: ``(N, 45, n, w)``."""
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
