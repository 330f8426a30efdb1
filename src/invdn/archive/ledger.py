"""What an attempt at a shard did, line by line, in objects of a few hundred lines.

An object is written anew every half minute until it is full, so that there are few of them, however
slow the work. The line of a photograph is written after its result, so every result in a ledger
exists. What an attempt had not yet written when it was killed, the next one finds done, and
records. No clock of a worker is believed: order is by number, and times by the store.
"""

import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from ..errors import DataError
from ..stores import Store
from .rows import RowOutcome

SUMMARY = "summary.json"
#: Lines of an object, and seconds after which it is written even if it is not full.
_LINES, _SECONDS = 500, 30.0
#: Reasons are cut to so many letters.
_REASON = 500


@dataclass
class LedgerWriter:
    """Takes down outcomes of one attempt.

    Attributes:
        store: of the manifest.
        folder: of the ledgers there.
        shard: its number.
        described: what is noted of the attempt: engine, settings.
        attempt: digits that tell it from others.
    """

    store: Store
    folder: str
    shard: int
    described: dict[str, Any]
    attempt: str = field(default_factory=lambda: uuid4().hex[:16])
    _lines: list[str] = field(default_factory=list)
    _unwritten: bool = True
    _part: int = 0
    _begun: float = field(default_factory=time.monotonic)
    _written: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        head = {
            "event": "attempt",
            "shard": self.shard,
            "attempt": self.attempt,
            "host": platform.node(),
            "process": os.getpid(),
            **self.described,
        }
        self._lines.append(json.dumps(head, default=str))

    def add(self, outcome: RowOutcome) -> None:
        """Take down one photograph; written at once if it is time.

        Raises:
            StoreError: the ledger cannot be written; the line is kept, and written the next time.
        """
        self._lines.append(json.dumps(_line(outcome), separators=(",", ":")))
        self._unwritten = True
        if len(self._lines) >= _LINES or time.monotonic() - self._written >= _SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is not yet written."""
        if not self._unwritten:
            return
        now = time.monotonic()
        end = json.dumps({"event": "written", "seconds": round(now - self._begun, 3)})
        data = "\n".join([*self._lines, end, ""]).encode()
        # its name is this attempt's own, so that a lost answer does no harm
        self.store.replace(self._key(f"{self._part:06d}.jsonl"), data)
        self._unwritten = False
        self._written = now
        if len(self._lines) >= _LINES:
            self._part += 1
            self._begun = now
            self._lines.clear()

    def finish(self, summary: dict[str, Any]) -> None:
        """Write all, and how it ended."""
        self.flush()
        data = json.dumps(summary).encode()
        self.store.replace(self._key(SUMMARY), data, content_type="application/json")

    def _key(self, name: str) -> str:
        return f"{self.folder}/{self.shard:05d}/{self.attempt}/{name}"


def _line(outcome: RowOutcome) -> dict[str, Any]:
    facts = outcome.facts
    line: dict[str, Any] = {
        "event": "photograph",
        "row": outcome.number,
        "key": outcome.row.key,
        "status": outcome.status,
        "kind": outcome.kind,
        "reason": outcome.reason[:_REASON],
        "target": outcome.target,
        "etag": outcome.etag,
    }
    if facts:
        line |= {
            "width": facts.width,
            "height": facts.height,
            "seconds": round(facts.seconds, 4),
            "noise": facts.noise_level and round(facts.noise_level, 2),
            "warning": facts.warning,
        }
    return {name: value for name, value in line.items() if value not in (None, "")}


def read_ledger(store: Store, key: str) -> Iterator[dict[str, Any]]:
    """Read one object of a ledger.

    Raises:
        DataError: it is damaged.
    """
    content, _ = store.fetch(key)
    for line in content.splitlines():
        try:
            yield json.loads(line)
        except ValueError as error:
            raise DataError(f"{store.url}/{key} is no ledger: {line[:80]!r}") from error


def read_summary(store: Store, key: str) -> dict[str, Any]:
    """Read how an attempt ended, as it was given to :meth:`LedgerWriter.finish`.

    Raises:
        DataError: it is damaged.
    """
    content, _ = store.fetch(key)
    try:
        found: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise DataError(f"{store.url}/{key} is no summary: {content[:80]!r}") from error
    return found
