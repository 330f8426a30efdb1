"""One attempt at one shard: rows in, results and ledger out, and a code for the scheduler."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field

from ..batch import Status, StopEvent
from ..errors import BusyStoreError, FullStoreError, InputError, StoreError
from ..inference import Engine
from ..stores import Wait, open_store
from .ledger import LedgerWriter
from .manifest import Manifest, open_manifest
from .row import Row
from .rows import RowOutcome, RowWorker
from .settings import WorkSettings

#: Exit codes: all is done; try again (from: sysexits.h, EX_TEMPFAIL); it would fail again.
DONE, TRY_AGAIN, PERMANENT = 0, 75, 42
#: What ends the work and would again, without a change from outside.
_FOR_GOOD = ("access", "dependency")
#: A ledger is tried to be written for so many seconds after a signal; from: spot machines, 30 s.
_GRACE = 15.0
_FORM = re.compile(r"([0-9]+(?:\.[0-9]+)?)(%?)")


@dataclass(frozen=True)
class FailureLimit:
    """How many photographs of a shard may fail.

    Attributes:
        number: of photographs, or percent of them.
        percent: which of the two.

    Example:
        >>> FailureLimit.parse("0.1%").of(20_000), FailureLimit.parse("3").of(20_000)
        (20, 3)
    """

    number: float
    percent: bool = False

    @classmethod
    def parse(cls, text: str) -> "FailureLimit":
        """Read ``5`` or ``0.1%``.

        Raises:
            InputError: it is neither.
        """
        found = _FORM.fullmatch(text.strip())
        if not found or (not found[2] and "." in found[1]) or (found[2] and float(found[1]) > 100):
            raise InputError(f"--max-failures {text}: it is a number like 5, or a share like 0.1%")
        return cls(float(found[1]), bool(found[2]))

    def of(self, rows: int) -> int:
        """How many may fail of so many."""
        return int(rows * self.number / 100 + 1e-9) if self.percent else int(self.number)


@dataclass
class ShardSummary:
    """How an attempt at a shard ended.

    Attributes:
        shard: its number.
        attempt: digits that tell it from others.
        rows: photographs of the shard.
        counts: by what became of them.
        kinds: failures by kind.
        megapixels: of what was denoised.
        seconds: that the attempt took.
        stopped: why it ended early, if it did.
        exit_code: 0 done, 75 try again, 42 permanent.
    """

    shard: int
    attempt: str
    rows: int
    counts: dict[Status, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    megapixels: float = 0.0
    seconds: float = 0.0
    stopped: str = ""
    exit_code: int = DONE


def run_shard(
    manifest: str | Manifest,
    shard: int,
    settings: WorkSettings = WorkSettings(),
    *,
    limit: FailureLimit | None = None,
    jobs: int = 1,
    engine: Engine | None = None,
    stop: StopEvent | None = None,
    on_outcome: Callable[[RowOutcome], None] | None = None,
) -> ShardSummary:
    """Do one shard of an archive: what has its result is skipped, all else is denoised.

    It may be run again, and at the same time elsewhere. This is what schedulers of Python (Ray,
    Dask) call; ``invdn denoise --manifest`` calls it as well.

    Args:
        manifest: URL of the plan.
        shard: which part of it, from 0.
        settings: how to denoise.
        limit: photographs that may fail; more end the attempt at once. None: the attempt goes
            through to the end, and no failure is allowed.
        jobs: photographs in the network at a time.
        engine: the network; None: opened as the settings say.
        stop: ends the work soon and cleanly, from any thread.
        on_outcome: called with every outcome.

    Raises:
        InputError: there is no such shard, or no plan.
        StoreError: the manifest cannot be read.
    """
    stop = stop or StopEvent()
    if not isinstance(manifest, Manifest):
        manifest = open_manifest(manifest, wait=stop.wait)
    if not 0 <= shard < len(manifest.shards):
        raise InputError(f"there is no shard {shard}: the plan has {len(manifest.shards)}, from 0")
    start = time.monotonic()
    rows = manifest.shards[shard].rows
    engine = engine or settings.open_engine()
    described = {"engine": engine.description, "model": settings.model, "settings": settings.digest}
    ledger_store = open_store(manifest.store.url, wait=_with_grace(stop))
    ledger = LedgerWriter(ledger_store, manifest.ledger, shard, described)
    summary = ShardSummary(shard, ledger.attempt, rows)
    tally = _Tally(summary, limit.of(rows) if limit else None, stop)
    worker = RowWorker(
        open_store(manifest.source, wait=stop.wait),
        open_store(manifest.target, wait=stop.wait),
        manifest.naming,
        settings,
        engine,
        stop,
        jobs,
    )
    try:
        for outcome in worker.outcomes(_until(stop, manifest.rows_of(shard))):
            tally.add(outcome)
            ledger.add(outcome)
            if on_outcome:
                on_outcome(outcome)
    except (BusyStoreError, FullStoreError) as error:
        stop.request(str(error))
        tally.temporary = True
    summary.stopped = stop.reason
    summary.seconds = round(time.monotonic() - start, 3)
    summary.exit_code = PERMANENT if worker.hopeless in _FOR_GOOD else tally.exit_code
    summary.counts, summary.kinds = dict(tally.counts), dict(tally.kinds)
    summary.counts["left"] = rows - sum(tally.counts[s] for s in ("done", "skipped", "failed"))
    try:
        ledger.finish(asdict(summary))
    except StoreError as error:  # what is done is found by the next attempt
        summary.stopped = summary.stopped or f"the ledger could not be written: {error}"
        summary.exit_code = summary.exit_code or TRY_AGAIN
    return summary


def _with_grace(stop: StopEvent) -> Wait:
    """Return what waits for a busy store, after a stop for a few seconds more."""
    left = _GRACE

    def wait(seconds: float) -> bool:
        nonlocal left
        if not stop.requested:
            stop.wait(seconds)
            return False
        left -= seconds
        time.sleep(seconds)
        return left < 0

    return wait


def _until(stop: StopEvent, rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        if stop.requested:
            return
        yield row


class _Tally:
    """Counts outcomes, and ends an attempt of which too many failed."""

    def __init__(self, summary: ShardSummary, allowed: int | None, stop: StopEvent) -> None:
        self._summary = summary
        self._allowed = allowed
        self._stop = stop
        self.counts: Counter[Status] = Counter()
        self.kinds: Counter[str] = Counter()
        self.temporary = False
        self.permanent = False

    def add(self, outcome: RowOutcome) -> None:
        self.counts[outcome.status] += 1
        if outcome.facts:
            self._summary.megapixels += outcome.facts.width * outcome.facts.height / 1e6
        if outcome.kind:
            self.kinds[outcome.kind] += 1
        if self._allowed is not None and self.counts["failed"] > self._allowed:
            self.permanent = True
            self._stop.request(f"more than {self._allowed} photographs failed")

    @property
    def exit_code(self) -> int:
        if self.permanent:
            return PERMANENT
        counted = sum(self.counts[s] for s in ("done", "skipped", "failed"))
        if self.temporary or self.counts["left"] or counted < self._summary.rows:
            return TRY_AGAIN
        return PERMANENT if self.counts["failed"] > (self._allowed or 0) else DONE


def worst(codes: Iterable[int], *, stopped: bool = False) -> int:
    """Return the exit code of several shards: try again before permanent before done.

    Example:
        >>> worst([0, 42, 0]), worst([0, 42, 75]), worst([])
        (42, 75, 0)
    """
    found = {*codes, *([TRY_AGAIN] if stopped else [])}
    return next((code for code in (TRY_AGAIN, PERMANENT) if code in found), DONE)
