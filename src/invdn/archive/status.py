"""How far an archive is: the ledgers of all shards and attempts, merged.

Any number of attempts may have been made at a shard, one after the other or at once. A photograph
counts as done where any of them made its result or found it; as failed where none did and one
failed. A few shards are looked at together, since a store takes its time to answer, and memory
holds no more of them.
"""

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any

from ..errors import MissingObjectError
from ..stores import Entry
from .ledger import SUMMARY, read_ledger
from .manifest import Manifest

#: The speed is that of so many seconds before the last line.
_WINDOW = 1800.0
_TOGETHER = 8  # shards that are looked at together
_NOTHING, _FAILED, _DONE = 0, 1, 2


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
        status.done += merged.states.count(_DONE)
        status.failed += merged.states.count(_FAILED)
        status.finished += _NOTHING not in merged.states
        status.kinds.update(failure["kind"] for failure in merged.failures.values())
        status.megapixels += merged.megapixels
        status._denoised += merged.denoised
        works = _recent([*works, *merged.works])
    status.speed = _speed(works)
    return status


def failures_of(manifest: Manifest) -> Iterator[dict[str, Any]]:
    """Name the photographs that failed and were not done later: shard, key, kind, reason."""
    for merged in _merged_shards(manifest):
        for failure in merged.failures.values():
            yield {"shard": merged.shard, **failure}


@dataclass
class _Merged:
    shard: int
    states: bytearray
    failures: dict[int, dict[str, Any]] = field(default_factory=dict)
    attempts: int = 0
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


def _merged_shards(manifest: Manifest) -> Iterator[_Merged]:
    """What the ledgers tell of each shard that was begun, in their order."""
    waiting: deque[Future[_Merged]] = deque()
    with ThreadPoolExecutor(_TOGETHER) as pool:
        for shard, entries in _by_shard(manifest):
            waiting.append(pool.submit(_merged, manifest, shard, entries))
            if len(waiting) == 2 * _TOGETHER:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _merged(manifest: Manifest, shard: int, entries: list[Entry]) -> _Merged:
    rows = manifest.shards[shard].rows
    attempts = len({entry.key.split("/")[2] for entry in entries})
    merged = _Merged(shard, bytearray(rows), attempts=attempts)
    for entry in entries:
        if entry.key.endswith(SUMMARY):
            continue
        megapixels = 0.0
        for line in read_ledger(manifest.store, entry.key):
            if line.get("event") == "written" and entry.modified:
                merged.works.append(Work(entry.modified, line["seconds"], megapixels))
            row = line.get("row")
            if line.get("event") != "photograph" or not isinstance(row, int) or row >= rows:
                continue
            if line["status"] in ("done", "skipped"):
                merged.states[row] = _DONE
                merged.failures.pop(row, None)
            elif line["status"] == "failed" and merged.states[row] != _DONE:
                merged.states[row] = _FAILED
                merged.failures[row] = {name: line.get(name) for name in ("key", "kind", "reason")}
            if "width" in line:
                size = line["width"] * line["height"] / 1e6
                megapixels += size
                merged.denoised += 1
        merged.megapixels += megapixels
    return merged


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
