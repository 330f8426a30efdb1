"""Denoise a photograph from file to file: read, denoise, write."""

import os
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from ..atomic import ensure_output, same_file
from ..errors import ImageError, InputError, OutputError
from ..image.dtype import Pixels
from ..image.noise_estimation import NoiseEstimate
from ..image.orientation import apply_exif_orientation
from ..options import DenoiseOptions
from ..photo.formats import DNG
from ..photo.keeping import choose_sidecars, copy_sidecars, is_marked, marked, of_a_part
from ..photo.linear_raw import read_linear_raw, with_noise_removed
from ..photo.photo import Metadata, Photo, WriteOptions
from ..photo.read import MAX_PIXELS, read_photo
from ..photo.write import check_fits, check_writable, encode_photo, write_photo
from .blending import Findings, noise_word
from .engine import Engine
from .error_map import error_blocks, error_picture
from .pipeline import Pipeline, Progress
from .region import Region
from .side_by_side import side_by_side, telling_places, with_scale

# Steps of 8 bits. Clean photographs are estimated at 1.0 to 2.9 (10 to 90 %), JPEGs of cameras at
# ISO 800 and more at 1.3 to 5; from: docs/control.md, benchmarks/noise_level.py.
ALMOST_CLEAN = 1.2
# What automatic strength removes, in steps of 8 bits, where there is nothing to remove.
HARDLY_CHANGED = 0.5
# Estimated noise from which a photograph is not clean, whatever was removed.
LIGHT = 3.0
# The strongest that training showed often; from: docs/noise.md (95 % of simulated phones: 40).
STRONGEST = 45.0
# Correlation of neighbours. Simulated and real cameras: 0.2 and more; white noise: 0 +- 0.04.
LEAST_CORRELATION = 0.13


def training_range_warning(
    noise: NoiseEstimate | None, findings: Findings | None = None
) -> str | None:
    """Return what the user should know before trusting the result, in one line; None if nothing.

    Example:
        >>> white = NoiseEstimate(25.0, (0.5,), (0.1,), (0.1,), 0.0, 1.0)
        >>> training_range_warning(white).split(":")[0]
        'its noise is unlike that of a camera'
        >>> usual = NoiseEstimate(9.0, (0.5,), (0.03,), (0.04,), 0.3, 0.5)
        >>> training_range_warning(usual) is None
        True
    """
    if noise is None:
        return None
    removed = findings.noise_level if findings else None
    if removed is not None and removed < HARDLY_CHANGED and noise.level < LIGHT:
        return f"it is almost clean: hardly anything was changed ({removed:.1f} of 255)"
    if removed is None and noise.level < ALMOST_CLEAN:
        return (
            f"it is almost clean (noise {noise.level:.1f} of 255): a fixed strength takes fine "
            "texture rather than noise; strength auto keeps it"
        )
    if noise.correlation < LEAST_CORRELATION:
        return (
            "its noise is unlike that of a camera: neighbouring pixels are independent "
            f"(correlation {noise.correlation:.2f}), as in synthetic noise or a picture made "
            "smaller; the model has seen little of it"
        )
    if noise.level > STRONGEST:
        return (
            f"its noise ({noise.level:.0f} of 255) is stronger than the model was trained on; "
            "expect remains of it"
        )
    return None


_AGAIN = "it is a result of InvDN already; to denoise it again costs detail"
#: Denoises a photograph in memory, and returns the pipeline that did it.
Work = Callable[[Photo], tuple[Photo, Pipeline]]


@dataclass(frozen=True)
class FileOptions:
    """How the files around the inference are read and written.

    Attributes:
        region: denoise and write only this part, as a viewer shows it (turned by the EXIF
            orientation); it equals that part of the whole result, but for what tiling costs.
        page: which picture of a file with several, from 1.
        max_pixels: refuse larger photographs before decoding them.
        overwrite: replace the target if it exists.
        keep_time: give the target the time of the source.
        write: quality, chroma and metadata of the target.
        compare: also write a picture of both sides at 100 % here, of the most telling places.
        uncertainty: also write a picture of the interval around every pixel here, within which
            nine of ten true values lie.
    """

    region: Region | None = None
    page: int | None = None
    max_pixels: int = MAX_PIXELS
    overwrite: bool = False
    keep_time: bool = False
    write: WriteOptions = WriteOptions()
    compare: Path | None = None
    uncertainty: Path | None = None

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The pictures that are written beside the target."""
        return tuple(path for path in (self.compare, self.uncertainty) if path)


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
        strength_found: the single strength nearest to what automatic strength did, 0 to 1; None
            where the strength was given.
        noise_removed: standard deviation of what automatic strength removed, in steps of 8 bits.
        noise_word: light, moderate, strong or extreme: what was removed, else the estimate.
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
    strength_found: float | None = None
    noise_removed: float | None = None
    noise_word: str | None = None


def denoise_file(
    engine: Engine,
    source: Path,
    target: Path,
    options: DenoiseOptions = DenoiseOptions(),
    files: FileOptions = FileOptions(),
    progress: Progress | None = None,
) -> FileResult:
    """Denoise the photograph ``source`` into ``target``, with depth and metadata kept.

    The work is noted in the metadata (:func:`~invdn.photo.keeping.marked`) and XMP sidecars are
    copied, unless metadata is stripped. The target may be read by those who may read the source,
    and by no others. It appears whole or not at all; its suffix decides its format. The result
    takes the place of the noisy pixels in memory.

    Args:
        engine: the network, ready to run.
        source: a JPEG, PNG, TIFF, WebP, AVIF, HEIC or raw file.
        target: the file to write; its folder must exist.
        options: how to denoise.
        files: how to read and write.
        progress: called after every pass of the network.

    Raises:
        ImageError: the source is not a readable photograph.
        OutputError: the target exists, or cannot be written; or a picture beside it would be
            written over it or over the source.
        MissingDependencyError: the package that reads HEIC or raw files is not installed.
        InputError: the region lies outside the photograph, or the memory allowed is too small.
    """
    work = _denoising(engine, options, files.region, progress)
    return process_file(source, target, files, work, _note(options))


def process_file(
    source: Path, target: Path, files: FileOptions, work: Work, note: str
) -> FileResult:
    """Read a photograph, hand it to ``work``, and write what comes back; see :func:`denoise_file`.

    Args:
        source: the photograph.
        target: the file to write.
        files: how to read and write.
        work: does the rest.
        note: what the metadata says of the work.
    """
    start = time.perf_counter()
    _check_pictures(source, target, files)
    for path in (target, *files.pictures):
        ensure_output(path, files.overwrite)
    before = _status(source)
    photo = _read(source, target, files)
    check_writable(photo, target, overwrite=files.overwrite, choices=files.write)
    for path in files.pictures:
        check_writable(Photo(photo.pixels[:1, :1].copy()), path, overwrite=files.overwrite)
    noisy = photo.pixels.copy() if files.pictures else None
    photo, pipeline = _worked(photo, source, files, work, note)
    mode = stat.S_IMODE(before.st_mode) & 0o666 if before else 0o666
    notes = write_photo(photo, target, overwrite=files.overwrite, choices=files.write, mode=mode)
    if files.keep_time and before:
        with suppress(OSError):  # another user's file, which may be replaced but not dated
            os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    if not files.write.strip_metadata:
        notes += copy_sidecars(source, target, developed=_is_developed(photo))
    facts = _result(source, target, photo, pipeline, notes, start)
    if noisy is not None:
        if files.region:
            height, width = noisy.shape[:2]
            stored = files.region.stored(height, width, photo.orientation)
            noisy = noisy[stored.within(height, width)]
        if files.compare:
            labels = _labels(facts, pipeline.options)
            _write_picture(_comparison(noisy, photo, labels), files.compare, files)
        if files.uncertainty:
            _write_picture(_intervals(noisy, photo, pipeline), files.uncertainty, files)
    return facts


@dataclass(frozen=True)
class ContentResult:
    """A denoised photograph as the bytes of its file.

    Attributes:
        content: the bytes.
        facts: what became of the photograph; its paths are names only.
        sidecars: names of files beside the source that belong beside the target, and the names
            that they have there.
    """

    content: bytes
    facts: FileResult
    sidecars: tuple[tuple[str, str], ...] = ()


def denoise_content(
    engine: Engine,
    content: BinaryIO,
    source: Path,
    target: Path,
    options: DenoiseOptions = DenoiseOptions(),
    files: FileOptions = FileOptions(),
    progress: Progress | None = None,
    beside: Sequence[str] = (),
) -> ContentResult:
    """Do what :func:`denoise_file` does without a disk: a file's bytes in, a file's bytes out.

    Args:
        engine: the network, ready to run.
        content: what the photograph's file holds.
        source: its name, for its ending and for messages.
        target: the name of the result; its ending decides the format.
        options: how to denoise.
        files: how to read and write.
        progress: called after every pass of the network.
        beside: names of the files beside the photograph, to choose its sidecars from.

    Raises:
        ImageError: the content is no readable photograph.
        OutputError: the format cannot hold the photograph.
        MissingDependencyError: the package that reads HEIC or raw files is not installed.
        InputError: the region lies outside the photograph, or the memory allowed is too small.
    """
    start = time.perf_counter()
    photo = _read(source, target, files, content)
    check_fits(photo, target, files.write)
    work = _denoising(engine, options, files.region, progress)
    photo, pipeline = _worked(photo, source, files, work, _note(options))
    encoded, notes = encode_photo(photo, target, files.write)
    sidecars: list[tuple[str, str]] = []
    if beside and not files.write.strip_metadata:
        names = {name.casefold(): name for name in beside}
        developed = _is_developed(photo)
        sidecars, left = choose_sidecars(source, target, names, developed=developed)
        notes += left
    facts = _result(source, target, photo, pipeline, notes, start)
    return ContentResult(encoded, facts, tuple(sidecars))


def _check_pictures(source: Path, target: Path, files: FileOptions) -> None:
    """Refuse pictures that would take the place of the photograph, of its result or of another."""
    named = [("the photograph", source), ("its result", target)]
    for what, path in (("comparison", files.compare), ("uncertainty", files.uncertainty)):
        if path is None:
            continue
        for whose, other in named:
            if same_file(path, other):
                raise OutputError(
                    f"cannot write the picture of the {what} to {str(path)!r}: {whose} is there; "
                    "choose another name"
                )
        named.append((f"that of the {what}", path))


def _read(source: Path, target: Path, files: FileOptions, content: BinaryIO | None = None) -> Photo:
    if target.suffix.lower() == DNG:
        return read_linear_raw(source, max_pixels=files.max_pixels, content=content)
    return read_photo(source, max_pixels=files.max_pixels, page=files.page, content=content)


def _worked(
    photo: Photo, source: Path, files: FileOptions, work: Work, note: str
) -> tuple[Photo, Pipeline]:
    """The photograph after the work, with the work noted in its metadata."""
    if is_marked(photo):
        photo = replace(photo, remarks=(*photo.remarks, _AGAIN))
    try:
        photo, pipeline = work(photo)
    except (InputError, ImageError) as error:
        raise type(error)(f"cannot denoise {str(source)!r}: {error}") from error
    if photo.metadata.camera:
        given, found = pipeline.options.strength, pipeline.findings.strength
        removed = found if isinstance(given, str) else given
        photo = photo if removed is None else with_noise_removed(photo, removed)
    return photo if files.write.strip_metadata else marked(photo, note), pipeline


def _result(
    source: Path,
    target: Path,
    photo: Photo,
    pipeline: Pipeline,
    notes: tuple[str, ...],
    start: float,
) -> FileResult:
    noise, findings = pipeline.noise, pipeline.findings
    level = findings.noise_level if findings.count else noise.level if noise else None
    return FileResult(
        source,
        target,
        photo.width,
        photo.height,
        str(photo.pixels.dtype),
        time.perf_counter() - start,
        noise.level if noise else None,
        noise,
        training_range_warning(noise, findings),
        (*photo.remarks, *notes),
        findings.strength,
        findings.noise_level,
        None if level is None else noise_word(level),
    )


def _labels(facts: FileResult, options: DenoiseOptions) -> tuple[str, str]:
    """Return what stands over the two sides of a comparison."""
    level = facts.noise_level if facts.noise_removed is None else facts.noise_removed
    noise = "" if level is None else f": {facts.noise_word} noise, {level:.1f} of 255"
    found = "" if facts.strength_found is None else f" ({facts.strength_found:.2f})"
    return f"before{noise}", f"after: strength {options.strength}{found}"


def _comparison(noisy: Pixels, photo: Photo, labels: tuple[str, str]) -> Photo:
    """Show both sides of the most telling places, upright and in the photograph's colours."""
    sides: tuple[list[Pixels], list[Pixels]] = ([], [])
    for part in telling_places(noisy, photo.pixels):
        for side, pixels in zip(sides, (noisy, photo.pixels), strict=True):
            side.append(apply_exif_orientation(pixels[part], photo.orientation))
    return Photo(side_by_side(*sides, labels), metadata=Metadata(icc=photo.metadata.icc))


def _intervals(noisy: Pixels, photo: Photo, pipeline: Pipeline) -> Photo:
    """Show the interval around every pixel, upright, with its scale below."""
    to_srgb = pipeline.colors.to_srgb if pipeline.colors else None
    blocks = error_blocks(noisy, photo.pixels, pipeline.noise, to_srgb)
    picture, widest = error_picture(blocks, *noisy.shape[:2])
    return Photo(with_scale(apply_exif_orientation(picture, photo.orientation), widest))


def _write_picture(picture: Photo, path: Path, files: FileOptions) -> None:
    choices = WriteOptions(strip_metadata=True)
    write_photo(picture, path, overwrite=files.overwrite, choices=choices)


def _is_developed(photo: Photo) -> bool:
    """Whether it was a raw file and its result is none."""
    return photo.format == "raw" and not photo.metadata.camera


def _denoising(
    engine: Engine, options: DenoiseOptions, region: Region | None, progress: Progress | None
) -> Work:
    return lambda photo: run_on_photo(engine, photo, options, region, progress)


def _note(options: DenoiseOptions) -> str:
    return f"denoised, strength {options.strength}"


def denoise_photo(
    engine: Engine,
    photo: Photo,
    options: DenoiseOptions = DenoiseOptions(),
    region: Region | None = None,
    progress: Progress | None = None,
) -> tuple[Photo, NoiseEstimate | None]:
    """Denoise a photograph in memory, as :func:`denoise_file` does between reading and writing.

    Returns:
        The denoised photograph, or its region, with what is to be said of its colours among its
        remarks; and the noise that was found. The pixels of ``photo`` are overwritten, unless
        there is a region.

    Raises:
        ImageError: its colour profile cannot be used.
        InputError: the region lies outside, or the memory allowed is too small.
    """
    photo, pipeline = run_on_photo(engine, photo, options, region, progress)
    return photo, pipeline.noise


def run_on_photo(
    engine: Engine,
    photo: Photo,
    options: DenoiseOptions,
    region: Region | None,
    progress: Progress | None,
) -> tuple[Photo, Pipeline]:
    """Do what :func:`denoise_photo` does, and return the pipeline with all that it found."""
    pipeline, photo = Pipeline.for_photo(engine, photo, options, progress)
    if region is None:
        pipeline.denoise_in_place(photo.pixels)
        return photo, pipeline
    stored = region.stored(photo.height, photo.width, photo.orientation)
    part = stored.within(photo.height, photo.width)
    photo = of_a_part(photo)
    pixels = pipeline.denoise_region(photo.pixels, stored)
    alpha = None if photo.alpha is None else photo.alpha[part].copy()
    return replace(photo, pixels=pixels, alpha=alpha), pipeline


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):  # reading it will say why
        return None
