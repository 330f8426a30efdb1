"""Rows in files: gzipped JSON lines or Parquet, written and read piece by piece."""

import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal, Protocol

from ..errors import DataError, InputError, MissingDependencyError
from ..stores import Store
from .row import Row

#: How the rows of a manifest are written.
RowsFormat = Literal["jsonl", "parquet"]
ENDINGS: Mapping[RowsFormat, str] = {"jsonl": "jsonl.gz", "parquet": "parquet"}
#: Rows in one object of a manifest; so neither writing nor reading one takes more memory.
ROWS_OF_A_PART = 50_000
_ROWS_TOGETHER = 5_000  # of Parquet
_LONGEST_LINE = 1 << 20


class _Packer(Protocol):
    """Takes lines of JSON, and writes a file of them."""

    def write(self, line: bytes, /) -> object: ...

    def close(self) -> object: ...


class PartWriter:
    """Writes the rows of one shard as objects of at most so many rows.

    Args:
        store: of the manifest.
        name: makes the key of a part from its number.
        how: JSON lines or Parquet.

    Raises:
        MissingDependencyError: Parquet is asked for, and pyarrow is not installed.
    """

    def __init__(self, store: Store, name: Callable[[int], str], how: RowsFormat) -> None:
        self._store = store
        self._name = name
        self._how = how
        self._parts = 0
        self._begin()

    def _begin(self) -> None:
        self._buffer = io.BytesIO()
        self._rows = 0
        self._packed: _Packer
        if self._how == "parquet":
            self._packed = _ParquetPacker(self._buffer)
        else:
            packer = gzip.GzipFile(fileobj=self._buffer, mode="wb", compresslevel=5, mtime=0)
            self._packed = io.BufferedWriter(packer)

    def add(self, line: bytes) -> None:
        """Add a row, as JSON."""
        if self._rows == ROWS_OF_A_PART:
            self._flush()
        self._packed.write(line)
        self._rows += 1

    def close(self) -> int:
        """Write what is left; return the number of parts."""
        if self._rows:
            self._flush()
        return self._parts

    def _flush(self) -> None:
        self._packed.close()
        self._store.create(self._name(self._parts), self._buffer.getvalue())
        self._parts += 1
        self._begin()


def read_part(store: Store, key: str) -> Iterator[Row]:
    """Read the rows of one object of a manifest.

    Raises:
        DataError: it is damaged.
        MissingObjectError: there is none.
    """
    if key.endswith(ENDINGS["parquet"]):
        yield from _parquet_rows(io.BytesIO(store.fetch(key)[0]), f"{store.url}/{key}")
        return
    try:
        for line in _lines(store.stream(key)):
            yield Row.from_json(line)
    except (zlib.error, EOFError) as error:
        raise DataError(f"{store.url}/{key} is damaged; plan again") from error


def read_parquet(path: Path) -> Iterator[Row]:
    """Read photographs from a Parquet file with a column ``key``, as S3 Inventory writes it.

    Columns ``size`` and ``etag`` (or ``e_tag``) are taken where they are there.

    Raises:
        InputError: it is no such file.
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        with path.open("rb") as file:
            yield from _parquet_rows(file, str(path))
    except (OSError, DataError) as error:
        raise InputError(f"--files-from {path}: {error}") from error


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise MissingDependencyError(
            "Parquet needs the package pyarrow: pip install 'invdn[parquet]'"
        ) from error
    return pyarrow, parquet


class _ParquetPacker:
    """Writes lines of JSON as rows of a Parquet file."""

    def __init__(self, file: IO[bytes]) -> None:
        arrow, parquet = _arrow()
        text = arrow.string()
        columns = [("key", text), ("size", arrow.int64()), ("etag", text)]
        self._schema = arrow.schema([*columns, ("beside", arrow.list_(text))])
        self._table = arrow.Table
        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")
        self._rows: list[Any] = []

    def write(self, line: bytes, /) -> None:
        self._rows.append(json.loads(line))
        if len(self._rows) == _ROWS_TOGETHER:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        self._writer.write_table(self._table.from_pylist(self._rows, self._schema))
        self._rows.clear()


def _parquet_rows(file: IO[bytes], name: str) -> Iterator[Row]:
    arrow, parquet = _arrow()
    try:
        opened = parquet.ParquetFile(file)
        known = {"key", "size", "etag", "e_tag", "beside"} & set(opened.schema_arrow.names)
        for batch in opened.iter_batches(_ROWS_TOGETHER, columns=sorted(known)):
            for found in batch.to_pylist():
                if etag := found.pop("e_tag", None):  # S3 Inventory leaves out the quotes
                    found["etag"] = f'"{etag}"'
                yield Row.from_facts(found)
    except (arrow.ArrowException, OSError) as error:
        raise DataError(f"{name} is no Parquet file that can be read: {error}") from error


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The lines of a gzip file that comes piece by piece."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    rest = b""
    for piece in pieces:
        data = piece
        while data:
            rest += unpacker.decompress(data, _LONGEST_LINE)
            data = unpacker.unconsumed_tail
            *lines, rest = rest.split(b"\n")
            yield from lines
    if not unpacker.eof:
        raise EOFError
    if rest:
        yield rest
