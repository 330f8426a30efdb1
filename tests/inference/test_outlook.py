"""The outlook on a photograph: from which parts it is told, and how its numbers come about."""

from itertools import count
from pathlib import Path

import numpy as np
import pytest

from invdn.engines import open_engine
from invdn.errors import ImageError
from invdn.image.noise_estimation import estimate_noise
from invdn.inference import DenoiseOptions, FileOptions, Pipeline, Region, noise_word, outlook_of
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

#: Rows and columns of the four parts of 600 rows and 500 columns: evenly, 160 on a side.
PARTS = [
    (slice(70, 230), slice(45, 205)),
    (slice(70, 230), slice(295, 455)),
    (slice(370, 530), slice(45, 205)),
    (slice(370, 530), slice(295, 455)),
]


@pytest.fixture
def noisy(tmp_path: Path) -> np.ndarray:
    random = np.random.default_rng(0)
    spread = np.where(np.arange(600) < 300, 4, 16)[:, None, None]  # noisier below
    pixels = np.clip(120 + spread * random.normal(size=(600, 500, 3)), 0, 255).astype(np.uint8)
    write_photo(Photo(pixels), tmp_path / "a.png")
    return pixels


def test_strength_and_noise_are_those_of_four_parts(tmp_path: Path, noisy: np.ndarray) -> None:
    engine = open_engine("fast", device="cpu")
    told = outlook_of(engine, tmp_path / "a.png", tmp_path / "b.png")
    pipeline = Pipeline(engine, DenoiseOptions(), estimate_noise(noisy))
    for part in PARTS:
        pipeline.run(noisy, noisy[part].copy(), part=part)
    assert told.strength == pytest.approx(pipeline.findings.strength, rel=1e-3)
    assert told.noise_level == pytest.approx(pipeline.findings.noise_level, rel=1e-3)
    assert told.noise_word == noise_word(pipeline.findings.noise_level or 0)
    assert (told.width, told.height, told.depth) == (500, 600, "uint8")


def test_a_given_strength_is_told_with_the_estimate(tmp_path: Path, noisy: np.ndarray) -> None:
    engine = open_engine("fast", device="cpu")
    options = DenoiseOptions(strength=0.4)
    files = FileOptions(region=Region(30, 310, 100, 80))
    told = outlook_of(engine, tmp_path / "a.png", tmp_path / "b.png", options, files)
    estimate = estimate_noise(noisy)
    assert estimate is not None
    assert told.strength == 0.4 and told.noise_level == pytest.approx(estimate.level, rel=1e-3)
    assert (told.width, told.height) == (100, 80)


@pytest.mark.parametrize(
    ("region", "pixels", "seen"),
    [
        (None, 600 * 500, (160 + 64) ** 2),
        (Region(30, 310, 100, 80), 80 * 100, (80 + 64) * (100 + 64)),
    ],
)
def test_the_time_is_that_of_the_parts_by_what_they_read(
    tmp_path: Path,
    noisy: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    region: Region | None,
    pixels: int,
    seen: int,
) -> None:
    seconds = count()
    monkeypatch.setattr("invdn.inference.outlook.time.perf_counter", lambda: float(next(seconds)))
    told = outlook_of(
        open_engine("fast", device="cpu"),
        tmp_path / "a.png",
        tmp_path / "b.png",
        DenoiseOptions(tile_overlap=32),
        FileOptions(region=region),
    )
    # a second passes between two looks at the clock: one for reading, one for each part
    assert told.seconds == pytest.approx(1 + pixels / seen)


def test_what_is_no_photograph_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no photograph")
    with pytest.raises(ImageError, match=r"a\.png"):
        outlook_of(open_engine("fast", device="cpu"), tmp_path / "a.png", tmp_path / "b.png")
