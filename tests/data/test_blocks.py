"""SIDD blocks from MATLAB files of both kinds."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.io import savemat

from invdn.data.blocks import extract_blocks, read_blocks
from invdn.data.sources import open_pairs
from invdn.errors import DataError, OutputError

BLOCKS = np.random.default_rng(0).integers(0, 256, (2, 32, 12, 8, 3), dtype=np.uint8)


def write_hdf5(path: Path, array: NDArray[np.uint8]) -> Path:
    with h5py.File(path, "w", userblock_size=512) as file:
        file["ValidationNoisyBlocksSrgb"] = array.T  # MATLAB's columns come first
    with path.open("rb+") as raw:
        raw.write(b"MATLAB 7.3 MAT-file")
    return path


def test_both_kinds_of_file_agree(tmp_path: Path) -> None:
    savemat(tmp_path / "v5.mat", {"ValidationNoisyBlocksSrgb": BLOCKS})
    newer = write_hdf5(tmp_path / "v73.mat", BLOCKS)
    expected = BLOCKS.reshape(64, 12, 8, 3)
    assert np.array_equal(read_blocks(tmp_path / "v5.mat"), expected)
    assert np.array_equal(read_blocks(newer), expected)


def test_extraction_goes_on_where_it_stopped(tmp_path: Path) -> None:
    noisy, clean = tmp_path / "noisy.mat", tmp_path / "clean.mat"
    savemat(noisy, {"ValidationNoisyBlocksSrgb": BLOCKS})
    savemat(clean, {"ValidationGtBlocksSrgb": 255 - BLOCKS})
    assert extract_blocks(noisy, clean, tmp_path / "blocks") == 64
    (tmp_path / "blocks" / "GT" / "1_31.PNG").unlink()
    extract_blocks(noisy, clean, tmp_path / "blocks")
    pairs = open_pairs(tmp_path / "blocks")
    last = list(pairs.clean.names).index("1_31")
    assert np.array_equal(pairs.clean.crop(last, 0, 0, 12, 8), 255 - BLOCKS[1, 31])
    assert np.array_equal(pairs.noisy.crop(last, 0, 0, 12, 8), BLOCKS[1, 31])


def test_blocks_of_another_file_are_not_taken_for_these(tmp_path: Path) -> None:
    for name, blocks in (("noisy", BLOCKS), ("clean", 255 - BLOCKS), ("other", BLOCKS // 2)):
        savemat(tmp_path / f"{name}.mat", {name: blocks})
    clean = tmp_path / "clean.mat"
    extract_blocks(tmp_path / "noisy.mat", clean, tmp_path / "blocks")
    with pytest.raises(OutputError, match=r"Noisy/0_0\.PNG.*another block"):
        extract_blocks(tmp_path / "other.mat", clean, tmp_path / "blocks")


@pytest.mark.parametrize("content", [b"", b"nonsense" * 100])
def test_not_matlab(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(DataError, match=r"a\.mat"):
        read_blocks(tmp_path / "a.mat")


def test_truncated_hdf5(tmp_path: Path) -> None:
    path = write_hdf5(tmp_path / "a.mat", BLOCKS)
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError, match=r"a\.mat"):
        read_blocks(path)


@pytest.mark.parametrize("array", [BLOCKS[0], BLOCKS.astype(float), BLOCKS[..., :2]])
def test_other_arrays(tmp_path: Path, array: NDArray[np.uint8]) -> None:
    savemat(tmp_path / "a.mat", {"x": array})
    with pytest.raises(DataError, match="expected one array"):
        read_blocks(tmp_path / "a.mat")


def test_sides_must_agree(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"a": BLOCKS})
    savemat(tmp_path / "b.mat", {"b": BLOCKS[:1]})
    with pytest.raises(DataError, match="two sides"):
        extract_blocks(tmp_path / "a.mat", tmp_path / "b.mat", tmp_path / "t")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_blocks(tmp_path / "none.mat")
