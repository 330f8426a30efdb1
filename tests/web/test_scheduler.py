"""The scheduler by itself: what it refuses, how it learns an engine's pace, whom it takes over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from invdn.options import DenoiseOptions
from invdn.web.database import Database
from invdn.web.errors import ProblemError
from invdn.web.jobs import Job, StoredPhoto
from invdn.web.metrics import Metrics
from invdn.web.quota import Leases, Quota
from invdn.web.scheduler import Scheduler
from invdn.web.settings import Settings
from invdn.web.state import StateFolder
from invdn.web.supervisor import Supervisor
from invdn.web.tasks import Inspection


class Shop:
    """A scheduler whose engine is not started, and photographs for it."""

    def __init__(self, state: StateFolder, settings: Settings) -> None:
        self.state = state
        self.table = Database(state, lambda: 1000.0)
        self.engine = Supervisor(None, 10**9, (state.root,), state.scratch)
        self.scheduler = Scheduler(
            state, self.table, Quota(10**9, dict), Leases(), settings, Metrics({}), [self.engine],
            None, lambda: 1000.0,
        )  # fmt: skip

    def photo(self, width: int, height: int) -> StoredPhoto:
        name = f"{width}x{height}"
        folder = self.state.photo_folder(name)
        kind = Inspection("png", width, height, "uint8")
        photo = StoredPhoto(name, "a", folder, "photo.png", "p.png", 10, kind, 1000.0)
        if self.table.photo(name) is None:
            self.table.add_photo(photo)
        return photo

    def job(self, width: int, height: int, options: DenoiseOptions = DenoiseOptions()) -> Job:
        self.scheduler.submit(self.photo(width, height), options, "a")
        job = self.table.claim()
        assert job is not None
        return job


@asynccontextmanager
async def shop(path: Path | None = None, settings: Settings | None = None) -> AsyncIterator[Shop]:
    with StateFolder(path) as state:
        made = Shop(state, settings or Settings())
        yield made
        made.table.close()


def test_the_pace_is_the_mean_of_what_was_thought_and_what_was_found() -> None:
    async def learn() -> None:
        async with shop() as made:
            learnt = made.scheduler._learn
            learnt(made.job(2000, 1500), made.engine, 60.0)
            assert made.engine.pace is None, "nothing is known of an engine that was not measured"
            made.engine.pace = 2.0
            learnt(made.job(300, 300), made.engine, 60.0)
            assert made.engine.pace == 2.0, "a small photograph tells little"
            learnt(made.job(2000, 1500), made.engine, 30.0)  # 3 megapixels, 2 passes
            assert made.engine.pace == pytest.approx((2 + 5) / 2)
            four = DenoiseOptions(num_samples=3, self_ensemble=True)  # 8 * (1 + 3) passes
            learnt(made.job(2000, 1500, four), made.engine, 96.0)
            assert made.engine.pace == pytest.approx((3.5 + 1) / 2)
            learnt(made.job(500, 500, four), made.engine, 34.0)  # small, but many passes
            assert made.engine.pace == pytest.approx((2.25 + 4.25) / 2)

    asyncio.run(learn())


def test_too_much_work_is_refused_with_what_would_do() -> None:
    async def submit() -> None:
        async with shop(settings=Settings(max_work=6_000_000)) as made:
            made.job(1500, 2000)  # 3 megapixels, two passes
            with pytest.raises(ProblemError, match=r"4 passes .* over 3 megapixels .* 2 passes"):
                made.job(1500, 2000, DenoiseOptions(num_samples=3))
            with pytest.raises(ProblemError, match="which is 1 passes here"):
                made.job(5000, 2000)
            most = 6_000_000 // 64**2  # however small: every pass has its cost
            made.job(1, 1, DenoiseOptions(num_samples=most // 8 - 1, self_ensemble=True))
            with pytest.raises(ProblemError, match=f"which is {most} passes here"):
                made.job(1, 1, DenoiseOptions(num_samples=most // 8, self_ensemble=True))

    asyncio.run(submit())


def test_the_jobs_of_a_server_that_is_gone_are_done_once_more(tmp_path: Path) -> None:
    async def take_over() -> None:
        async with shop(tmp_path) as made:
            first = made.job(10, 10)
            lasting = StateFolder(tmp_path)
            other = Database(lasting, lambda: 1000.0)
            taken = made.photo(20, 10)
            made.scheduler.submit(taken, DenoiseOptions(), "a")
            lost = other.claim()
            assert lost is not None and lost.id != first.id
            lasting.close()  # the other server ends
            made.scheduler.sweep(expired=0.0)
            again = made.table.claim()
            assert again is not None and (again.id, again.attempts) == (lost.id, 2)
            assert made.table.claim() is None, "that of the living server goes on"
            assert list(made.state.servers()) == [made.state.server]

    asyncio.run(take_over())


def test_the_seconds_left_only_become_fewer_at_one_pace(tmp_path: Path) -> None:
    async def follow() -> None:
        async with shop(tmp_path) as made:
            job = made.job(2000, 1500)
            assert job.seconds_left(1000) is None, "nobody knows before the first pass"
            told: list[float] = []
            # passes of 4 s, one of which takes 5: it is overdue, and then its pace still the same
            for done, ended in ((1, 1004), (2, 1008), (3, 1013), (4, 1017)):
                made.table.progressed(job := job.after_pass(done, 10, ended))
                read = made.scheduler.find(job.id)
                left = [read.seconds_left(ended + later) or 0.0 for later in range(6)]
                told += left[: 5 if done == 2 else 4]
                assert left == sorted(left, reverse=True), "while a pass goes on"
                assert left[4] == left[5], "what comes behind an overdue pass remains"
            assert len(told) == 17 and told == sorted(told, reverse=True)
            assert told[0] == 36 and told[-1] == pytest.approx(6 * 4.25 - 3, abs=1)

    asyncio.run(follow())


def test_another_pace_is_told(tmp_path: Path) -> None:
    async def follow() -> None:
        async with shop(tmp_path) as made:
            job = made.job(2000, 1500).after_pass(1, 10, 1001)
            assert job.seconds_left(1001) == 9
            slower = job.after_pass(2, 10, 1010)
            assert slower.seconds_left(1010) == 40, "5 s for each of the 8 that remain"
            faster = job.after_pass(6, 10, 1001.2)
            assert faster.seconds_left(1001.2) == pytest.approx(0.8)
            made.table.progressed(slower)
            made.table.requeue(slower, counts=True)
            again = made.table.claim()
            assert again is not None and again.seconds_left(1020) is None, "it begins anew"

    asyncio.run(follow())


def test_a_table_of_the_first_version_is_taken_over(tmp_path: Path) -> None:
    async def take_over() -> None:
        async with shop(tmp_path) as made:
            job = made.job(20, 10)
            with made.table.transaction() as table:
                table.execute("ALTER TABLE jobs DROP COLUMN ends")
                table.execute("PRAGMA user_version = 1")
            later = Database(made.state, lambda: 1000.0)
            later.progressed(job.after_pass(1, 4, 1003))
            found = later.job(job.id)
            assert found is not None and found.seconds_left(1003) == 9
            later.close()

    asyncio.run(take_over())
