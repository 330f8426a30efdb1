"""SIDD submissions from small files of the benchmark's true form."""

import base64
import csv
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from invdn.errors import DataError, OutputError
from invdn.evaluation.sidd import CSV_FILE, MATLAB_FILE, check_sidd, read_benchmark, submit_sidd

SHAPE = (3, 2, 16, 12, 3)
SETTINGS = {"model": "a"}


def invert(block: np.ndarray) -> np.ndarray:
    return 255 - block


@pytest.fixture(params=["version 5", "version 7.3"])
def benchmark_file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    blocks = np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)
    path = tmp_path / "BenchmarkNoisyBlocksSrgb.mat"
    if request.param == "version 5":
        savemat(path, {"BenchmarkNoisyBlocksSrgb": blocks})
    else:
        with h5py.File(path, "w", userblock_size=512) as file:
            file["BenchmarkNoisyBlocksSrgb"] = blocks.T
        with path.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    return path


def test_both_bundles_hold_every_block_in_its_place(benchmark_file: Path, tmp_path: Path) -> None:
    noisy = read_benchmark(benchmark_file)
    assert noisy.shape == SHAPE
    bundle = submit_sidd(benchmark_file, tmp_path / "out", invert, SETTINGS, method="Mine")
    assert (bundle.blocks, bundle.resumed) == (6, 0)
    content = loadmat(bundle.matlab)
    cell = content["DenoisedBlocksSrgb"]
    assert cell.shape == SHAPE[:2]
    assert cell[2, 1].dtype == np.uint8
    assert np.array_equal(cell[2, 1], 255 - noisy[2, 1])
    assert content["TimeMPSrgb"].item() == pytest.approx(bundle.seconds_per_megapixel)
    assert content["OptionalData"]["MethodName"].item().item() == "Mine"
    with bundle.table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["ID"] for row in rows] == list("012345")
    block = np.frombuffer(base64.b64decode(rows[5]["BLOCK"]), np.uint8).reshape(SHAPE[2:])
    assert np.array_equal(block, 255 - noisy[2, 1])


def test_broken_work_goes_on_where_it_stopped(benchmark_file: Path, tmp_path: Path) -> None:
    calls = 0

    def tires(block: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return invert(block)

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        submit_sidd(benchmark_file, out, tires, SETTINGS)
    assert not (out / MATLAB_FILE).exists()
    (out / "image_01.npz").write_bytes(b"cut short")
    seen: list[tuple[int, int]] = []
    bundle = submit_sidd(
        benchmark_file,
        out,
        invert,
        SETTINGS,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert bundle.resumed == 2
    assert seen == [(2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]
    assert submit_sidd(benchmark_file, out, invert, SETTINGS).resumed == 6


def test_other_settings_or_files_are_not_mixed_in(benchmark_file: Path, tmp_path: Path) -> None:
    submit_sidd(benchmark_file, tmp_path / "out", invert, SETTINGS)
    with pytest.raises(OutputError, match="other settings"):
        submit_sidd(benchmark_file, tmp_path / "out", invert, {"model": "b"})
    with pytest.raises(OutputError, match="other files"):
        submit_sidd(benchmark_file, tmp_path, invert, SETTINGS)


def test_half_written_submissions_are_found(benchmark_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    submit_sidd(benchmark_file, out, invert, SETTINGS)
    check_sidd(out, SHAPE)
    table, matlab = (out / CSV_FILE).read_text(), (out / MATLAB_FILE).read_bytes()
    lines = table.splitlines()
    swapped = [lines[0], lines[1].replace("0,", "1,", 1), *lines[2:]]
    for damaged, complaint in (
        ("\n".join(lines[:-1]), "5 blocks instead of 6"),
        (table[:-40], "not base64"),
        ("\n".join(swapped), "in the place"),
        ("\n".join(lines[1:]), "does not begin"),
    ):
        (out / CSV_FILE).write_text(damaged)
        with pytest.raises(DataError, match=complaint):
            check_sidd(out, SHAPE)
    other = lines[1].split(",")[1]
    (out / CSV_FILE).write_text("\n".join([*lines[:2], f"1,{other}", *lines[3:]]))
    with pytest.raises(DataError, match="block 1 of image 0"):
        check_sidd(out, SHAPE)
    (out / CSV_FILE).write_text(table)
    (out / MATLAB_FILE).write_bytes(matlab[: len(matlab) // 2])
    with pytest.raises(DataError):
        check_sidd(out, SHAPE)
    (out / MATLAB_FILE).unlink()
    with pytest.raises(DataError):
        check_sidd(out, SHAPE)


def test_wrong_files_are_refused_with_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "x.mat"
    savemat(path, {"ValidationNoisyBlocksSrgb": np.zeros(SHAPE, np.uint8)})
    with pytest.raises(DataError, match="it holds ValidationNoisyBlocksSrgb"):
        read_benchmark(path)
    savemat(path, {"BenchmarkNoisyBlocksSrgb": np.zeros(SHAPE)})
    with pytest.raises(DataError, match="float64; expected"):
        read_benchmark(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError):
        read_benchmark(path)
    path.write_bytes(b"")
    with pytest.raises(DataError):
        read_benchmark(path)
    with pytest.raises(DataError):
        read_benchmark(tmp_path / "absent.mat")
