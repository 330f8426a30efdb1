"""A progress bar with the time left, on standard error, and messages that do not tear it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn


class ProgressBar:
    """Shows how far a batch is; made by :func:`reporting`."""

    def __init__(self, bars: Progress, photographs: int) -> None:
        self._bars = bars
        self._photographs = photographs
        self._number = 0

    @contextmanager
    def photograph(self, source: Path) -> Iterator[Callable[[int, int], None]]:
        """A bar for one photograph; yields what the work calls with (done, in all)."""
        self._number += 1
        count = f"{self._number}/{self._photographs} " if self._photographs > 1 else ""
        bar = self._bars.add_task(f"{count}{source.name}", total=None)
        try:
            yield lambda done, total: self._bars.update(bar, completed=done, total=total)
        finally:
            self._bars.remove_task(bar)

    def message(self, text: str) -> None:
        """Print a line above the bar."""
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def reporting(photographs: int, *, quiet: bool) -> Iterator[ProgressBar]:
    """A :class:`ProgressBar` for a number of photographs; ``quiet`` shows messages only."""
    console = Console(stderr=True)
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
        disable=quiet or not console.is_terminal,
    )
    with bars:
        yield ProgressBar(bars, photographs)
