"""Running a batch from the command line: work, bars, report, signals, exit code."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from ..batch import Existing, Job, NameTemplate, Outcome, Plan, StopEvent, Work, run_batch
from ..batch.file_facts import Stamp, is_folder, stamp_of
from ..batch.plan import assign_targets, describe_clash, own_suffix, passed_over
from ..batch.sources import find_sources
from ..batch.watching import FolderWatch
from ..errors import InputError
from .batch_progress import BatchProgress, batch_progress
from .batch_report import BatchReport
from .options import OptionGroup
from .terminal import stopping

running_options = OptionGroup(
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
        default=1,
        show_default=True,
        help="Photographs in work at a time; each one takes memory.",
    ),
    click.option(
        "--watch", is_flag=True, help="Go on with what appears in the folders, until Ctrl-C."
    ),
)
report_options = OptionGroup(
    click.option(
        "--json-lines",
        is_flag=True,
        help="Report on standard output: a JSON object for each photograph, then a summary.",
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
    """What is done where a result exists, from the options that tell.

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
        workers: photographs at a time.
        json_lines: report as JSON lines.
        quiet: neither bars nor lines, but of failures.
        spoken: changes a message before it is told.
    """

    work: Work
    described: Mapping[str, Any]
    existing: Existing
    workers: int
    json_lines: bool
    quiet: bool
    spoken: Callable[[str], str] = str

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
            if told := passed_over(plan.passed_over):
                report.note(told)
            for path, reason in plan.unreadable:
                report.add(Outcome(path, None, "failed", reason))
            self._do(plan.jobs, self.existing, stop, progress, report)
        return report.exit_code

    def watch(self, look: "FolderScanner", seconds: float = 2.0) -> int:
        """Do what is in folders and what appears there, until a signal comes.

        What has a result is done, unless results are to be replaced.

        Args:
            look: finds the photographs.
            seconds: least time between two looks.

        Returns:
            The exit code, as of :meth:`do`.
        """
        existing: Existing = "skip" if self.existing == "refuse" else self.existing
        with self._reported(()) as (stop, progress, report):
            report.note(f"watching {', '.join(look.inputs)}; Ctrl-C ends it")
            looked = FolderWatch(lambda: look(report), seconds)
            for jobs in looked.rounds(stop):
                self._do(jobs, existing, stop, progress, report)
        return report.exit_code

    @contextmanager
    def _reported(
        self, jobs: Sequence[Job]
    ) -> Iterator[tuple[StopEvent, BatchProgress, BatchReport]]:
        stop = StopEvent()
        with batch_progress(jobs, quiet=self.quiet) as progress:
            told = _after(self.spoken, progress.message)
            report = BatchReport(told, json_lines=self.json_lines, quiet=self.quiet)
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
        for outcome in run_batch(
            jobs,
            self.work,
            existing=existing,
            workers=self.workers,
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
    _told: set[Path] = field(default_factory=set)
    _suffixes: dict[tuple[Path, Stamp | None], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for given in self.inputs:
            if not is_folder(given):
                raise InputError(f"--watch watches folders, and {given} is none")

    def __call__(self, report: BatchReport) -> tuple[Job, ...]:
        """All jobs that are there now."""
        found = find_sources(self.inputs, recursive=self.recursive, leave_out=self.output)
        sources = [source for source in found.sources if source.searched]  # a folder may be away
        assigned = assign_targets(sources, self.output, name=self.name, suffix_of=self._suffix)
        wrong = list(found.unreadable)
        wrong += [(job.source, describe_clash(other, job)) for other, job in assigned.clashes]
        for path, reason in wrong:
            if path not in self._told:
                self._told.add(path)
                report.add(Outcome(path, None, "failed", reason))
        return assigned.jobs

    def _suffix(self, source: Path) -> str:
        """The ending of a result; asked once of a photograph as it is, since that may open it."""
        key = source, stamp_of(source)
        if key not in self._suffixes:
            self._suffixes[key] = self.suffix_of(source)
        return self._suffixes[key]
