"""Tiles that fit into a limit, and the peak of a real process below it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from invdn.architecture import Architecture
from invdn.engines import why_native_unavailable
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import InputError
from invdn.inference import DenoiseOptions, Pipeline
from invdn.inference.blocks import can_stream, choose_tile_size
from invdn.inference.region import Region
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

_PHOTO = np.broadcast_to(np.uint8(0), (8000, 12000, 3))  # 96 megapixels that are not there


class _Engine:
    architecture = Architecture()
    process_bytes = 100_000_000
    bytes_per_pixel = 1000


def _tile(limit: float | None, copies: int = 1, **choices: int) -> int:
    options = DenoiseOptions(max_memory=None if limit is None else round(limit), **choices)
    resident = copies * _PHOTO.nbytes
    return choose_tile_size(_Engine(), _PHOTO, options, resident=resident)  # type: ignore[arg-type]


def test_no_limit_is_the_options_own_tile(engine: TorchEngine) -> None:
    assert _tile(None) == 512
    assert _tile(None, tile_size=0) == 0
    assert _tile(100e9) == 512
    assert _tile(100e9, tile_size=0) == 0


def test_the_largest_tile_that_fits() -> None:
    """Process, decoded rows, codec and margins, one window: 100 + 288 + 110 + 147 MB."""
    assert _tile(650e6) == 320
    assert _tile(650e6, tile_overlap=0) == 368
    assert _tile(650e6, tile_size=128) == 128
    assert _tile(900e6, tile_size=0) == 560
    tiles = [_tile(limit) for limit in np.arange(530e6, 900e6, 20e6)]
    assert tiles == sorted(tiles)
    assert _tile(900e6, copies=2) == _tile(900e6 - _PHOTO.nbytes)


def test_too_little_says_how_much_is_needed() -> None:
    with pytest.raises(InputError, match=r"510 MB are too little for 12000x8000 pixels: allow 515"):
        _tile(510e6)
    assert _tile(515e6) == 64


class _Rows(_Engine):
    bytes_per_column = 1_000_000


def _fits(width: int, height: int, limit: float, draws: int = 1) -> bool:
    pixels = np.broadcast_to(np.uint8(0), (height, width, 3))
    options = DenoiseOptions(num_samples=draws, max_memory=round(limit))
    return can_stream(_Rows(), pixels, options, resident=pixels.nbytes)  # type: ignore[arg-type]


def test_rows_in_flight_must_fit() -> None:
    """By pixels, where all goes through in one piece, else by columns, however few the rows."""
    assert _fits(1000, 1000, 1.18e9)
    assert not _fits(1000, 1000, 1.08e9)
    assert _fits(1500, 1000, 1.65e9)
    assert not _fits(1500, 1000, 1.55e9)
    assert not _fits(1500, 700, 1.55e9)
    assert not _fits(1000, 1000, 1.18e9, draws=2)


def test_what_is_kept_beside_the_photograph_counts(engine: TorchEngine) -> None:
    """A spread has four bytes a sample, where the photograph has one; a part is a copy."""
    pixels = np.zeros((64, 80, 3), np.uint8)
    window, rows = (64 + 16) * (80 + 16) * engine.bytes_per_pixel, (3000 + 2 * 32) * 80 * 3
    fixed = engine.process_bytes + window + rows

    def options(limit: int, symmetries: int = 1) -> DenoiseOptions:
        return DenoiseOptions(self_ensemble=symmetries == 8, tile_size=0, max_memory=fixed + limit)

    Pipeline(engine, options(6 * pixels.nbytes, 8)).denoise_with_std(pixels)
    with pytest.raises(InputError, match="too little"):
        Pipeline(engine, options(6 * pixels.nbytes - 1, 8)).denoise_with_std(pixels)
    left = Region(0, 0, 40, 64)
    Pipeline(engine, options(pixels.nbytes * 3 // 2)).denoise_region(pixels, left)
    with pytest.raises(InputError, match="too little"):
        Pipeline(engine, options(pixels.nbytes * 3 // 2 - 1)).denoise_region(pixels, left)


def printed_by(script: str, folder: Path, width: int, height: int) -> list[int]:
    """The numbers that a new process prints, in a folder with a photograph ``noisy.png``."""
    pixels = np.random.default_rng(0).integers(60, 120, (height, width, 3), np.uint8)
    write_photo(Photo(pixels), folder / "noisy.png")
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return [int(number) for number in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.skipif(why_native_unavailable() is not None, reason="the native engine was not built")
@pytest.mark.parametrize(("width", "height"), [(800, 800), (1500, 720)])
def test_rows_stay_below_the_least_limit_that_lets_them(
    tmp_path: Path, width: int, height: int
) -> None:
    script = (
        "from dataclasses import replace; from pathlib import Path; import numpy as np; "
        "from invdn.evaluation.profiling import peak_memory; "
        "from invdn.inference import DenoiseOptions, denoise_file; "
        "from invdn.inference.blocks import can_stream; from invdn.engines import open_engine; "
        "engine = open_engine(backend='native'); "
        "options = DenoiseOptions(detail=0.5); "
        f"pixels = np.broadcast_to(np.uint8(0), ({height}, {width}, 3)); "
        "limits = (replace(options, max_memory=n * 10**6) for n in range(100, 2000)); "
        "least = next(o for o in limits if can_stream(engine, pixels, o, resident=pixels.nbytes)); "
        "denoise_file(engine, Path('noisy.png'), Path('c.png'), least); "
        "print(peak_memory(), least.max_memory)"
    )
    peak, limit = printed_by(script, tmp_path, width, height)
    assert peak < limit


@pytest.mark.slow
def test_a_process_stays_below_its_limit(tmp_path: Path) -> None:
    """With the shipped weights and ONNX Runtime."""
    script = (
        "from pathlib import Path; from invdn.evaluation.profiling import peak_memory; "
        "from invdn.inference import DenoiseOptions, denoise_file; "
        "from invdn.engines import open_engine; "
        "options = DenoiseOptions(tile_size=0, max_memory=190_000_000, strength='auto'); "
        "engine = open_engine(backend='onnxruntime'); "
        "denoise_file(engine, Path('noisy.png'), Path('c.png'), options); "
        "print(peak_memory())"
    )
    (peak,) = printed_by(script, tmp_path, 280, 260)
    assert peak < 190_000_000
