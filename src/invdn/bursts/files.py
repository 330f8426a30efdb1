"""The road from the photographs of a burst to one clean photograph.

::

    first ────────────────────────────────┐
    others ─ shift found ─ shifted back ─ weighted mean ─┬─ network ─┬─ detail given back ─ target
                           (not where something moved)   └───────────┘

Averaging first and denoising once costs one pass of the network whatever the number of
photographs; see docs/bursts.md for the measurements behind this order.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic import ensure_output
from ..errors import InputError
from ..image.dtype import from_float, to_float
from ..inference.engine import Engine
from ..inference.pipeline import Progress, denoise_pixels
from ..options import DenoiseOptions
from ..photo.photo import Photo
from ..photo.read import MAX_PIXELS, read_photo
from ..photo.write import check_writable, write_photo
from .alignment import find_shift, shifted
from .merging import Merge

_Values = NDArray[np.float32]

_FARTHEST = 0.1  # of a side: the shift of a hand, not another view
_MOST_DIFFERENT = 0.5  # see Shift.difference
_SMALLEST = 32  # pixels a side in which a shift can be found


@dataclass(frozen=True)
class BurstResult:
    """What became of a burst.

    Attributes:
        sources: the files that were read, the reference first.
        target: the file that was written.
        width: pixels.
        height: pixels.
        depth: type of a sample: ``"uint8"``, ``"uint16"`` or ``"float32"``.
        shifts: (rows, columns) in pixels that each of the others lay off the first.
        averaged: photographs that a pixel is the mean of, on average.
        seconds: wall time.
    """

    sources: tuple[Path, ...]
    target: Path
    width: int
    height: int
    depth: str
    shifts: tuple[tuple[float, float], ...]
    averaged: float
    seconds: float


def denoise_burst(
    engine: Engine,
    sources: Sequence[Path],
    target: Path,
    options: DenoiseOptions = DenoiseOptions(),
    *,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> BurstResult:
    """Make one clean photograph of several of the same still scene.

    Size, depth and metadata are those of the first, as is everything that moved.

    Args:
        engine: the network, ready to run.
        sources: two photographs or more, of one size and depth, from a tripod or a steady hand:
            shifted by up to a tenth of a side, neither turned nor exposed differently.
        target: the file to write; its ending decides its format.
        options: how the mean is denoised.
        overwrite: replace ``target`` if it exists.
        max_pixels: refuse larger photographs before decoding them.
        progress: called after every pass of the network.

    Raises:
        InputError: the photographs do not match.
        ImageError: one of them cannot be read.
        OutputError: the target exists, or cannot be written.
    """
    start = time.perf_counter()
    if len(sources) < 2:
        raise InputError("a burst needs two photographs or more; a single one: invdn denoise")
    if len({source.resolve() for source in sources}) < len(sources):
        raise InputError("a photograph is named twice, which would count its noise as picture")
    ensure_output(target, overwrite, spare=sources)
    first = read_photo(sources[0], max_pixels=max_pixels)
    check_writable(first, target, overwrite=overwrite)
    if min(first.height, first.width) < _SMALLEST:
        raise InputError(f"{sources[0]} is smaller than {_SMALLEST} pixels a side: too small")
    reference = _values(first)
    merge = Merge(reference)
    shifts = []
    for source in sources[1:]:
        other = read_photo(source, max_pixels=max_pixels)
        _check_alike(sources[0], first, source, other)
        frame = _values(other)
        shift = find_shift(reference.mean(axis=2), frame.mean(axis=2))
        _check_shift(source, first, shift.rows, shift.columns, shift.difference)
        merge.add(*shifted(frame, shift.rows, shift.columns))
        shifts.append((shift.rows, shift.columns))
    mean = merge.mean.clip(0, 1)
    denoised = np.asarray(denoise_pixels(engine, mean, options, progress=progress), np.float32)
    result = merge.restore_detail(denoised).reshape(first.pixels.shape)
    clean = replace(first, pixels=from_float(result, first.pixels.dtype))
    write_photo(clean, target, overwrite=overwrite)
    return BurstResult(
        tuple(sources),
        target,
        first.width,
        first.height,
        str(first.pixels.dtype),
        tuple(shifts),
        float(merge.weights.mean()),
        time.perf_counter() - start,
    )


def _values(photo: Photo) -> _Values:
    """Return the pixels as ``(H, W, 1 or 3)`` float32."""
    values = to_float(photo.pixels)
    return values[..., None] if values.ndim == 2 else values


def _check_alike(first: Path, reference: Photo, source: Path, other: Photo) -> None:
    for name, before, now in (
        ("size or colours", reference.pixels.shape, other.pixels.shape),
        ("depth", reference.pixels.dtype, other.pixels.dtype),
        ("orientation", reference.orientation, other.orientation),
        ("colour profile", reference.metadata.icc, other.metadata.icc),
    ):
        if before != now:
            raise InputError(f"{source} has another {name} than {first}: they are not one burst")


def _check_shift(
    source: Path, first: Photo, rows: float, columns: float, difference: float
) -> None:
    if difference > _MOST_DIFFERENT:
        raise InputError(
            f"{source} does not show the same as the first photograph, or shows too little to be "
            "aligned by; leave it out"
        )
    if abs(rows) > _FARTHEST * first.height or abs(columns) > _FARTHEST * first.width:
        raise InputError(
            f"{source} is shifted by {rows:.0f} rows and {columns:.0f} columns, more than a tenth "
            "of the picture; leave it out"
        )
