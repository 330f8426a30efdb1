"""Heads, pictures for browsers and previews: what is wanted at once, beside the jobs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ..inference import DenoiseOptions, Region
from ..options import Look
from .errors import WORKER_ENDED, ProblemError, died_twice
from .jobs import StoredPhoto
from .queue import FairQueue
from .quota import Leases, Quota, Scratch
from .rendering import check_region
from .settings import Settings
from .state import StateFolder
from .supervisor import Supervisor
from .tasks import Inspect, Inspection, NoiseShareMap, Preview, Render, Task, UncertaintyMap

_PICTURE_SECONDS = 60.0
_PREVIEW_SECONDS = 60.0  # a job stands still meanwhile
_PREVIEW_SAMPLES = 16
_WAITING = 4  # pictures that may wait, for one photograph in the queue


class Pool:
    """Several workers, each with a task at a time; clients take turns.

    A task whose worker dies is done once more, by the next one: it may have been another's fault.

    Args:
        workers: that do the tasks.
        most: tasks that may wait.
    """

    def __init__(self, workers: Sequence[Supervisor], most: int) -> None:
        self._workers = workers
        self._turns = FairQueue(most, len(workers))
        self._busy: set[Supervisor] = set()

    async def run(self, task: Task, client: str, seconds: float) -> Any:
        """Have a task done when its turn has come.

        Raises:
            ProblemError: it failed, too many wait, or its worker died twice.
        """
        for last in (False, True):
            ticket = self._turns.enter(client)
            worker = None
            try:
                await ticket.turn.wait()
                free = [worker for worker in self._workers if worker not in self._busy]
                worker = min(free, key=lambda one: (not one.ready, one.tasks))
                self._busy.add(worker)
                return await worker.run(task, seconds=seconds)
            except ProblemError as problem:
                if problem.kind not in WORKER_ENDED:
                    raise
                if last:
                    raise died_twice(problem) from problem
            finally:
                if worker:
                    self._busy.discard(worker)
                self._turns.leave(ticket)
        raise AssertionError("the last time returns or raises")


class Pictures:
    """Looks into photographs, and makes pictures of them.

    Args:
        state: where the pictures lie while they are sent.
        quota: counts their bytes.
        leases: who is in use.
        settings: limits.
        workers: that look and draw.
        engines: that denoise previews, between two passes of a job, and quick ones within those
            of finer ones.
        drafter: denoises drafts with a fast model, beside all jobs; None: the engines do.
    """

    def __init__(
        self,
        state: StateFolder,
        quota: Quota,
        leases: Leases,
        settings: Settings,
        workers: Sequence[Supervisor],
        engines: Sequence[Supervisor],
        drafter: Supervisor | None,
    ) -> None:
        self._state = state
        self._quota = quota
        self._leases = leases
        self._settings = settings
        self._drawing = Pool(workers, _WAITING * settings.max_queue)
        kinds = (True, False)  # quick ones go between the passes of finer ones
        self._previewing = {quick: Pool(engines, settings.max_queue) for quick in kinds}
        self._drafting = self._previewing
        if drafter:
            self._drafting = {quick: Pool([drafter], settings.max_queue) for quick in kinds}

    async def inspect(self, path: Path, client: str) -> Inspection:
        """Look at the head of a photograph.

        Raises:
            ProblemError: it is damaged, too large, or of a kind that is not read.
        """
        task = Inspect(path, self._settings.max_pixels)
        inspection: Inspection = await self._drawing.run(task, client, _PICTURE_SECONDS)
        return inspection

    @asynccontextmanager
    async def rendering(
        self,
        source: Path,
        suffix: str,
        client: str,
        *,
        noisy: Path | None = None,
        look: DenoiseOptions | Look | None = None,
        **how: Any,
    ) -> AsyncIterator[Path]:
        """Make a picture for the browser, for the time of the block.

        Args:
            source: the file.
            suffix: ``.png``, ``.jpg`` or ``.rgb``.
            client: who asks.
            noisy: show what noise explains of the difference from this file, instead.
            look: of what noise explains; or options of blending: show how far the file may be
                from the clean photograph, where it is blended so.
            how: region, largest side and shrinking.
        """
        scratch = Scratch(self._state, self._quota, client)
        try:
            target = scratch.folder / f"picture{suffix}"
            pixels = self._settings.max_pixels
            task: Task = Render(source, target, pixels, **how)
            if noisy and isinstance(look, DenoiseOptions):
                task = UncertaintyMap(noisy, source, target, pixels, look, **how)
            elif noisy and not isinstance(look, DenoiseOptions):
                task = NoiseShareMap(noisy, source, target, pixels, look or "natural", **how)
            await self._drawing.run(task, client, _PICTURE_SECONDS)
            scratch.count(target)
            yield target
        finally:
            scratch.remove()

    @asynccontextmanager
    async def preview(
        self,
        photo: StoredPhoto,
        region: Region,
        options: DenoiseOptions,
        client: str,
        shrink: int = 1,
        draft: bool = False,
    ) -> AsyncIterator[Path]:
        """Denoise a region into a PNG, for the time of the block.

        It goes before all jobs, and a quick one before finer ones.

        Args:
            photo: of which.
            region: of the upright picture.
            options: how.
            client: who asks.
            shrink: denoise means of squares of this edge length.
            draft: by the fast model, where the service has one.

        Raises:
            ProblemError: the region is too large or leaves the photograph.
        """
        self._check_preview(region, options, shrink)
        check_region(region, photo.inspection.width, photo.inspection.height)
        scratch = Scratch(self._state, self._quota, client)
        try:
            target = scratch.folder / "picture.png"
            pixels = self._settings.max_pixels
            task = Preview(photo.path, target, pixels, region, options, shrink)
            with self._leases.hold(photo.id):
                pools = self._drafting if draft else self._previewing
                await pools[task.is_quick].run(task, client, _PREVIEW_SECONDS)
            scratch.count(target)
            yield target
        finally:
            scratch.remove()

    def _check_preview(self, region: Region, options: DenoiseOptions, shrink: int) -> None:
        limit = self._settings.max_preview_pixels
        if -(-region.width // shrink) * -(-region.height // shrink) > limit:
            raise ProblemError(
                "invalid",
                f"a preview has at most {limit} pixels; ask for a smaller region, a larger "
                "shrink, or make a job",
            )
        if options.total_samples > _PREVIEW_SAMPLES:
            raise ProblemError(
                "invalid",
                f"a preview has at most {_PREVIEW_SAMPLES} samples; ask for fewer num_samples, or "
                "make a job",
            )
