"""A folder of a disk, or of a network drive, as a store.

What is noted with an object lies in an extended attribute of the file, which is there from the
moment at which the file appears. Where the drive has none, nothing is noted.
"""

import errno
import json
import os
import stat
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from ..atomic import atomic_output, ensure_folder, remove_stale_temporary_files
from ..errors import (
    AccessError,
    ChangedObjectError,
    FullStoreError,
    InputError,
    MissingObjectError,
    ObjectExistsError,
    OutputError,
    StoreError,
)
from .store import Entry, Store, Writing

_NOTES = "user.invdn"
_PIECE = 1 << 22
_SWEPT = 4096  # folders that are remembered as free of remains
_FULL = {errno.ENOSPC, errno.EDQUOT}


class FolderStore(Store):
    """Files below a folder, as :class:`~invdn.stores.Store` says.

    Args:
        folder: need not exist before something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"file://{folder.as_posix()}".rstrip("/")
        self._swept: OrderedDict[Path, None] = OrderedDict()

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        """As of the protocol; links to folders are not entered."""
        waiting = [prefix.strip("/")]
        while waiting:
            place = waiting.pop()
            folders = []
            for item in self._scan(self.folder / place, required=place == prefix.strip("/")):
                key = f"{place}/{item.name}".lstrip("/")
                try:
                    if item.is_dir(follow_symlinks=False):
                        folders.append(key)
                    elif stat.S_ISREG((found := item.stat()).st_mode):
                        yield _entry(key, found)
                except OSError:  # a link that leads nowhere, or it has just gone
                    continue
            waiting += reversed(folders)

    def _scan(self, folder: Path, *, required: bool) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError as error:
            if not required:
                return []
            raise MissingObjectError(f"there is no folder {str(folder)!r}") from error
        except OSError as error:
            raise _problem(folder, error) from error

    def head(self, key: str) -> Entry | None:
        """As of the protocol."""
        path = self._path(key)
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _problem(path, error) from error
        return _entry(key, found, _notes(path))

    def fetch(self, key: str, etag: str | None = None) -> tuple[bytes, Entry]:
        """As of the protocol."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                before = _entry(key, os.fstat(file.fileno()))
                if etag is not None and etag != before.etag:
                    raise _changed(path)
                content = file.read()
            after = _entry(key, path.stat())
        except OSError as error:
            raise _problem(path, error) from error
        if after.etag != before.etag or len(content) != before.size:
            raise _changed(path)
        return content, before

    def stream(self, key: str) -> Iterator[bytes]:
        """As of the protocol."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE):
                    yield piece
        except OSError as error:
            raise _problem(path, error) from error

    def start(self, key: str, size: int) -> bytes:
        """As of the protocol."""
        path = self._path(key)
        try:
            with path.open("rb") as file:
                return file.read(size)
        except OSError as error:
            raise _problem(path, error) from error

    def _write(self, new: Writing) -> Entry:
        path = self._path(new.key)
        overwrite = new.replaces != ""
        if not overwrite and os.path.lexists(path):
            raise ObjectExistsError(f"{str(path)!r} exists already")
        if new.replaces:
            found = self.head(new.key)
            if found is None or found.etag != new.replaces:
                raise _changed(path)
        permissions = 0o666 if new.mode is None else new.mode & 0o666
        try:
            ensure_folder(path.parent)
            self._sweep(path.parent)
            with atomic_output(path, overwrite, permissions) as temporary:
                temporary.write_bytes(new.content)
                if new.metadata is not None and hasattr(os, "setxattr"):
                    with suppress(OSError):  # the drive has no place for notes
                        os.setxattr(temporary, _NOTES, json.dumps(dict(new.metadata)).encode())
            return _entry(new.key, path.stat())
        except OutputError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno in _FULL:
                raise FullStoreError(str(error)) from error
            if not overwrite and os.path.lexists(path):
                raise ObjectExistsError(str(error)) from error
            raise StoreError(str(error)) from error
        except OSError as error:
            raise _problem(path, error) from error

    def _sweep(self, folder: Path) -> None:
        """Remove what a killed run left half-written there; once."""
        if folder in self._swept:
            return
        remove_stale_temporary_files(folder)
        self._swept[folder] = None
        if len(self._swept) > _SWEPT:
            self._swept.popitem(last=False)

    def _path(self, key: str) -> Path:
        if not key or ".." in key.split("/") or key.startswith("/"):
            raise InputError(f"{key!r} is no name of a file below {str(self.folder)!r}")
        return self.folder / key


def _entry(key: str, found: os.stat_result, metadata: Mapping[str, str] | None = None) -> Entry:
    return Entry(
        key,
        found.st_size,
        f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}",
        datetime.fromtimestamp(found.st_mtime, UTC),
        metadata,
        stat.S_IMODE(found.st_mode),
    )


def _notes(path: Path) -> dict[str, str] | None:
    """What is noted with a file; None: this drive has no place for notes."""
    if not hasattr(os, "getxattr"):
        return None
    try:
        found = json.loads(os.getxattr(path, _NOTES))
    except OSError as error:
        return {} if error.errno == errno.ENODATA else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _changed(path: Path) -> ChangedObjectError:
    return ChangedObjectError(f"{str(path)!r} is not the file any more that was meant")


def _problem(path: Path, error: OSError) -> StoreError:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return MissingObjectError(f"there is no file {str(path)!r}")
        case PermissionError():
            return AccessError(f"permission is denied: {str(path)!r}")
        case _ if error.errno in _FULL:
            return FullStoreError(f"the disk is full: {str(path)!r}")
        case _:
            return StoreError(f"{str(path)!r}: {error.strerror or error}")
