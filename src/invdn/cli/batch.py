"""Running a batch from the command line: work, bars, report, signals, exit code."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from ..batch import Existing, Job, NameTemplate, Outcome, Plan, Status, StopEvent, Work, run_batch
from ..batch.plan import (
    Stamp,
    assign_targets,
    describe_clash,
    find_sources,
    is_folder,
    own_suffix,
    passed_over,
    stamp_of,
)
from ..batch.runner import choose_workers
from ..batch.watching import FolderWatch
from ..errors import InputError
from .options import OptionGroup, json_option
from .terminal import open_bars, printable, remarks, stopping

_LONGEST_NAME = 40
_LOOK_SECONDS = 2.0  # at least between two looks at watched folders
#: The speed that gives the time left is the mean over so many seconds.
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
        """Yield a bar for one photograph; yields what the work calls with (done, in all)."""
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
        source = Path(outcome.source)
        if outcome.status == "done":
            self._workload.advance(source, 1)
        else:
            self._workload.leave_out(source)
        self._show()

    def message(self, text: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def measure(self) -> None:
        """Look at every photograph's size, in a thread beside the work."""
        from ..batch.megapixels import megapixels_of  # late: a quick --help

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
        """Take down a photograph's size, where it is known."""
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
        """Take a photograph out, about which nothing is done: it takes no time."""
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
    """Yield a :class:`BatchProgress`; ``quiet``, or without a terminal, it shows messages only."""
    bars = open_bars(quiet=quiet, speed_estimate_period=_MEMORY)
    shown = BatchProgress(bars, jobs)
    measuring = threading.Thread(target=shown.measure, daemon=True)
    if not bars.disable:
        measuring.start()
    try:
        with bars:
            yield shown
    finally:
        shown.close()


_STATUSES: tuple[Status, ...] = ("done", "skipped", "failed", "left")
#: Of a longer batch the failures are listed again at the end, but no more than these.
_LONG, _MOST = 20, 20
_EXPECTED = "its result exists"  # nothing to tell line by line


class BatchReport:
    """Tells of every outcome at once, and of all at the end.

    ``exit_code`` is 0, or 1 as soon as a photograph failed or was left.

    Args:
        log: prints a line for people.
        json_lines: one JSON object a line on standard output, and no lines but of failures.
        as_json: one object of all at the end instead.
        quiet: no lines but of failures.
    """

    def __init__(
        self, log: Callable[[str], None], *, json_lines: bool, as_json: bool, quiet: bool
    ) -> None:
        self._log = log
        self._json_lines = json_lines
        self._entries: list[dict[str, Any]] | None = [] if as_json else None
        self._quiet = quiet
        self._start = time.perf_counter()
        self._failures: list[str] = []  # the first ones: there may be millions
        self._existing = 0
        self.counts: Counter[Status] = Counter()
        self.megapixels = 0.0
        self.exit_code = 0
        self.how_to_go_on = "; the same command with --skip-existing goes on"

    def add(self, outcome: Outcome) -> None:
        """Tell of one photograph."""
        self.counts[outcome.status] += 1
        self._existing += outcome.status == "skipped" and outcome.reason.startswith(_EXPECTED)
        if outcome.status in ("failed", "left"):
            self.exit_code = 1
        facts = {} if outcome.result is None else asdict(outcome.result)
        self.megapixels += facts.get("width", 0) * facts.get("height", 0) / 1e6
        if self._json_lines:
            click.echo(json.dumps({"event": "photograph", **_entry(outcome, facts)}))
        if self._entries is not None:
            self._entries.append(_entry(outcome, facts))
        if outcome.status == "failed":
            line = printable(f"invdn: {outcome.reason}")
            if len(self._failures) < _MOST:
                self._failures.append(line)
            self._log(line)
        elif not (self._quiet or self._json_lines or self._entries is not None):
            if outcome.status == "done":
                lines = f"{printable(f'{outcome.source} -> {outcome.target}')}{remarks(facts)}"
                self._log("\n".join(map(printable, lines.split("\n"))))
            elif outcome.reason and outcome.reason != _EXPECTED:
                self._log(printable(f"{outcome.source}: {outcome.reason}"))

    def note(self, text: str) -> None:
        """Tell people something that is about no photograph."""
        if not self._quiet:
            self._log(printable(text))

    def finish(self, described: Mapping[str, Any], stopped: str) -> None:
        """Tell of all.

        Args:
            described: what the summary says of engine and options.
            stopped: why the batch ended early, if it did.
        """
        seconds = time.perf_counter() - self._start
        counts: dict[Status, int] = {status: self.counts[status] for status in _STATUSES}
        number = sum(counts.values())
        facts = {"megapixels": self.megapixels, "seconds": seconds, "stopped": stopped or None}
        if self._entries is not None:
            whole: dict[str, Any] = {"photographs": self._entries}
            click.echo(json.dumps({**whole, **counts, **facts, **described}))
            return
        if self._json_lines:
            click.echo(json.dumps({"event": "summary", **counts, **facts, **described}))
            return
        if number > _LONG and self._failures:
            self._log("")
            for line in self._failures:
                self._log(line)
            if counts["failed"] > _MOST:
                self._log(f"and {counts['failed'] - _MOST} more that failed")
        if number > 1 and not self._quiet:
            self._print_table(counts, seconds)
        if self._existing and not self._quiet:
            self._log(
                f"{self._existing} skipped, since their results exist; --on-conflict overwrite "
                "makes them anew"
            )
        if stopped and counts["failed"] < number:  # else the failures have said it
            hint = self.how_to_go_on if counts["left"] else ""
            self._log(f"invdn: {stopped}{hint}")

    def _print_table(self, counts: Mapping[Status, int], seconds: float) -> None:
        from rich.console import Console
        from rich.table import Table

        table = Table("photographs", box=None, pad_edge=False)
        for title in ("number", "megapixels", "seconds"):
            table.add_column(title, justify="right")
        for status, number in counts.items():
            if number or status in ("done", "failed"):
                done = status == "done"
                size, time_taken = f"{self.megapixels:.1f}", f"{seconds:.1f}"
                table.add_row(status, str(number), *((size, time_taken) if done else ()))
        Console(stderr=True, emoji=False).print(table)


def _entry(outcome: Outcome, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return an outcome as JSON has it."""
    entry: dict[str, Any] = {
        "status": outcome.status,
        "source": outcome.source,
        "target": outcome.target,
    }
    if outcome.reason:
        entry["error" if outcome.status == "failed" else "reason"] = outcome.reason
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in {**entry, **facts}.items()
    }


conflict_options = OptionGroup(
    click.option(
        "--on-conflict",
        type=click.Choice(["skip", "rename", "overwrite", "error"]),
        help="Where a result exists: leave it, make another (-2), replace it, or fail.  "
        "[default: skip for folders, error for files]",
    ),
    click.option(
        "--skip-existing",
        is_flag=True,
        help="As --on-conflict skip; with --overwrite, renew those that are older than their "
        "photograph.",
    ),
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(1),
        help="Photographs in work at a time; each one takes memory.  [default: 2 where there are "
        "several and memory is plenty, else 1]",
    ),
)
running_options = OptionGroup(
    conflict_options,
    click.option(
        "--watch", is_flag=True, help="Go on with what appears in the folders, until Ctrl-C."
    ),
)
report_options = OptionGroup(
    json_option,
    click.option(
        "--json-lines",
        is_flag=True,
        help="The same line by line: an object for each photograph as it is done, then a summary.",
    ),
    click.option("--quiet", is_flag=True, help="No progress bar; messages of failures only."),
)


_EXISTING: dict[str, Existing] = {
    "skip": "skip",
    "rename": "rename",
    "overwrite": "replace",
    "error": "refuse",
}


def existing_of(
    *,
    overwrite: bool,
    skip_existing: bool,
    on_conflict: str | None = None,
    inputs: Sequence[str] = (),
) -> Existing:
    """Return what is done where a result exists, from the options that tell.

    Without any, a result of a photograph that was named is an error, and those of a folder are
    left: who runs a folder again wants what is missing.

    Raises:
        click.UsageError: the options contradict each other.
    """
    if on_conflict and (overwrite or skip_existing):
        raise click.UsageError(
            "--on-conflict says it all: leave out --overwrite and --skip-existing."
        )
    if on_conflict:
        return _EXISTING[on_conflict]
    if skip_existing:
        return "renew" if overwrite else "skip"
    if overwrite:
        return "replace"
    return "skip" if any(map(is_folder, inputs)) else "refuse"


@dataclass(frozen=True)
class BatchRun:
    """Work on photographs with bars, a report, and an end at Ctrl-C.

    Attributes:
        work: makes a result of a photograph.
        described: what the summary says besides the counts.
        existing: what is done where a result exists.
        workers: photographs at a time; None: as many as are worth it.
        json_lines: report as JSON lines.
        as_json: report as one JSON object at the end.
        quiet: neither bars nor lines, but of failures.
        spoken: changes a message before it is printed.
    """

    work: Work
    described: Mapping[str, Any]
    existing: Existing
    workers: int | None
    json_lines: bool
    quiet: bool
    as_json: bool = False
    spoken: Callable[[str], str] = str

    def __post_init__(self) -> None:
        if self.as_json and self.json_lines:
            raise click.UsageError("--json and --json-lines are two reports: give one of them.")

    def do(self, plan: Plan) -> int:
        """Do what was planned.

        Returns:
            The exit code: 0; 1 if a photograph failed or was left; 128 and the number of the
            signal that ended it.
        """
        with self._reported(plan.jobs) as (stop, progress, report):
            for path in plan.linked:
                report.note(f"{path} is a link to a folder, and not entered; name it too")
            for path, source in plan.results:
                report.note(f"{path} is the result of {source}, and left out")
            if note := passed_over(plan.passed_over):
                report.note(note)
            for path, reason in plan.unreadable:
                report.add(Outcome(path, None, "failed", reason))
            self._do(plan.jobs, self.existing, stop, progress, report)
        return report.exit_code

    def watch(self, look: "FolderScanner") -> int:
        """Do what is in folders and what appears there, until a signal comes.

        What has a result is done, unless results are to be replaced.

        Args:
            look: finds the photographs.

        Returns:
            The exit code, as of :meth:`do`.
        """
        existing: Existing = "skip" if self.existing == "refuse" else self.existing
        with self._reported(()) as (stop, progress, report):
            report.note(f"watching {', '.join(look.inputs)}; Ctrl-C ends it")
            looked = FolderWatch(lambda: look(report), _LOOK_SECONDS)
            for jobs in looked.rounds(stop):
                self._do(jobs, existing, stop, progress, report)
        return report.exit_code

    @contextmanager
    def _reported(
        self, jobs: Sequence[Job]
    ) -> Iterator[tuple[StopEvent, BatchProgress, BatchReport]]:
        stop = StopEvent()
        with batch_progress(jobs, quiet=self.quiet) as progress:
            log = _after(self.spoken, progress.message)
            report = BatchReport(
                log, json_lines=self.json_lines, as_json=self.as_json, quiet=self.quiet
            )
            with stopping(stop, progress.message) as interrupts:
                yield stop, progress, report
        report.finish(self.described, stop.reason)
        report.exit_code = interrupts.exit_code or report.exit_code

    def _do(
        self,
        jobs: Sequence[Job],
        existing: Existing,
        stop: StopEvent,
        progress: BatchProgress,
        report: BatchReport,
    ) -> None:
        from ..engines import available_processors

        workers = self.workers or choose_workers(
            [job.source for job in jobs], available_processors()
        )
        for outcome in run_batch(
            jobs,
            self.work,
            existing=existing,
            workers=workers,
            stop=stop,
            watch=progress.photograph,
        ):
            progress.finished(outcome)
            report.add(outcome)


def _after(change: Callable[[str], str], tell: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: tell(change(text))


@dataclass
class FolderScanner:
    """Finds the photographs in watched folders; tells once of what is wrong there.

    Attributes:
        inputs: the folders.
        output: as of :func:`invdn.batch.plan`, like the others.

    Raises:
        InputError: an input is no folder.
    """

    inputs: Sequence[str]
    output: Path | None
    name: NameTemplate
    recursive: bool
    suffix_of: Callable[[Path], str] = own_suffix
    _reported: set[Path] = field(default_factory=set)
    _suffixes: dict[tuple[Path, Stamp | None], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for given in self.inputs:
            if not is_folder(given):
                raise InputError(f"--watch watches folders, and {given} is none")

    def __call__(self, report: BatchReport) -> tuple[Job, ...]:
        """Return all jobs that are there now."""
        found = find_sources(self.inputs, recursive=self.recursive, leave_out=self.output)
        sources = [source for source in found.sources if source.searched]  # a folder may be away
        assigned = assign_targets(sources, self.output, name=self.name, suffix_of=self._suffix)
        wrong = list(found.unreadable)
        wrong += [(job.source, describe_clash(other, job)) for other, job in assigned.clashes]
        for path, reason in wrong:
            if path not in self._reported:
                self._reported.add(path)
                report.add(Outcome(path, None, "failed", reason))
        return assigned.jobs

    def _suffix(self, source: Path) -> str:
        """Return the ending of a result; it is asked once, since that may open the photograph."""
        key = source, stamp_of(source)
        if key not in self._suffixes:
            self._suffixes[key] = self.suffix_of(source)
        return self._suffixes[key]
