"""What the tests share: real data, where it is."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from support.azure_server import ACCOUNT, azure_server, make_container
from support.drawn_data import draw
from support.s3_server import environment, make_bucket, s3_server, seaweed_server

# Properties are tested without a clock: the machine may be busy.
settings.register_profile("invdn", deadline=None)
settings.load_profile("invdn")

# A shell that starts the tests in the background has Ctrl-C ignored, in the programs that they
# start as well; some of them are stopped by it.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs and pairs beside the checkout; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real photographs in {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def drawn_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn pictures under the names of the real ones."""
    return draw(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session", params=["drawn", "real"])
def shared_data(request: pytest.FixtureRequest) -> Path:
    """Photographs and pairs: drawn ones everywhere, and the real ones where they are."""
    name = f"{request.param}_data"
    folder: Path = request.getfixturevalue(name)
    return folder


@pytest.fixture(scope="session")
def scene() -> NDArray[np.float32]:
    """A picture with detail of every size, larger than the frames cut from it, (180, 220, 3)."""
    generator = np.random.default_rng(7)
    total = np.zeros((180, 220, 3))
    for cell, strength in ((4, 0.12), (10, 0.3), (36, 0.5)):
        coarse = generator.random((180 // cell + 2, 220 // cell + 2, 3))
        total += strength * np.kron(coarse, np.ones((cell, cell, 1)))[:180, :220]
    return np.asarray(0.1 + 0.8 * (total - total.min()) / np.ptp(total), np.float32)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server that speaks S3; INVDN_TEST_S3=seaweed takes SeaweedFS for moto."""
    pytest.importorskip("obstore")
    pytest.importorskip("moto")
    with seaweed_server() if os.environ.get("INVDN_TEST_S3") == "seaweed" else s3_server() as there:
        yield there


@pytest.fixture(scope="session")
def seaweed() -> Iterator[str]:
    """The address of a SeaweedFS."""
    pytest.importorskip("obstore")
    with seaweed_server() as address:
        yield address


@pytest.fixture(scope="session")
def azure() -> Iterator[str]:
    """The address of a server that speaks Azure's protocol of blobs."""
    with azure_server() as address:
        yield address


@pytest.fixture
def container(azure: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty container on it, which clients find by the environment."""
    for name, value in {**ACCOUNT, "AZURE_STORAGE_ENDPOINT": azure}.items():
        monkeypatch.setenv(name, value)
    return make_container(f"c{uuid4().hex[:12]}")


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket on it, which clients find by the environment."""
    for name, value in environment(server).items():
        monkeypatch.setenv(name, value)
    return make_bucket(server, f"b{uuid4().hex[:12]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """Where all is said to be installed (``.ci/peers``, ``.ci/clusters``), fail what would skip."""
    report = yield
    excused = any(word in str(report.longrepr) for word in ("shared", "Python 3.12"))
    wanted = os.environ.get("INVDN_PEERS") and not excused
    if report.skipped and wanted and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report
