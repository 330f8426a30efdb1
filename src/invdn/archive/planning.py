"""Planning: a listing becomes shards of equal bytes, row by row, in the same memory for any number.

::

    listing ── photographs, with what lies beside them ── spooled on the disk, bytes counted
            ── cut into shards ── objects of the manifest ── plan.json
"""

import gzip
import io
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from posixpath import splitext
from typing import IO

from ..atomic import is_url
from ..errors import DataError, InputError
from ..photo.formats import PHOTOGRAPH_SUFFIXES, SIDECARS
from ..stores import Entry, Store, Wait, open_store, url_of
from .manifest import PLAN, Manifest, Shard, planned_already
from .naming import Naming
from .row import Row
from .row_files import PartWriter, RowsFormat

#: Photographs in a shard where nobody says otherwise: a working day of one core.
ROWS_OF_A_SHARD = 500
#: from: AWS Batch, the largest array job.
MOST_SHARDS = 10_000
_TOGETHER = 10_000  # names of one stem that are looked at together
_BELONGING = {*SIDECARS, ".mov", ".mp4"}


@dataclass
class Listing:
    """What a listing held beside photographs.

    Attributes:
        passed_over: objects that are no photographs by their ending.
        results: photographs that look like the results of others.
    """

    passed_over: int = 0
    results: int = 0


def list_photographs(
    store: Store, naming: Naming, leave_out: Iterable[str] = (), found: Listing | None = None
) -> Iterator[Row]:
    """List the photographs of a store, hidden ones left out.

    Args:
        store: the source.
        naming: what tells results from photographs, where they lie together.
        leave_out: URLs of folders that are passed over: of the results, of the manifest.
        found: counts what was passed over.

    Raises:
        InputError: two photographs would become one result.
    """
    found = found or Listing()
    below = [f"{url}/".removeprefix(f"{store.url}/") for url in map(url_of, leave_out)]
    together = any(not place for place in below)
    below = [place for place in below if place and "://" not in place]
    group: list[Entry] = []
    of: tuple[str, str] | None = None
    for entry in store.entries():
        if _is_hidden(entry.key) or any(entry.key.startswith(place) for place in below):
            continue
        folder, _, name = entry.key.rpartition("/")
        stem = folder, name.partition(".")[0]
        if stem != of or len(group) >= _TOGETHER:
            yield from _photographs(group, naming, found, together=together)
            group, of = [], stem
        group.append(entry)
    yield from _photographs(group, naming, found, together=together)


def _photographs(
    group: list[Entry], naming: Naming, found: Listing, *, together: bool
) -> list[Row]:
    """The photographs among objects of one folder whose names begin alike."""
    names = [entry.key.rpartition("/")[2] for entry in group]
    suffixes = [splitext(name)[1].lower() for name in names]
    belonging = not _BELONGING.isdisjoint(suffixes)
    rows: list[Row] = []
    for entry, name, suffix in zip(group, names, suffixes, strict=True):
        if suffix not in PHOTOGRAPH_SUFFIXES:
            found.passed_over += suffix not in _BELONGING
        elif together and naming.made(entry.key):
            found.results += 1
        else:
            beside = tuple(other for other in names if other != name) if belonging else ()
            rows.append(Row(entry.key, entry.size, entry.etag, beside))
    if len(rows) > 1:
        _check_targets(rows, naming)
    return rows


def _check_targets(rows: list[Row], naming: Naming) -> None:
    """Refuse photographs that would become one result."""
    targets: dict[str, str] = {}
    for row in rows:
        target = naming.target(row.key)
        other = targets.setdefault(target, row.key)
        if other != row.key:
            raise InputError(
                f"{other} and {row.key} would both become {target}: tell them apart with --name, "
                "by {extension}"
            )


def _is_hidden(key: str) -> bool:
    return key.startswith(".") or "/." in key


def read_names(lines: Iterable[str], source: str | None) -> Iterator[Row]:
    """Read the names of photographs, one a line.

    Args:
        lines: keys, URLs below the source, or rows as JSON (``{"key": ..., "size": ...}``).
        source: URL that the keys are below; None: there must be no lines.

    Raises:
        InputError: a name lies elsewhere.

    Example:
        >>> [row.key for row in read_names(["a.jpg\\n", "s3://in/b.jpg\\n"], "s3://in")]
        ['a.jpg', 'b.jpg']
    """
    base = f"{url_of(source)}/" if source else ""
    for line in lines:
        text = line.rstrip("\r\n")
        if not text:
            continue
        if text.startswith("{"):
            try:
                yield Row.from_json(text)
            except DataError as error:
                raise InputError(f"--files-from: {error}") from error
        elif is_url(text):
            if not text.startswith(base):
                raise InputError(f"--files-from: {text} does not lie below {base}")
            yield Row(text.removeprefix(base))
        else:
            yield Row(text.removeprefix("./"))


@dataclass
class Planned:
    """What planning found.

    Attributes:
        manifest: the plan.
        listing: what was passed over.
    """

    manifest: Manifest
    listing: Listing = field(default_factory=Listing)


def plan_archive(
    source: str,
    target: str,
    manifest: str,
    naming: Naming,
    *,
    rows: Iterable[Row] | None = None,
    shards: int | None = None,
    overwrite: bool = False,
    how: RowsFormat = "jsonl",
    seen: Callable[[Row], None] | None = None,
    wait: Wait | None = None,
) -> Planned:
    """Write the manifest of an archive.

    Args:
        source: URL of the photographs.
        target: URL for the results.
        manifest: URL of a folder for the manifest.
        naming: how results are named.
        rows: the photographs; None: all that the source lists.
        shards: parts; None: one for every 500 photographs.
        overwrite: replace a plan that is there.
        how: the rows are written: JSON lines or Parquet.
        seen: called with every photograph.
        wait: as of :func:`invdn.stores.open_store`.

    Raises:
        InputError: there is a plan, there are no photographs, or two would become one result.
        MissingDependencyError: Parquet is asked for, and pyarrow is not installed.
        StoreError: a store refuses.
    """
    store = open_store(manifest, wait=wait)
    if not overwrite and store.head(PLAN):
        raise planned_already(store.url)
    source_store = open_store(source, wait=wait)
    listing = Listing()
    if rows is None:
        rows = list_photographs(source_store, naming, (target, manifest), listing)
    with tempfile.TemporaryFile(prefix="invdn-plan-") as spool:
        count, known, size = _spooled(rows, spool, seen)
        if not count:
            passed = f"; {listing.passed_over} other objects" if listing.passed_over else ""
            raise InputError(f"{source_store.url} holds no photograph that is not a result{passed}")
        if shards is None:
            shards = min(-(-count // ROWS_OF_A_SHARD), MOST_SHARDS)
        mean = max(1, size // known) if known else 1
        facts = {"made": datetime.now(UTC).isoformat(timespec="seconds"), "rows": count}
        plan = secrets.token_hex(4)
        draft = Manifest(store, source_store.url, url_of(target), naming, (), plan, facts, how)
        parts = _cut(draft, spool, shards, mean, size + (count - known) * mean)
    made = Manifest(store, draft.source, draft.target, naming, tuple(parts), plan, facts, how)
    made.write(overwrite=overwrite)
    return Planned(made, listing)


def _spooled(
    rows: Iterable[Row], spool: IO[bytes], seen: Callable[[Row], None] | None
) -> tuple[int, int, int]:
    """Write rows to the disk; how many, how many of known size, and their bytes."""
    count = known = size = 0
    packer = gzip.GzipFile(fileobj=spool, mode="wb", compresslevel=1)
    with packer, io.BufferedWriter(packer) as packed:
        for row in rows:
            count += 1
            if row.size is not None:
                known += 1
                size += row.size
            if seen:
                seen(row)
            packed.write(f"{-1 if row.size is None else row.size}\t{row.as_json()}\n".encode())
    spool.seek(0)
    return count, known, size


def _cut(draft: Manifest, spool: IO[bytes], shards: int, mean: int, total: int) -> list[Shard]:
    """Write runs of rows with about equal bytes, a photograph of unknown size as a mean one."""
    made: list[Shard] = []
    before = 0  # bytes of all rows so far
    rows = size = 0

    def begin() -> PartWriter:
        number = len(made)
        return PartWriter(draft.store, lambda part: draft.part_key(number, part), draft.how)

    writer = begin()
    with gzip.GzipFile(fileobj=spool, mode="rb") as packed:
        for line in packed:
            stated, _, text = line.partition(b"\t")
            weight = int(stated) if int(stated) >= 0 else mean
            place = min(shards - 1, (2 * before + weight) * shards // max(1, 2 * total))
            while len(made) < place:
                made.append(Shard(rows, size, writer.close()))
                rows = size = 0
                writer = begin()
            writer.add(text)
            rows, size, before = rows + 1, size + weight, before + weight
    made.append(Shard(rows, size, writer.close()))
    made += [Shard(0, 0, 0)] * (shards - len(made))
    return made
