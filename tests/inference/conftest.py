"""A small network, so that properties can be tried on many pictures."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from invdn.architecture import Architecture
from invdn.engines.torch_engine import TorchEngine
from invdn.network import InvDN


@pytest.fixture(scope="session")
def engine() -> TorchEngine:
    """A network of two levels with random weights, small enough for exact comparisons."""
    torch.manual_seed(0)
    return TorchEngine(InvDN(Architecture(blocks=(1, 1), features=4)))


@pytest.fixture(scope="session")
def picture() -> NDArray[np.uint8]:
    """A noisy colour picture whose sides are no multiples of anything, (150, 203, 3)."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:150, 0:203]
    plain = np.stack((rows / 150, columns / 203, (rows + columns) / 353), axis=2)
    noisy = plain + generator.normal(0, 0.05, plain.shape)
    return np.rint(np.clip(noisy, 0, 1) * 255).astype(np.uint8)
