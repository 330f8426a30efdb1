"""Several results as one zip file, sent while it is made: nothing is stored twice."""

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

_CHUNK = 1 << 18


def zipped(files: Iterable[tuple[str, Path]]) -> Iterator[bytes]:
    """Yield the parts of a zip file.

    Photographs are compressed already, so they are stored as they are.

    Args:
        files: names in the archive, and the files. Equal names get a number.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a"
        >>> _ = path.write_text("one")
        >>> parts = b"".join(zipped([("a.jpg", path), ("a.jpg", path)]))
        >>> zipfile.ZipFile(io.BytesIO(parts)).namelist()
        ['a.jpg', 'a (2).jpg']
    """
    sink = _Sink()
    names: set[str] = set()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, path in files:
            entry = zipfile.ZipInfo.from_file(path, _unique(name, names))
            with archive.open(entry, "w") as target, path.open("rb") as source:
                while chunk := source.read(_CHUNK):
                    target.write(chunk)
                    yield sink.take()
    yield sink.take()


def _unique(name: str, names: set[str]) -> str:
    path, number = PurePosixPath(name), 1
    while name in names:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    names.add(name)
    return name


class _Sink(io.RawIOBase):
    """Collects what is written; it cannot go back, so the archive is made to be streamed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take some bytes."""
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        data = b"".join(self._parts)
        self._parts.clear()
        return data
