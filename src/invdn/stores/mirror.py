"""Folders in stores for programs of files: fetched once, written back as they grow.

Training reads pixels at random places, millions of times; so a pack or a folder of pairs is copied
to the disk before, and only what has changed is copied again.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from ..atomic import atomic_output, ensure_folder, url_in
from ..errors import DataError, InputError, StoreError
from .opening import open_store
from .store import Entry, Store

_INDEX = ".invdn-mirror.json"
_AT_ONCE = 8


def cache_folder(url: str) -> Path:
    """Return the folder that a URL is copied to: in ``INVDN_CACHE``, else the user's cache.

    Example:
        >>> cache_folder("s3://sets/sidd").name == cache_folder("s3://sets/sidd/").name
        True
    """
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    root = Path(os.environ.get("INVDN_CACHE") or Path(home, "invdn"))
    return root / "stores" / hashlib.sha256(url.rstrip("/").encode()).hexdigest()[:16]


def local_copy(path: Path) -> Path:
    """Return a folder on this machine's disk: a path as it is, of a URL its copy, made if needed.

    Raises:
        DataError: nothing is there.
        StoreError: the store refuses.

    Example:
        >>> local_copy(Path("pairs"))
        PosixPath('pairs')
    """
    url = url_in(path)
    return path if url is None else _copied_once(url)


@cache
def _copied_once(url: str) -> Path:
    folder = cache_folder(url)
    if not fetch_folder(url, folder):
        raise DataError(f"there is nothing below {url}: check the name")
    return folder


def fetch_folder(url: str, folder: Path) -> int:
    """Copy what lies below a URL into a folder, but for what is there already.

    A file appears when it is whole. What was copied before and is gone from the store is removed.

    Args:
        url: of a folder in a store.
        folder: made if needed; holds nothing but such a copy.

    Returns:
        How many files there are.

    Raises:
        StoreError: the store refuses.
        OutputError: the disk is full.
    """
    store = open_store(url)
    ensure_folder(folder)
    index = folder / _INDEX
    known: dict[str, str] = {}
    with suppress(OSError, ValueError):
        known = json.loads(index.read_text(encoding="utf-8"))
    listed = {entry.key: entry for entry in store.entries()}

    def fetch(entry: Entry) -> None:
        target = folder / entry.key
        if ".." in target.parts:
            raise InputError(f"{url} holds {entry.key!r}, which leads out of the folder")
        there = target.is_file() and target.stat().st_size == entry.size
        if there and known.get(entry.key) == entry.etag:
            return
        ensure_folder(target.parent)
        with atomic_output(target, overwrite=True) as temporary, temporary.open("wb") as file:
            for piece in store.stream(entry.key):
                file.write(piece)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(fetch, listed.values()))
    for key in known.keys() - listed.keys():
        (folder / key).unlink(missing_ok=True)
    etags = {key: entry.etag for key, entry in listed.items()}
    with atomic_output(index, overwrite=True) as temporary:
        temporary.write_text(json.dumps(etags), encoding="utf-8")
    return len(listed)


class FolderUpload:
    """Writes the files of a folder to a store, again and again, as they change.

    Hidden files stay: temporary ones, and locks.

    Args:
        folder: on this machine.
        url: of a folder in a store.
    """

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._store: Store = open_store(url)
        self._written: dict[str, tuple[int, int]] = {}

    def sync(self) -> int:
        """Write what is new or has changed; return how many files that were."""
        number = 0
        for path in sorted(self._folder.rglob("*")):
            key = path.relative_to(self._folder).as_posix()
            if key.startswith(".") or "/." in key or not path.is_file():
                continue
            try:
                found = path.stat()
                content = path.read_bytes()
            except FileNotFoundError:  # an old checkpoint that made room
                continue
            stamp = found.st_size, found.st_mtime_ns
            if self._written.get(key) == stamp or len(content) != found.st_size:
                continue
            self._store.replace(key, content)
            self._written[key] = stamp
            number += 1
        return number


@contextmanager
def written_to(url: str, *, resume: bool, seconds: float = 60.0) -> Iterator[Path]:
    """Give a folder whose files appear in a store: every minute, and when the block ends.

    A store that does not serve for a while costs nothing but delay; at the end it is an error.

    Args:
        url: of a folder in a store.
        resume: begin with what lies there.
        seconds: between two looks.

    Raises:
        InputError: something lies there, and is not to be resumed.
        StoreError: the store refuses.
    """
    folder = cache_folder(url)
    store = open_store(url)
    there = next(iter(store.entries()), None) if _exists(store) else None
    if there is not None and not resume:
        raise InputError(f"{url} holds a run already: go on with --resume, or name another place")
    if there is not None:
        fetch_folder(url, folder)
    ensure_folder(folder)
    upload, over = FolderUpload(folder, url), threading.Event()

    def look() -> None:
        while not over.wait(seconds):
            with suppress(StoreError):
                upload.sync()

    thread = threading.Thread(target=look, daemon=True, name="invdn-upload")
    thread.start()
    try:
        yield folder
    finally:
        over.set()
        thread.join()
        upload.sync()


def _exists(store: Store) -> bool:
    """Whether a folder on a disk is there; a bucket's always is."""
    folder = getattr(store, "folder", None)
    return folder is None or folder.is_dir()
