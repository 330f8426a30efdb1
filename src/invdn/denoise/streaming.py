"""A photograph from top to bottom through the whole network, without tiles.

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

from ..imaging.depth import Pixels
from ..imaging.tiles import Tile, read_window
from .engine import Array, Engine
from .latent import LatentField
from .moments import RunningMoments
from .options import DenoiseOptions

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
    """An engine that can work through a photograph row by row."""

    def encode_rows(self, height: int, width: int, piece: int) -> RowEncoder:
        """An encoder of one picture, for at most ``piece`` rows at a time."""
        ...

    def decode_rows(self, height: int, width: int, draws: int, piece: int) -> RowDecoder:
        """A decoder of one picture, for at most ``piece`` rows of ``low`` at a time."""
        ...


def streams(engine: Engine, options: DenoiseOptions) -> TypeGuard[StreamingEngine]:
    """Whether the photograph can go through in rows: the engine can, and it is not turned."""
    return options.symmetries == 1 and hasattr(engine, "decode_rows")


def pushes(engine: Engine, height: int, width: int) -> int:
    """In how many pieces a photograph goes through."""
    piece = _piece(engine, height, width)
    return -(-_padded(height, engine.architecture.scale) // piece)


def streamed_moments(
    engine: StreamingEngine, colours: Pixels, options: DenoiseOptions, passed: Callable[[], None]
) -> Iterator[tuple[Tile, RunningMoments]]:
    """Bands of the photograph, each as a tile whose core is its window, with their moments.

    What a band gives may overwrite the photograph: later bands no longer look at its rows.

    Args:
        engine: the network, ready to run.
        colours: ``(H, W, 1)`` grey or ``(H, W, 3)`` RGB.
        options: how; ``tile`` and ``overlap`` do not matter.
        passed: called ``1 + options.draws`` times for each of the :func:`pushes`.

    Yields:
        Bands from top to bottom, with moments ``(h, w, 1 or 3)``.
    """
    scale = engine.architecture.scale
    height, width, channels = colours.shape
    full = _padded(height, scale), _padded(width, scale)
    piece = _piece(engine, height, width)
    encoder = engine.encode_rows(*full, piece)
    # At the end the encoder lets go of all the rows that it held back: they go on in pieces, too.
    decoder = engine.decode_rows(*full, options.draws, piece // scale)
    given = 0  # rows of `low`
    finished = 0  # rows of the photograph
    for top in range(0, full[0], piece):
        rows = min(piece, full[0] - top)
        window = read_window(colours, Tile(top, 0, rows, full[1], (slice(0), slice(0))))
        noisy = np.broadcast_to(window, (*window.shape[:2], 3)).transpose(2, 0, 1)
        low = encoder.push(noisy)
        passed()
        for start in range(0, low.shape[1], piece // scale):
            part = low[:, start : start + piece // scale]
            images = decoder.push(part, _latents(engine, options, given, part.shape))
            given += part.shape[1]
            band = _band(finished, images.shape[2], height, width, full[1])
            finished += images.shape[2]
            if images.shape[2]:
                yield band, _moments(images, channels)
        for _ in range(options.draws):
            passed()


def _piece(engine: Engine, height: int, width: int) -> int:
    """Rows in one piece: all, or as many as are worth a push."""
    padded = _padded(height, engine.architecture.scale)
    rows = _padded(_ROWS, engine.architecture.scale)
    return padded if height * width <= WHOLE else min(rows, padded)


def _padded(side: int, scale: int) -> int:
    return -(-side // scale) * scale


def _latents(
    engine: Engine, options: DenoiseOptions, row: int, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """The latent of every draw for rows of ``low`` of this shape: ``(N, 45, n, w)``."""
    channels = engine.architecture.latent_channels
    scale = np.float32(options.latent_scale)
    return np.stack(
        [
            LatentField(channels, options.seed, draw).window(row, 0, *shape[1:]) * scale
            for draw in range(options.draws)
        ]
    )


def _band(top: int, rows: int, height: int, width: int, full_width: int) -> Tile:
    """Finished rows as a tile; of those beyond the photograph only the window knows."""
    core = slice(top, min(top + rows, height)), slice(0, width)
    return Tile(top, 0, rows, full_width, core)


def _moments(images: NDArray[np.float32], channels: int) -> RunningMoments:
    samples = images.transpose(0, 2, 3, 1)
    moments = RunningMoments((*samples.shape[1:3], channels))
    for sample in samples:
        moments.add(sample if channels == 3 else sample.mean(axis=2, keepdims=True))
    return moments
