"""From the files of a burst to one file."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from invdn.bursts import denoise_burst
from invdn.cli import group
from invdn.engines import open_engine
from invdn.errors import ImageError, InputError, OutputError
from invdn.image.dtype import from_float, to_float
from invdn.image.metrics import psnr
from invdn.inference import denoise_pixels
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo

PLACES = ((20, 20), (23, 18), (17, 21), (21, 26))


@pytest.fixture
def burst(scene: NDArray[np.float32], tmp_path: Path) -> list[Path]:
    """Four noisy frames of a scene, shifted against each other."""
    paths = []
    for number, (top, left) in enumerate(PLACES):
        clean = scene[top : top + 96, left : left + 112]
        noise = np.random.default_rng(number).normal(0, 0.05, clean.shape)
        path = tmp_path / f"IMG_{number}.png"
        pixels = from_float((clean + noise).astype(np.float32), np.uint8)
        write_photo(Photo(pixels, metadata=Metadata(resolution=(11.8, 11.8))), path)
        paths.append(path)
    return paths


def test_better_than_any_single_road(scene: NDArray[np.float32], burst: list[Path]) -> None:
    engine = open_engine(device="cpu")
    target = burst[0].with_name("clean.png")
    before = [path.read_bytes() for path in burst]
    result = denoise_burst(engine, burst, target)
    assert result.averaged > 3
    for (top, left), shift in zip(PLACES[1:], result.shifts, strict=True):
        assert shift == pytest.approx((20 - top, 20 - left), abs=0.2)
    truth = scene[20:116, 20:132]
    clean = read_photo(target)
    single = denoise_pixels(engine, to_float(read_photo(burst[0]).pixels))
    inner = (slice(8, -8), slice(8, -8))
    assert psnr(to_float(clean.pixels)[inner], truth[inner]) > psnr(single[inner], truth[inner]) + 2
    assert clean.metadata.resolution == pytest.approx((11.8, 11.8), rel=1e-2)
    assert [path.read_bytes() for path in burst] == before


def test_grey_and_sixteen_bits(burst: list[Path]) -> None:
    paths = []
    for path in burst[:2]:
        grey = read_photo(path).pixels.mean(axis=2)
        paths.append(path.with_suffix(".tif"))
        write_photo(Photo((grey * 257).astype(np.uint16)), paths[-1])
    target = burst[0].with_name("clean.tif")
    assert denoise_burst(open_engine(device="cpu"), paths, target).depth == "uint16"
    assert (read_photo(target).pixels.dtype, read_photo(target).pixels.ndim) == (np.uint16, 2)


def test_bursts_that_are_none(burst: list[Path]) -> None:
    engine = open_engine(device="cpu")
    folder = burst[0].parent
    target = folder / "clean.png"
    pixels = read_photo(burst[0]).pixels
    odd = {
        "small.png": Photo(pixels[:90].copy()),
        "deep.png": Photo(pixels.astype(np.uint16) * 257),
        "other.png": Photo(pixels[::-1, ::-1].copy()),
    }
    for name, photo in odd.items():
        write_photo(photo, folder / name)
    (folder / "text.png").write_text("no picture")
    for name, message in (
        ("small.png", "another size"),
        ("deep.png", "another depth"),
        ("other.png", "does not show the same"),
    ):
        with pytest.raises(InputError, match=message):
            denoise_burst(engine, [burst[0], folder / name], target)
    for sources, error, message in (
        ([burst[0]], InputError, "two photographs or more"),
        ([burst[0], burst[0]], InputError, "named twice"),
        ([burst[0], folder / "gone.png"], ImageError, "no such file"),
        ([burst[0], folder / "text.png"], ImageError, r"text\.png"),
    ):
        with pytest.raises(error, match=message):
            denoise_burst(engine, sources, target)
    assert not target.exists()
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        denoise_burst(engine, burst, target)
    assert target.read_bytes() == b"precious"


def test_the_command(burst: list[Path]) -> None:
    target = burst[0].with_name("clean.tif")
    names = [str(path) for path in burst[:2]]
    result = CliRunner().invoke(group, ["burst", *names, "-o", str(target), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert "2 photographs -> " in result.output
    assert read_photo(target).pixels.shape == (96, 112, 3)


def test_no_frame_is_replaced_by_the_result(burst: list[Path]) -> None:
    link = burst[0].with_name("link.png")
    link.symlink_to(burst[1])
    before = [path.read_bytes() for path in burst]
    for target in (burst[2], link):
        with pytest.raises(OutputError, match=r"take the place of .* which is read"):
            denoise_burst(open_engine(device="cpu"), burst, target, overwrite=True)
    assert [path.read_bytes() for path in burst] == before
