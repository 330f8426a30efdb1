"""A state folder that outlives its servers: nothing is lost, and nothing is done twice."""

import os
import signal
import sqlite3
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from invdn.cli import group
from invdn.errors import InputError
from invdn.options import DenoiseOptions
from invdn.web.database import Database
from invdn.web.errors import ProblemError
from invdn.web.jobs import StoredPhoto
from invdn.web.state import StateFolder
from invdn.web.tasks import Denoised, Inspection
from support.serving import Server, is_alive, running


def _start(server: Server, photograph: Path, **options: Any) -> str:
    answer = server.client.post(
        "/api/v1/jobs",
        params={"name": photograph.name, **options},
        content=photograph.read_bytes(),
    )
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def _ended(job: dict[str, Any]) -> bool:
    return job["state"] not in ("queued", "running")


def test_photographs_jobs_and_results_outlive_a_crash(pictures: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path / "first", state=str(state)) as first:
        done = first.job(
            first.client.post(
                "/api/v1/jobs?name=a.png", content=(pictures / "plain.png").read_bytes()
            )
        )
        expected = first.client.get(done["links"]["result"]).content
        running_job = _start(first, pictures / "slow.png", num_samples=60)
        waiting = [_start(first, pictures / "tiny.png", seed=seed) for seed in range(3)]
        first.until(running_job, lambda job: job["progress"] > 0)
        workers = first.workers()
        first.process.kill()
        first.process.wait()
        for _ in range(40):  # the system ends them at once, whatever the load
            if not any(map(is_alive, workers)):
                break
            time.sleep(0.05)
        else:
            raise AssertionError("workers outlive their server")
    assert state.stat().st_mode & 0o777 == 0o700
    for path in state.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    with running(tmp_path / "second", state=str(state)) as second:
        assert second.client.get(done["links"]["result"]).content == expected
        for identifier in (running_job, *waiting):
            assert second.until(identifier, _ended)["state"] == "done"
        listed = second.client.get("/api/v1/jobs").json()["jobs"]
        assert [job["id"] for job in listed] == [*waiting[::-1], running_job, done["id"]]
        assert second.client.get(done["photo"]["links"]["self"]).status_code == 200
        assert len(list((state / "servers").iterdir())) == 1


def test_a_stop_is_quick_and_what_runs_goes_on_afterwards(pictures: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path / "first", state=str(state), grace=0.3) as first:
        jobs = [_start(first, pictures / "slow.png", num_samples=60) for _ in range(2)]
        first.until(jobs[0], lambda job: job["progress"] > 0)
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(10) == 0
        assert (
            "2 photographs are to be done by the next server" in (first.folder / "log").read_text()
        )
    with running(tmp_path / "second", state=str(state)) as second:
        for job in jobs:
            assert second.until(job, _ended)["state"] == "done"


@pytest.mark.slow
def test_two_servers_share_a_folder_and_one_dies(pictures: Path, tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    with ExitStack() as stack:
        one = stack.enter_context(running(tmp_path / "one", state=state))
        two = stack.enter_context(running(tmp_path / "two", state=state))
        jobs = [_start(one, pictures / "slow.png", num_samples=12, seed=n) for n in range(6)]
        one.until(jobs[0], lambda job: job["state"] != "queued")
        owners = set()
        for _ in range(100):
            with sqlite3.connect(tmp_path / "state" / "service.sqlite3") as table:
                rows = table.execute("SELECT owner FROM jobs WHERE state = 'running'")
                owners = {row[0] for row in rows}
            if len(owners) == 2:
                break
            time.sleep(0.02)
        assert len(owners) == 2, "both work"
        # what one server queued, the other one tells and cancels
        assert two.client.delete(f"/api/v1/jobs/{jobs[-1]}").json()["state"] == "cancelled"
        one.process.kill()
        one.process.wait()
        for job in jobs[:-1]:
            assert two.until(job, _ended)["state"] == "done"
        results = {two.client.get(f"/api/v1/jobs/{job}/result").content for job in jobs[:-1]}
        assert len(results) == len(jobs) - 1
        assert _counted(two, 'invdn_jobs_total{state="done"}') <= len(jobs) - 1


def _counted(server: Server, name: str) -> float:
    for line in server.client.get("/metrics").text.splitlines():
        if line.startswith(name):
            return float(line.split()[-1])
    return 0.0


@pytest.mark.slow
def test_several_engines_work_at_once(pictures: Path, tmp_path: Path) -> None:
    with running(tmp_path, workers=2) as server:
        assert len(server.workers()) == 5
        jobs = [_start(server, pictures / "slow.png", num_samples=60) for _ in range(2)]
        for job in jobs:
            server.until(job, lambda one: one["progress"] > 0)
        states = [server.client.get(f"/api/v1/jobs/{job}").json()["state"] for job in jobs]
        assert states == ["running", "running"]
        for job in jobs:
            assert server.until(job, _ended)["state"] == "done"


def test_a_week_passes(pictures: Path, tmp_path: Path) -> None:
    """Unused for a week, a result goes; what is asked for stays."""
    speed = 40_000  # a week in 15 s
    with running(tmp_path, state=str(tmp_path / "state"), clock_speed=speed) as server:
        kept, lost = (
            server.job(
                server.client.post("/api/v1/jobs", content=(pictures / "tiny.png").read_bytes())
            )
            for _ in range(2)
        )
        assert 0 < lost["expires_in"] <= 7 * 86_400
        for _ in range(40):
            time.sleep(0.5)
            assert server.client.get(kept["links"]["self"]).status_code == 200
            if server.client.get("/api/v1/jobs?limit=5").json()["jobs"] == [
                server.client.get(kept["links"]["self"]).json()
            ]:
                break
        assert server.client.get(lost["links"]["self"]).status_code == 404
        assert server.client.get(lost["photo"]["links"]["self"]).status_code == 404
        assert server.client.get(kept["links"]["result"]).status_code == 200
        folders = {path.name for path in (tmp_path / "state" / "jobs").iterdir()}
        assert folders == {kept["id"]}


def test_sessions_outlive_a_restart(tmp_path: Path) -> None:
    token, state = "open-sesame", str(tmp_path / "state")
    with running(tmp_path / "first", state=state, token=token) as first:
        first.client.post("/api/v1/session", json={"token": token})
        (secret,) = first.client.cookies.values()
    with running(tmp_path / "second", state=state, token=token) as second:
        second.client.cookies.set(f"invdn-{second.port}", secret)
        assert second.client.get("/api/v1/models").status_code == 200
    assert secret.encode() not in (tmp_path / "state" / "service.sqlite3").read_bytes()


@pytest.mark.parametrize("kind", ["others", "damaged", "newer", "file"])
def test_a_folder_that_is_none_is_refused(tmp_path: Path, kind: str) -> None:
    from click.testing import CliRunner

    state = tmp_path / "state"
    if kind == "file":
        state.write_text("x")
    else:
        state.mkdir()
    if kind == "others":
        (state / "holiday.jpg").write_bytes(b"mine")
    if kind == "damaged":
        (state / "service.sqlite3").write_bytes(b"nonsense" * 200)
    if kind == "newer":
        with sqlite3.connect(state / "service.sqlite3") as table:
            table.execute("CREATE TABLE x (y)")
            table.execute("PRAGMA user_version = 99")
    before = {path.name: path.read_bytes() for path in state.glob("*.jpg")}
    result = CliRunner().invoke(group, ["serve", "--port", "0", "--state", str(state)])
    if kind == "file":
        assert result.exit_code == 2 and "state" in result.output
    else:
        assert isinstance(result.exception, InputError) and "state" in str(result.exception)
    assert {path.name: path.read_bytes() for path in state.glob("*.jpg")} == before


class Clock:
    """A clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _photo(table: Database, state: StateFolder, name: str, client: str = "a") -> StoredPhoto:
    folder = state.photo_folder(name)
    inspection = Inspection("png", 10, 10, "uint8")
    photo = StoredPhoto(name, client, folder, "photo.png", "p.png", 10, inspection, 1000.0)
    table.add_photo(photo)
    return photo


def _queue(table: Database, photo: StoredPhoto, name: str, client: str = "a", **how: Any) -> str:
    standard: dict[str, Any] = {"once": False, "most": 64, "retry_after": 1}
    return table.add_job(name, photo, DenoiseOptions(), client, **standard | how)


def test_clients_take_turns() -> None:
    with StateFolder(None) as state:
        table = Database(state, Clock())
        photo = _photo(table, state, "p")
        for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
            _queue(table, photo, name, name[0])
        order = sorted(table.positions().items(), key=lambda entry: entry[1])
        assert [name for name, _ in order] == ["a1", "b1", "c1", "a2", "b2", "a3"]
        claimed = []
        while job := table.claim():
            claimed.append(job.id)
        assert claimed == ["a1", "b1", "c1", "a2", "b2", "a3"]
        table.close()


def test_one_client_leaves_places_for_others() -> None:
    with StateFolder(None) as state:
        table = Database(state, Clock())
        photo = _photo(table, state, "p")
        places = {}
        for client in "abcd":
            places[client] = 0
            with pytest.raises(ProblemError, match="waiting already"):
                while True:
                    _queue(table, photo, f"{client}{places[client]}", client)
                    places[client] += 1
        assert places["a"] == 48 and all(places.values())
        table.close()


def test_only_the_latest_attempt_can_end_a_job() -> None:
    """A server that was thought dead, and comes back with a result, is not heard."""
    with StateFolder(None) as state:
        table = Database(state, Clock())
        _queue(table, _photo(table, state, "p"), "j")
        first = table.claim()
        assert first and table.claim() is None, "nothing is claimed twice"
        table.requeue(first, counts=True)
        second = table.claim()
        assert second and second.attempts == 2
        outcome = Denoised(1, 1, 1.0, 0)
        assert not table.end(first, "done", outcome)
        table.progressed(first.after_pass(5, 9, 1.0))
        assert table.job("j") == second
        assert first.attempt_folder != second.attempt_folder
        assert table.end(second, "done", outcome)
        assert not table.cancel("j"), "it has ended"
        table.close()


def test_what_dead_servers_leave_is_found() -> None:
    with StateFolder(None) as state:
        table = Database(state, Clock())
        photo = _photo(table, state, "p")
        for name in ("kept", "once"):
            _queue(table, photo, name, once=name == "once")
        _queue(table, photo, "waits")
        assert table.claim()
        jobs, nobodys = table.abandoned(state.is_alive)
        assert (jobs, nobodys) == ([], [])
        jobs, nobodys = table.abandoned(lambda name: False)
        assert [job.id for job in jobs] == ["kept"] and nobodys == ["once"]
        table.close()


def test_a_server_is_alive_for_as_long_as_it_holds_its_lock(tmp_path: Path) -> None:
    with StateFolder(tmp_path) as one:
        other = StateFolder(tmp_path)
        assert set(one.servers()) == {one.server, other.server}
        assert one.is_alive(other.server) and other.is_alive(one.server)
        os.close(other._locks.pop())
        assert not one.is_alive(other.server)
        one.clear(other.server)
        assert list(one.servers()) == [one.server] and not other.scratch.exists()
    with pytest.raises(InputError, match="other files"):
        (tmp_path / "x").mkdir()
        (tmp_path / "service.sqlite3").unlink(missing_ok=True)
        StateFolder(tmp_path)
