"""Pairs found by name: which noisy photograph belongs to which clean one."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import DataError

Role = Literal["noisy", "clean", "low"]

# The words that data sets write into names of folders and files: SIDD (NOISY, GT), the folders of
# the original code (Noisy, GT, LQ), PolyU and CC (Real, mean), RENOIR (Noisy, Reference).
_WORDS: dict[str, Role] = {
    "noisy": "noisy",
    "real": "noisy",
    "input": "noisy",
    "gt": "clean",
    "clean": "clean",
    "mean": "clean",
    "reference": "clean",
    "target": "clean",
    "lq": "low",
}
_WORD = re.compile(r"(?<![A-Za-z])(" + "|".join(_WORDS) + r")(?![A-Za-z])", re.IGNORECASE)
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class PairFiles:
    """The files of one pair.

    Attributes:
        name: what the names of both files have in common.
        noisy: the noisy photograph.
        clean: its reference.
        low: the reference at a quarter of the size, where the data set has one.
    """

    name: str
    noisy: Path
    clean: Path
    low: Path | None = None


def pair_key(name: str) -> str:
    """Give what two names of one pair have in common: the role word is masked, case does not count.

    Example:
        >>> pair_key("0001_NOISY_SRGB_010") == pair_key("0001_GT_SRGB_010")
        True
        >>> pair_key("Canon_toy_1_Real"), pair_key("0_7")
        ('canon_toy_1_*', '0_7')
    """
    return _WORD.sub("*", name).casefold()


def role_of(name: str) -> Role | None:
    """Return the role that a file's or folder's name declares; None: none, or several.

    Example:
        >>> role_of("0001_NOISY_SRGB_010"), role_of("SIDD_GT.lmdb"), role_of("holiday")
        ('noisy', 'clean', None)
    """
    roles = {_WORDS[word.lower()] for word in _WORD.findall(name)}
    return roles.pop() if len(roles) == 1 else None


def find_images(folder: Path) -> list[Path]:
    """Return every image file below a folder, sorted by path.

    Raises:
        DataError: the folder does not exist or holds no image.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise DataError(f"{folder} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return files


def role_folders(root: Path) -> dict[Role, Path]:
    """Return the subfolders of ``root`` that are named after a role: Noisy, GT, LQ and their like.

    Raises:
        DataError: ``root`` is no folder, or two subfolders claim one role.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder")
    claims: dict[Role, list[Path]] = {}
    for folder in sorted(p for p in root.iterdir() if p.is_dir()):
        role = role_of(folder.name)
        if role is not None:
            claims.setdefault(role, []).append(folder)
    return {role: _chosen(root, role, folders) for role, folders in claims.items()}


def _chosen(root: Path, role: Role, folders: list[Path]) -> Path:
    """Return the only folder of a role, or the only one with the bare name: GT, not GT-old."""
    bare = [folder for folder in folders if folder.name.lower() in _WORDS]
    if len(folders) > 1 and len(bare) != 1:
        names = ", ".join(folder.name for folder in folders)
        raise DataError(f"{root} has several folders of {role} images, {names}: keep one")
    return bare[0] if bare else folders[0]


def find_pairs(root: Path) -> list[PairFiles]:
    """Return pairs of photographs below a folder, matched by name.

    Two layouts are understood: subfolders ``Noisy/`` and ``GT/`` (and ``LQ/``) with files of the
    same name or of SIDD's names; or a tree in which every name says what it is, as SIDD-Medium has
    it (``0001_NOISY_SRGB_010.PNG`` beside ``0001_GT_SRGB_010.PNG``).

    Returns:
        At least one pair, sorted by name.

    Raises:
        DataError: nothing is found, a file has no partner, or two files claim one place.
    """
    folders = role_folders(root)
    if "noisy" in folders and "clean" in folders:
        return _match({role: _by_key(folder) for role, folder in folders.items()}, root)
    if folders.keys() & {"noisy", "clean"}:
        have = next(iter(folders.values())).name
        raise DataError(f"{root} has a folder {have} but not its partner: need Noisy and GT")
    return _match(_by_role(root), root)


def match_keys(sides: Mapping[Role, Iterable[str]], root: Path) -> list[str]:
    """Return the keys common to all sides, sorted.

    Raises:
        DataError: a key is missing on one side; the message names it.
    """
    sets = {role: set(keys) for role, keys in sides.items()}
    every = set().union(*sets.values())
    for role, keys in sets.items():
        missing = sorted(every - keys)
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise DataError(
                f"{root}: {missing[0]!r}{more} has no {role} image: every photograph needs its "
                "partner of the same name"
            )
    return sorted(every)


def _by_key(folder: Path) -> dict[str, Path]:
    return _unique((str(p.relative_to(folder).with_suffix("")), p) for p in find_images(folder))


def _by_role(root: Path) -> dict[Role, dict[str, Path]]:
    named: dict[Role, list[tuple[str, Path]]] = {"noisy": [], "clean": []}
    for path in find_images(root):
        role = role_of(path.stem)
        if role is None:
            raise DataError(
                f"{path} does not say whether it is noisy or clean: put pairs into folders Noisy/ "
                "and GT/ or name them like 0001_NOISY_1.png and 0001_GT_1.png"
            )
        named.setdefault(role, []).append((str(path.relative_to(root).with_suffix("")), path))
    return {role: _unique(files) for role, files in named.items()}


def _unique(named: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in named:
        key = pair_key(name)
        if key in found:
            raise DataError(f"{found[key]} and {path} claim the same pair {key!r}: keep one")
        found[key] = path
    return found


def _match(sides: Mapping[Role, Mapping[str, Path]], root: Path) -> list[PairFiles]:
    low = sides.get("low", {})
    return [
        PairFiles(key, sides["noisy"][key], sides["clean"][key], low.get(key))
        for key in match_keys(sides, root)
    ]
