"""The act itself: arrays of pixels in, arrays of the same kind out, through any engine."""

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, InputError
from ..image.dtype import Pixels, from_float
from ..image.noise_estimation import NoiseEstimate, estimate_noise
from ..image.tiling import Tile, read_window, tiles
from ..photo.color import NetworkColours
from .blending import GRID, blend
from .engine import Engine
from .memory import fits_in_rows, fitting_tile
from .moments import RunningMoments
from .options import DenoiseOptions
from .region import Region
from .sampling import sample_window
from .streaming import Estimate, pushes, streamed, streams
from .windows import noisy_windows

#: Called with (network passes done, passes in all); an exception that it raises ends the work.
Progress = Callable[[int, int], None]


def denoise_pixels(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    noise: NoiseEstimate | None = None,
    progress: Progress | None = None,
) -> Pixels:
    """Remove the noise of one image.

    Args:
        engine: the network, ready to run.
        pixels: ``(H, W)`` or ``(H, W, C)`` with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA)
            channels, any size; uint8, uint16, or floating point in [0, 1]. Gamma-encoded, as in a
            JPEG. Alpha passes through unchanged.
        options: how.
        noise: the image's estimate, if it is known; made where the options need it and it is not.
        progress: told after every pass of the network.

    Returns:
        A new array of the same shape and type.

    Raises:
        InputError: shape, type or values are not of these kinds, or the memory is too small.
        EngineError: the network gave something that is not a number.
    """
    result = _checked(engine, pixels).copy()
    _denoise(engine, result, options, noise, progress, None, copies=2)
    return result


def denoise_in_place(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    noise: NoiseEstimate | None = None,
    space: NetworkColours | None = None,
    progress: Progress | None = None,
) -> None:
    """As :func:`denoise_pixels`, written over the noisy pixels, so that there is no second copy.

    Beside the pixels only one tile and narrow margins are in memory. Should the work be broken
    off, the array holds parts of both. Where ``space`` is given, the pixels are colours of that
    space, floating-point ones beyond [0, 1] as well.
    """
    _denoise(engine, _checked(engine, pixels, space), options, noise, progress, space, copies=1)


def denoise_region(
    engine: Engine,
    pixels: Pixels,
    region: Region,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    noise: NoiseEstimate | None = None,
    space: NetworkColours | None = None,
    progress: Progress | None = None,
) -> Pixels:
    """What :func:`denoise_in_place` gives in a part of the image, for the price of the part.

    The part sees its true surroundings, the latent of its place and the noise of the whole image.
    So it differs from the whole result as two tilings do: docs/tiling.md.

    Returns:
        A new array of the region's size (as far as it lies in the image).

    Raises:
        InputError: as above, or the region lies outside the image.
    """
    part = region.within(*_checked(engine, pixels, space).shape[:2])
    result: Pixels = pixels[part].copy()
    if options.takes_nothing:
        return result
    noise = _noise(pixels, options, noise)
    colours = _colours(result)
    copies = 1 + result.nbytes / pixels.nbytes
    pieces = _pieces(engine, pixels, options, copies=copies, part=part)
    windows = ((tile, read_window(_colours(pixels), tile)) for tile in pieces)
    for tile, window, moments in _estimates(engine, windows, len(pieces), options, progress, space):
        rows, columns = (
            slice(core.start - axis.start, core.stop - axis.start)
            for core, axis in zip(tile.core, part, strict=True)
        )
        clean = _blended(pixels, tile, window, moments, options, noise, space)
        colours[rows, columns] = from_float(clean, colours.dtype)
    return result


def denoise_with_spread(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions,
    *,
    noise: NoiseEstimate | None = None,
    space: NetworkColours | None = None,
    progress: Progress | None = None,
) -> tuple[Pixels, NDArray[np.float32]]:
    """As :func:`denoise_pixels`, and how much the samples differ in every pixel.

    Returns:
        The denoised pixels, and the standard deviation over symmetries and draws as float32
        ``(H, W)`` or ``(H, W, C)`` without alpha, in units of the full range (1 = white). It is
        that of the network's samples in its own colours; strength and its companions do not change
        it.

    Raises:
        InputError: as above, or the options make a single sample, which has no spread.
    """
    if options.symmetries * options.draws < 2:
        raise InputError("a spread needs 2 samples or more: set draws or symmetries higher")
    noise = _noise(_checked(engine, pixels, space), options, noise)
    result = pixels.copy()
    colours = _colours(result)
    spread: NDArray[np.float32] = np.empty(colours.shape, np.float32)
    copies = 2 + spread.nbytes / pixels.nbytes
    for tile, window, moments in _whole(engine, result, options, progress, space, copies=copies):
        spread[tile.core] = moments.spread()[tile.inner]
        if not options.takes_nothing:
            clean = _blended(pixels, tile, window, moments, options, noise, space)
            colours[tile.core] = from_float(clean, colours.dtype)
    return result, spread[..., 0] if pixels.ndim == 2 else spread


def _denoise(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions,
    noise: NoiseEstimate | None,
    progress: Progress | None,
    space: NetworkColours | None,
    *,
    copies: int,
) -> None:
    """Denoise checked pixels in their own place."""
    if options.takes_nothing:
        return
    noise = _noise(pixels, options, noise)
    colours = _colours(pixels)
    pieces = _whole(engine, pixels, options, progress, space, copies=copies)
    for tile, window, moments in pieces:
        clean = _blended(pixels, tile, window, moments, options, noise, space)
        colours[tile.core] = from_float(clean, colours.dtype)


def _noise(
    pixels: Pixels, options: DenoiseOptions, known: NoiseEstimate | None
) -> NoiseEstimate | None:
    """The estimate that the options need, if they need one."""
    if known or not options.looks_at_noise:
        return known
    return estimate_noise(_colours(pixels))


def _pieces(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions,
    *,
    copies: float,
    part: tuple[slice, slice] | None = None,
) -> list[Tile]:
    height, width = pixels.shape[:2]
    edge = fitting_tile(engine, pixels, options, copies=copies)
    multiple = math.lcm(engine.architecture.scale, GRID)
    return tiles(height, width, edge, options.overlap, multiple, part)


def _whole(
    engine: Engine,
    pixels: Pixels,
    options: DenoiseOptions,
    progress: Progress | None,
    space: NetworkColours | None = None,
    *,
    copies: float,
) -> Iterator[Estimate]:
    """The whole photograph piece by piece: in rows where the engine can, else in tiles.

    The core of a piece may be overwritten before the next one is asked for.
    """
    colours = _colours(pixels)
    if streams(engine, options) and fits_in_rows(engine, pixels, options, copies=copies):
        passed = _counter(progress, pushes(engine, *pixels.shape[:2]) * (1 + options.draws))
        for_network = space.for_network if space else None
        return _sound(streamed(engine, colours, options, passed, for_network))
    pieces = _pieces(engine, pixels, options, copies=copies)
    windows = noisy_windows(colours, pieces)
    return _estimates(engine, windows, len(pieces), options, progress, space)


def _estimates(
    engine: Engine,
    windows: Iterable[tuple[Tile, NDArray[np.float32]]],
    number: int,
    options: DenoiseOptions,
    progress: Progress | None,
    space: NetworkColours | None = None,
) -> Iterator[Estimate]:
    """``number`` tiles with what the network makes of them."""
    passed = _counter(progress, number * options.symmetries * (1 + options.draws))
    return _sound(
        (
            tile,
            window,
            sample_window(
                engine, space.for_network(window) if space else window, tile, options, passed
            ),
        )
        for tile, window in windows
    )


def _counter(progress: Progress | None, total: int) -> Callable[[], None]:
    """A function that tells of one more pass of the network."""
    done = count(1)

    def passed() -> None:
        step = next(done)
        if progress is not None:
            progress(step, total)

    return passed


def _sound(estimates: Iterator[Estimate]) -> Iterator[Estimate]:
    """The same, as long as they are numbers."""
    for estimate in estimates:
        if not np.isfinite(estimate[2].mean).all():
            raise EngineError("the network's result is not a number: check the weights")
        yield estimate


def _blended(
    pixels: Pixels,
    tile: Tile,
    window: NDArray[np.float32],
    moments: RunningMoments,
    options: DenoiseOptions,
    noise: NoiseEstimate | None,
    space: NetworkColours | None,
) -> NDArray[np.float32]:
    """What becomes of the core of a tile, in the colours of the photograph."""
    inside = tuple(  # a window may reach beyond the photograph
        slice(end - start)
        for start, end in zip((tile.top, tile.left), pixels.shape[:2], strict=True)
    )
    noisy, mean = window[inside], moments.mean[inside]
    if space is None:
        return blend(noisy, mean, options, noise)[tile.inner]
    clean = blend(space.for_network(noisy), mean, options, noise)
    return space.from_network(clean, noisy)[tile.inner]


def _colours(pixels: Pixels) -> Pixels:
    """A view of grey or RGB as ``(H, W, 1)`` or ``(H, W, 3)``, without alpha."""
    if pixels.ndim == 2:
        return pixels[:, :, None]
    return pixels[:, :, : 3 if pixels.shape[2] > 2 else 1]


def _checked(engine: Engine, pixels: Pixels, space: NetworkColours | None = None) -> Pixels:
    if not isinstance(pixels, np.ndarray):
        raise InputError(f"pixels must be a numpy array, not {type(pixels).__name__}")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4):
        raise InputError(
            f"pixels must be (H, W) or (H, W, 1 to 4), not {pixels.shape}; "
            "a batch goes image by image, and channels come last"
        )
    if 0 in pixels.shape:
        raise InputError(f"pixels must not be empty: {pixels.shape}")
    _check_channels(engine.architecture.channels, _colours(pixels).shape[2])
    if pixels.dtype in (np.uint8, np.uint16) or (space and pixels.dtype == np.float32):
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


def _check_channels(wanted: int, found: int) -> None:
    """Refuse photographs whose colours the network does not have; grey ones enter any RGB network.

    Raises:
        InputError: the message says what the network is for.
    """
    if wanted == found or (wanted == 3 and found == 1):
        return
    if wanted == 1:
        raise InputError(
            "this network denoises grey photographs, and this one has colours: choose a network "
            "for colours (the shipped 'default'), or make the photograph grey first"
        )
    raise InputError(
        f"this network takes {wanted} planes and no photographs: use its engine's encode and "
        "decode, or invdn.DenoisingModule"
    )
