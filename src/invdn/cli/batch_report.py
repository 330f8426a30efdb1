"""What became of the photographs of a batch: lines for people, or JSON lines for programs."""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ..batch import Outcome, Status
from .terminal import printable, remarks

_STATUSES: tuple[Status, ...] = ("done", "skipped", "failed", "left")
#: Of a longer batch the failures are told again at the end, but no more than these.
_LONG, _MOST = 20, 20
_EXPECTED = "its result exists"  # nothing to tell line by line


class BatchReport:
    """Tells of every outcome at once, and of all at the end.

    ``exit_code`` is 0, or 1 as soon as a photograph failed or was left.

    Args:
        told: prints a line for people.
        json_lines: one JSON object a line on standard output, and no lines but of failures.
        quiet: no lines but of failures.
    """

    def __init__(self, told: Callable[[str], None], *, json_lines: bool, quiet: bool) -> None:
        self._told = told
        self._json_lines = json_lines
        self._quiet = quiet
        self._start = time.perf_counter()
        self._failures: list[str] = []
        self._existing = 0
        self.counts: Counter[Status] = Counter()
        self.megapixels = 0.0
        self.exit_code = 0

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
        if outcome.status == "failed":
            self._failures.append(printable(f"invdn: {outcome.reason}"))
            self._told(self._failures[-1])
        elif not self._quiet and not self._json_lines:
            if outcome.status == "done":
                lines = f"{printable(f'{outcome.source} -> {outcome.target}')}{remarks(facts)}"
                self._told("\n".join(map(printable, lines.split("\n"))))
            elif outcome.reason and outcome.reason != _EXPECTED:
                self._told(printable(f"{outcome.source}: {outcome.reason}"))

    def note(self, text: str) -> None:
        """Tell people something that is about no photograph."""
        if not self._quiet:
            self._told(printable(text))

    def finish(self, described: Mapping[str, Any], stopped: str) -> None:
        """Tell of all.

        Args:
            described: what the summary says of engine and options.
            stopped: why the batch ended early, if it did.
        """
        seconds = time.perf_counter() - self._start
        counts: dict[Status, int] = {status: self.counts[status] for status in _STATUSES}
        number = sum(counts.values())
        if self._json_lines:
            facts = {"megapixels": self.megapixels, "seconds": seconds, "stopped": stopped or None}
            click.echo(json.dumps({"event": "summary", **counts, **facts, **described}))
            return
        if number > _LONG and self._failures:
            self._told("")
            for line in self._failures[:_MOST]:
                self._told(line)
            if len(self._failures) > _MOST:
                self._told(f"and {len(self._failures) - _MOST} more that failed")
        if number > 1 and not self._quiet:
            self._print_table(counts, seconds)
        if self._existing and not self._quiet:
            self._told(
                f"{self._existing} skipped, since their results exist; --on-conflict overwrite "
                "makes them anew"
            )
        if stopped:
            hint = "; the same command with --skip-existing goes on" if counts["left"] else ""
            self._told(f"invdn: {stopped}{hint}")

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
    """An outcome as JSON has it."""
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
