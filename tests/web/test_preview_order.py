"""Whose preview is made first: a quick one does not wait for the pass of a finer one."""

import asyncio
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from invdn.engines import open_engine
from invdn.inference import Engine, Region
from invdn.options import DenoiseOptions
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from invdn.web.supervisor import Supervisor
from invdn.web.tasks import Inspect, Preview
from invdn.web.worker import LOOK, WorkRequest, _MakeWayError, _WorkerLoop
from support.deaf_engine import DeafEngine
from support.serving import Server
from support.systems import needs_linux

pytestmark = needs_linux  # the worker is told by a signal

WHOLE = Region(0, 0, 512, 512)
FAST = partial(open_engine, "fast", "cpu")
FOUR = DenoiseOptions(num_samples=4)


def test_a_signal_that_a_finalizer_swallows_is_not_lost(large: Path, tmp_path: Path) -> None:
    fine = Preview(large, tmp_path / "fine.png", 10**7, WHOLE, FOUR)
    deaf = tmp_path / "deaf"

    async def cancel() -> None:
        async with working(tmp_path, partial(DeafEngine, deaf)) as worker:
            pid = worker.pid
            task = asyncio.create_task(worker.run(fine, seconds=300))
            while not deaf.exists():
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await worker.run(Inspect(large, 10**7), seconds=300)
            assert (worker.pid, worker.restarts) == (pid, 0), "it was not killed"

    asyncio.run(cancel())


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A photograph of one tile, of which two samples are decoded in one pass."""
    path = tmp_path / "large.png"
    write_photo(Photo(camera_noise(demo_photo(512), seed=4)), path)
    return path


@asynccontextmanager
async def working(folder: Path, engine: Callable[[], Engine] = FAST) -> AsyncIterator[Supervisor]:
    worker = Supervisor(engine, 4 << 30, (folder,), folder / "scratch")
    await worker.start()
    try:
        yield worker
    finally:
        await worker.close()


def test_a_quick_preview_interrupts_the_pass_of_a_finer_one(large: Path, tmp_path: Path) -> None:
    fine = Preview(large, tmp_path / "fine.png", 10**7, WHOLE, FOUR)
    quick = Preview(large, tmp_path / "quick.png", 10**7, Region(8, 8, 64, 64), DenoiseOptions())
    assert quick.is_quick and not fine.is_quick

    async def passes_with_a_quick_one(worker: Supervisor) -> list[int]:
        passes: list[int] = []
        encoded = asyncio.Event()

        def passed(done: int, _: int) -> None:
            passes.append(done)
            encoded.set()

        longer = asyncio.create_task(worker.run(fine, seconds=300, progress=passed))
        begun = asyncio.create_task(encoded.wait())
        await asyncio.wait([longer, begun], return_when=asyncio.FIRST_COMPLETED)
        await worker.run(quick, seconds=300)  # the network decodes now
        await longer
        return passes

    async def compare() -> None:
        async with working(tmp_path) as worker:
            for _ in range(10):  # on a busy machine a pass may be over before the quick one is sent
                passes = await passes_with_a_quick_one(worker)
                if passes[:2] == [1, 1]:
                    break
            assert passes[:2] == [1, 1] and passes[-1] == 5, "the finer one was begun anew"
            interrupted = (tmp_path / "fine.png").read_bytes()
            await worker.run(fine, seconds=300)
            assert interrupted == (tmp_path / "fine.png").read_bytes()

    asyncio.run(compare())


def test_a_signal_between_two_passes_is_not_lost(large: Path, tmp_path: Path) -> None:
    fine = Preview(large, tmp_path / "fine.png", 10**7, WHOLE, FOUR)
    quick = Preview(large, tmp_path / "quick.png", 10**7, Region(8, 8, 64, 64), DenoiseOptions())
    assert LOOK
    handlers = {number: signal.getsignal(number) for number in (LOOK, signal.SIGPROF)}
    near, far = multiprocessing.Pipe()
    try:
        loop = _WorkerLoop(near, None, 4 << 30)
        loop._go_on(WorkRequest(1, fine))  # nothing came, and the work goes on
        loop._at_work = None  # between two passes
        far.send(WorkRequest(2, quick))
        os.kill(os.getpid(), LOOK)
        with pytest.raises(_MakeWayError):
            loop._go_on(WorkRequest(1, fine))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_quick_previews_do_not_starve_a_finer_one(large: Path, tmp_path: Path) -> None:
    fine = Preview(large, tmp_path / "fine.png", 10**7, WHOLE, FOUR)
    quick = Preview(large, tmp_path / "quick.png", 10**7, Region(8, 8, 16, 16), DenoiseOptions())

    async def compare() -> None:
        beginnings = 0
        async with working(tmp_path) as worker:

            def passed(done: int, _: int) -> None:
                nonlocal beginnings
                beginnings += done == 1

            longer = asyncio.create_task(worker.run(fine, seconds=300, progress=passed))
            while not longer.done():
                await worker.run(quick, seconds=300)
            await longer
        assert 1 <= beginnings <= 4

    asyncio.run(compare())


def test_a_page_need_not_wait_for_the_finer_preview_of_another(server: Server, large: Path) -> None:
    """By the address of the same client, as two people behind one proxy have."""
    photo = server.client.post("/api/v1/photos", content=large.read_bytes()).json()
    link = photo["links"]["preview"]
    whole = {"x": 0, "y": 0, "w": 512, "h": 512, "quality": "draft"}
    with ThreadPoolExecutor() as pool:
        query = {**whole, "num_samples": 12}
        fine = pool.submit(server.client.get, link, params=query, timeout=300)
        for shrink in (16, 8):
            answer = server.client.get(link, params={**whole, "shrink": shrink}, timeout=300)
            assert answer.status_code == 200, answer.text
            assert not fine.done(), shrink
        assert fine.result().status_code == 200
