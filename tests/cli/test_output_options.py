"""Options about the files of ``invdn denoise``: format, quality, chroma, metadata, page."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from invdn.cli import group
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    pixels = np.random.default_rng(0).integers(60, 120, (30, 41, 3), np.uint8)
    write_photo(Photo(pixels, metadata=Metadata(xmp=b"<x/>")), tmp_path / "one.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["denoise", "--device", "cpu", *arguments])


def test_another_format_with_its_choices(folder: Path) -> None:
    choices = ("--jpeg-quality", "66", "--subsampling", "4:2:0", "--strip-metadata")
    result = _run("one.png", "--format", "jpeg", *choices)
    assert result.exit_code == 0, result.output
    found = read_photo(folder / "one_denoised.jpg")
    assert (found.compression.quality, found.compression.subsampling) == (66, "4:2:0")
    assert found.metadata.xmp is None


def test_a_wrong_ending_is_put_right_and_told(folder: Path) -> None:
    (folder / "one.png").rename("two.jpg")
    result = _run("two.jpg")
    assert result.exit_code == 0, result.output
    assert read_photo(folder / "two_denoised.png").metadata.xmp == b"<x/>"
    assert "PNG inside" in result.output


def test_a_name_and_a_format_may_not_contradict(folder: Path) -> None:
    result = _run("one.png", "-o", "two.tif", "--format", "jpeg")
    assert result.exit_code != 0
    assert "contradict" in result.output
    assert sorted(path.name for path in folder.iterdir()) == ["one.png"]
