"""Files that results are never written over: photographs, and what takes another's name.

The same file may go by several names: through links, or because the drive does not tell large
letters from small ones. Some drives give a file a new number for each of its names as well, so that
the names have to be looked at too.
"""

import os
import stat
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path

Identity = tuple[int, int]
Stamp = tuple[int, int, int]


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether it is a folder, or a link to one; no, where permission is denied.

    Example:
        >>> is_folder(".")
        True
    """
    found = _stat(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Return whether it is a regular file, or a link to one; no, where permission is denied.

    Example:
        >>> is_regular(".")
        False
    """
    found = _stat(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def identity(path: str | os.PathLike[str]) -> Identity | None:
    """Return what is the same under every name of a file, links too; None: it is not there.

    Example:
        >>> identity(".") == identity(Path.cwd())
        True
    """
    found = _stat(path)
    return found and (found.st_dev, found.st_ino)


def stamp_of(path: str | os.PathLike[str]) -> Stamp | None:
    """Return what changes with the contents of a file: inode, size, time; None: it is not there.

    Example:
        >>> stamp_of("no such file")
    """
    found = _stat(path)
    return found and (found.st_ino, found.st_size, found.st_mtime_ns)


def modified(path: str | os.PathLike[str]) -> int:
    """Return when it was changed last, in nanoseconds; 0: it is not there.

    Example:
        >>> modified("no such file")
        0
    """
    found = _stat(path)
    return found.st_mtime_ns if found else 0


def _stat(path: str | os.PathLike[str]) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except (OSError, ValueError):
        return None


class InputIndex:
    """The photographs of a batch.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> (folder / "link.jpg").symlink_to("a.jpg")
        >>> originals = InputIndex([folder / "a.jpg"])
        >>> originals.behind(folder / "link.jpg").name, originals.behind(folder / "b.jpg")
        ('a.jpg', None)
    """

    def __init__(self, photographs: Iterable[Path]) -> None:
        self._located = cache(os.path.realpath)
        self._identities = {}
        self._names = {}
        for path in photographs:
            if found := identity(path):
                self._identities[found] = path
                self._names[self._name(path)] = path

    def behind(self, target: Path) -> Path | None:
        """Return the photograph that would be written over with a target; None: there is none."""
        found = identity(target)
        if found is None:
            return None
        if original := self._identities.get(found):
            return original
        other = self._names.get(self._name(target))
        if other is None:
            return None
        here, there = stamp_of(target), stamp_of(other)
        return other if here and there and here[1:] == there[1:] else None

    def _name(self, path: Path) -> str:
        return _folded(os.path.join(self._located(path.parent), path.name))  # noqa: PTH118


class Listing:
    """The names in folders, listed when they are asked for.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> Listing().other_spelling(folder / "a.jpg")  # so it is called
    """

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}

    def other_spelling(self, path: Path) -> str | None:
        """Return what a file that exists is really called; None: as the path says.

        A drive that does not tell large letters from small ones finds it under either.
        """
        name, folder = _composed(path.name), path.parent
        if name in self._names.get(folder, ()) or name in self._list(folder):
            return None
        alike = (other for other in self._names[folder] if _folded(other) == _folded(name))
        return next(alike, None)

    def _list(self, folder: Path) -> frozenset[str]:
        try:
            self._names[folder] = frozenset(map(_composed, os.listdir(folder)))  # noqa: PTH208
        except OSError:
            self._names[folder] = frozenset()
        return self._names[folder]


def _composed(name: str) -> str:
    """Return an accent and its letter as one, whichever way the drive stores them."""
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _composed(name).casefold()
