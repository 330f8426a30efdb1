"""What the tests of other programs share."""

import sys

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
