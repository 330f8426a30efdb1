"""Stores of every kind: a folder, and buckets of real servers of S3 and Azure."""

from pathlib import Path

import pytest

from invdn.stores import Store, open_store


@pytest.fixture(params=["folder", "bucket", "container"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(request.getfixturevalue(request.param) + "/deep/down", patience=10)
