"""Tell what denoising a photograph will do, from a few small parts of it; nothing is written."""

import time
from dataclasses import dataclass
from pathlib import Path

from ..errors import ImageError, InputError
from ..image.dtype import Pixels
from ..image.noise_estimation import NoiseEstimate
from ..options import DenoiseOptions
from ..photo.formats import DNG
from ..photo.linear_raw import read_linear_raw
from ..photo.read import read_photo
from .blending import noise_word
from .engine import Engine
from .files import FileOptions, training_range_warning
from .pipeline import Pipeline

_SIDE = 160  # pixels of a part, on a side
_PARTS = 2  # along each side of the photograph


@dataclass(frozen=True)
class Outlook:
    """What is to be expected of one photograph.

    Attributes:
        source: the photograph.
        target: the file that would be written.
        width: pixels.
        height: pixels.
        depth: type of a sample.
        noise_level: of the noise, in steps of 8 bits (255 = white): what automatic strength takes
            from the parts, else the estimate; None where the photograph is too small to tell.
        noise_word: the same in a word; None as above.
        strength: what automatic strength makes of the parts, 0 to 1, or the strength given.
        seconds: that the network will take, as it took for the parts.
        warning: why the photograph lies outside what the model was trained on, if it does.
        remarks: what its owner should know, one line each.
    """

    source: Path
    target: Path
    width: int
    height: int
    depth: str
    noise_level: float | None
    noise_word: str | None
    strength: float | None
    seconds: float
    warning: str | None = None
    remarks: tuple[str, ...] = ()


def outlook_of(
    engine: Engine,
    source: Path,
    target: Path,
    options: DenoiseOptions = DenoiseOptions(),
    files: FileOptions = FileOptions(),
) -> Outlook:
    """Look at a photograph, and denoise four small parts of it.

    Args:
        engine: the network, ready to run.
        source: the photograph.
        target: the file that would be written.
        options: how it would be denoised.
        files: how it is read.

    Raises:
        ImageError: the source is not a readable photograph.
        InputError: the region lies outside it, or the memory allowed is too small.
    """
    start = time.perf_counter()
    if target.suffix.lower() == DNG:
        photo = read_linear_raw(source, max_pixels=files.max_pixels)
    else:
        photo = read_photo(source, max_pixels=files.max_pixels, page=files.page)
    try:
        pipeline, photo = Pipeline.for_photo(engine, photo, options)
        height, width = photo.pixels.shape[:2]
        rows, columns = slice(0, height), slice(0, width)
        if files.region:
            stored = files.region.stored(height, width, photo.orientation)
            rows, columns = stored.within(height, width)
        reading = time.perf_counter() - start
        rates = [_rate(pipeline, photo.pixels, part) for part in _parts(rows, columns)]
    except (InputError, ImageError) as error:
        raise type(error)(f"cannot denoise {str(source)!r}: {error}") from error
    findings, noise = pipeline.findings, pipeline.noise
    level = findings.noise_level if findings.count else noise.level if noise else None
    pixels = (rows.stop - rows.start) * (columns.stop - columns.start)
    return Outlook(
        source,
        target,
        photo.width if not files.region else columns.stop - columns.start,
        photo.height if not files.region else rows.stop - rows.start,
        str(photo.pixels.dtype),
        level,
        None if level is None else noise_word(level),
        findings.strength if options.strength == "auto" else float(options.strength),
        reading + min(rates) * pixels,
        _warning(noise, pipeline),
        photo.remarks,
    )


def _warning(noise: NoiseEstimate | None, pipeline: Pipeline) -> str | None:
    return training_range_warning(noise, pipeline.findings)


def _parts(rows: slice, columns: slice) -> list[tuple[slice, slice]]:
    """Return parts that lie evenly in a rectangle; the rectangle itself where it is small."""
    found = []
    for index in range(_PARTS * _PARTS):
        part = []
        for side, place in ((rows, index // _PARTS), (columns, index % _PARTS)):
            length = side.stop - side.start
            size = min(_SIDE, length)
            start = side.start + (2 * place + 1) * length // (2 * _PARTS) - size // 2
            start = min(max(start, side.start), side.stop - size)
            part.append(slice(start, start + size))
        if (part[0], part[1]) not in found:
            found.append((part[0], part[1]))
    return found


def _rate(pipeline: Pipeline, pixels: Pixels, part: tuple[slice, slice]) -> float:
    """Denoise a part, and return the seconds that a pixel of the photograph will take."""
    result = pixels[part].copy()
    margin = 2 * pipeline.options.tile_overlap
    seen = 1
    for side, whole in zip(part, pixels.shape[:2], strict=True):
        seen *= min(whole, side.stop - side.start + margin)
    start = time.perf_counter()
    pipeline.run(pixels, result, part=part)
    return (time.perf_counter() - start) / seen
