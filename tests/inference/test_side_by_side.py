"""Before and after side by side: the places that tell, the labels, and the file."""

from pathlib import Path

import numpy as np
import pytest

from invdn.engines import open_engine
from invdn.errors import OutputError
from invdn.inference import DenoiseOptions, FileOptions, denoise_file
from invdn.inference.side_by_side import side_by_side, telling_places
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo


def test_places_show_what_was_changed() -> None:
    rng = np.random.default_rng(0)
    before = np.full((300, 500, 3), 100, np.uint8)
    before[200:260, 400:460] += rng.integers(0, 40, (60, 60, 3), np.uint8)  # noise
    after = np.full_like(before, 100)
    after[20:60, 20:80] += rng.integers(0, 60, (40, 60, 3), np.uint8)  # structure that stays
    before[20:60, 20:80] = after[20:60, 20:80]
    places = telling_places(before, after, side=96)
    first = np.zeros(before.shape[:2], bool)
    first[places[0]] = True
    assert first[200:260, 400:460].mean() > 0.9
    taken = np.zeros(before.shape[:2], int)
    for place in places:
        assert taken[place].shape == (96, 96)
        taken[place] += 1
    assert taken.max() == 1, "places overlap"


@pytest.mark.parametrize("shape", [(1, 1), (7, 500), (40, 40, 3), (400, 385, 3), (384, 390)])
def test_places_lie_inside(shape: tuple[int, ...]) -> None:
    before = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
    after = np.full_like(before, 128)
    parts = [(before[place], after[place]) for place in telling_places(before, after)]
    picture = side_by_side([a for a, _ in parts], [b for _, b in parts], ("before", "after"))
    assert all(0 not in part.shape for pair in parts for part in pair)
    assert picture.dtype == np.uint8 and picture.ndim == len(shape)
    wide = parts[0][0].shape[1]
    shown = picture[24 : 24 + len(parts[0][0])]
    assert np.array_equal(shown[:, :wide], parts[0][0])
    assert np.array_equal(shown[:, -wide:], parts[0][1])
    assert (picture[:24] < 128).any() == (wide > 20), "a label that is too wide is cut"


@pytest.mark.parametrize("ending", [".jpg", ".png"])
def test_the_file_is_written_beside_the_result(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(2).normal(120, 20, (200, 260, 3))
    noisy = noise.clip(0, 255).astype(np.uint8)
    write_photo(Photo(noisy), tmp_path / "a.png")
    picture = tmp_path / f"both{ending}"
    denoise_file(
        open_engine(), tmp_path / "a.png", tmp_path / "b.png", files=FileOptions(compare=picture)
    )
    shown, result = read_photo(picture).pixels, read_photo(tmp_path / "b.png").pixels
    assert shown.shape == (24 + 200, 2 * 260 + 6, 3)
    assert np.abs(shown[24:, :260].astype(int) - noisy).mean() < (0.1 if ending == ".png" else 6)
    assert np.abs(shown[24:, -260:].astype(int) - result).mean() < 3
    with pytest.raises(OutputError, match="exists"):
        denoise_file(
            open_engine(),
            tmp_path / "a.png",
            tmp_path / "c.png",
            files=FileOptions(compare=picture),
        )
    assert not (tmp_path / "c.png").exists()


def test_a_region_is_compared_with_itself(tmp_path: Path) -> None:
    from invdn.inference import Region

    noisy = np.random.default_rng(3).integers(60, 190, (120, 140, 3)).astype(np.uint8)
    write_photo(Photo(noisy), tmp_path / "a.png")
    files = FileOptions(region=Region(20, 10, 64, 48), compare=tmp_path / "both.png")
    denoise_file(
        open_engine(), tmp_path / "a.png", tmp_path / "b.png", DenoiseOptions(strength=1), files
    )
    shown = read_photo(tmp_path / "both.png").pixels
    assert np.array_equal(shown[24:, :64], noisy[10:58, 20:84])
