"""The terminal: text that is safe to show, and signals that stop the work cleanly."""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from ..batch import StopEvent


class ProgressBar:
    """Shows how far a batch is; made by :func:`reporting`."""

    def __init__(self, bars: Progress, photographs: int) -> None:
        self._bars = bars
        self._photographs = photographs
        self._number = 0

    @contextmanager
    def photograph(self, source: Path | str) -> Iterator[Callable[[int, int], None]]:
        """Show a bar for one photograph; yield what the work calls with (done, in all)."""
        self._number += 1
        count = f"{self._number}/{self._photographs} " if self._photographs > 1 else ""
        name = source.name if isinstance(source, Path) else source
        bar = self._bars.add_task(f"{count}{name}", total=None)
        try:
            yield lambda done, total: self._bars.update(bar, completed=done, total=total)
        finally:
            self._bars.remove_task(bar)

    def message(self, text: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def reporting(photographs: int, *, quiet: bool) -> Iterator[ProgressBar]:
    """Yield a :class:`ProgressBar` for a number of photographs; ``quiet`` shows messages only."""
    with open_bars(quiet=quiet) as bars:
        yield ProgressBar(bars, photographs)


def open_bars(*, quiet: bool, **how: Any) -> Progress:
    """Return bars on standard error with a share and the time left, gone when they are done.

    Args:
        quiet: show none; without a terminal none are shown either.
        **how: as of :class:`rich.progress.Progress`.
    """
    console = Console(stderr=True, emoji=False)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
        **how,
    )


def report(as_json: bool, facts: Mapping[str, Any], *lines: str) -> None:
    """Print what a command did on standard output.

    Args:
        as_json: print one JSON object.
        facts: for it.
        *lines: for people.
    """
    click.echo(json.dumps(facts, default=str) if as_json else "\n".join(lines))


_JOINER = "\u200d"  # holds the parts of an emoji together
#: Signals that end a program, where the system has them: Ctrl-C, kill, a closed terminal.
_SIGNALS = tuple(
    number
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if (number := getattr(signal, name, None)) is not None
)


class Interrupts:
    """What came.

    Attributes:
        exit_code: 128 and the number of the first signal, as shells have it; 0: none came.
    """

    def __init__(self) -> None:
        self.exit_code = 0


@contextmanager
def stopping(stop: StopEvent, log: Callable[[str], None]) -> Iterator[Interrupts]:
    """Request the stop at the first signal; the second one ends the process at once.

    Signals that are ignored when it begins (``nohup``) stay so, and outside the main thread, which
    alone gets signals, nothing is changed.

    Args:
        stop: what is requested.
        log: called with a line for the user.
    """
    interrupts = Interrupts()

    def request(number: int, _: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        interrupts.exit_code = interrupts.exit_code or 128 + number
        stop.request("it was interrupted")
        with suppress(RuntimeError):  # the signal came in the middle of another line
            log("stopping after the current step; once more to stop at once")

    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    handlers = {
        number: signal.signal(number, request)
        for number in _SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield interrupts
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def printable(text: object) -> str:
    """Return the text in one line, with escapes for what a terminal would obey or cannot show.

    Example:
        >>> printable("two\\nlines, an esc\\x1bape, a byte that is no text: \\udce9")
        'two\\\\nlines, an esc\\\\x1bape, a byte that is no text: \\\\udce9'
        >>> printable("smile 😀.jpg")
        'smile 😀.jpg'
    """
    return "".join(
        character
        if character.isprintable() or character == _JOINER
        else character.encode("unicode_escape").decode()
        for character in str(text)
    )


def remarks(entry: Mapping[str, Any]) -> str:
    """Return what a finished photograph's line says of its noise; a line for each note."""
    from ..inference import noise_word  # late: what only finished photographs need

    removed, strength = entry.get("noise_removed"), entry.get("strength_found")
    level = entry.get("noise_level") if removed is None else removed
    text = "" if level is None else f"{noise_word(level)} noise, {level:.1f} of 255"
    text += "" if strength is None else f"; strength auto: {strength:.2f}"
    text = f" ({text.removeprefix('; ')})" if text else ""
    notes = [entry.get("warning"), *entry.get("remarks", ())]
    return text + "".join(f"\n  note: {note}" for note in notes if note)
