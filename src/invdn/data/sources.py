"""The one door to training data: whatever the storage, pairs and photographs look the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..stores import local_copy
from .images import ImageFolder, ImageSource, Progress, no_progress
from .lmdb_folder import LmdbImages, is_lmdb
from .pack import PackedImages, is_pack, open_pack
from .pairing import (
    Role,
    find_images,
    find_pairs,
    match_keys,
    pair_key,
    role_folders,
    role_of,
)


@dataclass(frozen=True)
class PairSource:
    """Noisy photographs with their references.

    Attributes:
        noisy: the noisy sides.
        clean: the clean sides, in the same order.
        low: the clean sides at a quarter of the size, or None to compute them.

    Raises:
        DataError: the sides differ in number or size; the message names the pair.
    """

    noisy: ImageSource
    clean: ImageSource
    low: ImageSource | None = None

    def __post_init__(self) -> None:
        sides = (self.noisy, self.clean, *([self.low] if self.low else []))
        if len({len(side.names) for side in sides}) != 1:
            raise DataError("the sides of the pairs differ in number")
        self._compare(self.noisy, 1)
        if self.low:
            self._compare(self.low, 4)

    def _compare(self, side: ImageSource, factor: int) -> None:
        wrong = np.flatnonzero((side.sizes * factor != self.clean.sizes).any(axis=1))
        if wrong.size:
            index = int(wrong[0])
            (height, width), (rows, columns) = side.sizes[index], self.clean.sizes[index]
            raise DataError(
                f"{side.names[index]!r} is {width}x{height}, but its clean image is "
                f"{columns}x{rows}: both must show the same pixels"
                + ("" if factor == 1 else f" at a factor of {factor}")
            )


def open_images(path: Path) -> ImageSource:
    """Open clean photographs: a pack, an LMDB folder or a folder of images, by content.

    Args:
        path: a folder; of a URL (``s3://...``) a copy is made on the disk.

    Raises:
        DataError: nothing usable is there.
    """
    path = local_copy(path)
    if is_pack(path):
        return _plane(path, open_pack(path), "clean")
    if is_lmdb(path):
        return LmdbImages(path)
    files = find_images(path)
    return ImageFolder(files, [str(f.relative_to(path).with_suffix("")) for f in files])


def open_pairs(path: Path) -> PairSource:
    """Give pairs from a pack, LMDB folders or image folders (with ``LQ/`` or without), by content.

    Raises:
        DataError: nothing usable is there, or the sides do not match.
    """
    path = local_copy(path)
    if is_pack(path):
        planes = open_pack(path)
        noisy, clean = (_plane(path, planes, name) for name in ("noisy", "clean"))
        return _matched(path, noisy, clean, planes.get("low"))
    folders = role_folders(path)
    if folders and all(is_lmdb(folder) for folder in folders.values()):
        return _lmdb_pairs(path, {role: LmdbImages(f) for role, f in folders.items()})
    pairs = find_pairs(path)
    names = [pair.name for pair in pairs]
    low = [pair.low for pair in pairs if pair.low]
    return _matched(
        path,
        ImageFolder([pair.noisy for pair in pairs], names),
        ImageFolder([pair.clean for pair in pairs], names),
        ImageFolder(low, names) if low else None,
    )


def open_planes(path: Path) -> dict[str, ImageSource]:
    """Give everything below a folder by plane: ``noisy``, ``clean`` (``low``), or ``clean`` alone.

    A folder whose names speak of noisy images holds pairs; any other holds clean photographs.

    Raises:
        DataError: nothing usable is there, or the sides of pairs do not match.
    """
    path = local_copy(path)
    if not _holds_pairs(path):
        return {"clean": open_images(path)}
    pairs = open_pairs(path)
    planes = {"noisy": pairs.noisy, "clean": pairs.clean}
    return planes | {"low": pairs.low} if pairs.low else planes


def verify(source: ImageSource | PairSource, progress: Progress = no_progress) -> None:
    """Decode every image file of a source once; packs and databases were checked when made.

    Raises:
        DataError: a file is damaged; the message names it.
    """
    for side in _sides(source):
        if isinstance(side, ImageFolder):
            side.verify(progress)


def _holds_pairs(path: Path) -> bool:
    if is_pack(path):
        return "noisy" in open_pack(path)
    if is_lmdb(path):
        return False
    if role_folders(path):  # of images, or LMDB folders
        return True
    return {"noisy", "clean"} <= {role_of(file.stem) for file in find_images(path)}


def _sides(source: ImageSource | PairSource) -> Sequence[ImageSource]:
    if isinstance(source, PairSource):
        return [side for side in (source.noisy, source.clean, source.low) if side]
    return [source]


def _lmdb_pairs(path: Path, sides: dict[Role, LmdbImages]) -> PairSource:
    if not {"noisy", "clean"} <= sides.keys():
        raise DataError(f"{path} needs one LMDB folder of noisy and one of clean images")
    order = {role: [pair_key(n) for n in side.names] for role, side in sides.items()}
    match_keys(order, path)
    for places in zip(*order.values(), strict=True):
        if len(set(places)) > 1:
            raise DataError(f"{path}: the databases list {' and '.join(places)} at the same place")
    return _matched(path, sides["noisy"], sides["clean"], sides.get("low"))


def _matched(
    path: Path, noisy: ImageSource, clean: ImageSource, low: ImageSource | None
) -> PairSource:
    """Return the pairs; errors name the place where they lie."""
    try:
        return PairSource(noisy, clean, low)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _plane(path: Path, planes: Mapping[str, PackedImages], name: str) -> PackedImages:
    if name not in planes:
        raise DataError(f"the pack {path} holds no {name} images, only {', '.join(planes)}")
    return planes[name]
