"""How far an archive is: the ledgers of all shards and attempts, merged.

Any number of attempts may have been made at a shard, one after the other or at once. A photograph
counts as done where any of them made its result or found it; as failed where none did and one
failed. Where the summary of one attempt tells all of a shard, lines are not read: those of ten
million photographs are gigabytes. A few shards are looked at together, since a store takes its time
to answer, and memory holds no more of them.
"""

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from ..errors import MissingObjectError
from ..stores import Entry, Store
from .ledger import SUMMARY, read_ledger, read_summary
from .manifest import Manifest

#: The speed is that of so many seconds before the last line.
_WINDOW = 1800.0
_TOGETHER = 8  # shards that are looked at together
_FAILED, _DONE = 1, 2


@dataclass(frozen=True)
class Work:
    """A stretch of time, by the store's clock, in which megapixels were denoised."""

    end: datetime
    seconds: float
    megapixels: float


@dataclass
class ArchiveStatus:
    """How far an archive is.

    Attributes:
        photographs: in all.
        done: have their result.
        failed: failed, and were not done later.
        shards: in all.
        finished: shards of which nothing is left.
        attempts: at shards, so far.
        kinds: failures by kind.
        megapixels: denoised so far; without what an attempt had not taken down when it was killed.
        speed: megapixels a second of the whole archive, of the last half hour of work; None where
            nothing was denoised yet.
    """

    photographs: int
    shards: int
    done: int = 0
    failed: int = 0
    finished: int = 0
    attempts: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    megapixels: float = 0.0
    speed: float | None = None
    _denoised: int = 0

    @property
    def left(self) -> int:
        """Photographs that are neither done nor failed."""
        return self.photographs - self.done - self.failed

    @property
    def seconds_left(self) -> float | None:
        """Time left at this speed, by the mean size so far."""
        if not self.speed or not self._denoised:
            return None
        return self.left * self.megapixels / self._denoised / self.speed

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {
            "photographs": self.photographs,
            "done": self.done,
            "failed": self.failed,
            "left": self.left,
            "shards": self.shards,
            "finished": self.finished,
            "attempts": self.attempts,
            "failures": dict(self.kinds),
            "megapixels": round(self.megapixels, 3),
            "megapixels_per_second": self.speed and round(self.speed, 4),
            "seconds_left": self.seconds_left and round(self.seconds_left),
        }


def archive_status(manifest: Manifest) -> ArchiveStatus:
    """Merge the ledgers of an archive.

    Raises:
        StoreError: the store refuses.
        DataError: a ledger is damaged.
    """
    status = ArchiveStatus(manifest.rows, len(manifest.shards))
    status.finished = sum(not shard.rows for shard in manifest.shards)
    works: list[Work] = []
    for merged in _merged_shards(manifest):
        status.attempts += merged.attempts
        status.done += merged.done
        status.failed += merged.failed
        status.finished += merged.done + merged.failed == len(merged.states)
        status.kinds.update(merged.kinds)
        status.megapixels += merged.megapixels
        status._denoised += merged.denoised
        works = _recent([*works, *merged.works])
    status.speed = _speed(works)
    return status


def failures_of(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Name the photographs that failed and were not done later: shard, key, kind, reason."""
    for merged in _merged_shards(manifest, named=True):
        for failure in merged.failures.values():
            yield {"shard": merged.shard, **failure}


@dataclass
class _Merged:
    """What the ledgers tell of a shard; ``states`` and ``failures`` as far as lines were read."""

    shard: int
    states: bytearray
    attempts: int
    failures: dict[int, dict[str, Any]] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    megapixels: float = 0.0
    denoised: int = 0
    works: list[Work] = field(default_factory=list)


def _by_shard(manifest: Manifest) -> Iterator[tuple[int, list[Entry]]]:
    """The objects of the ledgers, shard by shard, as far as they belong to this plan."""
    try:
        entries = manifest.store.entries(manifest.ledger)
        for name, group in groupby(entries, key=lambda entry: entry.key.split("/")[1]):
            if name.isdigit() and int(name) < len(manifest.shards):
                yield int(name), list(group)
    except MissingObjectError:  # nothing was begun
        return


def _merged_shards(manifest: Manifest, *, named: bool = False) -> Iterator[_Merged]:
    """What the ledgers tell of each shard that was begun, in their order.

    Args:
        manifest: the plan.
        named: what failed is to be named, and not only counted.
    """
    waiting: deque[Future[_Merged]] = deque()
    with ThreadPoolExecutor(_TOGETHER) as pool:
        for shard, entries in _by_shard(manifest):
            waiting.append(pool.submit(_merged, manifest, shard, entries, named))
            if len(waiting) == 2 * _TOGETHER:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _merged(manifest: Manifest, shard: int, entries: list[Entry], named: bool) -> _Merged:
    store = manifest.store
    attempts = [list(group) for _, group in groupby(entries, lambda entry: entry.key.split("/")[2])]
    merged = _Merged(shard, bytearray(manifest.shards[shard].rows), len(attempts))
    summaries = [_summary(store, attempt) for attempt in attempts]
    whole = _complete_summary(summaries, len(merged.states))
    if whole and named and whole["counts"].get("failed"):
        whole = None
    for attempt, summary in zip(attempts, summaries, strict=True):
        if whole and summary:
            megapixels, done = summary["megapixels"], summary["counts"].get("done", 0)
            _add_work(merged, attempt[-1], summary["seconds"], megapixels, done)
        else:
            for entry in attempt:
                if not entry.key.endswith(SUMMARY):
                    _add_lines(merged, store, entry)
    if whole:
        counts = Counter(whole["counts"])
        merged.done, merged.failed = counts["done"] + counts["skipped"], counts["failed"]
        merged.kinds.update(whole["kinds"])
        merged.failures.clear()  # of other attempts, and made good
    else:
        merged.done, merged.failed = merged.states.count(_DONE), merged.states.count(_FAILED)
        merged.kinds.update(failure["kind"] for failure in merged.failures.values())
    return merged


def _summary(store: Store, attempt: list[Entry]) -> dict[str, Any] | None:
    """How an attempt ended; None: it has not, or was killed."""
    last = attempt[-1].key  # the name of summaries comes behind those of lines
    return read_summary(store, last) if last.endswith(SUMMARY) else None


def _complete_summary(summaries: list[dict[str, Any] | None], rows: int) -> dict[str, Any] | None:
    """Return the summary of an attempt that went through the whole shard; None: there is none.

    With failures it must be the shard's only attempt, since another may have made them good.
    """
    for summary in summaries:
        counts = Counter(summary["counts"] if summary else {})
        ended = counts["done"] + counts["skipped"] + counts["failed"] == rows
        if summary and ended and (len(summaries) == 1 or not counts["failed"]):
            return summary
    return None


def _add_work(
    merged: _Merged, entry: Entry, seconds: float, megapixels: float, denoised: int
) -> None:
    """Count what was denoised until an object of the ledger was written."""
    merged.megapixels += megapixels
    merged.denoised += denoised
    if entry.modified:
        merged.works.append(Work(entry.modified, seconds, megapixels))


def _add_lines(merged: _Merged, store: Store, entry: Entry) -> None:
    """Count the photographs of an object of the ledger."""
    megapixels, denoised, seconds = 0.0, 0, 0.0
    for line in read_ledger(store, entry.key):
        if line.get("event") == "written":
            seconds = line["seconds"]
        row = line.get("row")
        if line.get("event") != "photograph" or not isinstance(row, int):
            continue
        if row >= len(merged.states):
            continue
        if line["status"] in ("done", "skipped"):
            merged.states[row] = _DONE
            merged.failures.pop(row, None)
        elif line["status"] == "failed" and merged.states[row] != _DONE:
            merged.states[row] = _FAILED
            merged.failures[row] = {name: line.get(name) for name in ("key", "kind", "reason")}
        if "width" in line:
            megapixels += line["width"] * line["height"] / 1e6
            denoised += 1
    _add_work(merged, entry, seconds, megapixels, denoised)


def _recent(works: list[Work]) -> list[Work]:
    """Those that touch the window before the last one's end."""
    if not works:
        return works
    last = max(work.end for work in works)
    return [work for work in works if (last - work.end).total_seconds() < _WINDOW]


def _speed(works: list[Work]) -> float | None:
    """Megapixels a second in the window; each stretch counts with its part in there."""
    if not works:
        return None
    last = max(work.end for work in works)
    longest = max((last - work.end).total_seconds() + work.seconds for work in works)
    window = min(_WINDOW, longest)
    total = 0.0
    for work in works:
        inside = min(work.seconds, window - (last - work.end).total_seconds())
        total += work.megapixels * (max(0.0, inside) / work.seconds if work.seconds else 1)
    return total / window if window and total else None
