"""Bytes on the disk: counted, bounded, shared, and given back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from invdn.web.errors import ProblemError
from invdn.web.quota import Leases, Quota, Scratch
from invdn.web.state import StateFolder
from support.serving import running


@pytest.fixture
def state() -> Iterator[StateFolder]:
    with StateFolder(None) as opened:
        yield opened


def test_what_is_removed_makes_room(state: StateFolder) -> None:
    quota = Quota(100, dict)
    for _ in range(5):
        scratch = Scratch(state, quota, "a")
        scratch.grow(40)
        scratch.grow(10)
        assert (quota.used, quota.used_by("a"), quota.used_by("b")) == (50, 50, 0)
        scratch.remove()
        assert quota.used == 0 and not scratch.folder.exists()
        scratch.remove()
        assert quota.used == 0, "given back once"


def test_more_than_the_limit_is_refused_and_not_counted(state: StateFolder) -> None:
    quota = Quota(100, lambda: {"b": 60})
    scratch = Scratch(state, quota, "a")
    scratch.grow(20)
    with pytest.raises(ProblemError, match="holds as many photographs as it may"):
        scratch.grow(21)
    assert quota.used == 80


def test_each_client_finds_room_however_much_another_has(state: StateFolder) -> None:
    quota = Quota(6400, dict)
    for client in "abcde":
        scratch = Scratch(state, quota, client)
        with pytest.raises(ProblemError, match="photographs of yours"):
            while True:
                scratch.grow(1)
    shares = [quota.used_by(client) for client in "abcde"]
    assert shares[0] == pytest.approx(4800, abs=5)  # three quarters of all that is free
    assert shares == sorted(shares, reverse=True) and shares[-1] > 10


def test_what_is_kept_is_asked_for_again(state: StateFolder) -> None:
    kept = {"a": 10}
    quota = Quota(100, lambda: dict(kept))
    assert quota.used == 10
    kept["a"] = 30
    quota.refresh()
    assert quota.used == 30


def test_removal_waits_for_the_last_user() -> None:
    leases, gone = Leases(), []
    with leases.hold("a"):
        with leases.hold("a", "b"):
            leases.after("a", lambda: gone.append("a"))
            leases.after("c", lambda: gone.append("c"))
        assert gone == ["c"] and "a" in leases and "b" not in leases
    assert gone == ["c", "a"] and "a" not in leases


def test_a_service_takes_more_in_all_than_fits_at_once(tmp_path: Path, pictures: Path) -> None:
    photo = (pictures / "plain.png").read_bytes()
    with running(tmp_path, max_storage=3 * len(photo)) as server:
        for _ in range(8):
            answer = server.client.post("/api/v1/photos", content=photo)
            assert answer.status_code == 201, answer.text
            assert server.client.delete(answer.headers["location"]).status_code == 204
