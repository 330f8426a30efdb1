"""The act itself: arrays of pixels in, arrays of the same kind out, through any engine."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, InputError
from ..imaging.depth import Pixels, from_float
from ..imaging.tiles import Tile, read_window, tiles
from .engine import Engine
from .moments import RunningMoments
from .options import DenoiseOptions
from .samples import sample_window
from .streaming import pushes, streamed_moments, streams

#: Called with (network passes done, passes in all); an exception that it raises ends the work.
Progress = Callable[[int, int], None]


def denoise_pixels(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    progress: Progress | None = None,
) -> Pixels:
    """Remove the noise of one image.

    Args:
        engine: the network, ready to run.
        pixels: ``(H, W)`` or ``(H, W, C)`` with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA)
            channels, any size; uint8, uint16, or floating point in [0, 1]. Gamma-encoded, as in a
            JPEG. Alpha passes through unchanged.
        options: how.
        progress: told after every pass of the network.

    Returns:
        A new array of the same shape and type.

    Raises:
        InputError: shape, type or values are not of these kinds.
        EngineError: the network gave something that is not a number.
    """
    result = _checked(pixels).copy()
    colours = _colours(result)
    for tile, moments in _estimates(engine, _colours(pixels), options, progress):
        colours[tile.core] = from_float(moments.mean[tile.inner], colours.dtype)
    return result


def denoise_with_spread(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions,
    *,
    progress: Progress | None = None,
) -> tuple[Pixels, NDArray[np.float32]]:
    """As :func:`denoise_pixels`, and how much the samples differ in every pixel.

    Returns:
        The denoised pixels, and the standard deviation over symmetries and draws as float32
        ``(H, W)`` or ``(H, W, C)`` without alpha, in units of the full range (1 = white).

    Raises:
        InputError: as above, or the options make a single sample, which has no spread.
    """
    if options.symmetries * options.draws < 2:
        raise InputError("a spread needs 2 samples or more: set draws or symmetries higher")
    result = _checked(pixels).copy()
    colours = _colours(result)
    spread: NDArray[np.float32] = np.empty(colours.shape, np.float32)
    for tile, moments in _estimates(engine, _colours(pixels), options, progress):
        colours[tile.core] = from_float(moments.mean[tile.inner], colours.dtype)
        spread[tile.core] = moments.spread()[tile.inner]
    return result, spread[..., 0] if pixels.ndim == 2 else spread


def _estimates(
    engine: Engine, colours: Pixels, options: DenoiseOptions, progress: Progress | None
) -> Iterator[tuple[Tile, RunningMoments]]:
    """Every tile with the moments of its samples, ``(h, w, 1 or 3)`` float32 as ``colours``."""
    scale = engine.architecture.scale
    height, width, _ = colours.shape
    streaming = streams(engine, options)
    pieces = [] if streaming else tiles(height, width, options.tile, options.overlap, scale)
    count = pushes(engine, height, width) if streaming else len(pieces)
    total = count * options.symmetries * (1 + options.draws)
    done = 0

    def passed() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    if streams(engine, options):
        estimates = streamed_moments(engine, colours, options, passed)
    else:
        estimates = (
            (tile, sample_window(engine, read_window(colours, tile), tile, options, passed))
            for tile in pieces
        )
    for tile, moments in estimates:
        if not np.isfinite(moments.mean).all():
            raise EngineError("the network's result is not a number: check the weights")
        yield tile, moments


def _colours(pixels: Pixels) -> Pixels:
    """A view of grey or RGB as ``(H, W, 1)`` or ``(H, W, 3)``, without alpha."""
    if pixels.ndim == 2:
        return pixels[:, :, None]
    return pixels[:, :, : 3 if pixels.shape[2] > 2 else 1]


def _checked(pixels: Pixels) -> Pixels:
    if not isinstance(pixels, np.ndarray):
        raise InputError(f"pixels must be a numpy array, not {type(pixels).__name__}")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4):
        raise InputError(
            f"pixels must be (H, W) or (H, W, 1 to 4), not {pixels.shape}; "
            "a batch goes image by image, and channels come last"
        )
    if 0 in pixels.shape:
        raise InputError(f"pixels must not be empty: {pixels.shape}")
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    if not np.issubdtype(pixels.dtype, np.floating):
        raise InputError(f"pixels must be uint8, uint16 or floating point, not {pixels.dtype}")
    low, high = pixels.min(), pixels.max()  # NaN comes through both
    if not (low >= 0 and high <= 1):
        raise InputError(
            f"floating-point pixels must be numbers from 0 to 1, and these run from {low} to "
            f"{high}; divide by the white level, and replace what is not a number"
        )
    return pixels
