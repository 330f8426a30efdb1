"""A folder that is watched: photographs that appear in it, once they have stopped growing."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .plan import Job, Stamp, stamp_of
from .runner import StopEvent

#: Looking takes at most this share of the time.
_SHARE = 0.05


class FolderWatch:
    """Looks again and again, which works on every file system, network drives among them.

    A photograph is ready when it is not empty and looks the same in two looks after each other.
    It is given once, and again whenever it has changed.

    Args:
        look: lists all jobs that are there at present.
        seconds: least time between two looks.

    Example:
        >>> import tempfile
        >>> job = Job(Path(tempfile.mkdtemp()) / "a.jpg", Path("b.jpg"))
        >>> watch = FolderWatch(lambda: [job])
        >>> _ = job.source.write_text("half")
        >>> watch.ready()
        ()
        >>> _ = job.source.write_text("whole thing")
        >>> watch.ready()
        ()
        >>> watch.ready() == (job,), watch.ready()
        (True, ())
    """

    def __init__(self, look: Callable[[], Iterable[Job]], seconds: float = 2.0) -> None:
        self._look = look
        self._seconds = seconds
        self._seen: dict[Path, Stamp] = {}
        self._given: dict[Path, Stamp] = {}

    def ready(self) -> tuple[Job, ...]:
        """Look once; the jobs whose photographs are ready."""
        seen: dict[Path, Stamp] = {}
        jobs = []
        for job in self._look():
            stamp = stamp_of(job.source)
            if stamp is None or not stamp[1]:
                continue
            seen[job.source] = stamp
            if self._seen.get(job.source) == stamp != self._given.get(job.source):
                self._given[job.source] = stamp
                jobs.append(job)
        self._seen = seen
        return tuple(jobs)

    def rounds(self, stop: StopEvent) -> Iterator[tuple[Job, ...]]:
        """Yield the jobs that have become ready, round by round, until it is to stop."""
        while not stop.requested:
            start = time.monotonic()
            if jobs := self.ready():
                yield jobs
                start = time.monotonic()
            stop.wait(max(self._seconds, (time.monotonic() - start) / _SHARE))
