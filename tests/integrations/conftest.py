"""What the tests of other programs share."""

import os
import sys
from collections.abc import Generator
from typing import Any

import pytest
from torch import library

_BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@pytest.fixture(scope="session")
def torchvision() -> None:
    """Let torchvision be imported beside a CPU build of torch, or skip where it is missing.

    torchvision's wheel on PyPI is built for CUDA. Beside torch for the CPU its compiled operators
    cannot be loaded, and its import fails on their names. spandrel and deepinv import it; what is
    tested here uses none of these operators, so their names are enough.
    """
    try:
        import torchvision
    except ModuleNotFoundError:
        pytest.skip("needs torchvision")
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        for operator in ("nms", "qnms"):
            library.define(f"torchvision::{operator}", _BOXES)
        import torchvision  # noqa: F401


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    """Where every program is said to be installed, as in ``.ci/peers``, fail what would skip."""
    report = yield
    excused = any(word in str(report.longrepr) for word in ("shared", "Python 3.12"))
    wanted = os.environ.get("INVDN_PEERS") and not excused
    if report.skipped and wanted and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report
