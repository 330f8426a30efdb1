"""Cuts large photographs into patches at random places, as the originals prepare SIDD-Medium.

::

    SOURCE/**/NNNN_NOISY_SRGB_010.PNG   ─┬─  TARGET/Noisy/NNNN_..._p000.png
    SOURCE/**/NNNN_GT_SRGB_010.PNG      ─┘   TARGET/GT/NNNN_..._p000.png     TARGET/patches.json
"""

import multiprocessing
import os
import re
import shutil
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..atomic import claim_folder, remove_stale_temporary_files
from ..errors import DataError, InputError, OutputError
from ..photo.photo import Photo
from ..photo.write import write_photo
from .images import Pixels, Progress, no_progress, read_pixels, read_size
from .pairing import PairFiles, find_pairs

SETTINGS = "patches.json"


@dataclass(frozen=True)
class PatchOptions:
    """How photographs are cut.

    Attributes:
        size: height and width of a patch in pixels (512 in the originals).
        count: patches of each photograph (100 in the Paddle reproduction).
        seed: decides the places, together with the photograph's name.

    Raises:
        InputError: size or count is not positive.
    """

    size: int = 512
    count: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.size < 1 or self.count < 1 or self.seed < 0:
            raise InputError(f"patches need a positive size and count, and a seed of 0 up: {self}")


def cut_patches(
    source: Path,
    target: Path,
    options: PatchOptions = PatchOptions(),
    *,
    processes: int | None = None,
    progress: Progress = no_progress,
) -> int:
    """Cut every pair below ``source`` into patches below ``target``.

    Places depend on the seed and the photograph's name alone, so that the result is the same for
    any number of processes and after any interruption: patches that exist are kept, missing ones
    are written, nothing is deleted.

    Args:
        source: pairs in any layout that ``find_pairs`` understands.
        target: gets ``Noisy/``, ``GT/`` and ``patches.json``.
        options: size, number and seed.
        processes: how many to work in parallel; all processors if None.
        progress: called with photographs done and in all.

    Returns:
        The number of pairs of patches in the target.

    Raises:
        DataError: photographs do not match, or are smaller than a patch; or a process was killed.
        ImageError: a photograph is damaged.
        OutputError: the target holds patches of other settings, or cannot be written.
    """
    pairs = find_pairs(source)
    _check_sizes(pairs, options.size)
    if len({_file_name(pair) for pair in pairs}) < len(pairs):
        raise DataError(f"{source}: names differ only in separators; give the folders other names")
    _tidy(target)
    _check_target(target, options, len(pairs))
    cut = partial(_cut_pair, target=target, options=options)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _end_with_the_parent) as pool:
        futures = [pool.submit(cut, pair) for pair in pairs]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                progress(done, len(pairs))
        except BrokenProcessPool as error:
            raise DataError(
                f"{source}: the system ended a process that cut patches, perhaps for lack of "
                "memory: run it again with fewer --processes, and it goes on where it stopped"
            ) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    _tidy(target)  # a killed run's processes may have ended after the start of this one
    return len(pairs) * options.count


def patch_places(
    name: str, height: int, width: int, options: PatchOptions
) -> list[tuple[int, int]]:
    """Return top left corners of the patches of the photograph ``name``.

    Example:
        >>> places = patch_places("0001", 600, 800, PatchOptions(count=3))
        >>> places == patch_places("0001", 600, 800, PatchOptions(count=3)), len(places)
        (True, 3)
    """
    random = np.random.default_rng((options.seed, zlib.crc32(name.encode())))
    tops = random.integers(height - options.size + 1, size=options.count)
    lefts = random.integers(width - options.size + 1, size=options.count)
    return list(zip(tops.tolist(), lefts.tolist(), strict=True))


def _check_sizes(pairs: list[PairFiles], size: int) -> None:
    for pair in pairs:
        noisy, clean = read_size(pair.noisy), read_size(pair.clean)
        if noisy != clean:
            raise DataError(
                f"{pair.noisy} is {noisy[1]}x{noisy[0]} but {pair.clean} {clean[1]}x{clean[0]}: "
                "both must show the same pixels"
            )
        if min(clean) < size:
            raise DataError(
                f"{pair.clean} is {clean[1]}x{clean[0]}, smaller than a patch of {size}: choose a "
                "smaller size"
            )


def _check_target(target: Path, options: PatchOptions, photographs: int) -> None:
    """Refuse to mix patches of different settings, or to start what the disk cannot hold."""

    def check_space() -> None:
        # PNG of noise saves little: about 2 of 3 bytes for the noisy side, half for the clean
        need = int(photographs * options.count * options.size**2 * 3 * 1.2)
        free = shutil.disk_usage(target).free
        if free < need:
            raise OutputError(f"{target}: patches take about {need} bytes, the disk has {free}")

    claim_folder(target, asdict(options), SETTINGS, check_space)


def _tidy(target: Path) -> None:
    """Remove the temporary files of runs that were killed."""
    for folder in (target, target / "Noisy", target / "GT"):
        remove_stale_temporary_files(folder)


def _end_with_the_parent() -> None:
    """End a worker when its parent is gone, even killed, instead of waiting forever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _cut_pair(pair: PairFiles, target: Path, options: PatchOptions) -> None:
    name = _file_name(pair)
    for folder, path in (("Noisy", pair.noisy), ("GT", pair.clean)):
        files = [target / folder / f"{name}_p{i:03}.png" for i in range(options.count)]
        if all(file.exists() for file in files):
            continue
        (target / folder).mkdir(exist_ok=True)
        pixels = read_pixels(path)
        height, width, _ = pixels.shape
        places = patch_places(pair.name, height, width, options)
        for file, patch in zip(files, _windows(pixels, places, options.size), strict=True):
            if not file.exists():
                _write_patch(patch, file)


def _write_patch(patch: Pixels, file: Path) -> None:
    """Write a patch, unless another run that cuts the same ones has just done so."""
    try:
        write_photo(Photo(patch), file)
    except OutputError:
        if not file.exists():
            raise


def _file_name(pair: PairFiles) -> str:
    """Return ``0001_scene/0001_*_srgb_010`` to ``0001_scene_0001_srgb_010``."""
    return re.sub(r"[^\w.-]+_?", "_", pair.name).replace("__", "_").strip("_")


def _windows(pixels: Pixels, places: list[tuple[int, int]], size: int) -> Iterator[Pixels]:
    for top, left in places:
        yield np.ascontiguousarray(pixels[top : top + size, left : left + size])
