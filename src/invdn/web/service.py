"""The service behind the REST interface: photographs, jobs, and one engine for all of them."""

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from ..inference import DenoiseOptions, Engine, Progress, Region
from .errors import ProblemError
from .jobs import Job, StoredPhoto, photo_name
from .metrics import Metrics
from .predictions import prediction_bytes
from .queue import FairQueue, QueueSlot
from .rendering import check_region
from .settings import Settings
from .storage import Storage, StoredFolder
from .supervisor import Supervisor
from .tasks import (
    Denoise,
    Denoised,
    Inspect,
    NoiseShareMap,
    Preview,
    Render,
    Task,
    UncertaintyMap,
)
from .upload import Upload

_log = logging.getLogger(__name__)
_PICTURE_SECONDS = 120.0
_PREVIEW_SECONDS = 60.0  # a job stands still meanwhile
_PREVIEW_SAMPLES = 16
_LINGER_SECONDS = 5.0  # after a stop, for clients that ask now and then how far their job is


class Service:
    """Everything that requests share; use it as an asynchronous context.

    Two worker processes: one holds the engine, the other looks into photographs and makes
    pictures, so that an upload is answered while the engine is busy and a hostile file cannot
    end another's work.

    Args:
        open_engine: makes the engine; must be picklable.
        model: its name, for people.
        settings: limits.
    """

    def __init__(self, open_engine: Callable[[], Engine], model: str, settings: Settings) -> None:
        self.model = model
        self.settings = settings
        self.metrics = Metrics(self._gauges())
        self.storage = Storage(settings.max_storage)
        self.engine = Supervisor(open_engine, settings.max_memory)
        self.pictures = Supervisor(None, settings.max_memory)
        self.jobs: dict[str, Job] = {}
        self.photos: dict[str, StoredPhoto] = {}
        self.turns = FairQueue(settings.max_queue)
        self.closing = False
        self._preview_turns = FairQueue(settings.max_queue)
        self._picture_turns = FairQueue(4 * settings.max_queue)
        self._typical_seconds = 5.0
        self._sweeping: asyncio.Task[None] | None = None

    def _gauges(self) -> Mapping[str, tuple[str, Callable[[], float]]]:
        """Return what the metrics ask of the service."""
        return {
            "invdn_ready": ("Whether work can be taken.", lambda: self.ready),
            "invdn_queue_length": ("Jobs that wait.", lambda: len(self.turns)),
            "invdn_jobs_running": ("Jobs in the engine.", lambda: self.turns.busy),
            "invdn_jobs_kept": ("Jobs that are remembered.", lambda: len(self.jobs)),
            "invdn_photos_kept": ("Photographs on the disk.", lambda: len(self.photos)),
            "invdn_storage_bytes": ("Bytes on the disk.", lambda: self.storage.used),
            "invdn_worker_restarts": (
                "How often a worker had to be started again.",
                lambda: self.engine.restarts + self.pictures.restarts,
            ),
        }

    async def __aenter__(self) -> "Service":
        try:
            await self.engine.start()
            await self.pictures.start()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self._sweeping = asyncio.create_task(self._sweep())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sweeping:
            self._sweeping.cancel()
        for job in self.jobs.values():
            if job.task:
                job.task.cancel()
        await self.engine.close()
        await self.pictures.close()
        self.storage.close()

    @property
    def ready(self) -> bool:
        """Whether work can be taken."""
        return self.engine.ready and self.pictures.ready and not self.closing

    @property
    def retry_after(self) -> float:
        """Seconds after which a place in the queue is probably free."""
        return min(60.0, self._typical_seconds)

    def position(self, job: Job) -> int | None:
        """How many come before a job that waits."""
        if job.state != "queued" or job.ticket is None:
            return None
        return self.turns.position(job.ticket) or 0

    def expires_in(self, job: Job) -> float | None:
        """Seconds until a job that has ended is forgotten, unless somebody fetches its result."""
        if not job.is_final:
            return None
        return round(max(0.0, job.kept.touched + self.settings.lifetime - time.monotonic()), 1)

    def check(self) -> None:
        """Raise if no work is taken, before a body is read.

        Raises:
            ProblemError: the queue is full, or the service is being stopped.
        """
        if self.closing:
            raise _stopping()
        self.turns.check(self.retry_after)

    async def keep(
        self, kept: StoredFolder, upload: Upload, given_name: str, client: str
    ) -> StoredPhoto:
        """Look at a photograph that has come, and keep it.

        Raises:
            ProblemError: it is damaged, or has too many pixels.
        """
        name = photo_name(given_name or upload.name, upload.format)
        path = kept.folder / f"photo{Path(name).suffix}"
        (kept.folder / "upload").rename(path)
        task = Inspect(path, self.settings.max_pixels)
        with kept.used():
            inspection = await self._picture(task, client)
        photo = StoredPhoto(kept, path, name, upload.size, inspection)
        self.photos[kept.id] = photo
        return photo

    def submit(
        self,
        photo: StoredPhoto,
        options: DenoiseOptions,
        client: str,
        *,
        once: bool = False,
    ) -> Job:
        """Queue the work on a photograph.

        Args:
            photo: which.
            options: how. Where an earlier job of the photograph had the same ones but for the
                look, the network is not run again.
            client: who asks.
            once: nobody can ask for another look, so nothing is kept for one.

        Raises:
            ProblemError: the queue is full.
        """
        self.check()
        kept = StoredFolder(self.storage)
        try:
            ticket = self.turns.enter(client, self.retry_after)
        except BaseException:
            kept.remove()
            raise
        job = Job(photo, options, kept, once=once)
        self.jobs[job.id] = job
        job.ticket = ticket
        job.task = asyncio.create_task(self._work(job, ticket))
        return job

    async def cancel(self, job: Job) -> None:
        """Stop the work on a photograph; returns when it has stopped."""
        if job.task and not job.task.done():
            job.task.cancel()
            await asyncio.wait([job.task])
        if job.ticket and not job.is_final:  # it was cancelled before it ran at all
            self.turns.leave(job.ticket)
            job.end("cancelled")

    def forget(self, job: Job) -> None:
        """Remove a finished job and its result."""
        if self.jobs.pop(job.id, None):
            job.kept.remove()

    def forget_photo(self, photo: StoredPhoto) -> None:
        """Remove a photograph; work on it is not disturbed."""
        if self.photos.pop(photo.kept.id, None):
            photo.kept.remove()

    @asynccontextmanager
    async def rendering(
        self,
        source: Path,
        suffix: str,
        client: str,
        *,
        noisy: Path | None = None,
        look: DenoiseOptions | None = None,
        **how: Any,
    ) -> AsyncIterator[Path]:
        """A picture for the browser of a file in the storage, for the time of the block.

        Args:
            source: the file.
            suffix: ``.png`` or ``.jpg``.
            client: who asks.
            noisy: show what noise explains of the difference from this file, instead.
            look: show how far the file may be from the clean photograph, where it is blended so.
            how: region, largest side and shrinking.
        """
        async with self._scratch(suffix) as kept:
            pixels = self.settings.max_pixels
            task: Task = Render(source, kept.file, pixels, **how)
            if noisy and look:
                task = UncertaintyMap(noisy, source, kept.file, pixels, look, **how)
            elif noisy:
                task = NoiseShareMap(noisy, source, kept.file, pixels, **how)
            await self._picture(task, client)
            kept.count()
            yield kept.file

    @asynccontextmanager
    async def preview(
        self, photo: StoredPhoto, region: Region, options: DenoiseOptions, client: str
    ) -> AsyncIterator[Path]:
        """A denoised region as a PNG, for the time of the block; goes before the queue."""
        if self.closing:
            raise _stopping()
        if region.width * region.height > self.settings.max_preview_pixels:
            raise ProblemError(
                "invalid",
                f"a preview has at most {self.settings.max_preview_pixels} pixels; ask for a "
                "smaller region, or make a job",
            )
        if options.total_samples > _PREVIEW_SAMPLES:
            raise ProblemError(
                "invalid",
                f"a preview has at most {_PREVIEW_SAMPLES} samples; ask for fewer num_samples, or "
                "make a job",
            )
        check_region(region, photo.inspection.width, photo.inspection.height)
        async with self._scratch(".png") as kept:
            task = Preview(photo.path, kept.file, self.settings.max_pixels, region, options)
            ticket = self._preview_turns.enter(client)
            with photo.kept.used():
                await self._in_turn(
                    self._preview_turns, ticket, self.engine, lambda: task, _PREVIEW_SECONDS
                )
            kept.count()
            yield kept.file

    async def finish(self) -> None:
        """Take no more work and end what there is: finished within the grace, else cancelled."""
        self.closing = True
        active = [job for job in self.jobs.values() if not job.is_final]
        for job in active:
            if job.state == "queued":
                job.problem = _stopping()
                await self.cancel(job)
        running = [job for job in active if not job.is_final]
        if running:
            tasks = [job.task for job in running if job.task]
            await asyncio.wait(tasks, timeout=self.settings.grace)
        for job in running:
            if not job.is_final:
                job.problem = _stopping()
                await self.cancel(job)
        lost = sum(job.state == "cancelled" for job in active)
        if lost:
            _log.warning("stopped before %d of the photographs were done", lost)
        deadline = time.monotonic() + _LINGER_SECONDS
        while time.monotonic() < deadline and any(
            not job.collected and job.id in self.jobs for job in active
        ):
            await asyncio.sleep(0.05)

    async def _work(self, job: Job, ticket: QueueSlot) -> None:
        start = time.monotonic()
        held = ExitStack()

        def make() -> Denoise:
            nonlocal start
            start = time.monotonic()
            job.begin()
            earlier = self._earlier(job)
            if earlier:
                held.enter_context(earlier.kept.used())
            room = 0 if earlier else self._room(job)
            job.prediction = job.kept.folder / "prediction" if room else None
            return Denoise(
                job.photo.path,
                job.result,
                self.settings.max_pixels,
                job.options,
                job.prediction,
                room,
                earlier.prediction if earlier else None,
            )

        try:
            with held:
                held.enter_context(job.photo.kept.used())
                held.enter_context(job.kept.used())
                outcome: Denoised = await self._in_turn(
                    self.turns,
                    ticket,
                    self.engine,
                    make,
                    self.settings.max_seconds,
                    progress=job.passed,
                )
                job.kept.count(outcome.size)
            job.end("done", outcome)
        except asyncio.CancelledError:
            job.end("cancelled")
        except ProblemError as problem:
            job.end("failed", problem=problem)
        except Exception:  # noqa: BLE001 - whatever it is, the job must end
            _log.exception("a job failed")
            job.end("failed", problem=ProblemError("internal", "the service failed; see its log"))
        if not job.predicted_bytes:
            job.forget_prediction()
        self._typical_seconds += (time.monotonic() - start - self._typical_seconds) / 4
        self.metrics.job_ended(job, time.monotonic() - start)

    def _earlier(self, job: Job) -> Job | None:
        """One that has asked the network the same about the same photograph."""
        for other in self.jobs.values():
            same = (
                other.photo is job.photo
                and other.options.without_blending() == job.options.without_blending()
            )
            if same and other.predicted_bytes:
                return other
        return None

    def _room(self, job: Job) -> int:
        """Bytes that the prediction of a job may take, or 0: none is made.

        All of them take a quarter of the storage at most; the oldest make way.
        """
        pixels = job.photo.inspection.width * job.photo.inspection.height
        size = prediction_bytes(pixels, job.options)
        most = self.storage.limit // 4
        if job.once or not 0 < size <= most:
            return 0
        room = min(2 * size, most)
        taken = sum(other.predicted_bytes for other in self.jobs.values())
        for other in self.jobs.values():
            if taken + room > most and other.predicted_bytes and not other.kept.in_use:
                taken -= other.predicted_bytes
                other.forget_prediction()
        free = shutil.disk_usage(self.storage.root).free
        room = min(room, most - taken, (self.storage.limit - self.storage.used) // 2, free // 2)
        return room if size <= room else 0

    async def _picture(self, task: Task, client: str) -> Any:
        """Have a picture looked into; once more where the worker died, of this or by chance."""
        for last in (False, True):
            ticket = self._picture_turns.enter(client)
            try:
                return await self._in_turn(
                    self._picture_turns, ticket, self.pictures, lambda: task, _PICTURE_SECONDS
                )
            except ProblemError as problem:
                if last or problem.kind != "worker-died":
                    raise
        raise AssertionError("the last time returns or raises")

    async def _in_turn(
        self,
        turns: FairQueue,
        ticket: QueueSlot,
        worker: Supervisor,
        make: Callable[[], Task],
        seconds: float,
        *,
        progress: Progress | None = None,
    ) -> Any:
        """Have a task done when its turn has come; it is made then."""
        try:
            await ticket.turn.wait()
            return await worker.run(make(), seconds=seconds, progress=progress)
        finally:
            turns.leave(ticket)

    @asynccontextmanager
    async def _scratch(self, suffix: str) -> AsyncIterator["_Scratch"]:
        """A file for the time of the block."""
        scratch = _Scratch(StoredFolder(self.storage), suffix)
        try:
            yield scratch
        finally:
            scratch.kept.remove()

    async def _sweep(self) -> None:
        """Remove, now and then, what nobody has wanted for long."""
        while True:
            await asyncio.sleep(min(1.0, self.settings.lifetime / 4))
            limit = time.monotonic() - self.settings.lifetime
            with suppress(Exception):
                for job in list(self.jobs.values()):
                    if job.is_final and job.kept.touched < limit and not job.kept.in_use:
                        self.forget(job)
                for photo in list(self.photos.values()):
                    if photo.kept.touched < limit and not photo.kept.in_use:
                        self.forget_photo(photo)


class _Scratch:
    """A file that is needed for a while."""

    def __init__(self, kept: StoredFolder, suffix: str) -> None:
        self.kept = kept
        self.file = kept.folder / f"picture{suffix}"

    def count(self) -> None:
        """Count it, now that it is there.

        Raises:
            ProblemError: there is no room for it.
        """
        self.kept.grow(self.file.stat().st_size)


def _stopping() -> ProblemError:
    return ProblemError(
        "unavailable", "the service is being stopped; try again later", retry_after=10
    )
