"""Stores of every kind: a folder, buckets of servers of S3 and Azure, a stand-in for Google."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from invdn.stores import Store, open_store
from support.fault_proxy import Answer, FaultProxy, fault_proxy
from support.google_server import google_server
from support.s3_server import environment, make_bucket

#: Where a client is told the address of each server.
_ADDRESS = {
    "s3": "AWS_ENDPOINT_URL",
    "gs": "STORAGE_EMULATOR_HOST",
    "az": "AZURE_STORAGE_ENDPOINT",
}
SERVERS = ["bucket", "seaweed_bucket", "google", "container"]


@pytest.fixture(params=["folder", *SERVERS])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return open_store(str(tmp_path / "store"))
    return open_store(request.getfixturevalue(request.param) + "/deep/down", patience=10)


@pytest.fixture
def seaweed_bucket(seaweed: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty bucket of SeaweedFS."""
    for name, value in environment(seaweed).items():
        monkeypatch.setenv(name, value)
    return make_bucket(seaweed, f"b{uuid4().hex[:12]}")


@contextmanager
def behind_proxy(
    url: str, patch: pytest.MonkeyPatch, answer: Answer, patience: float = 10
) -> Iterator[tuple[Store, FaultProxy]]:
    """A store as it is behind a proxy; what is opened besides is as well."""
    name = _ADDRESS[url.partition("://")[0]]
    given = os.environ[name]
    server, path = given.removeprefix("http://").partition("/")[::2]
    with fault_proxy(f"http://{server}", answer=answer) as proxy, patch.context() as patched:
        patched.setenv(name, f"{proxy.address}/{path}".rstrip("/"))
        yield open_store(url, patience=patience), proxy


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a bucket that behaves as Google's do."""
    pytest.importorskip("obstore")
    with google_server("photos") as address:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", address)
        yield "gs://photos"
