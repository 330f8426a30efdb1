"""The Darmstadt Noise Dataset: 50 photographs with 20 boxes each, and its submission files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import claim_folder, ensure_folder
from ..data.matlab import is_hdf5, open_hdf5, read_variable, read_version_5, write_version_5
from ..errors import DataError
from ..image.dtype import Floats
from .machine import fingerprint

Box = tuple[slice, slice]

NOISY_VARIABLE = "InoisySRGB"
#: Photographs, and boxes of each, of the real benchmark.
FULL_COUNT = (50, 20)
_CELL, _EVALUATION_VERSION = "Idenoised", "1.0"


@dataclass(frozen=True)
class DndBundle:
    """What was written.

    Attributes:
        files: one ``.mat`` for each photograph.
        boxes: how many boxes they hold in all.
        resumed: how many photographs were there already.
    """

    files: tuple[Path, ...]
    boxes: int
    resumed: int


def read_boxes(root: Path) -> list[list[Box]]:
    """Return the boxes of every photograph from ``info.mat``, as slices of rows and columns.

    Raises:
        DataError: the file is damaged or holds no boxes.
        MissingDependencyError: the reader of this kind of file is not installed.
    """
    path = root / "info.mat"
    try:
        tables = _boxes_hdf5(path) if is_hdf5(path) else _boxes_version_5(path)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise DataError(f"{path} holds no boxes at info/boundingboxes: {error}") from error
    return [[_as_slices(path, box) for box in table] for table in tables]


def submit_dnd(
    root: Path,
    folder: Path,
    denoise: Callable[[Floats], Floats],
    settings: Mapping[str, Any],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> DndBundle:
    """Denoise every box and write the files that the server takes; photographs done are kept.

    Args:
        root: folder of ``info.mat`` and ``images_srgb/0001.mat`` and so on.
        folder: where; new, empty, or of an earlier run with the same settings.
        denoise: makes a clean box of a noisy one, both ``(h, w, 3)`` float32 in [0, 1].
        settings: what the result depends on; kept in the folder and compared when resuming.
        progress: called with boxes done and boxes in all.

    Raises:
        DataError: the data set is incomplete or damaged, or what was written does not read back.
        OutputError: the folder holds other work, or a file cannot be written.
        MissingDependencyError: scipy or h5py is needed and not installed.
    """
    boxes = read_boxes(root)
    noisy_files = [root / "images_srgb" / f"{number:04}.mat" for number in range(1, len(boxes) + 1)]
    if missing := [path for path in noisy_files if not path.is_file()]:
        raise DataError(f"{missing[0]} is missing ({len(missing)} of {len(boxes)} photographs are)")
    claim_folder(folder, {**settings, "benchmark": fingerprint(root / "info.mat")})
    bundle = folder / "bundled"
    ensure_folder(bundle)
    done, total, resumed = 0, sum(map(len, boxes)), 0
    for noisy_file, places in zip(noisy_files, boxes, strict=True):
        target = bundle / noisy_file.name
        shapes = [_shape(place) for place in places]
        if _is_done(target, shapes):
            resumed += 1
        else:
            noisy = _read_noisy(noisy_file)
            clean = [denoise(_cut(noisy, noisy_file, place)) for place in places]
            _write_boxes(target, clean)
            check_dnd_file(target, shapes)
        done += len(places)
        if progress is not None:
            progress(done, total)
    return DndBundle(tuple(bundle / path.name for path in noisy_files), total, resumed)


def check_dnd(root: Path, folder: Path) -> None:
    """Read a whole submission back.

    Raises:
        DataError: a file is missing, cut short, or not of the form the benchmark takes.
    """
    for number, places in enumerate(read_boxes(root), 1):
        check_dnd_file(folder / "bundled" / f"{number:04}.mat", [_shape(p) for p in places])


def check_dnd_file(path: Path, shapes: list[tuple[int, int, int]]) -> None:
    """Read one photograph's file back: the cell, its shapes, types and values, and the flags.

    Raises:
        DataError: something is missing or of another form; the message says what.
    """
    content = read_version_5(path)
    if missing := {_CELL, "israw", "eval_version"} - content.keys():
        raise DataError(f"{path} lacks {', '.join(sorted(missing))}")
    cell = content[_CELL]
    if cell.dtype != object or cell.shape != (1, len(shapes)):
        raise DataError(f"{path}: {_CELL} is {cell.shape} {cell.dtype}, not a 1x{len(shapes)} cell")
    for index, (box, shape) in enumerate(zip(cell[0], shapes, strict=True)):
        if box.shape != shape or box.dtype != np.float32 or not np.isfinite(box).all():
            raise DataError(
                f"{path}: box {index + 1} is {box.shape} {box.dtype}, not {shape} single"
            )
    if bool(content["israw"].item()) or content["eval_version"].item() != _EVALUATION_VERSION:
        raise DataError(f"{path} does not say israw = false and eval_version = '1.0'")


def _boxes_hdf5(path: Path) -> list[NDArray[Any]]:
    with open_hdf5(path) as file:
        references = np.asarray(file["info"]["boundingboxes"]).ravel()
        return [np.asarray(file[reference]).T for reference in references]


def _boxes_version_5(path: Path) -> list[NDArray[Any]]:
    return list(read_version_5(path, ["info"])["info"]["boundingboxes"].ravel())


def _as_slices(path: Path, box: NDArray[Any]) -> Box:
    """Convert [first row, first column, last row, last column], counted from 1."""
    row0, column0, row1, column1 = (int(value) for value in box)
    if not (1 <= row0 <= row1 and 1 <= column0 <= column1):
        raise DataError(f"{path}: {box.tolist()} is no box of rows and columns counted from 1")
    return slice(row0 - 1, row1), slice(column0 - 1, column1)


def _shape(place: Box) -> tuple[int, int, int]:
    rows, columns = place
    return rows.stop - rows.start, columns.stop - columns.start, 3


def _read_noisy(path: Path) -> Floats:
    noisy = read_variable(path, NOISY_VARIABLE)
    if noisy.ndim != 3 or noisy.shape[2] != 3 or noisy.dtype.kind != "f":
        raise DataError(
            f"{NOISY_VARIABLE} in {path} is {noisy.shape} {noisy.dtype}, not RGB floats"
        )
    if not np.isfinite(noisy).all():
        raise DataError(f"{NOISY_VARIABLE} in {path} holds NaN or infinite values")
    clipped: Floats = np.clip(noisy, 0, 1).astype(np.float32)
    return clipped


def _cut(noisy: Floats, path: Path, place: Box) -> Floats:
    box = np.ascontiguousarray(noisy[place])
    if box.shape != _shape(place):
        raise DataError(f"a box reaches beyond {path}, which is {noisy.shape[1]}x{noisy.shape[0]}")
    return box


def _write_boxes(path: Path, boxes: list[Floats]) -> None:
    cell = np.empty((1, len(boxes)), dtype=object)
    for index, box in enumerate(boxes):
        cell[0, index] = box.astype(np.float32)
    content = {_CELL: cell, "israw": np.array(False), "eval_version": _EVALUATION_VERSION}
    write_version_5(path, content)


def _is_done(path: Path, shapes: list[tuple[int, int, int]]) -> bool:
    if not path.exists():
        return False
    try:
        check_dnd_file(path, shapes)
    except DataError:
        return False
    return True
