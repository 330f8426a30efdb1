"""LMDB folders as the official code writes them.

One database for each of GT, Noisy and LQ: a key per image, the value its raw uint8 bytes in
(H, W, C) order, blue first; beside it ``meta_info.pkl`` with ``keys`` and ``resolution``.
"""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MissingDependencyError
from .images import Pixels

META = "meta_info.pkl"


class _BuiltinsOnly(pickle.Unpickler):
    """Reads numbers, strings, lists and dicts; anything that would run code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise DataError(f"{META} asks for {module}.{name}, which a list of keys does not need")


class LmdbImages:
    """The images of one LMDB folder.

    Args:
        folder: holds ``data.mdb`` and ``meta_info.pkl``.

    Raises:
        DataError: the folder is damaged.
        MissingDependencyError: the package lmdb is not installed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.names, self.sizes = read_meta(folder / META)
        with _open(self.folder).begin(buffers=True) as transaction:
            for index in range(len(self.names)):  # lengths alone: no pixel is read
                self._value(transaction, index)

    def crop(self, index: int, top: int, left: int, height: int, width: int) -> Pixels:
        """See :class:`~invdn.data.images.ImageSource`."""
        with _open(self.folder).begin(buffers=True) as transaction:
            value = self._value(transaction, index)
            image = np.frombuffer(value, np.uint8).reshape(*self.sizes[index], 3)
            window = image[top : top + height, left : left + width]
            return np.ascontiguousarray(window[:, :, ::-1])  # blue first -> red first

    def _value(self, transaction: Any, index: int) -> Any:
        rows, columns = self.sizes[index]
        value = transaction.get(self.names[index].encode())
        if value is None or len(value) != rows * columns * 3:
            raise DataError(
                f"{self.folder}: {self.names[index]!r} is missing or not of the size "
                f"{columns}x{rows} that {META} states"
            )
        return value


# LMDB opens a folder once in a process, and an opened one must not be used after a fork.
_opened: dict[Path, tuple[int, Any]] = {}


def _open(folder: Path) -> Any:
    process, database = _opened.get(folder, (0, None))
    if process == os.getpid():
        return database
    try:
        import lmdb
    except ImportError as error:
        raise MissingDependencyError(
            "LMDB folders need the package lmdb: pip install 'invdn[train]'"
        ) from error
    if database is not None:
        database.close()  # the copy that a fork left here; the parent's stays open
    try:
        database = lmdb.open(str(folder), readonly=True, lock=False, readahead=False)
    except lmdb.Error as error:
        raise DataError(f"{folder} is not a readable LMDB folder: {error}") from error
    used = (database.info()["last_pgno"] + 1) * database.stat()["psize"]
    found = (folder / "data.mdb").stat().st_size
    if found < used:  # reading on would end the process: the missing part is mapped all the same
        database.close()
        raise DataError(
            f"{folder / 'data.mdb'} is cut short, {found} of {used} bytes: fetch it again"
        )
    _opened[folder] = (os.getpid(), database)
    return database


def is_lmdb(folder: Path) -> bool:
    """Return whether the folder is an LMDB folder of the official code."""
    return (folder / META).is_file()


def read_meta(path: Path) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Read names and ``(N, 2)`` sizes from ``meta_info.pkl``, and run nothing in it.

    Raises:
        DataError: not the dictionary that the official code writes.
    """
    try:
        meta = _BuiltinsOnly(io.BytesIO(path.read_bytes())).load()
        names = tuple(str(key) for key in meta["keys"])
        resolution = meta["resolution"]
        texts = [resolution] if isinstance(resolution, str) else list(resolution)
        if len(texts) == 1:
            texts *= len(names)
        shapes = np.array([[int(n) for n in str(text).split("_")] for text in texts], np.int64)
    except (
        OSError, EOFError, pickle.UnpicklingError, ValueError, KeyError, TypeError, AttributeError,
        IndexError,
    ) as error:  # fmt: skip
        raise DataError(f"{path} is not the index of an LMDB folder: {error}") from error
    if not names or shapes.shape != (len(names), 3) or (shapes < 1).any():
        raise DataError(f"{path} lists no image, or not one size (C_H_W) for each")
    if (shapes[:, 0] != 3).any():
        raise DataError(f"{path} lists images of {shapes[:, 0].max()} colours; InvDN needs 3")
    return names, shapes[:, 1:]
