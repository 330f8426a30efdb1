"""The packed form of a data set: raw pixels in one file, so that a random crop costs no decoding.

::

    TARGET/index.json    names and sizes; written last, so its presence means that all is there
    TARGET/noisy.u8      all noisy images one after the other, (H, W, 3) uint8 RGB
    TARGET/clean.u8      all clean images
    TARGET/low.u8        all low-resolution images, where the source has them
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import atomic_output, ensure_folder, remove_stale_temporary_files
from ..errors import DataError, OutputError
from .images import ImageSource, Pixels, Progress, no_progress

INDEX = "index.json"
_FORMAT = "invdn-pack"


class PackedImages:
    """One plane of a pack, memory-mapped.

    Args:
        file: the raw pixels.
        names: one per image.
        sizes: height and width of each image.

    Raises:
        DataError: the file is missing or its length does not fit the sizes.
    """

    def __init__(self, file: Path, names: tuple[str, ...], sizes: NDArray[np.int64]) -> None:
        self.file = file
        self.names = names
        self.sizes = sizes
        ends = np.cumsum(sizes.prod(axis=1) * 3)
        if not file.is_file() or file.stat().st_size != ends[-1]:
            raise DataError(f"{file} is missing or not {ends[-1]} bytes long: pack the data again")
        self._starts = np.concatenate(([0], ends[:-1]))
        self._bytes = np.memmap(file, np.uint8, "r")

    def __reduce__(self) -> tuple[Any, ...]:  # workers map the file again instead of copying it
        return PackedImages, (self.file, self.names, self.sizes)

    def crop(self, index: int, top: int, left: int, height: int, width: int) -> Pixels:
        """See :class:`~invdn.data.images.ImageSource`."""
        rows, columns = self.sizes[index]
        start = self._starts[index]
        image = self._bytes[start : start + rows * columns * 3].reshape(rows, columns, 3)
        return np.asarray(image[top : top + height, left : left + width])


def is_pack(folder: Path) -> bool:
    """Return whether the folder holds a finished pack."""
    return (folder / INDEX).is_file()


def open_pack(folder: Path) -> dict[str, PackedImages]:
    """Return the planes of a pack by name: ``clean``, or ``noisy`` and ``clean`` (and ``low``).

    Raises:
        DataError: the index or a file is damaged.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if index["format"] != _FORMAT or index["version"] != 1:
            raise DataError(f"{folder / INDEX} is no index of a pack that this version can read")
        names = tuple(str(name) for name in index["names"])
        planes = {
            str(plane): np.array(sizes, dtype=np.int64).reshape(len(names), 2)
            for plane, sizes in index["planes"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder / INDEX} is damaged: pack the data again") from error
    if not names or not planes:
        raise DataError(f"{folder / INDEX} lists no image: pack the data again")
    return {
        plane: PackedImages(folder / f"{Path(plane).name}.u8", names, sizes)
        for plane, sizes in planes.items()
    }


def write_pack(
    target: Path, planes: Mapping[str, ImageSource], progress: Progress = no_progress
) -> int:
    """Decode images once and write them as a pack.

    Args:
        target: the new folder; made if absent.
        planes: sources of equal length by name.
        progress: called with images done and in all.

    Returns:
        Bytes written.

    Raises:
        OutputError: the target holds a pack already, cannot be written, or the disk is too small.
        DataError: an image is damaged.
    """
    if is_pack(target):
        raise OutputError(f"{target} holds a pack already: choose another target")
    size = sum(int(source.sizes.prod(axis=1).sum()) * 3 for source in planes.values())
    total = sum(len(source.names) for source in planes.values())
    done = 0
    ensure_folder(target)
    try:
        remove_stale_temporary_files(target)
        free = shutil.disk_usage(target).free
        if free < size:
            raise OutputError(f"{target}: the pack takes {size} bytes, the disk has {free} free")
        for plane, source in planes.items():
            raw = target / f"{plane}.u8"
            with atomic_output(raw, overwrite=True) as partial, partial.open("wb") as file:
                for pixels in _whole_images(source):
                    file.write(pixels.tobytes())
                    done += 1
                    progress(done, total)
        names = next(iter(planes.values())).names
        index = {
            "format": _FORMAT,
            "version": 1,
            "names": list(names),
            "planes": {plane: source.sizes.tolist() for plane, source in planes.items()},
        }
        with atomic_output(target / INDEX, overwrite=False) as partial:
            partial.write_text(json.dumps(index), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
    return size


def _whole_images(source: ImageSource, ahead: int = 8) -> Iterator[Pixels]:
    """Yield every image in order, some decoded ahead by threads."""
    with ThreadPoolExecutor() as threads:
        waiting = []
        for index, (height, width) in enumerate(source.sizes.tolist()):
            waiting.append(threads.submit(source.crop, index, 0, 0, height, width))
            if len(waiting) > ahead:
                yield waiting.pop(0).result()
        for image in waiting:
            yield image.result()
