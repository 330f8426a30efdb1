"""Bars for a batch: each photograph in work, and all of it with the time left, by megapixels."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..batch import Job, Outcome
from .terminal import printable

_LONGEST_NAME = 40
#: The speed that the time left is told by is the mean over so many seconds.
_MEMORY = 600


class BatchProgress:
    """Shows how far a batch is; made by :func:`batch_progress`. Any thread may call it."""

    def __init__(self, bars: Progress, jobs: Sequence[Job]) -> None:
        self._bars = bars
        self._jobs = jobs
        self._workload = Workload(job.source for job in jobs)
        self._over = threading.Event()
        self._all = bars.add_task("", total=None, visible=len(jobs) > 1)
        self._finished = 0

    @contextmanager
    def photograph(self, job: Job) -> Iterator[Callable[[int, int], None]]:
        """A bar for one photograph; yields what the work calls with (done, in all)."""
        name = printable(job.source.name)
        if len(name) > _LONGEST_NAME:
            name = f"{name[: _LONGEST_NAME - 1]}…"
        bar = self._bars.add_task(name, total=None)

        def progress(done: int, total: int) -> None:
            self._bars.update(bar, completed=done, total=total)
            self._workload.advance(job.source, done / total if total else 1)
            self._show()

        try:
            yield progress
        finally:
            self._bars.remove_task(bar)

    def finished(self, outcome: Outcome) -> None:
        """Count a photograph that nothing more will be done about."""
        self._finished += 1
        if outcome.status == "done":
            self._workload.advance(outcome.source, 1)
        else:
            self._workload.leave_out(outcome.source)
        self._show()

    def message(self, text: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def measure(self) -> None:
        """Look at every photograph's size, in a thread beside the work."""
        from ..batch.megapixels import megapixels_of  # late door: a quick --help

        for job in self._jobs:
            if self._over.is_set():
                return
            self._workload.measured(job.source, megapixels_of(job.source))

    def close(self) -> None:
        """End the measuring."""
        self._over.set()

    def _show(self) -> None:
        done, total = self._workload.done, self._workload.total
        text = f"{self._finished}/{len(self._jobs)} photographs, {done:.1f}/{total:.1f} megapixels"
        self._bars.update(self._all, description=text, completed=done, total=total or None)


class Workload:
    """Megapixels to do and done. What is not yet measured counts as the mean of what is.

    Example:
        >>> work = Workload([Path("a"), Path("b"), Path("c")])
        >>> work.measured(Path("a"), 12.0)
        >>> work.total
        36.0
        >>> work.advance(Path("a"), 0.5)
        >>> work.leave_out(Path("c"))
        >>> work.done, work.total
        (6.0, 24.0)
    """

    def __init__(self, sources: Iterable[Path]) -> None:
        self._lock = threading.Lock()
        self._open = set(sources)
        self._sizes: dict[Path, float] = {}
        self._measured = 0.0
        self._parts: dict[Path, float] = {}
        self._ended: set[Path] = set()
        self._finished = 0.0

    @property
    def total(self) -> float:
        """Megapixels in all."""
        return self._measured + self._mean * (len(self._open) - len(self._sizes))

    @property
    def done(self) -> float:
        """Megapixels of what is finished and of the finished part of what is in work."""
        with self._lock:
            return self._finished + sum(part * self._size(at) for at, part in self._parts.items())

    def measured(self, source: Path, megapixels: float | None) -> None:
        """Take down a photograph's size, if it could be told."""
        with self._lock:
            if megapixels and source in self._open:
                self._sizes[source] = megapixels
                self._measured += megapixels

    def advance(self, source: Path, part: float) -> None:
        """Take down which part of a photograph is finished, 0 to 1."""
        with self._lock:
            if source not in self._open or source in self._ended:
                return
            self._parts[source] = part
            if part == 1:
                self._finished += self._parts.pop(source) * self._size(source)
                self._ended.add(source)

    def leave_out(self, source: Path) -> None:
        """Nothing is done about this photograph: it takes no time."""
        with self._lock:
            self._open.discard(source)
            self._parts.pop(source, None)
            self._measured -= self._sizes.pop(source, 0)

    def _size(self, source: Path) -> float:
        return self._sizes.get(source, self._mean)

    @property
    def _mean(self) -> float:
        return self._measured / len(self._sizes) if self._sizes else 0.0


@contextmanager
def batch_progress(jobs: Sequence[Job], *, quiet: bool) -> Iterator[BatchProgress]:
    """A :class:`BatchProgress`; ``quiet``, or without a terminal, it shows messages only."""
    console = Console(stderr=True, emoji=False)
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
        speed_estimate_period=_MEMORY,
    )
    shown = BatchProgress(bars, jobs)
    measuring = threading.Thread(target=shown.measure, daemon=True)
    if not bars.disable:
        measuring.start()
    try:
        with bars:
            yield shown
    finally:
        shown.close()
