"""The SIDD benchmark: 1280 noisy blocks in, the bundles that its server takes out."""

import base64
import csv
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import atomic_output, claim_folder
from ..data.matlab import read_variable, read_version_5, write_version_5
from ..errors import DataError
from .machine import fingerprint

Blocks = NDArray[np.uint8]

NOISY_VARIABLE = "BenchmarkNoisyBlocksSrgb"
#: Images, blocks of each, height, width, colours of the real benchmark.
FULL_SHAPE = (40, 32, 256, 256, 3)
MATLAB_FILE, CSV_FILE = "SubmitSrgb.mat", "SubmitSrgb.csv"
_DENOISED_VARIABLE, _TIME_VARIABLE = "DenoisedBlocksSrgb", "TimeMPSrgb"
_HEADER = ["ID", "BLOCK"]


@dataclass(frozen=True)
class SiddBundle:
    """What was written.

    Attributes:
        matlab: ``SubmitSrgb.mat``: a cell of images x blocks, seconds per megapixel, the method.
        table: ``SubmitSrgb.csv``: a line per block, base64 of its bytes (the form since 2024).
        blocks: how many blocks there are.
        resumed: how many of them were there already.
        seconds_per_megapixel: of denoising.
    """

    matlab: Path
    table: Path
    blocks: int
    resumed: int
    seconds_per_megapixel: float


def read_benchmark(path: Path) -> Blocks:
    """Return the noisy blocks: ``(images, blocks, H, W, 3)`` uint8 RGB; MATLAB 5 or 7.3.

    Raises:
        DataError: the file is damaged, has no such variable, or another shape or type.
        MissingDependencyError: the reader of this kind of file is not installed.
    """
    blocks = read_variable(path, NOISY_VARIABLE)
    if blocks.ndim != 5 or blocks.shape[-1] != 3 or blocks.dtype != np.uint8 or 0 in blocks.shape:
        raise DataError(
            f"{NOISY_VARIABLE} in {path} is {blocks.shape} {blocks.dtype}; expected images x "
            "blocks x height x width x 3, uint8"
        )
    return blocks


def submit_sidd(
    noisy_file: Path,
    folder: Path,
    denoise: Callable[[Blocks], Blocks],
    settings: Mapping[str, Any],
    *,
    method: str = "InvDN",
    progress: Callable[[int, int], None] | None = None,
) -> SiddBundle:
    """Denoise the benchmark and write both bundles; a broken run goes on where it stopped.

    Args:
        noisy_file: ``BenchmarkNoisyBlocksSrgb.mat``.
        folder: where; new, empty, or of an earlier run with the same settings.
        denoise: makes a clean block of a noisy one, both ``(H, W, 3)`` uint8.
        settings: what the result depends on; kept in the folder and compared when resuming.
        method: name on the benchmark's list.
        progress: called with blocks done and blocks in all.

    Raises:
        DataError: the benchmark file is unusable, or what was written does not read back.
        OutputError: the folder holds other work, or a file cannot be written.
        MissingDependencyError: scipy or h5py is needed and not installed.
    """
    noisy = read_benchmark(noisy_file)
    claim_folder(folder, {**settings, "benchmark": fingerprint(noisy_file)})
    images, blocks, height, width, _ = noisy.shape
    denoised, seconds, resumed = np.empty_like(noisy), np.zeros(images), 0
    for image in range(images):
        part = folder / f"image_{image:02}.npz"
        found = _read_part(part, noisy.shape[1:])
        if found is None:
            start = time.perf_counter()
            for block in range(blocks):
                denoised[image, block] = denoise(noisy[image, block])
                if progress is not None:
                    progress(image * blocks + block + 1, images * blocks)
            seconds[image] = time.perf_counter() - start
            _write_part(part, denoised[image], seconds[image])
        else:
            denoised[image], seconds[image] = found
            resumed += blocks
            if progress is not None:
                progress((image + 1) * blocks, images * blocks)
    per_megapixel = float(seconds.sum() / (images * blocks * height * width / 1e6))
    _write_matlab(folder / MATLAB_FILE, denoised, per_megapixel, method)
    _write_csv(folder / CSV_FILE, denoised)
    check_sidd(folder, noisy.shape, denoised)
    return SiddBundle(
        folder / MATLAB_FILE, folder / CSV_FILE, images * blocks, resumed, per_megapixel
    )


def check_sidd(folder: Path, shape: tuple[int, ...], expected: Blocks | None = None) -> None:
    """Read both bundles back: count, shapes and types of the blocks, and that both hold the same.

    Args:
        folder: of the bundles.
        shape: of the noisy blocks.
        expected: the denoised blocks, to compare with as well.

    Raises:
        DataError: a file is missing, cut short, or wrong; the message says where.
    """
    stored = zip(
        _read_matlab(folder / MATLAB_FILE, shape), _read_csv(folder / CSV_FILE, shape), strict=True
    )
    for index, (one, other) in enumerate(stored):
        image, block = divmod(index, shape[1])
        right = one if expected is None else expected[image, block]
        if not (np.array_equal(one, other) and np.array_equal(one, right)):
            raise DataError(f"{folder}: block {block} of image {image} is not what it should be")


def _read_part(part: Path, shape: tuple[int, ...]) -> tuple[Blocks, float] | None:
    """Return an image done earlier; None where there is none, or a damaged one."""
    if not part.exists():
        return None
    try:
        with np.load(part, allow_pickle=False) as content:
            blocks, seconds = content["blocks"], float(content["seconds"])
    except Exception:  # noqa: BLE001 - whatever is wrong with a part, it is simply made again
        return None
    return (blocks, seconds) if blocks.shape == shape and blocks.dtype == np.uint8 else None


def _write_part(part: Path, blocks: Blocks, seconds: float) -> None:
    with atomic_output(part, overwrite=True) as temporary, temporary.open("wb") as file:
        np.savez(file, blocks=blocks, seconds=seconds)


def _write_matlab(path: Path, blocks: Blocks, per_megapixel: float, method: str) -> None:
    cell = np.empty(blocks.shape[:2], dtype=object)
    for place in np.ndindex(*cell.shape):
        cell[place] = blocks[place]
    named = {"MethodName": method, "Authors": "", "PaperTitle": "", "Venue": ""}
    content = {_DENOISED_VARIABLE: cell, _TIME_VARIABLE: per_megapixel, "OptionalData": named}
    write_version_5(path, content)


def _write_csv(path: Path, blocks: Blocks) -> None:
    with (
        atomic_output(path, overwrite=True) as temporary,
        temporary.open("w", encoding="ascii", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_HEADER)
        flat = blocks.reshape(-1, *blocks.shape[2:])
        for index, block in enumerate(flat):
            writer.writerow([index, base64.b64encode(block.tobytes()).decode("ascii")])


def _read_matlab(path: Path, shape: tuple[int, ...]) -> Iterator[Blocks]:
    content = read_version_5(path)
    if missing := {_DENOISED_VARIABLE, _TIME_VARIABLE} - content.keys():
        raise DataError(f"{path} lacks {', '.join(sorted(missing))}")
    cell = content[_DENOISED_VARIABLE]
    if cell.dtype != object or cell.shape != shape[:2]:
        raise DataError(f"{path}: expected a cell of {shape[:2]}, found {cell.shape} {cell.dtype}")
    for place in np.ndindex(*cell.shape):
        block = cell[place]
        if block.shape != shape[2:] or block.dtype != np.uint8:
            raise DataError(f"{path}: block {place} is {block.shape} {block.dtype}")
        yield block


def _read_csv(path: Path, shape: tuple[int, ...]) -> Iterator[Blocks]:
    csv.field_size_limit(max(csv.field_size_limit(), 4 * int(np.prod(shape[2:]))))
    count = shape[0] * shape[1]
    try:
        with path.open(encoding="ascii", newline="") as file:
            rows = csv.reader(file)
            if next(rows, None) != _HEADER:
                raise DataError(f"{path} does not begin with the line {','.join(_HEADER)}")
            number = 0
            for number, row in enumerate(rows, 1):
                yield _decoded(path, number - 1, row, shape[2:])
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if number != count:
        raise DataError(f"{path} holds {number} blocks instead of {count}: it is half written")


def _decoded(path: Path, index: int, row: list[str], shape: tuple[int, ...]) -> Blocks:
    try:
        identity, text = row
        block = np.frombuffer(base64.b64decode(text, validate=True), np.uint8).reshape(shape)
        if int(identity) == index:
            return block
    except ValueError as error:
        raise DataError(f"{path}, block {index}: not base64 of {shape} bytes ({error})") from error
    raise DataError(f"{path}: block {identity} stands in the place of {index}")
