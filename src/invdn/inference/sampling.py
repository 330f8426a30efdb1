"""One window of a photograph through the network: symmetries x draws, as running moments."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..image.orientation import apply_symmetry, undo_symmetry
from ..image.tiling import Tile
from .engine import Array, Engine
from .latent import LatentField
from .moments import RunningMoments
from .options import DenoiseOptions

#: Pixels that the draws decoded together may have in all: two windows of the default tile. A batch
#: shares what does not depend on the latent; its memory grows, and two already gain most of it.
_BATCH_PIXELS = 3 * 2**18


def sample_window(
    engine: Engine,
    window: NDArray[np.float32],
    tile: Tile,
    options: DenoiseOptions,
    passed: Callable[[], None],
) -> RunningMoments:
    """Every sample that the options ask for, as the moments of their denoised windows.

    Args:
        engine: the network, ready to run.
        window: ``(h, w, 1)`` grey or ``(h, w, 3)`` RGB in [0, 1]; both sides divisible by the
            network's scale. Grey enters every colour of the network.
        tile: where the window lies in its photograph, which decides its part of the latent.
        options: how.
        passed: called after every pass of the network.

    Returns:
        Moments of the shape of ``window``.
    """
    colours = engine.architecture.channels
    noisy = np.broadcast_to(window, (*window.shape[:2], colours)).transpose(2, 0, 1)[None]
    bounded = options.max_memory is not None  # then a window alone may be all that fits
    together = 1 if bounded else max(1, _BATCH_PIXELS // (tile.height * tile.width))
    moments = RunningMoments(window.shape)
    for symmetry in range(options.symmetries):
        low = engine.encode(np.require(apply_symmetry(noisy, symmetry), None, ["C", "W"]))
        passed()
        for first in range(0, options.draws, together):
            draws = range(first, min(first + together, options.draws))
            latent = np.stack([_latent(engine, tile, options, draw, symmetry) for draw in draws])
            images = undo_symmetry(engine.decode(low, latent), symmetry)
            for image in images.transpose(0, 2, 3, 1):
                moments.add(image if window.shape[2] > 1 else image.mean(axis=2, keepdims=True))
                passed()
    return moments


def _latent(engine: Engine, tile: Tile, options: DenoiseOptions, draw: int, symmetry: int) -> Array:
    """The tile's part of the photograph's latent, turned as the tile is: ``(C, h, w)``."""
    architecture = engine.architecture
    channels, scale = architecture.latent_channels, architecture.scale
    top, left, height, width = (
        edge // scale for edge in (tile.top, tile.left, tile.height, tile.width)
    )
    if options.latent_deviation == 0:
        window = np.zeros((channels, height, width), np.float32)
    else:
        field = LatentField(channels, options.seed, draw, symmetry)
        window = field.window(top, left, height, width) * np.float32(options.latent_deviation)
    return apply_symmetry(window, symmetry)
