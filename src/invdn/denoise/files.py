"""The one road from a photograph on disk to a clean photograph on disk."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..atomic import ensure_output
from ..errors import InputError
from ..imaging.noise_level import NoiseEstimate, estimate_noise
from ..imaging.photo import Photo
from ..imaging.reading import MAX_PIXELS, read_photo
from ..imaging.writing import check_writable, write_photo
from .engine import Engine
from .options import DenoiseOptions
from .pixels import Progress, denoise_in_place, denoise_region
from .region import Region
from .trained_range import warning_of


@dataclass(frozen=True)
class FileResult:
    """What became of one photograph.

    Attributes:
        source: the file that was read.
        target: the file that was written.
        width: pixels of the file that was written.
        height: pixels.
        depth: type of a sample: ``"uint8"``, ``"uint16"`` or ``"float32"``.
        seconds: wall time from reading to the finished file.
        noise_level: spread of the noise that was found, in steps of 8 bits (255 = white); None
            where the photograph is too small to tell.
        noise: the estimate in full: spread by brightness, correlation of neighbours.
        warning: why the photograph lies outside what the model was trained on, if it does.
    """

    source: Path
    target: Path
    width: int
    height: int
    depth: str
    seconds: float
    noise_level: float | None = None
    noise: NoiseEstimate | None = None
    warning: str | None = None


def denoise_file(
    engine: Engine,
    source: Path,
    target: Path,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    region: Region | None = None,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> FileResult:
    """Denoise the photograph ``source`` into ``target``, with depth and metadata kept.

    The target appears whole or not at all; its suffix decides its format. The result takes the
    place of the noisy pixels in memory.

    Args:
        engine: the network, ready to run.
        source: a JPEG, PNG, TIFF or WebP file.
        target: the file to write; its folder must exist.
        options: how.
        region: denoise and write only this part, as a viewer shows it (turned by the EXIF
            orientation); it equals that part of the whole result (see ``denoise_region``).
        overwrite: replace ``target`` if it exists.
        max_pixels: refuse larger photographs before decoding them.
        progress: told after every pass of the network.

    Raises:
        ImageError: the source is not a readable photograph.
        OutputError: the target exists, or cannot be written.
        InputError: the region lies outside the photograph, or the memory allowed is too small.
    """
    start = time.perf_counter()
    ensure_output(target, overwrite)
    photo = read_photo(source, max_pixels=max_pixels)
    check_writable(photo, target, overwrite=overwrite)
    noise = estimate_noise(photo.pixels)
    try:
        if region is None:
            denoise_in_place(engine, photo.pixels, options, noise=noise, progress=progress)
        else:
            photo = _preview(engine, photo, region, options, noise, progress)
    except InputError as error:
        raise InputError(f"cannot denoise {str(source)!r}: {error}") from error
    write_photo(photo, target, overwrite=overwrite)
    return FileResult(
        source,
        target,
        photo.width,
        photo.height,
        str(photo.pixels.dtype),
        time.perf_counter() - start,
        noise.level if noise else None,
        noise,
        warning_of(noise),
    )


def _preview(
    engine: Engine,
    photo: Photo,
    region: Region,
    options: DenoiseOptions,
    noise: NoiseEstimate | None,
    progress: Progress | None,
) -> Photo:
    """A photograph of the region only."""
    stored = region.stored(photo.height, photo.width, photo.orientation)
    part = stored.within(photo.height, photo.width)
    pixels = denoise_region(engine, photo.pixels, stored, options, noise=noise, progress=progress)
    alpha = None if photo.alpha is None else photo.alpha[part].copy()
    return replace(photo, pixels=pixels, alpha=alpha)
