"""``invdn data``: patches, blocks and packs from the command line."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy.io import savemat

from invdn.cli.data import command
from invdn.data.sources import open_pairs
from invdn.errors import DataError, OutputError
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two pairs, named as in SIDD-Medium."""
    random = np.random.default_rng(0)
    for scene in ("0001_S6", "0002_G4"):
        folder = tmp_path / "Data" / scene
        folder.mkdir(parents=True)
        for side in ("NOISY", "GT"):
            pixels = random.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            write_photo(Photo(pixels), folder / f"{scene[:4]}_{side}_SRGB_010.PNG")
    return tmp_path / "Data"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_from_photographs_to_a_pack(source: Path, tmp_path: Path) -> None:
    sizes = ("--size", 32, "--count", 2, "--processes", 1)
    result = run("sidd", source, tmp_path / "patches", *sizes)
    assert result.exit_code == 0, result.output
    assert "4 pairs of patches" in result.output
    result = run("pack", tmp_path / "patches", tmp_path / "packed")
    assert result.exit_code == 0, result.output
    assert "4 pairs" in result.output
    patches, packed = open_pairs(tmp_path / "patches"), open_pairs(tmp_path / "packed")
    for index in range(4):
        window = (index, 0, 0, 32, 32)
        assert np.array_equal(patches.noisy.crop(*window), packed.noisy.crop(*window))


def test_photographs_without_partner_are_packed_as_clean(source: Path, tmp_path: Path) -> None:
    for file in source.rglob("*NOISY*"):
        file.unlink()
    result = run("pack", source, tmp_path / "packed")
    assert result.exit_code == 0 and "2 photographs" in result.output
    again = run("pack", source, tmp_path / "packed")
    assert isinstance(again.exception, OutputError)


def test_blocks(tmp_path: Path) -> None:
    blocks = np.random.default_rng(0).integers(0, 256, (1, 3, 8, 8, 3), dtype=np.uint8)
    for name in ("noisy", "clean"):
        savemat(tmp_path / f"{name}.mat", {name: blocks})
    result = run("blocks", tmp_path / "noisy.mat", tmp_path / "clean.mat", tmp_path / "blocks")
    assert result.exit_code == 0 and "3 pairs of blocks" in result.output
    assert len(list((tmp_path / "blocks" / "GT").iterdir())) == 3


@pytest.mark.parametrize("name", ["sidd", "pack"])
def test_nothing_there(name: str, tmp_path: Path) -> None:
    result = run(name, tmp_path / "nowhere", tmp_path / "target")
    assert isinstance(result.exception, DataError) and "nowhere" in str(result.exception)
    assert not (tmp_path / "target").exists()
