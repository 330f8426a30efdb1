"""Photographs that the user named: files, folders and globs."""

import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..photo.formats import PHOTOGRAPH_SUFFIXES, SIDECARS
from .file_identity import Identity, identity, is_folder


@dataclass(frozen=True)
class Source:
    """One photograph.

    Attributes:
        path: where it is.
        place: its folder, relative to the folder that was searched.
        searched: it was found in a folder, and not named.
    """

    path: Path
    place: Path = Path()
    searched: bool = False


@dataclass
class Findings:
    """What the inputs led to.

    Attributes:
        sources: photographs in a stable order: as the inputs are named, folders by name.
        unreadable: what looks like a photograph or folder and cannot be read, and why.
        linked: linked folders that were not entered.
        passed_over: files in folders that have no photograph's ending.
    """

    sources: list[Source] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    linked: list[Path] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)


def find_sources(
    inputs: Sequence[str], *, recursive: bool = False, leave_out: Path | None = None
) -> Findings:
    """Return every photograph that the inputs name.

    Nothing is opened. Of a folder, regular files count (and links to them) that have the ending
    of a photograph and are not hidden; linked folders in it are not entered, so that no circle of
    links has no end.

    Args:
        inputs: files, folders and globs (which a shell may not have expanded).
        recursive: descend into folders.
        leave_out: a folder that is not searched: the one that results go to.

    Raises:
        InputError: a glob matches nothing, or an input is empty.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.jpg", "a.PNG", ".hidden.jpg", "notes.txt"):
        ...     (folder / name).touch()
        >>> [source.path.name for source in find_sources([str(folder)]).sources]
        ['a.PNG', 'b.jpg']
    """
    findings = Findings()
    avoided = identity(leave_out) if leave_out else None
    for path in _expanded(inputs):
        if is_folder(path):
            _search(path, findings, recursive=recursive, avoided=avoided)
        else:  # a missing file fails when it is read, like any unreadable one
            findings.sources.append(Source(path))
    findings.passed_over.sort()
    return findings


def _expanded(inputs: Iterable[str]) -> Iterator[Path]:
    for given in inputs:
        if not given:  # an unset variable of a script, and not the current folder
            raise InputError("an input is empty; name a file or a folder ('.' for this one)")
        if os.path.lexists(given) or not glob.has_magic(given):
            yield Path(given)
            continue
        matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207  Path.glob takes no '/x/*'
        if not matches:
            raise InputError(f"nothing matches {given}")
        yield from map(Path, matches)


def _search(folder: Path, findings: Findings, *, recursive: bool, avoided: Identity | None) -> None:
    """Add the photographs in a folder; folders in it in their place among the files."""
    waiting: list[tuple[Path, Path, bool]] = [(folder, Path(), True)]
    while waiting:
        path, place, is_folder = waiting.pop()
        if not is_folder:
            findings.sources.append(Source(path, place, searched=True))
            continue
        if avoided and identity(path) == avoided and path != folder:
            continue
        try:
            with os.scandir(path) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            findings.unreadable.append((path, f"cannot search {str(path)!r}: {error.strerror}"))
            continue
        inner = place if path == folder else place / path.name
        for entry in entries:
            kind = _kind(entry, path / entry.name, findings)
            if kind == "photograph":
                waiting.append((path / entry.name, inner, False))
            elif kind == "folder" and recursive:
                waiting.append((path / entry.name, inner, True))


def _kind(entry: os.DirEntry[str], path: Path, findings: Findings) -> str:
    """Return ``"photograph"``, ``"folder"`` or ``""``."""
    if entry.name.startswith("."):
        return ""
    looks_right = path.suffix.lower() in PHOTOGRAPH_SUFFIXES
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if not looks_right and not entry.is_symlink():
            if entry.is_file() and path.suffix.lower() not in SIDECARS:
                findings.passed_over.append(path)
            return ""
        mode = entry.stat().st_mode
    except OSError as error:
        if looks_right:
            reason = "the link leads nowhere" if entry.is_symlink() else error.strerror
            findings.unreadable.append((path, f"cannot read {str(path)!r}: {reason}"))
        return ""
    if stat.S_ISDIR(mode):
        findings.linked.append(path)
        return ""
    return "photograph" if looks_right and stat.S_ISREG(mode) else ""
