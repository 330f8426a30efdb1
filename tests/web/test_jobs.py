"""Jobs: watched, fetched, cancelled, expired."""

import json
import os
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from invdn.photo.demo_photo import demo_photo
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from support.serving import Server


def _cpu_seconds(pid: int) -> float:
    if sys.platform != "linux":
        pytest.skip("only Linux tells in /proc")
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _start(server: Server, pictures: Path, **options: int | str) -> str:
    """A job that runs until it is stopped."""
    answer = server.client.post(
        "/api/v1/jobs",
        params={"num_samples": 1000, **options},
        content=(pictures / "slow.png").read_bytes(),
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def test_from_the_queue_to_the_result(server: Server, pictures: Path) -> None:
    answer = server.client.post(
        "/api/v1/jobs", params={"num_samples": 3}, content=(pictures / "plain.png").read_bytes()
    )
    own = answer.headers["location"]
    assert own == answer.json()["links"]["self"]
    with server.client.stream("GET", f"{own}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in events.iter_lines() if line.startswith("data: ")]
    seen = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [job["progress"] for job in seen] == sorted(job["progress"] for job in seen)
    assert seen[-1]["state"] == "done"
    assert seen[-1]["progress"] == 1
    assert seen[-1] | {"expires_in": 0} == server.client.get(own).json() | {"expires_in": 0}
    assert 800 < seen[-1]["expires_in"] <= 900
    assert server.client.get(f"{own}/result").status_code == 200
    assert server.client.delete(own).status_code == 204
    assert server.client.get(own).status_code == 404
    assert server.client.get(f"{own}/result").status_code == 404


def test_cancelling_stops_the_work(server: Server, pictures: Path) -> None:
    engine = server.workers("engine")[0]
    running, waiting = _start(server, pictures), _start(server, pictures)
    job = server.until(running, lambda job: job["progress"] > 0)
    assert job["state"] == "running"
    assert job["seconds_left"] > 10
    assert server.client.get(f"/api/v1/jobs/{waiting}").json()["position"] == 0
    assert server.client.get(f"/api/v1/jobs/{running}/result").status_code == 409
    for identifier in (waiting, running):
        answer = server.client.delete(f"/api/v1/jobs/{identifier}")
        assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    for _ in range(20):
        before = _cpu_seconds(engine)
        time.sleep(0.1)
        if _cpu_seconds(engine) - before < 0.03:
            break
    else:
        raise AssertionError("it still works")
    assert server.workers("engine")[0] == engine  # told, not killed
    gone = server.client.get(f"/api/v1/jobs/{running}/result")
    assert gone.status_code == 409
    assert "cancelled" in gone.json()["detail"]


def test_a_cancel_ends_a_pass_of_the_network(server: Server, tmp_path: Path) -> None:
    """Seconds long, so that a worker which does not notice would be ended."""
    for name, side in (("large.jpg", 1000), ("small.png", 16)):
        write_photo(Photo(np.ascontiguousarray(demo_photo(side))), tmp_path / name)
    body = (tmp_path / "large.jpg").read_bytes()
    engine = server.workers("engine")[0]
    job = server.client.post("/api/v1/jobs?num_samples=32", content=body).json()["id"]
    running = server.until(job, lambda job: job["state"] == "running")
    assert server.client.delete(f"/api/v1/jobs/{job}").status_code == 200
    body = (tmp_path / "small.png").read_bytes()
    answer = server.client.post("/api/v1/denoise", content=body)
    assert answer.status_code == 200
    assert running["progress"] < 0.1
    assert server.workers("engine")[0] == engine


def test_a_client_that_leaves_stops_its_work(server: Server, pictures: Path) -> None:
    engine = server.workers("engine")[0]
    with pytest.raises(httpx.ReadTimeout):
        server.client.post(
            "/api/v1/denoise",
            params={"num_samples": 1000},
            content=(pictures / "slow.png").read_bytes(),
            timeout=1,
        )
    for _ in range(100):
        before = _cpu_seconds(engine)
        time.sleep(0.3)
        if _cpu_seconds(engine) - before < 0.1:
            break
    else:
        raise AssertionError("it still works")


def test_a_preview_goes_before_everything(server: Server, pictures: Path) -> None:
    running, waiting = _start(server, pictures), _start(server, pictures)
    server.until(running, lambda job: job["state"] == "running")
    photo = server.client.post(
        "/api/v1/photos", content=(pictures / "plain.png").read_bytes()
    ).json()
    preview = server.client.get(
        photo["links"]["preview"], params={"x": 0, "y": 0, "w": 20, "h": 20}
    )
    assert preview.status_code == 200
    states = [
        server.client.get(f"/api/v1/jobs/{job}").json()["state"] for job in (running, waiting)
    ]
    assert states == ["running", "queued"]
    for job in (waiting, running):
        server.client.delete(f"/api/v1/jobs/{job}")


def test_one_photograph_for_several_jobs(server: Server, pictures: Path) -> None:
    photo = server.client.post(
        "/api/v1/photos", files={"photo": ("a.png", (pictures / "plain.png").read_bytes())}
    ).json()
    answers = [
        server.client.post(
            "/api/v1/jobs", params={"photo": photo["id"], "seed": seed, "num_samples": 2}
        )
        for seed in (1, 2)
    ]
    assert server.client.delete(photo["links"]["self"]).status_code == 204  # they keep it
    results = {
        server.client.get(server.job(answer)["links"]["result"]).content for answer in answers
    }
    assert len(results) == 2
    assert server.client.post("/api/v1/jobs", params={"photo": photo["id"]}).status_code == 404
    assert server.client.get(photo["links"]["self"]).status_code == 404


def test_a_damaged_photograph_fails_and_says_why(server: Server, pictures: Path) -> None:
    cut = (pictures / "turned.jpg").read_bytes()[:-300]
    job = server.job(server.client.post("/api/v1/jobs", content=cut))
    assert job["state"] == "failed"
    assert job["problem"]["status"] == 422
    assert "damaged or cut short" in job["problem"]["detail"]
    at_once = server.client.post("/api/v1/denoise", content=cut)
    assert at_once.status_code == 422
    assert at_once.json() == job["problem"]
    assert str(server.folder) not in at_once.text


def test_results_and_photographs_expire(strict: Server, pictures: Path) -> None:
    job = strict.job(
        strict.client.post("/api/v1/jobs", content=(pictures / "plain.png").read_bytes())
    )
    assert strict.client.get(job["photo"]["links"]["self"]).status_code == 200
    time.sleep(5)
    assert strict.client.get(job["links"]["self"]).status_code == 404
    assert strict.client.get(job["photo"]["links"]["self"]).status_code == 404
    (root,) = strict.folder.glob("invdn-serve-*")
    assert not list((root / "photos").iterdir()) + list((root / "jobs").iterdir())


def test_thirty_two_clients_lose_nothing(server: Server, pictures: Path) -> None:
    """The short form of benchmarks/service.py."""
    noisy = (pictures / "tiny.png").read_bytes()
    expected = server.client.post("/api/v1/denoise", content=noisy).content
    wrong: list[str] = []

    def ask() -> None:
        with httpx.Client(base_url=server.client.base_url, timeout=120) as client:
            for _ in range(2):
                answer = client.post("/api/v1/denoise", content=noisy)
                if answer.status_code != 200 or answer.content != expected:
                    wrong.append(answer.text[:200])

    clients = [threading.Thread(target=ask) for _ in range(32)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert not wrong
    metrics = server.client.get("/metrics").text
    assert "invdn_queue_length 0.0" in metrics
    assert "invdn_jobs_running 0.0" in metrics


def test_another_look_does_not_run_the_network_again(server: Server, pictures: Path) -> None:
    noisy = (pictures / "plain.png").read_bytes()
    photo = server.client.post("/api/v1/photos", params={"name": "a.png"}, content=noisy).json()
    before = _predictions(server)

    def made(**options: object) -> bytes:
        asked = {"photo": photo["id"], "num_samples": 2, **options}
        job = server.job(server.client.post("/api/v1/jobs", params=asked))
        return server.client.get(job["links"]["result"]).content

    made(strength=1)
    assert _predictions(server) == before + 1
    look = {"strength": 0.6, "detail": 0.5}
    result = made(**look)
    assert _predictions(server) == before + 1
    at_once = server.client.post(
        "/api/v1/denoise", params={"name": "a.png", "num_samples": 2, **look}, content=noisy
    )
    assert result == at_once.content
    assert made(seed=1, **look) != result
    assert _predictions(server) == before + 2


def _predictions(server: Server) -> int:
    """Return how many jobs keep what the network predicted."""
    return len(list(server.folder.glob("invdn-serve-*/jobs/*/*/prediction")))
