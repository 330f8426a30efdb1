"""The service's side of a worker process: orders in, outcomes out, and a new one if it dies."""

import asyncio
import itertools
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import EngineError
from ..inference import Engine, Progress
from .entry import start
from .errors import ProblemError, worker_ended
from .tasks import Task, rank_of
from .wire import Done, Progressed, Ready, receive
from .worker import LOOK, Cancel, WorkRequest

_log = logging.getLogger(__name__)
#: Not every engine can be interrupted within a pass of the network. A worker that goes on for
#: longer, and for longer than the next one takes to start, is ended; that one does its other tasks.
_STOP_SECONDS = 0.8
_LONGEST_PAUSE = 30.0
_PATIENCE = 120.0  # with a worker that starts; a busy machine takes its time
_FROM_OUTSIDE = (-signal.SIGTERM, -signal.SIGKILL if hasattr(signal, "SIGKILL") else -9, None)


@dataclass
class _Pending:
    order: WorkRequest
    ended: asyncio.Future[Any]
    progress: Progress | None
    begun: bool = False


class Supervisor:
    """Keeps one worker process alive and gives it orders.

    Where the worker dies, the order that it had begun fails, and the next one does the others.

    Args:
        open_engine: makes the worker's engine; must be picklable. None: the worker handles
            pictures only.
        max_memory: bytes that the work may take beside the loaded engine.
        writable: folders that the work reads and writes in.
        scratch: folder for the worker's temporary files.

    Attributes:
        description: of the engine.
        sandbox: what confines the worker.
        pace: seconds that its engine takes for a megapixel and pass.
        restarts: how often the worker had to be started again.
    """

    def __init__(
        self,
        open_engine: Callable[[], Engine] | None,
        max_memory: int,
        writable: tuple[Path, ...],
        scratch: Path,
    ) -> None:
        self.description = ""
        self.sandbox: tuple[str, ...] = ()
        self.pace: float | None = None
        self.restarts = 0
        self._engine = pickle.dumps(open_engine) if open_engine else None
        self._max_memory = max_memory
        self._writable = writable
        self._scratch = scratch
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._ready = asyncio.Event()
        self._started: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._closing = False
        self._process: Any = None
        self._start_seconds = 0.0
        self._connection: Any = None
        self._renewal: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether the worker can take orders."""
        return self._ready.is_set()

    @property
    def tasks(self) -> int:
        """How many tasks it has been given that have not ended."""
        return len(self._pending)

    async def available(self) -> None:
        """Wait until the worker can take orders."""
        await self._ready.wait()

    @property
    def pid(self) -> int | None:
        """The worker's process."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the worker and wait until its engine is loaded.

        Raises:
            EngineError: it cannot be.
        """
        await self._launch()

    async def close(self) -> None:
        """End the worker, whatever it does."""
        self._closing = True
        if self._renewal:
            self._renewal.cancel()
        if self._process:
            self._process.kill()
            await asyncio.to_thread(self._process.join)

    async def run(self, task: Task, *, seconds: float, progress: Progress | None = None) -> Any:
        """Have a task done. Cancelling the coroutine stops the work.

        Args:
            task: what.
            seconds: how long it may take.
            progress: called in the event loop with (passes done, passes in all).

        Returns:
            What :func:`.tasks.perform` returns.

        Raises:
            ProblemError: it failed, took too long, or the worker died.
        """
        if not self.ready:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._ready.wait()
            except TimeoutError:
                raise ProblemError(
                    "unavailable",
                    "the worker does not start; see the service's log",
                    retry_after=_LONGEST_PAUSE,
                ) from None
        number = next(self._numbers)
        order = WorkRequest(number, task)
        pending = _Pending(order, asyncio.get_running_loop().create_future(), progress)
        self._pending[number] = pending
        self._send(order)
        if len(self._pending) > 1 and rank_of(task) == 0:
            self._wake()
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(pending.ended)
        except TimeoutError:
            await asyncio.shield(asyncio.ensure_future(self._stop(number, pending)))
            raise ProblemError(
                "too-long",
                f"the work took more than {seconds:g} seconds; use a faster quality, or raise "
                "--max-seconds",
            ) from None
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.ensure_future(self._stop(number, pending)))
            raise

    async def _stop(self, number: int, pending: _Pending) -> None:
        """Return when the worker has stopped the work, or is dead."""
        if not self.ready and number in self._pending:  # it waits for the next worker
            del self._pending[number]
            pending.ended.cancel()
            return
        pending.begun = True  # or will never be
        self._send(Cancel(number))
        self._wake()
        await asyncio.wait([pending.ended], timeout=max(_STOP_SECONDS, self._start_seconds))
        if not pending.ended.done():
            self._process.kill()
            await asyncio.wait([pending.ended])
        if not pending.ended.cancelled():
            pending.ended.exception()  # nobody asks for it any more

    def _send(self, message: WorkRequest | Cancel) -> None:
        with suppress(OSError):  # a dead worker is noticed by the thread that listens
            self._connection.send(message)

    def _wake(self) -> None:
        """Have the worker look for messages within a pass of the network."""
        if LOOK and self.ready and self._process.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, LOOK)

    async def _launch(self) -> None:
        loop = asyncio.get_running_loop()
        context = multiprocessing.get_context("spawn")
        self._connection, its_end = context.Pipe()
        process = context.Process(
            target=start,
            args=(its_end, self._engine, self._max_memory, self._writable, self._scratch),
            daemon=True,
        )
        await asyncio.to_thread(process.start)
        its_end.close()
        self._process = process
        began = time.monotonic()
        self._started = loop.create_future()
        threading.Thread(
            target=self._listen, args=(loop, self._connection, process), daemon=True
        ).start()
        error = await self._started
        self._start_seconds = time.monotonic() - began
        if error:
            raise EngineError(error)

    def _listen(self, loop: asyncio.AbstractEventLoop, connection: Any, process: Any) -> None:
        """Pass on what the worker says, and its death; runs in a thread."""
        error = None
        with suppress(RuntimeError):  # the loop is closed
            try:
                while True:
                    message = receive(connection)
                    if isinstance(message, Ready) and message.error:
                        error = message.error
                    loop.call_soon_threadsafe(self._take, message)
            except Exception:  # noqa: BLE001 - half a message, or nonsense: the worker is gone
                connection.close()
                process.kill()
                process.join()
                loop.call_soon_threadsafe(self._on_worker_exit, process, error)

    def _take(self, message: Any) -> None:
        match message:
            case Ready(description, None, sandbox, pace):
                self.description, self.sandbox, self.pace = description, sandbox, pace
                self._ready.set()
                for one in self._pending.values():  # orders that the last one did not begin
                    self._send(one.order)
                if not self._started.done():
                    self._started.set_result(None)
            case Progressed(number, done, total):
                pending = self._pending.get(number)
                if pending:
                    pending.begun = True
                    if pending.progress and total:
                        pending.progress(done, total)
            case Done(number, outcome, problem):
                pending = self._pending.pop(number, None)
                if pending is None or pending.ended.done():
                    return
                if problem:
                    pending.ended.set_exception(problem)
                else:
                    pending.ended.set_result(outcome)

    def _on_worker_exit(self, process: Any, error: str | None) -> None:
        """Take note that the worker died: its orders failed, and another takes its place."""
        if process is not self._process:
            return
        was_ready = self.ready
        self._ready.clear()
        how = _end(process.exitcode)
        problem = worker_ended(
            f"the process that did the work {how}", crashed=process.exitcode not in _FROM_OUTSIDE
        )
        for number, pending in list(self._pending.items()):
            if pending.begun or self._closing:
                del self._pending[number]
                if not pending.ended.done():
                    pending.ended.set_exception(problem)
        if self._closing:
            return
        if not self._started.done():
            self._started.set_result(error or f"the worker {how} while it started")
        if was_ready:
            _log.warning("the worker %s; starting another", how)
            self._renewal = asyncio.create_task(self._restart_worker())

    async def _restart_worker(self) -> None:
        pause = 0.0
        while not self._closing:
            await asyncio.sleep(pause)
            self.restarts += 1
            try:
                await self._launch()
            except Exception as error:  # noqa: BLE001 - whatever it is, there must be a worker
                pause = min(_LONGEST_PAUSE, 2 * pause + 1)
                _log.warning("%s; trying again in %g seconds", error, pause)
            else:
                return


def _end(exitcode: int | None) -> str:
    """Return how a process ended, in words."""
    if exitcode is not None and exitcode < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-exitcode).name}"
    return f"ended with code {exitcode}"
