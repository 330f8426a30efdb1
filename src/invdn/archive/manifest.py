"""The manifest of an archive: what is to be done, cut into shards, in a folder of a store.

::

    manifest/plan.json                                source, target, names, shards; written last
    manifest/shards-PLAN/00017-000.jsonl.gz           rows of shard 17: {"key", "size", "etag"}
    manifest/ledger-PLAN/00017/ATTEMPT/000001.jsonl   what an attempt at the shard did
    manifest/ledger-PLAN/00017/ATTEMPT/summary.json   and how it ended
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import DataError, InputError, MissingObjectError, ObjectExistsError
from ..stores import Entry, Store, Wait, open_store, url_of
from .naming import Naming

FORMAT = "invdn archive 1"
PLAN = "plan.json"
#: Rows in one object of a manifest; so neither writing nor reading one takes more memory.
ROWS_OF_A_PART = 50_000
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """One photograph.

    Attributes:
        key: its name below the source.
        size: bytes; None: not known.
        etag: which contents are meant; None: whatever is there.
        beside: names of files that may belong to it, such as sidecars.
    """

    key: str
    size: int | None = None
    etag: str | None = None
    beside: tuple[str, ...] = ()

    def as_json(self) -> str:
        """One line of a manifest.

        Example:
            >>> Row("2024/a.jpg", 5).as_json()
            '{"key":"2024/a.jpg","size":5}'
        """
        facts = {"key": self.key, "size": self.size, "etag": self.etag, "beside": self.beside}
        told = {name: value for name, value in facts.items() if value not in (None, ())}
        return json.dumps(told, **_COMPACT)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Row":
        """Read one line of a manifest.

        Raises:
            DataError: it is none.

        Example:
            >>> Row.from_json('{"key": "2024/a.jpg"}').key
            '2024/a.jpg'
        """
        try:
            found = json.loads(line)
            key, size = found["key"], found.get("size")
            etag, beside = found.get("etag"), found.get("beside", ())
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise DataError(f"{line[:80]!r} is no row of a manifest") from error
        if not isinstance(key, str) or not isinstance(size, int | None):
            raise DataError(f"{line[:80]!r} is no row of a manifest")
        return cls(key, size, etag, tuple(beside))


_COMPACT: Mapping[str, Any] = {"ensure_ascii": True, "separators": (",", ":")}


@dataclass(frozen=True)
class Shard:
    """A part of an archive.

    Attributes:
        rows: photographs.
        size: bytes of them.
        parts: objects of the manifest that hold its rows.
    """

    rows: int
    size: int
    parts: int


@dataclass(frozen=True)
class Manifest:
    """A plan that has been written.

    Attributes:
        store: the folder that it lies in.
        source: URL of the photographs.
        target: URL of the results.
        naming: how results are named.
        shards: all parts.
        plan: digits that tell this plan from others.
        facts: further facts for people: when it was made, by which version.
    """

    store: Store
    source: str
    target: str
    naming: Naming
    shards: tuple[Shard, ...]
    plan: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Photographs in all."""
        return sum(shard.rows for shard in self.shards)

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(shard.size for shard in self.shards)

    @property
    def ledger(self) -> str:
        """The folder of the ledgers of this plan."""
        return f"ledger-{self.plan}"

    def part_key(self, shard: int, part: int) -> str:
        """The name of an object with rows."""
        return f"shards-{self.plan}/{shard:05d}-{part:03d}.jsonl.gz"

    def rows_of(self, shard: int) -> Iterator[Row]:
        """The photographs of a shard, read piece by piece.

        Raises:
            DataError: the manifest is damaged.
        """
        for part in range(self.shards[shard].parts):
            key = self.part_key(shard, part)
            try:
                for line in _lines(self.store.stream(key)):
                    yield Row.from_json(line)
            except (zlib.error, EOFError) as error:
                raise DataError(f"{self.store.url}/{key} is damaged; plan again") from error
            except MissingObjectError as error:
                raise DataError(f"{self.store.url} lacks {key}; plan again") from error

    def write(self, *, overwrite: bool = False) -> None:
        """Write the plan itself, by which everything else becomes valid.

        Raises:
            InputError: there is a plan already.
        """
        content = {
            "format": FORMAT,
            "source": self.source,
            "target": self.target,
            "naming": asdict(self.naming),
            "plan": self.plan,
            "shards": [[shard.rows, shard.size, shard.parts] for shard in self.shards],
            **self.facts,
        }
        data = json.dumps(content, indent=1).encode()
        try:
            if overwrite:
                self.store.replace(PLAN, data, content_type="application/json")
            else:
                self.store.create(PLAN, data, content_type="application/json")
        except ObjectExistsError as error:
            raise planned_already(self.store.url) from error


def planned_already(url: str) -> InputError:
    """The error that tells of a plan where another was to be written."""
    return InputError(
        f"{url} holds a plan already: go on with it (invdn denoise --manifest), name another "
        "place, or replace it with --overwrite"
    )


def open_manifest(url: str, *, wait: Wait | None = None) -> Manifest:
    """Read a plan.

    Args:
        url: the folder that it was written to.
        wait: as of :func:`invdn.stores.open_store`.

    Raises:
        InputError: there is none, or it is of another version.
        StoreError: the store refuses.
    """
    store = open_store(url.removesuffix(f"/{PLAN}"), wait=wait)
    try:
        content = json.loads(store.fetch(PLAN)[0])
        if content["format"] != FORMAT:
            raise InputError(f"{url} was planned by another version: {content['format']}")
        naming = Naming(**content["naming"])
        shards = tuple(Shard(*numbers) for numbers in content["shards"])
        return Manifest(
            store, content["source"], content["target"], naming, shards, content["plan"]
        )
    except MissingObjectError as error:
        raise InputError(
            f"there is no plan at {url_of(url)} ({error}); make it: "
            "invdn plan SOURCE -o TARGET --manifest URL"
        ) from error
    except (ValueError, LookupError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{url}/{PLAN} is no plan: {error}") from error


class PartWriter:
    """Writes the rows of one shard as objects of at most so many rows.

    Args:
        store: of the manifest.
        name: makes the key of a part from its number.
    """

    def __init__(self, store: Store, name: Any) -> None:
        self._store = store
        self._name = name
        self._parts = 0
        self._begin()

    def _begin(self) -> None:
        self._buffer = io.BytesIO()
        self._packed = gzip.GzipFile(fileobj=self._buffer, mode="wb", compresslevel=5, mtime=0)
        self._rows = 0

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

    def _flush(self) -> Entry:
        self._packed.close()
        entry = self._store.create(self._name(self._parts), self._buffer.getvalue())
        self._parts += 1
        self._begin()
        return entry


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
