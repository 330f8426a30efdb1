"""Tiles that fit into a limit, and the peak of a real process below it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from invdn.denoise import DenoiseOptions
from invdn.denoise.memory import fitting_tile
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import InputError
from invdn.imaging.photo import Photo
from invdn.imaging.writing import write_photo

_PHOTO = np.broadcast_to(np.uint8(0), (8000, 12000, 3))  # 96 megapixels that are not there


class _Engine:
    process_bytes = 100_000_000
    bytes_per_pixel = 1000


def _tile(limit: float | None, copies: int = 1, **choices: int) -> int:
    options = DenoiseOptions(max_memory=None if limit is None else round(limit), **choices)
    return fitting_tile(_Engine(), _PHOTO, options, copies=copies)  # type: ignore[arg-type]


def test_no_limit_is_the_options_own_tile(engine: TorchEngine) -> None:
    assert _tile(None) == 512
    assert _tile(None, tile=0) == 0
    assert _tile(100e9) == 512
    assert _tile(100e9, tile=0) == 0


def test_the_largest_tile_that_fits() -> None:
    """Process, decoded rows, codec and margins, one window: 100 + 288 + 110 + 147 MB."""
    assert _tile(650e6) == 320
    assert _tile(650e6, overlap=0) == 384
    assert _tile(650e6, tile=128) == 128
    assert _tile(900e6, tile=0) == 560
    tiles = [_tile(limit) for limit in np.arange(530e6, 900e6, 20e6)]
    assert tiles == sorted(tiles)
    assert _tile(900e6, copies=2) == _tile(900e6 - _PHOTO.nbytes)


def test_too_little_says_how_much_is_needed() -> None:
    with pytest.raises(InputError, match=r"510 MB are too little for 12000x8000 pixels: allow 515"):
        _tile(510e6)
    assert _tile(515e6) == 64


@pytest.mark.slow
def test_a_process_stays_below_its_limit(tmp_path: Path) -> None:
    """With the shipped weights and the engine of the light install."""
    pixels = np.random.default_rng(0).integers(60, 120, (260, 280, 3), np.uint8)
    write_photo(Photo(pixels), tmp_path / "noisy.png")
    script = (
        "from pathlib import Path; from invdn.evaluation.meter import peak_memory; "
        "from invdn.denoise import DenoiseOptions, denoise_file; "
        "from invdn.engines import open_engine; "
        "options = DenoiseOptions(tile=0, max_memory=190_000_000, strength='auto'); "
        "denoise_file(open_engine(device='cpu'), Path('noisy.png'), Path('c.png'), options); "
        "print(peak_memory())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 190_000_000
