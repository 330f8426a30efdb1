"""Jobs: queued, claimed by an engine, done or done again, cancelled, forgotten.

::

    queued ── claim ──> running ──> done, failed
      ^  \\                │  \\
      |   '── cancel ─────│───'──> cancelled
      '── worker or server died, once; server stopped

The table decides: whoever changes a row first has it, so several servers of one state folder
work together, and nothing is done twice.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from ..inference import DenoiseOptions
from .changes import Changes
from .database import MOST_ATTEMPTS, Database
from .errors import WORKER_ENDED, ProblemError, died_twice, stopping, worker_ended
from .jobs import AS_IT_WAS, Job, Output, State, StoredPhoto
from .metrics import Metrics
from .prediction_cache import PredictionCache
from .quota import Leases, Quota
from .settings import Settings
from .state import StateFolder, new_identifier
from .supervisor import Supervisor
from .tasks import Denoise, Denoised

_log = logging.getLogger(__name__)
_PROGRESS_SECONDS = 0.2  # between two entries of a job's progress
_IDLE_SECONDS = 1.0
_TELLING = 0.25  # megapixels times passes from which a job tells the pace
_LEAST_SIDE = 64  # a pass over a smaller photograph costs as much


class Scheduler:
    """Has the jobs of the table done by some engines.

    Args:
        state: where their files lie.
        table: where they are listed.
        quota: counts their bytes.
        leases: who is in use.
        settings: limits.
        metrics: counts them.
        engines: that do them.
        drafter: does those of quality ``draft``; None: the engines do.
        clock: the time in seconds.
    """

    def __init__(
        self,
        state: StateFolder,
        table: Database,
        quota: Quota,
        leases: Leases,
        settings: Settings,
        metrics: Metrics,
        engines: Sequence[Supervisor],
        drafter: Supervisor | None,
        clock: Callable[[], float],
    ) -> None:
        self.changes = Changes(lambda: table.version)
        self._state = state
        self._table = table
        self._quota = quota
        self._leases = leases
        self._settings = settings
        self._metrics = metrics
        self._engines = engines
        self._drafter = drafter
        self._clock = clock
        self._predictions = PredictionCache(state, table, quota, leases)
        self._typical_seconds = 5.0
        self._live: dict[str, tuple[Job, asyncio.Task[Denoised]]] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._taking = True

    def start(self) -> None:
        """Begin to claim jobs."""
        self._loops = [asyncio.create_task(self._drive(engine)) for engine in self._engines]
        if self._drafter:
            self._loops.append(asyncio.create_task(self._drive(self._drafter, draft=True)))
        self._loops.append(asyncio.create_task(self.changes.watch(self._compare)))

    @property
    def retry_after(self) -> float:
        """Seconds after which a place in the queue is probably free."""
        return min(60.0, self._typical_seconds)

    @property
    def running(self) -> int:
        """How many jobs this server works on."""
        return len(self._live)

    def check(self, client: str) -> None:
        """Raise if a client may not queue a job, before a body is read.

        Raises:
            ProblemError: the queue is full, or the client's share of it.
        """
        self._table.check_places(client, self._settings.max_queue, self.retry_after)

    def submit(
        self,
        photo: StoredPhoto,
        options: DenoiseOptions,
        client: str,
        *,
        output: Output = AS_IT_WAS,
        draft: bool = False,
        once: bool = False,
        key: tuple[str, str] | None = None,
    ) -> Job:
        """Queue the work on a photograph.

        Args:
            photo: which.
            options: how. Where an earlier job of the photograph had the same ones but for the
                look, the network is not run again.
            client: who asks.
            output: how the result is written.
            draft: by the fast model; by the other one where the service has none.
            once: nobody can ask for another look, so nothing is kept for one.
            key: Idempotency-Key and what was asked with it: the same again gives the same job.

        Raises:
            ProblemError: the queue is full, or the work too much.
        """
        self._check_cost(photo, options)
        identifier = self._table.add_job(
            new_identifier(),
            photo,
            options,
            client,
            output=output,
            draft=draft and self._drafter is not None,
            once=once,
            most=self._settings.max_queue,
            retry_after=self.retry_after,
            key=key,
        )
        self.changes.tell()
        return self.find(identifier)

    def _check_cost(self, photo: StoredPhoto, options: DenoiseOptions) -> None:
        """Refuse what would keep an engine busy for much longer than any photograph should."""
        width, height = photo.inspection.width, photo.inspection.height
        pixels = max(width, _LEAST_SIDE) * max(height, _LEAST_SIDE)
        passes = options.num_symmetries * (1 + options.num_samples)
        if pixels * passes > self._settings.max_work:
            most = max(1, self._settings.max_work // pixels)
            raise ProblemError(
                "invalid",
                f"{passes} passes of the network over {pixels / 1e6:.3g} megapixels are more than "
                f"the service does for one photograph, which is {most} passes here; ask for fewer "
                "num_samples, no self_ensemble, or start the service with a higher "
                "--max-megapixel-passes",
                (("num_samples", f"at most {most} passes for this photograph"),),
            )

    def find(self, identifier: str) -> Job:
        """Return a job.

        Raises:
            ProblemError: there is none.
        """
        job = self._table.job(identifier)
        if job is None:
            raise ProblemError(
                "not-found", "there is no such job; results that have expired are removed"
            )
        return job

    async def ended(self, job: Job) -> Job:
        """Wait until a job has ended."""
        while not job.is_final:
            changed = self.changes.next
            job = self.find(job.id)
            if not job.is_final:
                await changed.wait()
        return job

    def cancel(self, job: Job) -> Job:
        """Cancel a job that has not ended: it is cancelled now, and its engine soon free."""
        if self._table.cancel(job.id):
            if job.state == "queued":
                self._metrics.job_ended("cancelled")
            self._compare()
            self.changes.tell()
        return self.find(job.id)

    def forget(self, job: Job) -> None:
        """Remove a job that has ended, and its result."""
        self._table.forget(job.id)
        self._leases.after(job.id, lambda: shutil.rmtree(job.folder, ignore_errors=True))
        self._quota.refresh()

    def sweep(self, expired: float) -> None:
        """Remove what nobody has asked for since a time; take over from servers that are gone."""
        for job in self._table.expired_jobs(expired):
            if job.id not in self._leases:
                self.forget(job)
        jobs, nobodys = self._table.abandoned(self._state.is_alive)
        for identifier in nobodys:
            self._table.forget(identifier)
            shutil.rmtree(self._state.job_folder(identifier), ignore_errors=True)
        for job in jobs:
            self._again(job, worker_ended("the server that worked on it ended"))
        for server in list(self._state.servers()):
            if not self._state.is_alive(server):
                self._state.clear(server)
        if jobs or nobodys:
            self.changes.tell()

    async def finish(self, grace: float) -> int:
        """Claim no more jobs; let what runs end, or where that takes too long, stop it.

        Args:
            grace: seconds that running jobs have.

        Returns:
            How many were not done. With a lasting state folder they are done by the next server.
        """
        self._taking = False
        if self._live:
            await asyncio.wait([task for _, task in self._live.values()], timeout=grace)
        left = len(self._live)
        for job, task in list(self._live.values()):
            if self._state.durable and not job.once:
                self._table.requeue(job, counts=False)
            else:
                self._table.cancel(job.id, stopping())
            task.cancel()
        for job in self._table.queued_jobs():
            if job.once or not self._state.durable:  # whoever waits for an answer gets it now
                left += self._table.cancel(job.id, stopping())
        self.changes.tell()
        return left

    async def close(self) -> None:
        """Stop all loops, at once."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    def _compare(self) -> None:
        """Stop the work on jobs that were cancelled, here or by way of another server."""
        for job, task in list(self._live.values()):
            now = self._table.job(job.id)
            if now is None or (now.state, now.attempts) != ("running", job.attempts):
                task.cancel()

    async def _drive(self, engine: Supervisor, *, draft: bool = False) -> None:
        """Give one engine a job after another."""
        while True:
            await engine.available()
            changed = self.changes.next
            job = self._table.claim(draft=draft) if self._taking else None
            if job is None:
                try:
                    async with asyncio.timeout(_IDLE_SECONDS):
                        await changed.wait()
                except TimeoutError:
                    pass
                continue
            self.changes.tell()
            try:
                await self._work(job, engine)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 - whatever it is, the engine goes on
                _log.exception("a job failed")
                problem = ProblemError("internal", "the service failed; see its log")
                self._end(job, problem=problem)

    async def _work(self, job: Job, engine: Supervisor) -> None:
        start = time.monotonic()
        self._metrics.job_waited(max(0.0, self._clock() - job.created))
        if job.attempts > 1:
            shutil.rmtree(job.folder / str(job.attempts - 1), ignore_errors=True)
        shutil.rmtree(job.attempt_folder, ignore_errors=True)
        job.attempt_folder.mkdir(mode=0o700, parents=True)
        with ExitStack() as held:
            held.enter_context(self._leases.hold(job.id, job.photo.id))
            order = self._order(job, held)
            running = engine.run(
                order, seconds=self._settings.max_seconds, progress=self._progress(job)
            )
            task = asyncio.create_task(running)
            self._live[job.id] = job, task
            try:
                await asyncio.wait([task])
            finally:
                del self._live[job.id]
                if not task.done():  # the server ends
                    task.cancel()
            if task.cancelled():
                self._end(job, cancelled=True)
                return
            error = task.exception()
            if error is None:
                self._end(job, task.result())
            elif isinstance(error, ProblemError) and error.kind in WORKER_ENDED:
                self._again(job, error)
            elif isinstance(error, ProblemError):
                self._end(job, problem=error)
            else:
                raise error
        seconds = time.monotonic() - start
        self._typical_seconds += (seconds - self._typical_seconds) / 4
        self._metrics.job_took(seconds)
        if error is None and not order.earlier:
            self._learn(job, engine, seconds)

    def _learn(self, job: Job, engine: Supervisor, seconds: float) -> None:
        """Correct the engine's pace by a job that it has done; those of little work tell little."""
        passes = job.options.num_symmetries * (1 + job.options.num_samples)
        work = job.photo.inspection.width * job.photo.inspection.height / 1e6 * passes
        if work < _TELLING or engine.pace is None:
            return
        engine.pace += (seconds / work - engine.pace) / 2

    def _order(self, job: Job, held: ExitStack) -> Denoise:
        earlier = self._predictions.earlier(job)
        if earlier:
            held.enter_context(self._leases.hold(earlier.id))
        room = 0 if earlier else self._predictions.room(job)
        return Denoise(
            job.photo.path,
            job.result,
            self._settings.max_pixels,
            job.options,
            job.prediction if room else None,
            room,
            earlier.prediction if earlier else None,
            job.output.jpeg_quality,
            job.output.strip_metadata,
        )

    def _progress(self, job: Job) -> Callable[[int, int], None]:
        written = 0.0

        def passed(done: int, total: int) -> None:
            nonlocal job, written
            now = time.monotonic()
            if now - written > _PROGRESS_SECONDS:
                written = now
                job = job.after_pass(done, total, self._clock())
                self._table.progressed(job)
                self.changes.tell()

        return passed

    def _end(
        self,
        job: Job,
        outcome: Denoised | None = None,
        problem: ProblemError | None = None,
        *,
        cancelled: bool = False,
    ) -> None:
        """Enter the end of an attempt, unless the job was cancelled or taken over meanwhile."""
        state: State = "cancelled" if cancelled else "done" if outcome else "failed"
        if self._table.end(job, state, outcome, problem) or cancelled:
            self._metrics.job_ended(state, job if outcome else None)
        if outcome is None or not outcome.predicted:
            job.prediction.unlink(missing_ok=True)
        now = self._table.job(job.id)
        if outcome is None or now is None or now.attempts != job.attempts:
            shutil.rmtree(job.attempt_folder, ignore_errors=True)
        self._quota.refresh()
        self.changes.tell()

    def _again(self, job: Job, why: ProblemError) -> None:
        """Queue a job once more whose worker died; twice is enough."""
        if job.attempts < MOST_ATTEMPTS:
            _log.warning("job %s is done once more: %s", job.id, why)
            self._table.requeue(job, counts=True)
            self.changes.tell()
            return
        self._end(job, problem=died_twice(why))
