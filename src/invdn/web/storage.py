"""Photographs and results on the disk: private, bounded, and gone when nobody needs them."""

import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import ProblemError

_PREFIX = "invdn-serve-"
_LOCK = "in-use"


class Storage:
    """A folder that only this user can enter, for as long as the service runs.

    Folders of services that ended without cleaning up (a crash, a power cut) are removed first.

    Args:
        limit: bytes that may lie in it.

    Example:
        >>> with Storage(limit=100) as storage:
        ...     kept = StoredFolder(storage)
        ...     kept.grow(60)
        ...     storage.used, kept.folder.is_dir()
        (60, True)
        >>> kept.folder.exists()
        False
    """

    def __init__(self, limit: int) -> None:
        _remove_abandoned()
        self.limit = limit
        self.used = 0
        self.root = Path(tempfile.mkdtemp(prefix=_PREFIX))  # mode 0700
        self._lock = os.open(self.root / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        _lock(self._lock)

    def __enter__(self) -> "Storage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything."""
        os.close(self._lock)
        shutil.rmtree(self.root, ignore_errors=True)

    def take(self, size: int) -> None:
        """Count bytes that are about to be written.

        Raises:
            ProblemError: there is no room.
        """
        if self.used + size > self.limit:
            raise ProblemError(
                "unavailable",
                "the service holds as many photographs as it may; delete some, or try again later",
                retry_after=30,
            )
        self.used += size

    def give(self, size: int) -> None:
        """Count bytes that have been removed."""
        self.used -= size


class StoredFolder:
    """A folder in the storage that outlives its removal for as long as somebody uses it.

    Attributes:
        id: unguessable name.
        folder: where the files go.
        touched: when it was last used, by the monotonic clock.
    """

    def __init__(self, storage: Storage) -> None:
        self.id = secrets.token_urlsafe(15)
        self.folder = storage.root / self.id
        self.touched = time.monotonic()
        self._storage = storage
        self._size = 0
        self._users = 0
        self._removed = False
        self.folder.mkdir(mode=0o700)

    def grow(self, size: int) -> None:
        """Count bytes that are about to be written into the folder.

        Raises:
            ProblemError: there is no room.
        """
        self._storage.take(size)
        self._size += size

    def count(self, size: int) -> None:
        """Count bytes that are there already, be there room or not."""
        self._storage.used += size
        self._size += size

    def touch(self) -> None:
        """Somebody still wants it."""
        self.touched = time.monotonic()

    @property
    def in_use(self) -> bool:
        """Whether somebody reads or writes in it."""
        return self._users > 0

    @contextmanager
    def used(self) -> Iterator[Path]:
        """Keep the folder for the time of the block, whoever removes it meanwhile."""
        self._users += 1
        try:
            yield self.folder
        finally:
            self._users -= 1
            self.touched = time.monotonic()
            if self._removed and not self._users:
                self._delete()

    def remove(self) -> None:
        """Remove the folder, now or as soon as nobody uses it."""
        if not self._removed:
            self._removed = True
            if not self._users:
                self._delete()

    def _delete(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self._storage.give(self._size)
        self._size = 0


def _remove_abandoned() -> None:
    """Remove the folders of services that do not run any more."""
    for root in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if root.is_symlink() or _foreign(root):
                continue
            descriptor = os.open(root / _LOCK, os.O_RDWR)
            try:
                _lock(descriptor)  # fails while its service runs
            finally:
                os.close(descriptor)
            shutil.rmtree(root, ignore_errors=True)


def _foreign(root: Path) -> bool:
    return hasattr(os, "getuid") and root.lstat().st_uid != os.getuid()


def _lock(descriptor: int) -> None:
    """Lock an open file until it is closed, by the system if the process dies.

    Raises:
        OSError: another process holds it.
    """
    if sys.platform == "win32":
        import msvcrt  # late door: Windows only

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl  # late door: everywhere else

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
