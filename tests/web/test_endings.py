"""Workers that die, services that are stopped or crash: nothing hangs, nothing stays behind."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from invdn.web.errors import ProblemError, worker_ended
from invdn.web.pictures import Pool
from support.serving import Server, is_alive, running
from support.systems import needs_linux

pytestmark = needs_linux  # it looks at processes in /proc


def _gone(pids: list[int]) -> bool:
    for _ in range(200):
        if not any(map(is_alive, pids)):
            return True
        time.sleep(0.05)
    return False


def _start(server: Server, pictures: Path, draws: int) -> str:
    answer = server.client.post(
        "/api/v1/jobs", params={"num_samples": draws}, content=(pictures / "slow.png").read_bytes()
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_a_job_whose_worker_dies_is_done_once_more(server: Server, pictures: Path) -> None:
    plain = (pictures / "plain.png").read_bytes()
    expected = server.client.post("/api/v1/denoise", content=plain).content
    running_job = _start(server, pictures, 80)
    waiting_job = _start(server, pictures, 1)
    server.until(running_job, lambda job: job["progress"] > 0)
    engine = server.workers("engine")[0]
    os.kill(engine, signal.SIGKILL)
    assert _end(server, running_job)["state"] == "done"
    assert _end(server, waiting_job)["state"] == "done"
    assert server.client.post("/api/v1/denoise", content=plain).content == expected
    assert server.client.get("/readyz").status_code == 200
    assert engine not in server.workers("engine")


def test_a_job_that_kills_its_workers_fails(server: Server, pictures: Path) -> None:
    job = _start(server, pictures, 1000)
    for _ in range(2):
        server.until(job, lambda one: one["progress"] > 0)
        os.kill(server.workers("engine")[0], signal.SIGKILL)
        server.until(job, lambda one: one["progress"] == 0 or one["state"] == "failed")
    ended = _end(server, job)
    assert ended["state"] == "failed"
    assert ended["problem"]["type"] == "urn:invdn:problem:worker-died"
    assert "SIGKILL" in ended["problem"]["detail"]


def _end(server: Server, job: str) -> dict[str, Any]:
    return server.until(job, lambda one: one["state"] not in ("queued", "running"))


def test_all_workers_may_die_at_once(server: Server, pictures: Path) -> None:
    before = server.workers()
    photo = server.client.post(
        "/api/v1/photos", content=(pictures / "deep.tif").read_bytes()
    ).json()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert _gone(before)
    assert server.client.get(photo["links"]["rendering"]).status_code == 200
    for quality in ("fast", "draft"):
        query = {"x": 0, "y": 0, "w": 9, "h": 9, "quality": quality}
        assert server.client.get(photo["links"]["preview"], params=query).status_code == 200
    for _ in range(2400):  # a busy machine takes its time
        if len(server.workers()) >= len(before):
            return
        time.sleep(0.05)
    raise AssertionError(server.workers())


def test_orders_that_a_dead_worker_had_not_begun_are_done_by_the_next(
    server: Server, pictures: Path
) -> None:
    before = server.workers("pictures")
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    content = (pictures / "tiny.png").read_bytes()
    with ThreadPoolExecutor() as pool:
        sent = [
            pool.submit(server.client.post, "/api/v1/photos", content=content) for _ in range(8)
        ]
        time.sleep(0.5)
        for _ in range(2):
            assert not any(one.done() for one in sent)
            for pid in server.workers("pictures"):
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        assert [one.result().status_code for one in sent] == [201] * 8


@pytest.mark.parametrize("crashed", [False, True])
def test_a_picture_whose_worker_ends_twice_is_no_fault_of_the_service(crashed: bool) -> None:
    class Dying:
        ready, tasks, tried = True, 0, 0

        async def run(self, *_: object, **__: object) -> None:
            self.tried += 1
            raise worker_ended("the process was ended by X", crashed=crashed)

    worker: Any = Dying()
    with pytest.raises(ProblemError, match=r"twice|two") as caught:
        asyncio.run(Pool([worker], 4).run(cast(Any, None), "client", 1.0))
    assert worker.tried == 2
    assert caught.value.status == (422 if crashed else 503)
    assert "Retry-After" in caught.value.headers() or crashed


@pytest.mark.slow
def test_a_stop_finishes_what_runs(pictures: Path, tmp_path: Path) -> None:
    with running(tmp_path, grace=60) as server:
        finished = _start(server, pictures, 8)
        server.until(finished, lambda job: job["state"] == "running")
        waiting = _start(server, pictures, 1)
        answers: list[httpx.Response] = []
        body = (pictures / "plain.png").read_bytes()
        waiter = threading.Thread(
            target=lambda: answers.append(server.client.post("/api/v1/denoise", content=body))
        )
        waiter.start()
        while "invdn_queue_length 2.0" not in server.client.get("/metrics").text:
            time.sleep(0.05)
        workers = server.workers()
        server.process.send_signal(signal.SIGTERM)
        job = server.until(waiting, lambda job: job["state"] == "cancelled")
        assert job["problem"]["status"] == 503
        refused = server.client.post("/api/v1/denoise", content=body)
        assert (refused.status_code, server.client.get("/readyz").status_code) == (503, 503)
        assert int(refused.headers["retry-after"]) >= 1
        waiter.join()
        assert answers[0].status_code == 503, answers[0].text  # it had not begun
        job = server.until(finished, lambda job: job["state"] == "done")
        assert server.client.get(job["links"]["result"]).status_code == 200
        assert server.process.wait(20) == 0
        assert _gone(workers)
    assert not list(tmp_path.glob("invdn-serve-*"))
    assert "stopped before 2 of the photographs were done" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_a_stop_waits_no_longer_than_it_may_and_a_crash_is_cleaned_up(
    pictures: Path, tmp_path: Path
) -> None:
    with running(tmp_path, grace=0.5) as crashed:
        crashed.job(
            crashed.client.post("/api/v1/jobs", content=(pictures / "plain.png").read_bytes())
        )
        _start(crashed, pictures, 1000)
        workers = crashed.workers()
        crashed.process.kill()
        crashed.process.wait()
        assert _gone(workers)
        (left,) = tmp_path.glob("invdn-serve-*")
        assert len(list(left.iterdir())) > 1
    with running(tmp_path, grace=0.5) as server:
        assert not left.exists()
        (own,) = tmp_path.glob("invdn-serve-*")
        job = _start(server, pictures, 1000)
        server.until(job, lambda job: job["progress"] > 0)
        server.process.send_signal(signal.SIGINT)
        ended = server.until(job, lambda job: job["state"] == "cancelled")
        assert "being stopped" in ended["problem"]["detail"]
        assert server.process.wait(20) == 0
    assert not own.exists()


def test_what_cannot_start_says_why(tmp_path: Path, server: Server) -> None:
    for arguments, words in (
        (["--host", "0.0.0.0"], "others can reach 0.0.0.0: give a token"),  # noqa: S104
        (["--port", str(server.port)], "choose another --port"),
        (["--max-queue", "0"], "max_queue must be more than 0"),
        (["--model", "nonsense", "--port", "0"], "nonsense"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "invdn", "serve", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "TMPDIR": str(tmp_path)},
        )
        assert done.returncode == 2
        assert words in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
        assert not list(tmp_path.iterdir())
