"""The one road from a photograph on disk to a clean photograph on disk."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from ..atomic import ensure_output
from ..imaging.reading import MAX_PIXELS, read_photo
from ..imaging.writing import check_writable, write_photo
from .engine import Engine
from .options import DenoiseOptions
from .pixels import Progress, denoise_pixels


@dataclass(frozen=True)
class FileResult:
    """What became of one photograph.

    Attributes:
        source: the file that was read.
        target: the file that was written.
        width: pixels.
        height: pixels.
        depth: type of a sample: ``"uint8"``, ``"uint16"`` or ``"float32"``.
        seconds: wall time from reading to the finished file.
    """

    source: Path
    target: Path
    width: int
    height: int
    depth: str
    seconds: float


def denoise_file(
    engine: Engine,
    source: Path,
    target: Path,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> FileResult:
    """Denoise the photograph ``source`` into ``target``, with depth and metadata kept.

    The target appears whole or not at all; its suffix decides its format.

    Args:
        engine: the network, ready to run.
        source: a JPEG, PNG, TIFF or WebP file.
        target: the file to write; its folder must exist.
        options: how.
        overwrite: replace ``target`` if it exists.
        max_pixels: refuse larger photographs before decoding them.
        progress: told after every pass of the network.

    Raises:
        ImageError: the source is not a readable photograph.
        OutputError: the target exists, or cannot be written.
    """
    start = time.perf_counter()
    ensure_output(target, overwrite)
    photo = read_photo(source, max_pixels=max_pixels)
    check_writable(photo, target, overwrite=overwrite)
    clean = replace(photo, pixels=denoise_pixels(engine, photo.pixels, options, progress=progress))
    write_photo(clean, target, overwrite=overwrite)
    seconds = time.perf_counter() - start
    return FileResult(source, target, photo.width, photo.height, str(photo.pixels.dtype), seconds)
