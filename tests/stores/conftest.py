"""Stores of both kinds: a folder, and a bucket of a real server."""

from pathlib import Path

import pytest

from invdn.stores import Store, open_store


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(request.getfixturevalue("bucket") + "/deep/down", patience=10)
