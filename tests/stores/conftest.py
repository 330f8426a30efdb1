"""Stores of every kind: a folder, buckets of servers of S3 and Azure, a stand-in for Google."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from invdn.stores import Store, open_store
from support.google_server import google_server


@pytest.fixture(params=["folder", "bucket", "google", "container"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(request.getfixturevalue(request.param) + "/deep/down", patience=10)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a bucket that behaves as Google's do."""
    pytest.importorskip("obstore")
    with google_server("photos") as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield "gs://photos"
