"""Scenes that a burst may show."""

import numpy as np
import pytest
from numpy.typing import NDArray


@pytest.fixture(scope="session")
def scene() -> NDArray[np.float32]:
    """A picture with detail of every size, larger than the frames cut from it, (180, 220, 3)."""
    generator = np.random.default_rng(7)
    total = np.zeros((180, 220, 3))
    for cell, strength in ((4, 0.12), (10, 0.3), (36, 0.5)):
        coarse = generator.random((180 // cell + 2, 220 // cell + 2, 3))
        total += strength * np.kron(coarse, np.ones((cell, cell, 1)))[:180, :220]
    return (0.1 + 0.8 * (total - total.min()) / np.ptp(total)).astype(np.float32)
