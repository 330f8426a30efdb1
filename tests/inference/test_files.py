"""The road from file to file."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from invdn.engines.torch_engine import TorchEngine
from invdn.errors import ImageError, OutputError
from invdn.inference import DenoiseOptions, FileOptions, denoise_file, denoise_pixels
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo


def test_depth_alpha_and_metadata_survive(
    engine: TorchEngine, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    sixteen = picture.astype(np.uint16) * 257 + 3
    alpha = np.arange(150 * 203, dtype=np.uint16).reshape(150, 203)
    source = tmp_path / "noisy.png"
    write_photo(Photo(sixteen, alpha, Metadata(resolution=(11.8, 11.8))), source)
    result = denoise_file(
        engine, source, tmp_path / "clean.tif", DenoiseOptions(seed=4, strength=1)
    )
    clean = read_photo(tmp_path / "clean.tif")
    assert np.array_equal(
        clean.pixels, denoise_pixels(engine, sixteen, DenoiseOptions(seed=4, strength=1))
    )
    assert clean.alpha is not None
    assert np.array_equal(clean.alpha, alpha)
    assert clean.metadata.resolution == pytest.approx((11.8, 11.8), rel=1e-2)
    assert (result.width, result.height, result.depth) == (203, 150, "uint16")


def test_nothing_is_overwritten_unasked(
    engine: TorchEngine, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    source, target = tmp_path / "noisy.png", tmp_path / "clean.png"
    write_photo(Photo(picture), source)
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        denoise_file(engine, source, target)
    assert target.read_bytes() == b"precious"
    denoise_file(engine, source, target, files=FileOptions(overwrite=True))
    assert read_photo(target).pixels.shape == picture.shape


def test_a_target_that_cannot_hold_it_fails_before_the_work(
    engine: TorchEngine, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    def worked(done: int, total: int) -> None:
        raise AssertionError("the network ran")

    source = tmp_path / "noisy.png"
    write_photo(Photo(picture, np.zeros((150, 203), np.uint8)), source)
    with pytest.raises(OutputError, match="transparency"):
        denoise_file(engine, source, tmp_path / "clean.jpg", progress=worked)
    with pytest.raises(OutputError, match="no known format"):
        denoise_file(engine, source, tmp_path / "clean.xyz", progress=worked)


def test_an_interrupt_leaves_nothing_behind(
    engine: TorchEngine, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    source = tmp_path / "noisy.png"
    write_photo(Photo(picture), source)
    before = source.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        denoise_file(engine, source, tmp_path / "clean.png", progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["noisy.png"]
    assert source.read_bytes() == before


def test_a_truncated_photograph_is_no_result(
    engine: TorchEngine, picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    source = tmp_path / "noisy.jpg"
    write_photo(Photo(picture), source)
    source.write_bytes(source.read_bytes()[:-2000])
    with pytest.raises(ImageError, match="cut short"):
        denoise_file(engine, source, tmp_path / "clean.jpg")
    assert not (tmp_path / "clean.jpg").exists()


def test_the_noise_is_reported(engine: TorchEngine, tmp_path: Path) -> None:
    noisy = np.random.default_rng(0).normal(110, 9, (60, 72, 3)).astype(np.uint8)
    write_photo(Photo(noisy), tmp_path / "noisy.png")
    write_photo(Photo(noisy[:20, :20].copy()), tmp_path / "small.png")
    result = denoise_file(engine, tmp_path / "noisy.png", tmp_path / "clean.png")
    assert result.noise_level == pytest.approx(9, rel=0.15)
    assert result.noise is not None
    assert abs(result.noise.correlation) < 0.13
    assert "independent" in str(result.warning)
    small = denoise_file(engine, tmp_path / "small.png", tmp_path / "tiny.png")
    assert small.noise_level is small.noise is small.warning is None
