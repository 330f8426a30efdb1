"""Bytes on the disk: counted, bounded, and given back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from invdn.web.errors import ProblemError
from invdn.web.storage import Storage, StoredFolder
from support.serving import running


@pytest.fixture
def storage() -> Iterator[Storage]:
    with Storage(limit=100) as opened:
        yield opened


def test_what_is_removed_makes_room(storage: Storage) -> None:
    for _ in range(5):
        kept = StoredFolder(storage)
        kept.grow(60)
        kept.count(10)
        assert storage.used == 70
        kept.remove()
        assert storage.used == 0 and not kept.folder.exists()


def test_more_than_the_limit_is_refused_and_not_counted(storage: Storage) -> None:
    kept = StoredFolder(storage)
    kept.grow(100)
    with pytest.raises(ProblemError, match="as many photographs as it may"):
        kept.grow(1)
    assert storage.used == 100
    kept.remove()
    assert storage.used == 0


def test_removal_waits_for_the_last_user(storage: Storage) -> None:
    kept = StoredFolder(storage)
    kept.grow(60)
    with kept.used():
        with kept.used() as folder:
            kept.remove()
            assert folder.exists() and storage.used == 60
        assert folder.exists() and storage.used == 60 and kept.in_use
    assert not folder.exists() and storage.used == 0 and not kept.in_use
    kept.remove()
    assert storage.used == 0, "given back once"


def test_nothing_outlives_the_storage() -> None:
    with Storage(limit=100) as opened:
        kept = StoredFolder(opened)
        (kept.folder / "photo.jpg").write_bytes(b"private")
        assert opened.root.stat().st_mode & 0o777 == 0o700
    assert not opened.root.exists()


def test_a_service_takes_more_in_all_than_fits_at_once(tmp_path: Path, pictures: Path) -> None:
    photo = (pictures / "plain.png").read_bytes()
    with running(tmp_path, max_storage=3 * len(photo)) as server:
        for _ in range(8):
            answer = server.client.post("/api/v1/photos", content=photo)
            assert answer.status_code == 201, answer.text
            assert server.client.delete(answer.headers["location"]).status_code == 204
