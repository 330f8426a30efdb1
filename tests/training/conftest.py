"""A tiny data set for tiny runs."""

from pathlib import Path

import numpy as np
import pytest

from invdn.photo.photo import Photo
from invdn.photo.write import write_photo


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``pairs/`` with three pairs of 48x40: smooth pictures, and these with noise."""
    root = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for folder in ("Noisy", "GT"):
        (root / "pairs" / folder).mkdir(parents=True)
    for index in range(3):
        rows, columns = np.mgrid[:40, :48] / 40
        waves = [np.sin(rows * (3 + index) + columns * (2 + c) + c) for c in range(3)]
        clean = 0.5 + 0.4 * np.stack(waves, axis=2)
        noisy = clean + random.normal(0, 0.1, clean.shape)
        for folder, image in (("GT", clean), ("Noisy", noisy)):
            pixels = (image.clip(0, 1) * 255).round().astype(np.uint8)
            write_photo(Photo(pixels), root / "pairs" / folder / f"{index}.png")
    return root
