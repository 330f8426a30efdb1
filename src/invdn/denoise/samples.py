"""One window of a photograph through the network: symmetries x draws, as running moments."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ..imaging.symmetry import apply_symmetry, undo_symmetry
from ..imaging.tiles import Tile
from .engine import Array, Engine
from .latent import LatentField
from .moments import RunningMoments
from .options import DenoiseOptions


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
            network's scale.
        tile: where the window lies in its photograph, which decides its part of the latent.
        options: how.
        passed: called after every pass of the network.

    Returns:
        Moments of the shape of ``window``.
    """
    noisy = np.broadcast_to(window, (*window.shape[:2], 3)).transpose(2, 0, 1)[None]
    moments = RunningMoments(window.shape)
    for symmetry in range(options.symmetries):
        low = engine.encode(np.ascontiguousarray(apply_symmetry(noisy, symmetry)))
        passed()
        for draw in range(options.draws):
            latent = _latent(engine, tile, options, draw, symmetry)
            image = undo_symmetry(engine.decode(low, latent), symmetry)[0].transpose(1, 2, 0)
            moments.add(image if window.shape[2] == 3 else image.mean(axis=2, keepdims=True))
            passed()
    return moments


def _latent(engine: Engine, tile: Tile, options: DenoiseOptions, draw: int, symmetry: int) -> Array:
    """The tile's part of the photograph's latent, turned as the tile is: ``(1, C, h, w)``."""
    architecture = engine.architecture
    field = LatentField(architecture.latent_channels, options.seed, draw, symmetry)
    place = (edge // architecture.scale for edge in (tile.top, tile.left, tile.height, tile.width))
    window = field.window(*place) * np.float32(options.latent_scale)
    return np.ascontiguousarray(apply_symmetry(window[None], symmetry))
