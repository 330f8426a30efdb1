"""Real photographs with the shipped weights: the same pixels whatever the tile size."""

from pathlib import Path

import numpy as np
import pytest

from invdn.engines import open_engine
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.photo.read import read_photo

# One step of 8 bits in steps of 16; measured: 123 for tiles as small as these (docs/tiling.md).
_TOLERANCE = 65535 / 255


@pytest.mark.slow
@pytest.mark.parametrize("strength", [1.0, "auto"])
def test_tiles_of_any_size_give_the_whole(shared_data: Path, strength: float | str) -> None:
    pixels = read_photo(shared_data / "real-noisy" / "dnd_05.png").pixels[:132, :140]
    engine = open_engine(device="cpu")
    sixteen = pixels.astype(np.uint16) * 257
    results = [
        denoise_pixels(
            engine,
            sixteen,
            DenoiseOptions(tile_size=tile, strength=strength),  # type: ignore[arg-type]
        ).astype(int)
        for tile in (0, 64)
    ]
    for tiled in results[1:]:
        assert np.abs(tiled - results[0]).max() < _TOLERANCE
        assert np.abs(np.rint(tiled / 257) - np.rint(results[0] / 257)).max() <= 1
