"""A small network, so that whole videos can be tried."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from invdn.architecture import Architecture
from invdn.engines.torch_engine import TorchEngine
from invdn.network import InvDN


@pytest.fixture(scope="session")
def engine() -> TorchEngine:
    """A network of two levels with random weights, small enough for many frames."""
    torch.manual_seed(0)
    return TorchEngine(InvDN(Architecture(blocks=(1, 1), features=4)))


_MEASURE = """
import sys
from pathlib import Path
from invdn.architecture import Architecture
from invdn.engines.native_engine import NativeEngine
from invdn.network import InvDN
from invdn.video import Encoding, denoise_video
from invdn.weights.network import parameters_of
# torch's own memory grows for a while, by some MB
engine = NativeEngine(parameters_of(InvDN(Architecture(blocks=(1, 1), features=4)), {}))
denoise_video(engine, Path(sys.argv[1]), Path(sys.argv[2]), encoding=Encoding("ffv1"))
from invdn.evaluation.profiling import peak_memory
print(peak_memory())
"""


@pytest.fixture
def peak() -> Callable[[Path, Path], int]:
    """Bytes at the most that a process of its own needs to denoise a video."""

    def measure(source: Path, target: Path) -> int:
        done = subprocess.run(
            [sys.executable, "-c", _MEASURE, str(source), str(target)],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    return measure
