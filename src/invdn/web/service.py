"""The service behind the REST interface: its parts put together, started and ended."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from ..inference import Engine
from .database import Database
from .errors import stopping
from .jobs import Job, StoredPhoto, photo_name
from .metrics import Metrics
from .photo_shelf import PhotoShelf
from .pictures import Pictures
from .quota import Leases, Quota, Scratch
from .scheduler import Scheduler
from .sessions import Sessions
from .settings import Settings
from .state import StateFolder
from .supervisor import Supervisor
from .upload import Upload

_log = logging.getLogger(__name__)
_LINGER_SECONDS = 1.0  # after a stop, for clients that ask now and then how far their job is
_PICTURE_WORKERS = 2

OpenEngine = Callable[[], Engine]


class Service:
    """Everything that requests share; use it as an asynchronous context.

    Each engine is in a process of its own, two more look into photographs and make pictures, and
    one makes quick previews: so an upload is answered while the engines are busy, and a hostile
    file cannot end another's work.

    Args:
        open_engines: make the engines, one for each worker; must be picklable.
        model: its name, for people.
        settings: limits.
        open_preview: makes the engine of drafts, in a process of its own; None: the same.
        clock: the time in seconds.

    Attributes:
        shelf: the photographs.
        scheduler: the jobs.
        pictures: what is made for browsers.
        sessions: pages that have shown the token.
        quota: bytes on the disk.
        leases: what is in use.
        closing: no more work is taken.
    """

    def __init__(
        self,
        open_engines: Sequence[OpenEngine],
        model: str,
        settings: Settings,
        open_preview: OpenEngine | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.model = model
        self.settings = settings
        self.clock = clock
        self.closing = False
        self.state = StateFolder(settings.state)
        try:
            self._table = Database(self.state, clock)
        except BaseException:
            self.state.close()
            raise
        self.metrics = Metrics(self._gauges())
        self.quota = Quota(settings.max_storage, self._table.bytes_by_client)
        self.leases = Leases()
        writable = (self.state.root,)
        temporary = self.state.scratch
        self._engines = [
            Supervisor(opened, settings.max_memory, writable, temporary / f"engine{place}")
            for place, opened in enumerate(open_engines)
        ]
        self._artists = [
            Supervisor(None, settings.max_memory, writable, temporary / f"pictures{place}")
            for place in range(_PICTURE_WORKERS)
        ]
        self._drafter = (
            Supervisor(open_preview, settings.max_memory, writable, temporary / "drafts")
            if open_preview
            else None
        )
        self._workers = [*self._engines, *self._artists]
        if self._drafter:
            self._workers.append(self._drafter)
        self.shelf = PhotoShelf(self.state, self._table, self.quota, self.leases, clock)
        self.pictures = Pictures(
            self.state,
            self.quota,
            self.leases,
            settings,
            self._artists,
            self._engines,
            self._drafter,
        )
        self.scheduler = Scheduler(
            self.state,
            self._table,
            self.quota,
            self.leases,
            settings,
            self.metrics,
            self._engines,
            self._drafter,
            clock,
        )
        self.sessions = Sessions(self._table, settings)
        self._sweeping: asyncio.Task[None] | None = None
        self._touched: dict[tuple[str, str], float] = {}

    def _gauges(self) -> Mapping[str, tuple[str, Callable[[], float]]]:
        """Return what the metrics ask of the service."""
        return {
            "invdn_ready": ("Whether work can be taken.", lambda: self.ready),
            "invdn_queue_length": ("Jobs that wait.", lambda: self._table.count("queued")),
            "invdn_jobs_running": ("Jobs in the engines.", lambda: self._table.count("running")),
            "invdn_jobs_kept": ("Jobs that are remembered.", lambda: self._table.count()),
            "invdn_photos_kept": ("Photographs on the disk.", self._table.count_photos),
            "invdn_storage_bytes": ("Bytes on the disk.", lambda: self.quota.used),
            "invdn_worker_restarts": (
                "How often a worker had to be started again.",
                lambda: sum(one.restarts for one in self._workers),
            ),
        }

    async def __aenter__(self) -> "Service":
        try:
            started = await asyncio.gather(
                *(worker.start() for worker in self._workers), return_exceptions=True
            )
            for error in started:
                if isinstance(error, BaseException):
                    raise error
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        if not any(self.state.is_alive(name) for name in self._others()):
            self.shelf.remove_strays()
        self.scheduler.start()
        self._sweeping = asyncio.create_task(self._sweep())
        return self

    def _others(self) -> list[str]:
        return [name for name in self.state.servers() if name != self.state.server]

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._sweeping:
            self._sweeping.cancel()
        await self.scheduler.close()
        await asyncio.gather(*(one.close() for one in self._workers))
        self._table.close()
        self.state.close()

    @property
    def ready(self) -> bool:
        """Whether work can be taken."""
        engine = any(engine.ready for engine in self._engines)
        return engine and any(one.ready for one in self._artists) and not self.closing

    @property
    def engine(self) -> str:
        """What runs the network, and where, for people."""
        return ", ".join(dict.fromkeys(engine.description for engine in self._engines))

    @property
    def pace(self) -> float | None:
        """Seconds that the network takes for a megapixel and pass."""
        paces = [engine.pace for engine in self._engines if engine.pace is not None]
        return min(paces, default=None)

    @property
    def draft_pace(self) -> float | None:
        """The same of the model of drafts; None where the service has none."""
        return self._drafter.pace if self._drafter else None

    @property
    def sandbox(self) -> tuple[str, ...]:
        """What confines the processes that look into photographs."""
        return self._artists[0].sandbox

    def check(self) -> None:
        """Raise if no work is taken, before a body is read.

        Raises:
            ProblemError: the service is being stopped.
        """
        if self.closing:
            raise stopping()

    async def keep(
        self, scratch: Scratch, upload: Upload, given_name: str, *, owned: bool
    ) -> StoredPhoto:
        """Look at a photograph that has come, and keep it.

        Args:
            scratch: where it lies.
            upload: what came.
            given_name: by the client beside the file, or nothing.
            owned: it goes with its last job.

        Raises:
            ProblemError: it is damaged, too large, or of a kind that is not read.
        """
        upload.name = given_name or upload.name
        suffix = Path(photo_name(upload.name, upload.format)).suffix
        path = scratch.folder / f"photo{suffix}"
        (scratch.folder / "upload").rename(path)
        inspection = await self.pictures.inspect(path, scratch.client)
        return await self.shelf.keep(scratch, path, upload, inspection, owned=owned)

    def touch(self, *things: Job | StoredPhoto) -> None:
        """Note that somebody still wants jobs or photographs, now and then."""
        now = self.clock()
        for thing in things:
            kind = "jobs" if isinstance(thing, Job) else "photos"
            if now - max(thing.touched, self._touched.get((kind, thing.id), 0)) > (
                self.settings.lifetime / 20
            ):
                if len(self._touched) > 10_000:
                    self._touched.clear()
                self._touched[kind, thing.id] = now
                self._table.touch(kind, [thing.id])

    def expires_in(self, job: Job) -> float | None:
        """Return seconds until a job that has ended is forgotten, unless somebody asks for it."""
        if not job.is_final:
            return None
        touched = max(job.touched, self._touched.get(("jobs", job.id), 0))
        return round(max(0.0, touched + self.settings.lifetime - self.clock()), 1)

    def positions(self) -> Mapping[str, int]:
        """Return how many jobs come before each one that waits."""
        return self._table.positions()

    def jobs(self, before: str | None, limit: int, states: tuple[str, ...] = ()) -> list[Job]:
        """Return the newest jobs that are older than one."""
        return self._table.jobs(before, limit, states)  # type: ignore[arg-type]

    def made_before(self, client: str, key: tuple[str, str] | None) -> Job | None:
        """Return the job that a client has made with an Idempotency-Key."""
        identifier = self._table.made_before(client, *key) if key else None
        return self.scheduler.find(identifier) if identifier else None

    async def finish(self) -> None:
        """Take no more work; end what runs, or leave it to the next server on the folder."""
        self.closing = True
        left = await self.scheduler.finish(self.settings.grace)
        if self.state.durable:
            left = self._table.count("queued")
            _log.info("stopped; %d photographs are to be done by the next server", left)
        elif left:
            _log.warning("stopped before %d of the photographs were done", left)
        if not self.state.durable and self._table.count():
            await asyncio.sleep(_LINGER_SECONDS)

    async def _sweep(self) -> None:
        """Remove, now and then, what nobody has wanted for long."""
        while True:
            await asyncio.sleep(min(1.0, self.settings.lifetime / 4))
            expired = self.clock() - self.settings.lifetime
            try:
                self.scheduler.sweep(expired)
                self.shelf.sweep(expired)
                self._table.prune(expired)
                self.quota.refresh()
            except Exception:  # noqa: BLE001 - the next time may be better
                _log.exception("tidying up failed")
