"""Pairs to measure on: from folders of any naming scheme, or from SIDD's MATLAB files."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.blocks import read_blocks
from ..data.pairing import find_images, find_pairs, pair_key
from ..errors import DataError
from ..image.dtype import Pixels
from ..photo.read import read_photo


@dataclass(frozen=True)
class Sample:
    """One pair, loaded.

    Attributes:
        name: what tables call it.
        noisy: ``(H, W, 3)`` or ``(H, W)``; uint8, uint16 or float32 in [0, 1].
        clean: the reference, of the same height, width and colours.
    """

    name: str
    noisy: Pixels
    clean: Pixels


@dataclass(frozen=True)
class Samples:
    """A set of pairs, each read when its turn comes.

    Attributes:
        title: where they come from, for people.
        names: of all pairs.
        load: reads the pair of an index.
    """

    title: str
    names: tuple[str, ...]
    load: Callable[[int], Sample]

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Sample]:
        return (self.load(index) for index in range(len(self)))

    def first(self, count: int) -> "Samples":
        """Return the same set, ended after ``count`` pairs."""
        return Samples(self.title, self.names[:count], self.load)


def open_samples(noisy: Path, clean: Path | None = None, match: str | None = None) -> Samples:
    """Open pairs from two folders, two SIDD ``.mat`` files, or one folder that holds both.

    Args:
        noisy: folder of noisy images or ``ValidationNoisyBlocksSrgb.mat``; without ``clean``, a
            folder of both kinds, as ``invdn.data.pairing.find_pairs`` understands it.
        clean: folder of clean images or ``ValidationGtBlocksSrgb.mat``.
        match: a regular expression that finds the part of a file name by which partners are
            matched (its groups, or all of it); see ``match_names`` for what happens without.

    Raises:
        DataError: nothing is found, a file has no partner, or blocks and folders are mixed.
    """
    if clean is None:
        pairs = [(pair.name, pair.noisy, pair.clean) for pair in find_pairs(noisy)]
        return _from_files(str(noisy), pairs)
    if noisy.suffix.lower() == ".mat" or clean.suffix.lower() == ".mat":
        if noisy.is_dir() or clean.is_dir():
            raise DataError(f"{noisy} and {clean}: a .mat file needs a .mat file as its partner")
        return _from_blocks(noisy, clean)
    noisy_files, clean_files = _by_name(noisy), _by_name(clean)
    partners = match_names(list(noisy_files), list(clean_files), (noisy, clean), match)
    pairs = [(name, noisy_files[name], clean_files[partners[name]]) for name in noisy_files]
    return _from_files(f"{noisy} against {clean}", pairs)


def open_outputs(folder: Path, names: Sequence[str], match: str | None = None) -> dict[str, Path]:
    """Give the files of ready-made outputs in a folder, by the names of the samples they belong to.

    Raises:
        DataError: the folder is empty, or a sample has no output or an output no sample.
    """
    files = _by_name(folder)
    partners = match_names(list(names), list(files), ("the set", folder), match)
    return {name: files[partners[name]] for name in names}


def match_names(
    first: Sequence[str],
    second: Sequence[str],
    places: tuple[object, object],
    match: str | None = None,
) -> dict[str, str]:
    """Return which name of ``second`` belongs to each of ``first``.

    Names are compared with role words (noisy, GT ...) masked; where that leaves strangers, by
    what differs within each folder: ``0_7`` beside ``0_8`` fits ``denoised_7`` beside
    ``denoised_8``. A regular expression settles any other scheme.

    Args:
        first: names without suffix.
        second: names without suffix.
        places: what to call both sides in errors.
        match: expression whose groups (or whole match) are the key of a name.

    Raises:
        DataError: somebody has no partner; the message names the file.

    Example:
        >>> match_names(["0_7", "0_8"], ["denoised_8", "denoised_7"], ("a", "b"))
        {'0_7': 'denoised_7', '0_8': 'denoised_8'}
    """
    if match is not None:
        return _join(_keyed(first, places[0], match), _keyed(second, places[1], match), places)
    sides = [{pair_key(name): name for name in names} for names in (first, second)]
    if sides[0].keys() != sides[1].keys():
        cores = [_cores(names) for names in (first, second)]
        if cores[0].keys() == cores[1].keys() and len(cores[0]) == len(first) == len(second):
            return {name: cores[1][core] for core, name in cores[0].items()}
    for side, names, place in zip(sides, (first, second), places, strict=True):
        if len(side) != len(names):
            raise DataError(f"{place}: several files share one name apart from noisy, clean ...")
    return _join(sides[0], sides[1], places)


def read_image(path: Path) -> Pixels:
    """Return the colours of an image file, as stored (8 or 16 bits, or float), without alpha.

    Raises:
        ImageError: it is no readable image.
        DataError: a value is NaN or infinite.
    """
    pixels = read_photo(path).pixels
    if not np.isfinite(pixels).all():
        raise DataError(f"{path} holds NaN or infinite values")
    return pixels


def _by_name(folder: Path) -> dict[str, Path]:
    return {str(p.relative_to(folder).with_suffix("")): p for p in find_images(folder)}


def _keyed(names: Sequence[str], place: object, match: str) -> dict[str, str]:
    try:
        pattern = re.compile(match)
    except re.error as error:
        raise DataError(f"{match!r} is no regular expression: {error}") from error
    found: dict[str, str] = {}
    for name in names:
        hit = pattern.search(name)
        if hit is None:
            raise DataError(f"{place}: {match!r} finds nothing in the name {name!r}")
        key = "/".join(hit.groups(default="")) or hit.group()
        if key in found:
            raise DataError(f"{place}: {found[key]!r} and {name!r} both give the key {key!r}")
        found[key] = name
    return found


def _cores(names: Sequence[str]) -> dict[str, str]:
    """Return names without what all of them begin and end with."""
    head = _common_start(names)
    rest = [name[head:] for name in names]
    tail = _common_start([name[::-1] for name in rest])
    return {part[: len(part) - tail]: name for part, name in zip(rest, names, strict=True)}


def _common_start(names: Sequence[str]) -> int:
    """Return how many characters all names begin with alike."""
    ends = min(names), max(names)
    shorter = min(map(len, ends))
    return next((i for i in range(shorter) if ends[0][i] != ends[1][i]), shorter)


def _join(
    first: Mapping[str, str], second: Mapping[str, str], places: tuple[object, object]
) -> dict[str, str]:
    for side, other, place in ((first, second, places[1]), (second, first, places[0])):
        missing = [name for key, name in side.items() if key not in other]
        if missing:
            more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise DataError(
                f"{missing[0]!r}{more} has no partner in {place}: add it, or tell by a regular "
                "expression which part of the names belongs together"
            )
    return {name: second[key] for key, name in first.items()}


def _from_files(title: str, pairs: Sequence[tuple[str, Path, Path]]) -> Samples:
    def load(index: int) -> Sample:
        name, noisy, clean = pairs[index]
        sample = Sample(name, read_image(noisy), read_image(clean))
        if sample.noisy.shape != sample.clean.shape:
            raise DataError(
                f"{noisy} has shape {sample.noisy.shape}, its partner {clean} "
                f"{sample.clean.shape}: both must show the same pixels"
            )
        return sample

    return Samples(title, tuple(name for name, _, _ in pairs), load)


def _from_blocks(noisy: Path, clean: Path) -> Samples:
    sides = read_blocks(noisy), read_blocks(clean)
    if sides[0].shape != sides[1].shape:
        raise DataError(f"{noisy} holds {sides[0].shape}, {clean} {sides[1].shape}: no pairs")
    # 32 blocks of each photograph (SIDD's own layout)
    names = tuple(f"{index // 32}_{index % 32}" for index in range(len(sides[0])))

    def load(index: int) -> Sample:
        return Sample(names[index], sides[0][index], sides[1][index])

    return Samples(f"{noisy} against {clean}", names, load)
