"""``-`` for standard input and output: photographs through pipes."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

STREAM = "-"


@dataclass
class Pipes:
    """Files that stand for standard input and output.

    A photograph is read from a file and written to one, whole or not at all; so a pipe is spooled
    on either side, and what follows in the pipe gets a whole photograph or nothing.

    Attributes:
        folder: where the files lie.
        reads: standard input is the photograph.
        writes: standard output takes the result.
    """

    folder: Path
    reads: bool
    writes: bool
    _names: dict[str, str] = field(default_factory=dict)

    def replaced(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of planning with files in place of ``-``."""
        inputs, output = tuple(batch["inputs"]), batch["output"]
        if self.reads:
            source = self.folder / "standard input"
            with source.open("xb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
            inputs = (str(source),)
            self._names[str(source)] = "standard input"
        if self.writes:
            output = self.folder / "result"
            output.mkdir()
        return {**batch, "inputs": inputs, "output": output}

    def spoken(self, text: str) -> str:
        """Return a message with the streams' names for the files'."""
        for name, stream in self._names.items():
            text = text.replace(name, stream)
        if self.writes:
            folder = re.escape(f"{self.folder}{os.sep}result{os.sep}")
            text = re.sub(rf"{folder}[^/\\']*?_denoised[^/\\'\s]*", "standard output", text)
        return text

    def finish(self, code: int) -> int:
        """Send the result, if there is one.

        Args:
            code: the exit code so far.

        Returns:
            The exit code: 1 if nobody reads any more.
        """
        if not self.writes:
            return code
        for result in sorted((self.folder / "result").iterdir()):
            if result.name.startswith("."):
                continue
            try:
                with result.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
            except BrokenPipeError:
                # Python would complain when it flushes at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                return code or 1
        return code


@contextmanager
def pipes(batch: dict[str, Any], *, taken: bool, watch: bool) -> Iterator[Pipes]:
    """Give files for the streams as long as the block runs.

    Args:
        batch: arguments of planning.
        taken: standard output is taken by a report.
        watch: folders are watched.

    Raises:
        click.UsageError: there is more than one photograph, or standard output is a terminal or
            taken.
    """
    reads = STREAM in batch["inputs"]
    writes = batch["output"] == Path(STREAM) or (reads and batch["output"] is None)
    if len(batch["inputs"]) > 1 or watch:
        raise click.UsageError("- stands for one photograph: give it alone.")
    if writes and taken:
        raise click.UsageError("standard output takes the result: leave out --json-lines, --json.")
    if writes and sys.stdout.isatty():
        raise click.UsageError("standard output is a terminal: send it into a file or a pipe.")
    if writes and not reads and Path(batch["inputs"][0]).is_dir():
        raise click.UsageError("standard output takes one photograph, not a folder.")
    with tempfile.TemporaryDirectory(prefix="invdn-") as folder:
        yield Pipes(Path(folder), reads, writes)
