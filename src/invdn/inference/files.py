"""The one road from a photograph on disk to a clean photograph on disk."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import ensure_output
from ..errors import ImageError, InputError
from ..image.noise_estimation import NoiseEstimate, estimate_noise
from ..image.orientation import turned_upright
from ..photo.color import colours_of
from ..photo.keeping import of_a_part
from ..photo.photo import Photo
from ..photo.provenance import is_marked, marked
from ..photo.read import MAX_PIXELS, read_photo
from ..photo.sidecars import copy_sidecars
from ..photo.write import check_writable, write_photo
from ..photo.write_options import WriteChoices
from .engine import Engine
from .options import DenoiseOptions
from .pipeline import Progress, denoise_in_place, denoise_region, denoise_with_spread
from .region import Region
from .trained_range import warning_of

_AGAIN = "it is a result of InvDN already; to denoise it again costs detail"
#: Takes the spread of the samples: ``(H, W)`` or ``(H, W, 3)`` float32 as a viewer shows it.
KeepSpread = Callable[[NDArray[np.float32]], None]


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
        remarks: what the owner should know about source and result, one line each.
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
    remarks: tuple[str, ...] = ()


def denoise_file(
    engine: Engine,
    source: Path,
    target: Path,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    region: Region | None = None,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    page: int | None = None,
    choices: WriteChoices = WriteChoices(),
    keep_spread: KeepSpread | None = None,
    progress: Progress | None = None,
) -> FileResult:
    """Denoise the photograph ``source`` into ``target``, with depth and metadata kept.

    The work is noted in the metadata (:mod:`invdn.photo.provenance`) and XMP sidecars are copied,
    unless metadata is stripped. The target appears whole or not at all; its suffix decides its
    format. The result takes the place of the noisy pixels in memory.

    Args:
        engine: the network, ready to run.
        source: a JPEG, PNG, TIFF, WebP, AVIF, HEIC or raw file.
        target: the file to write; its folder must exist.
        options: how.
        region: denoise and write only this part, as a viewer shows it (turned by the EXIF
            orientation); it equals that part of the whole result (see ``denoise_region``).
        overwrite: replace ``target`` if it exists.
        max_pixels: refuse larger photographs before decoding them.
        page: which picture of a file with several, from 1.
        choices: quality, chroma and metadata of the target.
        keep_spread: given how much the samples differ, as ``denoise_with_spread`` tells it.
        progress: told after every pass of the network.

    Raises:
        ImageError: the source is not a readable photograph.
        OutputError: the target exists, or cannot be written.
        MissingDependencyError: the package that reads HEIC or raw files is not installed.
        InputError: the region lies outside the photograph, a spread of a single sample is asked
            for, or the memory allowed is too small.
    """
    start = time.perf_counter()
    ensure_output(target, overwrite)
    photo = read_photo(source, max_pixels=max_pixels, page=page)
    check_writable(photo, target, overwrite=overwrite, choices=choices)
    if is_marked(photo):
        photo = replace(photo, remarks=(*photo.remarks, _AGAIN))
    try:
        photo, noise = denoise_photo(
            engine, photo, options, region=region, keep_spread=keep_spread, progress=progress
        )
    except (InputError, ImageError) as error:
        raise type(error)(f"cannot denoise {str(source)!r}: {error}") from error
    if not choices.strip_metadata:
        photo = marked(photo, f"denoised, strength {options.strength}")
    notes = write_photo(photo, target, overwrite=overwrite, choices=choices)
    if not choices.strip_metadata:
        notes += copy_sidecars(source, target, developed=photo.format == "raw")
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
        (*photo.remarks, *notes),
    )


def denoise_photo(
    engine: Engine,
    photo: Photo,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    region: Region | None = None,
    keep_spread: KeepSpread | None = None,
    progress: Progress | None = None,
) -> tuple[Photo, NoiseEstimate | None]:
    """What :func:`denoise_file` does between reading and writing, with the same arguments.

    Returns:
        The denoised photograph, or its region, with what is to be said of its colours among its
        remarks; and the noise that was found. The pixels of ``photo`` are overwritten.

    Raises:
        ImageError: its colour profile cannot be used.
        InputError: the region lies outside, a spread of a single sample is asked for, or the
            memory allowed is too small.
    """
    space, remarks = colours_of(photo)
    photo = replace(photo, remarks=(*photo.remarks, *remarks))
    noise = estimate_noise(photo.pixels, space.for_network if space else None)
    how: Any = {"noise": noise, "space": space, "progress": progress}
    if region is not None:
        return _part(engine, photo, region, options, **how), noise
    if keep_spread is None:
        denoise_in_place(engine, photo.pixels, options, **how)
        return photo, noise
    pixels, spread = denoise_with_spread(engine, photo.pixels, options, **how)
    keep_spread(turned_upright(spread, photo.orientation))
    return replace(photo, pixels=pixels), noise


def _part(
    engine: Engine, photo: Photo, region: Region, options: DenoiseOptions, **how: Any
) -> Photo:
    """A photograph of the region only."""
    stored = region.stored(photo.height, photo.width, photo.orientation)
    part = stored.within(photo.height, photo.width)
    photo = of_a_part(photo)
    pixels = denoise_region(engine, photo.pixels, stored, options, **how)
    alpha = None if photo.alpha is None else photo.alpha[part].copy()
    return replace(photo, pixels=pixels, alpha=alpha)
