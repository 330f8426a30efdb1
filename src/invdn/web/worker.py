"""A process of its own for the work: what goes wrong in it does not touch the service.

::

    service ── WorkRequest, Cancel ──> worker
            <── Ready, Progressed, Done ──

While the worker denoises a photograph it looks for messages after every pass of the network: it
stops when it is asked to, and makes a preview in between, which somebody is waiting for. With a
``Cancel`` comes a signal, which an engine notices within a pass where it lets Ctrl-C through. So
does it with a quick preview: a finer one stops for it within a pass, and is begun anew.
"""

import logging
import os
import re
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import numpy as np

from ..errors import ImageError, InvDNError
from ..image.dtype import Pixels
from ..inference import DenoiseOptions, Engine, denoise_pixels
from ..photo.photo import Photo
from ..photo.read import read_photo
from ..photo.vips import pyvips
from ..photo.write import write_photo
from .errors import ProblemError, full_disk, tells_of_full_disk
from .tasks import Inspect, Preview, Task, perform, rank_of
from .wire import Done, Progressed, Ready, send

_log = logging.getLogger(__name__)
_MEASURED = 256  # edge of the picture by which the pace is measured
_PAUSE = 0.05  # seconds between two reports of progress
_MOST_RESTARTS = 3  # of a preview; then it makes way after its passes only
_MOST_BETWEEN = 8  # previews between two passes of a job
#: Seconds of the processor after which work is left once more: Python ignores an exception that
#: comes in a finalizer, or while libvips calls back.
_ONCE_MORE = 0.1
#: Says that a ``Cancel`` or a quick preview was sent; only to a worker that is ready. None where
#: there are no signals.
LOOK: signal.Signals | None = getattr(signal, "SIGUSR1", None)


@dataclass(frozen=True)
class WorkRequest:
    """Do this."""

    number: int
    task: Task


@dataclass(frozen=True)
class Cancel:
    """Stop doing it, or do not begin."""

    number: int


def work(
    connection: "Connection[Any, Any]",
    open_engine: Callable[[], Engine] | None,
    max_memory: int,
    nice: int,
    confine: Callable[[], tuple[str, ...]],
) -> None:
    """Work until the service hangs up.

    Args:
        connection: to the service.
        open_engine: makes the engine; without it only pictures are handled.
        max_memory: bytes that the work may take beside the loaded engine.
        nice: steps by which it leaves the processor to others once it is ready: to pictures and
            previews, which somebody looks at.
        confine: gives up the rights that the work does not need, and says which.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the service's affair
    _prefer_as_victim()
    try:
        engine = open_engine() if open_engine else None
    except InvDNError as error:
        send(connection, Ready("", str(error)))
        return
    sandbox = confine()
    pace = _warm_up(engine)
    _limit_memory(max_memory)
    _step_back(nice)
    loop = _WorkerLoop(connection, engine, max_memory)
    send(connection, Ready(engine.description if engine else "", None, sandbox, pace))
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the service is gone
        loop.run()


class _CancelledError(BaseException):
    """The order at hand is not wanted any more."""


class _MakeWayError(BaseException):
    """A preview waits that goes before the one at hand."""


class _WorkerLoop:
    """Where orders are carried out, one at a time; previews come between, quick ones first."""

    def __init__(
        self,
        connection: "Connection[Any, Any]",
        engine: Engine | None,
        max_memory: int,
    ) -> None:
        self._connection = connection
        self._engine = engine
        self._max_memory = max_memory
        self._waiting: deque[WorkRequest] = deque()
        self._cancelled: set[int] = set()
        self._restarts: Counter[int] = Counter()
        self._at_work: WorkRequest | None = None  # whose work may be left at any point
        self._missed = False  # a signal came while none could be
        self._leaving: BaseException | None = None  # by this, from where it is ignored as well
        if LOOK:
            signal.signal(LOOK, self._look)
            signal.signal(signal.SIGPROF, self._leave_once_more)

    def _look(self, *_: object) -> None:
        """Leave the work at hand if it is not wanted now; called between any two steps."""
        order, self._at_work = self._at_work, None
        self._missed = order is None
        if order:
            self._listen()
            if order.number in self._cancelled:
                self._leave(_CancelledError())
            may_restart = isinstance(order.task, Preview) and (
                self._restarts[order.number] < _MOST_RESTARTS
            )
            if may_restart and self._next(rank_of(order.task)):
                self._leave(_MakeWayError())
            self._go_on(order)

    def _leave(self, by: BaseException) -> NoReturn:
        self._leaving = by
        signal.setitimer(signal.ITIMER_PROF, _ONCE_MORE)
        raise by

    def _leave_once_more(self, *_: object) -> None:
        if self._leaving:
            self._leave(self._leaving)

    def _perform(self, order: WorkRequest, passed: Callable[[int, int], None]) -> Any:
        """Perform a task, of which a signal makes an end at any point, and at none after this."""
        try:
            self._go_on(order)
            return perform(order.task, self._engine, passed)
        finally:
            self._at_work = self._leaving = None

    def _go_on(self, order: WorkRequest) -> None:
        """Let the work be left at any point from here on, and for what came meanwhile at once."""
        self._at_work = order
        if self._missed:
            self._look()

    def run(self) -> None:
        while True:
            if not self._waiting:
                self._listen(block=True)
            while order := self._next(before=3):
                self._execute(order)
            self._cancelled.clear()  # what came after its order had ended
            self._restarts.clear()

    def _listen(self, *, block: bool = False) -> None:
        while block or self._connection.poll():
            message = self._connection.recv()
            if isinstance(message, Cancel):
                self._cancelled.add(message.number)
            else:
                self._waiting.append(message)
            block = False

    def _execute(self, order: WorkRequest) -> None:
        sent = 0.0
        self._waiting.remove(order)

        def passed(done: int, total: int) -> None:
            nonlocal sent
            self._at_work = self._leaving = None
            self._listen()
            self._stop_if_cancelled(order)
            self._make_previews(before=rank_of(order.task))
            self._stop_if_cancelled(order)
            if done == total or time.monotonic() - sent > _PAUSE:
                sent = time.monotonic()
                send(self._connection, Progressed(order.number, done, total))
            self._go_on(order)

        try:
            self._listen()
            self._stop_if_cancelled(order)
            send(self._connection, Progressed(order.number, 0, 0))  # begun: its death counts
            ended = Done(order.number, outcome=self._perform(order, passed))
        except _CancelledError:
            ended = Done(order.number)
        except _MakeWayError:
            self._restarts[order.number] += 1
            self._waiting.appendleft(order)
            return
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001 - the worker goes on with the next order
            ended = Done(order.number, problem=self._problem(error, order.task))
        send(self._connection, ended)

    def _stop_if_cancelled(self, order: WorkRequest) -> None:
        if order.number in self._cancelled:
            raise _CancelledError

    def _make_previews(self, before: int) -> None:
        """Make some of those that are of a lower rank than the work at hand, the lowest first."""
        for _ in range(_MOST_BETWEEN):
            if order := self._next(before):
                self._execute(order)

    def _next(self, before: int) -> WorkRequest | None:
        """Return what waits and is of the lowest rank, if that is below one."""
        order = min(self._waiting, key=lambda order: rank_of(order.task), default=None)
        return order if order and rank_of(order.task) < before else None

    def _problem(self, error: Exception, task: Task) -> ProblemError:
        words = str(error).replace(repr(str(task.source)), "the photograph")
        if not isinstance(task, Inspect):
            words = words.replace(repr(str(task.target)), "the result")
        words = re.sub(r"^cannot \w+ the photograph: ", "", words)
        if isinstance(error, ProblemError):
            return error
        if isinstance(error, ImageError) and "pixels and the limit is" in words:
            return ProblemError(
                "too-large", f"{words.partition(';')[0]}; denoise it with the command"
            )
        if _tells_of_memory(error):
            return ProblemError(
                "too-large",
                f"the photograph needs more than the {self._max_memory >> 20} MiB that it may "
                "take; use smaller tiles, or raise --max-memory",
            )
        if tells_of_full_disk(error):
            return full_disk()
        if isinstance(error, InvDNError):
            return ProblemError("invalid", words)
        _log.error("%s failed", type(task).__name__, exc_info=error)
        return ProblemError("internal", f"the work failed: {words}")


def _tells_of_memory(error: BaseException | None) -> bool:
    """Return whether memory ran out; runtimes and libvips tell it in words only."""
    while error:
        words = str(error).lower()
        if isinstance(error, MemoryError) or "bad_alloc" in words or "memory" in words:
            return True
        error = error.__cause__
    return False


def _warm_up(engine: Engine | None) -> float | None:
    """Have everything loaded that is loaded on first use, before the memory is limited.

    Returns:
        Seconds that the engine takes for a megapixel and pass, measured on a small picture.
    """
    pyvips.cache_set_max(0)  # no photograph is kept for the case that it comes again
    picture: Pixels = np.zeros((8, 8, 3), np.uint8)
    if engine:
        picture = denoise_pixels(engine, picture)
    with TemporaryDirectory(prefix="invdn-warm-") as folder:
        for suffix in (".jpg", ".png", ".tif", ".webp"):
            write_photo(Photo(picture), Path(folder) / f"a{suffix}")
            read_photo(Path(folder) / f"a{suffix}")
    if engine is None:
        return None
    measured: Pixels = np.zeros((_MEASURED, _MEASURED, 3), np.uint8)
    options = DenoiseOptions(strength=1.0)
    start = time.perf_counter()
    denoise_pixels(engine, measured, options)
    return (time.perf_counter() - start) / (1 + options.num_samples) / (_MEASURED**2 / 1e6)


def _prefer_as_victim() -> None:
    """Have the system end the worker and not the service where memory runs out."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def _step_back(nice: int) -> None:
    """Lower the priority of all threads; one that starts later has its parent's."""
    if not hasattr(os, "setpriority"):
        return
    try:
        threads = [int(thread.name) for thread in Path("/proc/self/task").iterdir()]
    except OSError:
        threads = [0]  # this process
    for thread in threads:
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + nice)


def _limit_memory(most: int) -> None:
    """Let the process grow by so many bytes, and write no file that is larger.

    Seconds are counted by the supervisor, which ends a worker that has taken too many.
    """
    with suppress(ImportError, OSError, ValueError):
        import resource  # late: not on Windows

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))  # beyond: EFBIG, no signal
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        return  # reserves address space far beyond what it uses
    with suppress(ImportError, OSError, ValueError):
        import resource  # late: not on Windows

        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * os.sysconf("SC_PAGE_SIZE")
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (size + most, hard))
