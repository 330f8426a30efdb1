"""What the system says of a file without opening it; an answer too where it says nothing."""

import os
import stat
from pathlib import Path

Identity = tuple[int, int]
Stamp = tuple[int, int, int]


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Whether it is a folder, or a link to one; no, where permission is denied.

    Example:
        >>> is_folder(".")
        True
    """
    found = _stat(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Whether it is a regular file, or a link to one; no, where permission is denied.

    Example:
        >>> is_regular(".")
        False
    """
    found = _stat(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def identity(path: str | os.PathLike[str]) -> Identity | None:
    """What is the same under every name of a file, links too; None: it is not there.

    Example:
        >>> identity(".") == identity(Path.cwd())
        True
    """
    found = _stat(path)
    return found and (found.st_dev, found.st_ino)


def stamp_of(path: str | os.PathLike[str]) -> Stamp | None:
    """What changes with the contents of a file: inode, size, time; None: it is not there.

    Example:
        >>> stamp_of("no such file")
    """
    found = _stat(path)
    return found and (found.st_ino, found.st_size, found.st_mtime_ns)


def modified(path: str | os.PathLike[str]) -> int:
    """When it was changed last, in nanoseconds; 0: it is not there.

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
