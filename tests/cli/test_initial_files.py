"""``invdn weights init`` and ``invdn data low``: files that the originals begin with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from invdn.cli import group
from invdn.data.low_images import write_low_images
from invdn.errors import DataError
from invdn.network import InvDN
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from invdn.weights import read_parameters


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.mark.parametrize("suffix", [".pdparams", ".safetensors"])
def test_initial_weights_are_those_that_torch_draws(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"initial{suffix}"
    told = _run("weights", "init", str(target), "--seed", "5", "--blocks", "1,1", "--features", "4")
    assert "seed 5" in told
    found = read_parameters(target)
    torch.manual_seed(5)
    expected = InvDN(found.architecture).state_dict()
    assert found.architecture.blocks == (1, 1)
    for name, values in found.tensors.items():
        assert np.array_equal(values, expected[name].numpy()), name
    again = CliRunner().invoke(group, ["weights", "init", str(target)])
    assert again.exit_code != 0, "nothing is overwritten unasked"
    wrong = CliRunner().invoke(group, ["weights", "init", str(tmp_path / "x.pth"), "--blocks", "a"])
    assert "--blocks must be numbers" in str(wrong.exception)


def test_low_images_are_matlab_s(real_data: Path, tmp_path: Path) -> None:
    """Against the LQ folder that comes with the reproduction's data."""
    source = real_data / "sidd-mini-train-a"
    (tmp_path / "GT").mkdir()
    names = ["0_0.PNG", "0_3.PNG"]
    for name in names:
        (tmp_path / "GT" / name).write_bytes((source / "GT" / name).read_bytes())
    assert "2 images" in _run("data", "low", str(tmp_path))
    for name in names:
        ours = read_photo(tmp_path / "LQ" / name.replace("PNG", "png")).pixels.astype(int)
        theirs = read_photo(source / "LQ" / name).pixels.astype(int)
        assert np.abs(ours - theirs).max() <= 1
        assert np.mean(ours != theirs) < 1e-3
    assert write_low_images(tmp_path) == 0, "what is there stays"


def test_low_images_need_clean_photographs_of_whole_size(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder GT"):
        write_low_images(tmp_path)
    (tmp_path / "GT").mkdir()
    write_photo(Photo(np.zeros((10, 8, 3), np.uint8)), tmp_path / "GT" / "a.png")
    with pytest.raises(DataError, match="10x8 is not divisible by 4"):
        write_low_images(tmp_path)
