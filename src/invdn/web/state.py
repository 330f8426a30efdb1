"""The state folder: where photographs, results and the table of them lie.

::

    STATE/
      service.sqlite3           photographs and jobs (database.py)
      servers/NAME              locked for as long as that server runs
      photos/ID/photo.jpg
      jobs/ID/ATTEMPT/result.jpg, prediction
      scratch/NAME/ID/          uploads under way and pictures for browsers, of one server

With ``--state DIR`` the folder stays, and several servers of one machine may share it. Without, it
is a temporary folder that goes with the service; what a crash leaves is removed at the next start.
"""

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..atomic import lock_descriptor, refuse_url
from ..errors import InputError

#: Of a photograph or job, as a description says it: without the letters of other alphabets.
IDENTIFIER_PATTERN = r"^[A-Za-z0-9_-]+$"

DATABASE = "service.sqlite3"
_PREFIX = "invdn-serve-"
_STARTING = "invdn-starting-"
_LOCK = "in-use"
_FOLDERS = ("servers", "photos", "jobs", "scratch")
_STARTED_SECONDS = 3600.0  # a folder that is still being made after so long was left by a crash


class StateFolder:
    """A folder that only this user can enter, and this server's place in it.

    Args:
        path: of the folder; None makes a temporary one.

    Attributes:
        root: the folder.
        durable: whether it outlives the server.
        server: this server's name.
        scratch: this server's folder for what nobody needs after it.

    Raises:
        InputError: the folder cannot be made, or holds other files.

    Example:
        >>> with StateFolder(None) as state:
        ...     state.root.is_dir(), state.durable, state.is_alive(state.server)
        (True, False, True)
        >>> state.root.exists()
        False
    """

    def __init__(self, path: Path | None) -> None:
        self.durable = path is not None
        self._locks: list[int] = []
        self.root = self._open(path) if path else self._make_temporary()
        for name in _FOLDERS:
            (self.root / name).mkdir(mode=0o700, exist_ok=True)
        self.server = f"{os.getpid()}-{secrets.token_hex(6)}"
        place = self.root / "servers" / self.server
        # locked before it has its name: no other server ever sees it unlocked
        self._locks.append(_locked_file(place.with_name(f".{self.server}")))
        place.with_name(f".{self.server}").rename(place)
        self.scratch = self.root / "scratch" / self.server
        self.scratch.mkdir(mode=0o700)

    def __enter__(self) -> "StateFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _open(path: Path) -> Path:
        refuse_url(path)
        root = path.expanduser().absolute()
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = {entry.name for entry in root.iterdir()}
        except OSError as error:
            words = error.strerror or str(error)
            raise InputError(f"cannot use {str(path)!r} as the state folder: {words}") from error
        if names and DATABASE not in names and not names <= set(_FOLDERS):
            raise InputError(
                f"{str(path)!r} holds other files; give --state a folder of its own, which may be "
                "new"
            )
        if not os.access(root, os.W_OK):
            raise InputError(f"cannot write into the state folder {str(path)!r}")
        return root

    def _make_temporary(self) -> Path:
        _remove_abandoned()
        root = Path(tempfile.mkdtemp(prefix=_STARTING))  # mode 0700
        self._locks.append(_locked_file(root / _LOCK))
        return root.rename(root.with_name(root.name.replace(_STARTING, _PREFIX)))

    def photo_folder(self, identifier: str) -> Path:
        """Return the folder of a photograph."""
        return self.root / "photos" / identifier

    def job_folder(self, identifier: str) -> Path:
        """Return the folder of a job."""
        return self.root / "jobs" / identifier

    def servers(self) -> Iterator[str]:
        """Yield the names of all servers that have a place here, alive or not."""
        for entry in (self.root / "servers").iterdir():
            if not entry.name.startswith("."):
                yield entry.name

    def is_alive(self, server: str) -> bool:
        """Tell whether a server runs: the system drops its lock when it ends, however it ends."""
        if server == self.server:
            return True
        try:
            descriptor = os.open(self.root / "servers" / server, os.O_RDWR)
        except OSError:
            return False
        try:
            lock_descriptor(descriptor)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def clear(self, server: str) -> None:
        """Remove what a server that has ended left behind."""
        shutil.rmtree(self.root / "scratch" / server, ignore_errors=True)
        (self.root / "servers" / server).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return the bytes that the disk still has."""
        return shutil.disk_usage(self.root).free

    def close(self) -> None:
        """Leave the folder; a temporary one is removed."""
        if self.durable:
            self.clear(self.server)
        else:
            shutil.rmtree(self.root, ignore_errors=True)
        for descriptor in self._locks:
            os.close(descriptor)
        self._locks.clear()


def new_identifier() -> str:
    """Return a name that nobody can guess."""
    return secrets.token_urlsafe(15)


def _locked_file(path: Path) -> int:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    lock_descriptor(descriptor)
    return descriptor


def _remove_abandoned() -> None:
    """Remove the temporary folders of services that do not run any more."""
    folder = Path(tempfile.gettempdir())
    for root in folder.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if root.is_symlink() or _foreign(root):
                continue
            descriptor = os.open(root / _LOCK, os.O_RDWR)
            try:
                lock_descriptor(descriptor)  # fails while its service runs
            finally:
                os.close(descriptor)
            shutil.rmtree(root, ignore_errors=True)
    for root in folder.glob(f"{_STARTING}*"):
        with suppress(OSError):
            old = time.time() - root.lstat().st_mtime > _STARTED_SECONDS
            if old and not root.is_symlink() and not _foreign(root):
                shutil.rmtree(root, ignore_errors=True)


def _foreign(root: Path) -> bool:
    return hasattr(os, "getuid") and root.lstat().st_uid != os.getuid()
