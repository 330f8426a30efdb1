"""The manifest of an archive: what is to be done, cut into shards, in a folder of a store.

::

    manifest/plan.json                                source, target, names, shards; written last
    manifest/shards-PLAN/00017-000.jsonl.gz           rows of shard 17: {"key", "size", "etag"},
                                                      or .parquet, with these columns
    manifest/ledger-PLAN/00017/ATTEMPT/000001.jsonl   what an attempt at the shard did
    manifest/ledger-PLAN/00017/ATTEMPT/summary.json   and how it ended
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import DataError, InputError, MissingObjectError, ObjectExistsError
from ..stores import Store, Wait, open_store, url_of
from .naming import Naming
from .row import Row
from .row_files import ENDINGS, RowsFormat, read_part

FORMAT = "invdn archive 1"
PLAN = "plan.json"


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
        how: the rows are written: JSON lines or Parquet.
    """

    store: Store
    source: str
    target: str
    naming: Naming
    shards: tuple[Shard, ...]
    plan: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    how: RowsFormat = "jsonl"

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
        return f"shards-{self.plan}/{shard:05d}-{part:03d}.{ENDINGS[self.how]}"

    def rows_of(self, shard: int) -> Iterator[Row]:
        """The photographs of a shard, read piece by piece.

        Raises:
            DataError: the manifest is damaged.
        """
        for part in range(self.shards[shard].parts):
            key = self.part_key(shard, part)
            try:
                yield from read_part(self.store, key)
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
            "how": self.how,
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
            store,
            content["source"],
            content["target"],
            naming,
            shards,
            content["plan"],
            how=content.get("how", "jsonl"),
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
