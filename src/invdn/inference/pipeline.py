"""Denoise one image: plan blocks, read, predict, blend, store.

::

    pixels ─ plan_blocks ─┬─ read ─ predict ─ blend ─ store ─ result
                          └────── for every block ──────┘
                                       │
                                       └─ Prediction: mean and std, to be blended again

There is one loop, :meth:`Pipeline.run`. The network runs in ``predict``; strength and its
companions act in ``blend`` only, so a :class:`Prediction` gives any number of results without
another pass of the network.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import Self, Unpack

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..errors import EngineError, InputError
from ..image.defects import Mending, mend
from ..image.dtype import Pixels, from_float
from ..image.noise_estimation import NoiseEstimate, estimate_noise
from ..image.stars import with_stars
from ..options import DenoiseOptions, Overrides, options_with
from ..photo.color import SrgbBridge, network_bridge_of
from ..photo.linear_raw import noise_of_raw
from ..photo.photo import Photo
from .blending import Findings, blend, dithered
from .blocks import Tile, plan_blocks, read_window
from .engine import Engine
from .error_map import expected_error
from .region import Region
from .sampling import Block, predict_blocks

Floats = NDArray[np.float32]

#: Called with (network passes done, passes in all); an exception that it raises ends the work.
Progress = Callable[[int, int], None]
#: Called with every block before its result is stored.
Recorder = Callable[[Block], None]


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
        progress: called after every pass of the network.

    Returns:
        A new array of the same shape and type.

    Raises:
        InputError: shape, type or values are not of these kinds, or the memory is too small.
        EngineError: the network gave something that is not a number.
    """
    return Pipeline(engine, options, noise=noise, progress=progress).denoise(pixels)


@dataclass(frozen=True)
class Pipeline:
    """Everything that the inference on one image needs, but its pixels.

    Attributes:
        engine: the network, ready to run.
        options: how.
        noise: the image's estimate, if it is known; made where the options need it and it is not.
        colors: conversion of the image's colours for the network; None: they are sRGB.
        progress: called after every pass of the network.
        findings: what automatic strength found, filled while blocks are blended.

    All methods raise:
        InputError: shape, type or values of the pixels are not of the kinds that
            :func:`denoise_pixels` names, or the memory is too small.
        EngineError: the network gave something that is not a number.
    """

    engine: Engine
    options: DenoiseOptions = DenoiseOptions()
    noise: NoiseEstimate | None = None
    colors: SrgbBridge | None = None
    progress: Progress | None = None
    findings: Findings = field(default_factory=Findings, compare=False)

    @classmethod
    def for_photo(
        cls,
        engine: Engine,
        photo: Photo,
        options: DenoiseOptions = DenoiseOptions(),
        progress: Progress | None = None,
    ) -> tuple["Pipeline", Photo]:
        """Find the colours and the noise of a photograph.

        Returns:
            The pipeline, and the photograph with what is to be said of its colours among its
            remarks.

        Raises:
            ImageError: its colour profile cannot be used.
        """
        photo, found = _mended(photo, options)
        colors, remarks = network_bridge_of(photo)
        noise = estimate_noise(photo.pixels, colors.to_srgb if colors else None)
        if noise and colors and photo.metadata.camera:
            noise = noise_of_raw(photo, noise, colors.space)
        photo = replace(photo, remarks=(*photo.remarks, *remarks, *found))
        return cls(engine, options, noise, colors, progress), photo

    def denoise(self, pixels: Pixels) -> Pixels:
        """Return a denoised copy."""
        seen = _without_defects(self._validate(pixels), self.options)[0]
        result: Pixels = seen.copy() if seen is pixels else seen
        self.run(seen, result)
        return result

    def denoise_in_place(self, pixels: Pixels, record: Recorder | None = None) -> None:
        """Write the result over the noisy pixels, so that there is no second copy.

        Besides the pixels only one block and narrow margins are in memory. Should the work be
        broken off, the array holds parts of both. For the arguments see :meth:`run`.
        """
        self.run(self._validate(pixels), pixels, record=record)

    def denoise_region(self, pixels: Pixels, region: Region) -> Pixels:
        """Return the result in a part of the image, for the price of the part.

        The part sees its true surroundings, the latent of its place and the noise of the whole
        image. So it differs from the whole result as two tilings do: docs/tiling.md.

        Returns:
            A new array of the region's size (as far as it lies in the image).

        Raises:
            InputError: as above, or the region lies outside the image.
        """
        part = region.within(*self._validate(pixels).shape[:2])
        seen = _without_defects(pixels, self.options)[0]
        result: Pixels = seen[part].copy()
        self.run(seen, result, part=part)
        return result

    def denoise_with_std(self, pixels: Pixels) -> tuple[Pixels, Floats]:
        """Return a denoised copy, and how much the samples differ in every pixel.

        Returns:
            The denoised pixels, and the standard deviation over all samples as float32
            ``(H, W)`` or ``(H, W, C)`` without alpha, in units of the full range (1 = white). It
            is that of the network's samples in its own colours; strength and its companions do
            not change it.

        Raises:
            InputError: as above, or the options make a single sample, which has no spread.
        """
        _require_samples(self.options)
        seen = _without_defects(self._validate(pixels), self.options)[0]
        result: Pixels = seen.copy() if seen is pixels else seen
        std = StdMap(pixels)
        self.run(seen, result, record=std, kept=std.values.nbytes)
        return result, std.map

    def predict(self, pixels: Pixels) -> "Prediction":
        """Run the network on the pixels without their defects, and blend nothing yet."""
        blocks: list[PredictedBlock] = []
        seen = _without_defects(self._validate(pixels), self.options)[0]
        kept = 8 * color_channels(seen).size  # mean and std, float32
        self.run(seen, None, record=lambda block: blocks.append(predicted(block)), kept=kept)
        return Prediction(replace(self, noise=self._noise_of(seen)), seen, tuple(blocks), pixels)

    def run(
        self,
        pixels: Pixels,
        result: Pixels | None,
        *,
        part: tuple[slice, slice] | None = None,
        record: Recorder | None = None,
        kept: int = 0,
    ) -> None:
        """Plan blocks, then read, predict, blend and store one after another.

        Args:
            pixels: the image; it must have passed validation.
            result: receives the result, and holds the noisy pixels so far; may be ``pixels``
                itself. None: only ``record`` is called.
            part: rows and columns of the image that ``result`` holds; None: all.
            record: called with every block before its result is stored.
            kept: bytes that ``record`` keeps.
        """
        stores = result is not None and not self.options.is_identity
        if not (stores or record):
            return
        resident = pixels.nbytes + kept
        if result is not None and result is not pixels:
            resident += result.nbytes
        if result is None or not stores:
            for block in self._predict(pixels, part, resident):
                if record:
                    record(block)
            return
        blender = replace(self, noise=self._noise_of(pixels))
        neutral = is_neutral(pixels)

        def finish(block: Block) -> None:
            mean = block.stats.mean
            clean = blender.blend(block.tile, block.noisy, mean, neutral, pixels.dtype)
            store(result, block.tile.core, clean, part)

        with _Beside(finish, self.options.max_memory is None) as beside:
            for block in self._predict(pixels, part, resident):
                if record:
                    record(block)
                beside.take(block)

    def blend(
        self,
        tile: Tile,
        noisy: Floats,
        mean: Floats,
        neutral: bool = False,
        dtype: DTypeLike = np.float32,
    ) -> Floats:
        """Blend the noisy window of a tile with the network's, as the options say.

        Args:
            tile: the window's place.
            noisy: ``(h, w, 1 or 3)`` window in the image's colours.
            mean: the same of the network's samples, in the network's colours.
            neutral: the image holds grey alone, and so does the result.
            dtype: of the image; 8 bits are dithered where the options say so.

        Returns:
            The core of the tile, in the image's colours.
        """
        seen = self.colors.to_srgb(noisy) if self.colors else noisy
        if neutral:
            seen, mean = seen[:, :, :1], mean.mean(axis=2, keepdims=True)
        clean = blend(seen, mean, self.options, self.noise)
        if self.options.keeps_stars:
            clean = with_stars(clean, seen)
        if self.options.strength == "auto":
            before = seen[tile.inner]
            self.findings.add(mean[tile.inner] - before, clean[tile.inner] - before)
        blended = clean
        if neutral:
            clean = np.broadcast_to(clean, noisy.shape)
        if self.colors:
            clean = self.colors.from_srgb(clean, noisy)
            if neutral:
                clean = np.broadcast_to(clean.mean(axis=2, keepdims=True), clean.shape)
        if self.options.dithers and dtype == np.uint8:
            place = tile.core[0].start, tile.core[1].start
            return dithered(clean[tile.inner], seen, mean, tile.inner, place, blended[tile.inner])
        return clean[tile.inner]

    def blend_saved(self, pixels: Pixels, blocks: Iterable["PredictedBlock"]) -> Pixels:
        """Blend what the network predicted earlier for the same image.

        Args:
            pixels: the noisy image.
            blocks: as :func:`predicted` made them of the blocks of a run with options that
                differed in strength and its companions only.
        """
        result: Pixels = self._validate(pixels).copy()
        blender = replace(self, noise=self._noise_of(pixels))
        colors = color_channels(pixels)
        neutral = is_neutral(pixels)
        for block in blocks:
            if self.options.is_identity:
                continue
            noisy = read_window(colors, block.tile)
            clean = blender.blend(block.tile, noisy, block.mean, neutral, pixels.dtype)
            store(result, block.tile.core, clean)
        return result

    def _predict(
        self, pixels: Pixels, part: tuple[slice, slice] | None, resident: int
    ) -> Iterator[Block]:
        """Run the network block by block, and check what it gives."""
        engine = self.engine
        if pixels.dtype != np.uint8:  # a fast precision that shows nothing in 8 bits may in more
            engine = getattr(engine, "exact", engine)
        plan = plan_blocks(engine, pixels, self.options, resident=resident, part=part)
        done = count(1)

        def on_forward() -> None:
            step = next(done)
            if self.progress is not None:
                self.progress(step, plan.passes)

        to_srgb = self.colors.to_srgb if self.colors else None
        colors = color_channels(pixels)
        for block in predict_blocks(engine, colors, self.options, plan, on_forward, to_srgb):
            if not np.isfinite(block.stats.mean).all():
                raise EngineError("the network's result is not a number: check the weights")
            yield block

    def _noise_of(self, pixels: Pixels) -> NoiseEstimate | None:
        """Return the estimate that the options need, if they need one."""
        if self.noise or not self.options.needs_noise_estimate:
            return self.noise
        return estimate_noise(color_channels(pixels))

    def _validate(self, pixels: Pixels) -> Pixels:
        """Return the pixels, if they are of a kind that can be denoised."""
        if not isinstance(pixels, np.ndarray):
            raise InputError(f"pixels must be a numpy array, not {type(pixels).__name__}")
        if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and not 1 <= pixels.shape[2] <= 4):
            raise InputError(
                f"pixels must be (H, W) or (H, W, 1 to 4), not {pixels.shape}; "
                "a batch goes image by image, and channels come last"
            )
        if 0 in pixels.shape:
            raise InputError(f"pixels must not be empty: {pixels.shape}")
        if not self.options.is_identity:
            _check_channels(self.engine.architecture.channels, color_channels(pixels).shape[2])
        if pixels.dtype in (np.uint8, np.uint16) or (self.colors and pixels.dtype == np.float32):
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


def is_neutral(pixels: Pixels) -> bool:
    """Tell whether an image of three colours holds grey alone, which its result then does too.

    Example:
        >>> is_neutral(np.full((2, 2, 3), 7, np.uint8)), is_neutral(np.ones((2, 2), np.uint8))
        (True, False)
    """
    colors = color_channels(pixels)
    if colors.shape[2] != 3 or (colors[0, 0, :1] != colors[0, 0]).any():
        return False
    return all(bool((row[:, :1] == row).all()) for row in colors)


def _without_defects(pixels: Pixels, options: DenoiseOptions) -> tuple[Pixels, tuple[str, ...]]:
    """Return the pixels with their defects mended: the same array where there are none."""
    if options.is_identity:
        return pixels, ()
    colors = color_channels(pixels)
    mended, found = mend(colors, Mending(options.hot_pixels, options.banding, options.blotches))
    if mended is colors:
        return pixels, ()
    result = pixels.copy()
    color_channels(result)[:] = mended
    return result, found


def _mended(photo: Photo, options: DenoiseOptions) -> tuple[Photo, tuple[str, ...]]:
    """Return the photograph with its defects mended, and what they were."""
    pixels, found = _without_defects(photo.pixels, options)
    return (photo if pixels is photo.pixels else replace(photo, pixels=pixels)), found


class _Beside:
    """Finishes blocks one after another in a thread, while the network works on the next one.

    Args:
        finish: what is to be done with a block.
        threaded: False: at once, so that no second block is in memory.
    """

    def __init__(self, finish: Callable[[Block], None], threaded: bool) -> None:
        self._finish = finish
        self._thread = ThreadPoolExecutor(1, "invdn-blend") if threaded else None
        self._last: Future[None] | None = None

    def take(self, block: Block) -> None:
        """Finish a block soon, after the one before it, whose error is raised here."""
        if self._thread is None:
            self._finish(block)
            return
        if self._last:
            self._last.result()
        self._last = self._thread.submit(self._finish, block)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._thread:
            self._thread.shutdown()
        if self._last and kind is None:
            self._last.result()


@dataclass(frozen=True)
class PredictedBlock:
    """What is kept of a block, so that it can be blended again.

    Attributes:
        tile: its place.
        mean: ``(h, w, 1 or 3)`` float32 window, the mean of the samples in the network's colours.
        std: standard deviation of the samples in the core; None for a single sample.
    """

    tile: Tile
    mean: Floats
    std: Floats | None


def predicted(block: Block) -> PredictedBlock:
    """Return what is to be kept of a block."""
    std = block.stats.std()[block.tile.inner] if block.stats.count > 1 else None
    return PredictedBlock(block.tile, block.stats.mean, std)


@dataclass(frozen=True)
class Prediction:
    """Output of the network for one image, to be blended any number of times.

    Attributes:
        pipeline: what made it.
        pixels: the noisy image, without the defects that were to be mended; they are mended
            whatever the strength of a result, since the network saw it so.
        blocks: what the network gave.
        original: the noisy image as it was, which strength 0 gives back.
    """

    pipeline: Pipeline
    pixels: Pixels
    blocks: tuple[PredictedBlock, ...]
    original: Pixels

    @cached_property
    def mean(self) -> Floats:
        """The network's own result: ``(H, W)`` or ``(H, W, C)`` float32, without alpha.

        In the network's colours, sRGB; values a little beyond [0, 1] are possible.
        """
        return self._assembled([block.mean[block.tile.inner] for block in self.blocks])

    @cached_property
    def std(self) -> Floats | None:
        """Standard deviation of the samples (1 = white), shaped as the mean; None for one."""
        parts = [block.std for block in self.blocks if block.std is not None]
        return self._assembled(parts) if parts else None

    @property
    def noise(self) -> NoiseEstimate | None:
        """The noise that was found; None where the image is too small to tell."""
        return self.pipeline.noise or estimate_noise(color_channels(self.pixels))

    def blend(
        self, options: DenoiseOptions | None = None, **overrides: Unpack[Overrides]
    ) -> Pixels:
        """Blend the noisy and the denoised image; the network does not run.

        Args:
            options: strength and its companions matter; None: those of the prediction.
            **overrides: single ones, over those.

        Returns:
            A new array, of the shape and type of the image.

        Raises:
            InputError: an option is outside its range, or there is none of that name.
        """
        chosen = options_with(options or self.pipeline.options, overrides)
        if chosen.is_identity:
            return self.original.copy()
        pipeline = replace(self.pipeline, options=chosen)
        return pipeline.blend_saved(self.pixels, self.blocks)

    def expected_error(
        self, options: DenoiseOptions | None = None, **overrides: Unpack[Overrides]
    ) -> Floats:
        """Predict how far a result is from the clean photograph; the network does not run.

        Args:
            options: of the result, as :meth:`blend` takes them.
            **overrides: single ones, over those.

        Returns:
            ``(H, W)``, as :func:`invdn.expected_error` tells it.

        Raises:
            InputError: an option is outside its range, or there is none of that name.
        """
        result = color_channels(self.blend(options, **overrides))
        colors = self.pipeline.colors
        noisy = color_channels(self.pixels)
        return expected_error(noisy, result, self.noise, colors.to_srgb if colors else None)

    def _assembled(self, parts: list[Floats]) -> Floats:
        whole: Floats = np.empty(color_channels(self.pixels).shape, np.float32)
        for block, part in zip(self.blocks, parts, strict=True):
            whole[block.tile.core] = part
        return whole[..., 0] if self.pixels.ndim == 2 else whole


class StdMap:
    """Records the standard deviation of the samples while a pipeline runs.

    Args:
        pixels: the image.

    Attributes:
        values: ``(H, W, 1 or 3)`` float32.
    """

    def __init__(self, pixels: Pixels) -> None:
        self._grey = pixels.ndim == 2
        self.values: Floats = np.empty(color_channels(pixels).shape, np.float32)

    def __call__(self, block: Block) -> None:
        """Take the core of a block."""
        self.values[block.tile.core] = block.stats.std()[block.tile.inner]

    @property
    def map(self) -> Floats:
        """``(H, W)`` for a grey image without channels, else ``(H, W, C)``."""
        return self.values[..., 0] if self._grey else self.values


def store(
    result: Pixels,
    core: tuple[slice, slice],
    clean: Floats,
    part: tuple[slice, slice] | None = None,
) -> None:
    """Round the core of a block to the sample type of the image, and put it there.

    Args:
        result: the image, or the part of it.
        core: rows and columns of the whole image.
        clean: the core.
        part: rows and columns that ``result`` holds; None: all.
    """
    if part is not None:
        core = (
            slice(core[0].start - part[0].start, core[0].stop - part[0].start),
            slice(core[1].start - part[1].start, core[1].stop - part[1].start),
        )
    color_channels(result)[core] = from_float(clean, result.dtype)


def color_channels(pixels: Pixels) -> Pixels:
    """Return a view of grey or RGB as ``(H, W, 1)`` or ``(H, W, 3)``, without alpha."""
    if pixels.ndim == 2:
        return pixels[:, :, None]
    return pixels[:, :, : 3 if pixels.shape[2] > 2 else 1]


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


def _require_samples(options: DenoiseOptions) -> None:
    if options.total_samples < 2:
        raise InputError(
            "a spread needs 2 samples or more: set num_samples higher, or self_ensemble"
        )
