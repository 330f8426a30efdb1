"""What the worker processes are asked to do. Everything that looks into a photograph is here."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..image.dtype import Pixels, to_float
from ..image.noise_estimation import NoiseEstimate, estimate_noise
from ..image.orientation import apply_exif_orientation
from ..inference import (
    DenoiseOptions,
    Engine,
    FileOptions,
    Pipeline,
    Progress,
    Region,
    denoise_photo,
)
from ..inference.blending import blend
from ..inference.error_map import at_pixels, error_blocks, interval
from ..inference.files import process_file
from ..inference.noise_shares import CELL, REACH, noise_shares
from ..inference.pipeline import Recorder, is_neutral
from ..inference.sampling import Block
from ..options import LOOKS, Look
from ..photo.color import network_bridge_of
from ..photo.decode import DAMAGED, EIGHTH, examine, read_header
from ..photo.photo import Photo, WriteOptions
from ..photo.read import format_of_file, read_eighth, read_photo
from ..photo.vips import pyvips
from .errors import ProblemError
from .predictions import PredictionWriter, read_prediction
from .rendering import check_region, write_rendering

DEPTHS = ("uint8", "uint16", "float32")
_DEPTHS = dict(zip(("uchar", "ushort", "float"), DEPTHS, strict=True))
_HEADS = ("jpeg", "png", "tiff", "webp")  # libvips reads these without decoding
READ = (*_HEADS, "avif", "heic", "raw", "jxl", "jp2", "bmp", "ppm", "gif")
LONGEST_SIDE = 65_535  # of a photograph, and of what a browser shows
_ROWS = 256  # blended in one go
#: In the uncertainty map, grey levels for one step of 8 bits; the interval is twice as wide.
LEVELS_A_STEP = 10
QUICK_WORK = 1 << 20  # pixels times passes of a quick preview; about a second on two cores
_KEPT_DECODED = 768 << 20  # bytes of the last two: 128 megapixels of 16 bits


@dataclass(frozen=True)
class Inspect:
    """Look at the head of a photograph, without decoding it where libvips can.

    Attributes:
        source: the file.
        max_pixels: refuse larger ones.
    """

    source: Path
    max_pixels: int


@dataclass(frozen=True)
class Inspection:
    """What the head says.

    Attributes:
        format: by its content.
        width: of the upright picture.
        height: of the upright picture.
        depth: type of a sample.
    """

    format: str
    width: int
    height: int
    depth: str

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Inspection":
        """Return what a worker, which nobody trusts, says that it saw.

        Raises:
            TypeError: it cannot have seen that.
        """
        seen = cls(**values)
        sizes = (seen.width, seen.height)
        if not all(type(size) is int and 0 < size <= LONGEST_SIDE for size in sizes):
            raise TypeError("no size of a picture")
        if seen.format not in READ or seen.depth not in DEPTHS:
            raise TypeError("no kind of picture")
        return seen


@dataclass(frozen=True)
class Render:
    """Make a picture for the browser of a photograph, or of a part of it."""

    source: Path
    target: Path
    max_pixels: int
    region: Region | None = None
    max_side: int | None = None
    shrink: int = 1


@dataclass(frozen=True)
class NoiseShareMap:
    """Make a picture of the shares of the change that noise explains, for those who blend.

    Red is that of the change of brightness, green that of the change of colour; 255 is all of it.

    Attributes:
        source: the photograph.
        result: its denoised version.
        target: a file as :class:`Render` takes it.
        look: of automatic strength.
    """

    source: Path
    result: Path
    target: Path
    max_pixels: int
    look: Look = "natural"
    region: Region | None = None
    max_side: int | None = None
    shrink: int = 1


@dataclass(frozen=True)
class UncertaintyMap:
    """Make a picture of how far a result may be from the clean photograph.

    A pixel is the distance within which nine of ten true values lie, ``LEVELS_A_STEP`` grey levels
    for one step of 8 bits.

    Attributes:
        source: the photograph.
        result: its denoised version.
        target: a file as :class:`Render` takes it.
        look: how the result is blended with the photograph first.
    """

    source: Path
    result: Path
    target: Path
    max_pixels: int
    look: DenoiseOptions
    region: Region | None = None
    max_side: int | None = None
    shrink: int = 1


@dataclass(frozen=True)
class Preview:
    """Denoise a region and make a picture of it for the browser.

    Attributes:
        shrink: denoise means of squares of this edge length, as a screen shows it; 1 is exact.
    """

    source: Path
    target: Path
    max_pixels: int
    region: Region
    options: DenoiseOptions
    shrink: int = 1

    @property
    def is_quick(self) -> bool:
        """Whether it is done so soon that finer ones make way for it."""
        width, height = (
            -(-side // self.shrink) for side in (self.region.width, self.region.height)
        )
        passes = self.options.num_symmetries * (1 + self.options.num_samples)
        return width * height * passes <= QUICK_WORK


@dataclass(frozen=True)
class Denoise:
    """Denoise a photograph as the command does.

    Attributes:
        source: the photograph.
        target: the result.
        prediction: where what the network predicts goes, if it is to be kept.
        room: bytes that it may take there; where they do not suffice, nothing is kept.
        earlier: a prediction of an earlier job that takes the network's place.
        jpeg_quality: of the result; None keeps the photograph's.
        strip_metadata: leave metadata out of the result.
    """

    source: Path
    target: Path
    max_pixels: int
    options: DenoiseOptions
    prediction: Path | None = None
    room: int = 0
    earlier: Path | None = None
    jpeg_quality: int | None = None
    strip_metadata: bool = False


@dataclass(frozen=True)
class Denoised:
    """What became of a photograph.

    Attributes:
        bytes: of the result.
        size: bytes of the result and the prediction.
        seconds: from reading to the finished file.
        predicted: bytes of the prediction.
        noise_level: standard deviation of the noise found, in steps of 8 bits (255 = white).
        noise_word: the same in a word.
        strength_found: what automatic strength makes of this photograph, 0 to 1, also where the
            job has another; None where nothing was blended.
        warnings: what the photograph's owner should know.
    """

    bytes: int
    size: int
    seconds: float
    predicted: int
    noise_level: float | None = None
    noise_word: str | None = None
    strength_found: float | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Denoised":
        """Return what a worker, which nobody trusts, says that it made.

        Raises:
            TypeError: it cannot be.
        """
        made = cls(**values)
        counts = (made.bytes, made.size, made.predicted)
        if not all(type(count) is int and count >= 0 for count in counts):
            raise TypeError("no numbers of bytes")
        shares = (made.seconds, made.noise_level, made.strength_found)
        if not all(isinstance(share, int | float | None) for share in shares):
            raise TypeError("no numbers")
        return replace(made, warnings=tuple(map(str, made.warnings)))


Task = Inspect | Render | NoiseShareMap | UncertaintyMap | Preview | Denoise


def rank_of(task: Task) -> int:
    """Return whose turn is first: 0 for quick previews, 1 for others, 2 for the rest."""
    if isinstance(task, Preview):
        return 0 if task.is_quick else 1
    return 2


def perform(task: Task, engine: Engine | None, progress: Progress) -> Any:
    """Do it.

    Args:
        task: what.
        engine: needed by :class:`Preview` and :class:`Denoise`.
        progress: called after every pass of the network; what it raises ends the work.

    Raises:
        InvDNError: the photograph cannot be read, or an option not be used.
        ProblemError: the photograph is too large, or a region leaves it.
    """
    match task:
        case Inspect():
            return _inspect(task)
        case Render():
            photo = _looked_at(task.source, task.max_pixels)
            return write_rendering(photo, task.target, task.region, task.max_side, task.shrink)
        case NoiseShareMap():
            return _explain(task)
        case UncertaintyMap():
            return _show_uncertainty(task)
        case Preview() if engine:
            return _preview(task, engine, progress)
        case Denoise() if engine:
            return _denoise(task, engine, progress)
    raise TypeError(f"{task} needs an engine")


_looked_at_last: OrderedDict[tuple[Path, int], Photo] = OrderedDict()


def _looked_at(source: Path, max_pixels: int) -> Photo:
    """Return a photograph that is shown piece by piece: the last two stay decoded.

    A file of the storage is written once, and its name is never used again.
    """
    key = source, source.stat().st_mtime_ns
    photo = _looked_at_last.pop(key, None) or read_photo(source, max_pixels=max_pixels)
    _looked_at_last[key] = photo
    while len(_looked_at_last) > 2 or _decoded_bytes() > _KEPT_DECODED:
        _looked_at_last.popitem(last=False)
    return photo


def _decoded_bytes() -> int:
    return sum(photo.pixels.nbytes for photo in _looked_at_last.values())


@lru_cache(maxsize=4)
def _noise(source: Path, max_pixels: int) -> NoiseEstimate | None:
    photo = _looked_at(source, max_pixels)
    space, _ = network_bridge_of(photo)
    return estimate_noise(photo.pixels, space.to_srgb if space else None)


def _explain(task: NoiseShareMap) -> None:
    noisy, clean, to_srgb = _both(task.source, task.result, task.max_pixels)
    height, width = noisy.shape[:2]
    region = task.region or Region(0, 0, width, height)
    check_region(region, width, height)
    left, top = (max(0, start - REACH) // CELL * CELL for start in (region.x, region.y))
    around = (
        slice(top, region.y + region.height + REACH),
        slice(left, region.x + region.width + REACH),
    )
    before, after = (to_srgb(to_float(seen[around])) for seen in (noisy, clean))
    noise = _noise(task.source, task.max_pixels)
    shares = noise_shares(before, after, noise, LOOKS[task.look][0])
    rows = slice(region.y - top, region.y - top + region.height)
    columns = slice(region.x - left, region.x - left + region.width)
    levels = np.zeros((region.height, region.width, 3), np.uint8)
    levels[:, :, :2] = np.rint(255 * shares[rows, columns])
    write_rendering(Photo(levels), task.target, None, task.max_side, task.shrink)


def _show_uncertainty(task: UncertaintyMap) -> None:
    height, width = _both(task.source, task.result, task.max_pixels)[0].shape[:2]
    region = task.region or Region(0, 0, width, height)
    check_region(region, width, height)
    blocks = _error_blocks(task.source, task.result, task.max_pixels, task.look)
    error = at_pixels(
        blocks,
        slice(region.y, region.y + region.height),
        slice(region.x, region.x + region.width),
    )
    error *= 255 * LEVELS_A_STEP * np.float32(interval())
    levels = np.rint(np.minimum(error, 255)).astype(np.uint8)
    write_rendering(Photo(levels), task.target, None, task.max_side, task.shrink)


@lru_cache(maxsize=8)  # a byte for every 16 of the photograph's
def _error_blocks(
    source: Path, result: Path, max_pixels: int, look: DenoiseOptions
) -> NDArray[np.float32]:
    """Predict the error of all blocks of a result, as the look blends it."""
    noisy, clean, to_srgb = _both(source, result, max_pixels)
    noise = _noise(source, max_pixels)
    if not look.is_full_strength:
        blended = np.empty(clean.shape, np.float32)
        for top in range(0, len(noisy), _ROWS):
            first = max(0, top - REACH)
            rows = slice(first, top + _ROWS + REACH)
            before, after = (to_srgb(to_float(seen[rows])) for seen in (noisy, clean))
            made = blend(before, after, look, noise)
            blended[top : top + _ROWS] = made[top - first : top - first + _ROWS]
        noisy = np.concatenate(
            [to_srgb(to_float(noisy[t : t + _ROWS])) for t in range(0, len(noisy), _ROWS)]
        )
        return error_blocks(noisy, blended, noise)
    return error_blocks(noisy, clean, noise, to_srgb)


def _unchanged(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values


def _both(
    source: Path, result: Path, max_pixels: int
) -> tuple[Pixels, Pixels, Callable[[NDArray[np.float32]], NDArray[np.float32]]]:
    """Return a photograph and its result, upright and (H, W, C), and how the network sees them."""
    photo, clean = (_looked_at(path, max_pixels) for path in (source, result))
    space, _ = network_bridge_of(photo)
    upright = [apply_exif_orientation(seen.pixels, photo.orientation) for seen in (photo, clean)]
    noisy, denoised = (seen if seen.ndim == 3 else seen[:, :, None] for seen in upright)
    if denoised.shape[2] > noisy.shape[2]:  # WebP and AVIF have no grey pictures
        denoised = denoised[:, :, 1:2]
    return noisy, denoised, space.to_srgb if space else _unchanged


def _inspect(task: Inspect) -> Inspection:
    name = format_of_file(task.source)
    header = None
    with task.source.open("rb") as file:
        if name in _HEADS:
            header = read_header(file, name, None)
        if header is None or header.detour:  # only its decoder knows
            return _inspect_decoded(task, name)
        try:
            image, orientation = examine(file, name, header, LONGEST_SIDE**2)
        except pyvips.Error:
            if name == "tiff":  # or in a layout that another decoder knows
                return _inspect_decoded(task, name)
            raise ProblemError("invalid", DAMAGED) from None
        if image.width * image.height > task.max_pixels:
            raise ProblemError(
                "too-large",
                f"the photograph has {image.width}x{image.height} pixels and the limit is "
                f"{task.max_pixels / 1e6:g} million; denoise it with the command, or raise "
                "--max-megapixels",
            )
        depth = _DEPTHS.get(image.format, "uint8")
        return _inspection(name, image.width, image.height, orientation, depth)


def _inspect_decoded(task: Inspect, name: str) -> Inspection:
    photo = read_photo(task.source, max_pixels=task.max_pixels)
    depth = str(photo.pixels.dtype)
    return _inspection(name, photo.width, photo.height, photo.orientation, depth)


def _inspection(name: str, width: int, height: int, orientation: int, depth: str) -> Inspection:
    if max(width, height) > LONGEST_SIDE:
        raise ProblemError(
            "too-large",
            f"the photograph has {width}x{height} pixels, and a side may have {LONGEST_SIDE} at "
            "most; denoise it with the command",
        )
    if 5 <= orientation <= 8:
        width, height = height, width
    return Inspection(name, width, height, depth)


def _denoise(task: Denoise, engine: Engine, progress: Progress) -> Denoised:
    start = time.perf_counter()

    def work(photo: Photo) -> tuple[Photo, Pipeline]:
        pipeline, photo = Pipeline.for_photo(engine, photo, task.options, progress)
        if task.earlier:
            with task.earlier.open("rb") as file:
                blocks = read_prediction(file, *photo.pixels.shape[:2])
                pixels = pipeline.blend_saved(photo.pixels, blocks)
        else:
            pixels = _run_network(task, pipeline, photo.pixels)
        return replace(photo, pixels=pixels), pipeline

    note = f"denoised, strength {task.options.strength}"
    write = WriteOptions(quality=task.jpeg_quality, strip_metadata=task.strip_metadata)
    files = FileOptions(max_pixels=task.max_pixels, write=write)
    done = process_file(task.source, task.target, files, work, note)
    sizes = [file.stat().st_size if file else 0 for file in (task.target, task.prediction)]
    seconds = time.perf_counter() - start
    level = done.noise_level if done.noise_removed is None else done.noise_removed
    return Denoised(
        bytes=sizes[0],
        size=sum(sizes),
        seconds=seconds,
        predicted=sizes[1],
        noise_level=level,
        noise_word=done.noise_word,
        strength_found=done.strength_found,
        warnings=tuple(filter(None, (done.warning, *done.remarks))),
    )


def _run_network(task: Denoise, pipeline: Pipeline, pixels: Pixels) -> Pixels:
    """Denoise the pixels in their own place, and keep the prediction if that is wanted."""
    if not task.prediction:
        pipeline.denoise_in_place(pixels)
        return pixels
    with task.prediction.open("xb", buffering=0) as file:
        writer = PredictionWriter(file, task.room)
        find = None if task.options.strength == "auto" else _automatic(pipeline, pixels)

        def record(block: Block) -> None:
            writer(block)
            if find:
                find(block)

        pipeline.denoise_in_place(pixels, record)
    return pixels


def _automatic(pipeline: Pipeline, pixels: Pixels) -> Recorder:
    """Return what finds, beside the work at another strength, what automatic strength makes."""
    automatic = replace(pipeline, options=replace(pipeline.options, strength="auto", dither=False))
    neutral = is_neutral(pixels)

    def record(block: Block) -> None:
        automatic.blend(block.tile, block.noisy, block.stats.mean, neutral)

    return record


def _preview(task: Preview, engine: Engine, progress: Progress) -> None:
    region: Region | None = task.region
    photo = _shrunk_on_load(task)
    if photo is None:
        photo = _looked_at(task.source, task.max_pixels)
        width, height = apply_exif_orientation(photo.pixels, photo.orientation).shape[1::-1]
        check_region(task.region, width, height)
        if task.shrink > 1:
            photo = _shrunk(photo, task.region, task.shrink)
    if task.shrink > 1:
        region = None
    part, _ = denoise_photo(engine, photo, task.options, region, progress)
    write_rendering(part, task.target)


def _shrunk_on_load(task: Preview) -> Photo | None:
    """Return the means that a preview is of, from a photograph that is decoded small.

    None where they cannot be had so, or where the whole is decoded already. The caller has checked
    that the region lies within the photograph.
    """
    region = task.region
    if any(size % EIGHTH for size in (task.shrink, region.x, region.y)):
        return None
    if (task.source, task.source.stat().st_mtime_ns) in _looked_at_last:
        return None
    photo = read_eighth(task.source, max_pixels=task.max_pixels)
    if photo is None:
        return None
    width, height = (-(-size // EIGHTH) for size in (region.width, region.height))
    part = Region(region.x // EIGHTH, region.y // EIGHTH, width, height)
    return _shrunk(photo, part, task.shrink // EIGHTH)


def _shrunk(photo: Photo, region: Region, edge: int) -> Photo:
    """Return a region as means of squares, upright, without alpha."""
    upright = apply_exif_orientation(photo.pixels, photo.orientation)
    pixels: Any = np.ascontiguousarray(upright[region.within(*upright.shape[:2])])
    image = pyvips.Image.new_from_array(pixels).shrink(edge, edge, ceil=True)
    shape = (image.height, image.width, *pixels.shape[2:])
    means: Any = np.ascontiguousarray(image.numpy().reshape(shape), pixels.dtype)
    metadata = replace(photo.metadata, exif=None)
    return replace(photo, pixels=means, alpha=None, metadata=metadata)
