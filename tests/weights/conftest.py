"""Small networks of random numbers, as arrays and as files."""

from pathlib import Path

import numpy as np
import pytest

from invdn.architecture import Architecture
from invdn.weights import Parameters
from invdn.weights.parameters import tensor_shapes


@pytest.fixture(scope="session")
def parameters() -> Parameters:
    """A two-level network with a few thousand random parameters."""
    generator = np.random.default_rng(0)
    shapes = tensor_shapes(Architecture(blocks=(1, 2), features=4))
    tensors = {name: generator.normal(0, 0.1, shape) for name, shape in shapes.items()}
    return Parameters.from_tensors(tensors, {"provenance": "a test", "licence": "none"})


@pytest.fixture
def parity_files(real_data: Path) -> Path:
    """Files that the originals wrote, and what the originals computed with them."""
    return real_data / "parity-small"
