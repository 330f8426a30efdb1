"""Before and after side by side: the places that tell, the labels, and the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from invdn.engines import open_engine
from invdn.errors import OutputError
from invdn.inference import DenoiseOptions, FileOptions, denoise_file
from invdn.inference.side_by_side import side_by_side, telling_places
from invdn.photo.photo import Metadata, Photo
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


def test_the_second_place_has_structure_where_something_was_changed() -> None:
    rng = np.random.default_rng(0)
    after = np.full((128, 640), 100, np.uint8)
    before = after.copy()
    before[16:112, 16:112] += rng.integers(0, 80, (96, 96), np.uint8)  # most noise, and smooth
    stripes = np.uint8(40) * (np.arange(96, dtype=np.uint8) // 8 % 2)
    after[16:112, 272:368] += stripes
    before[16:112, 272:368] = after[16:112, 272:368] + rng.integers(0, 30, (96, 96), np.uint8)
    after[16:112, 528:624] += 2 * stripes  # more structure, and nothing changed
    before[16:112, 528:624] = after[16:112, 528:624]
    columns = [place[1] for place in telling_places(before, after, side=96)]
    assert abs(columns[0].start - 16) <= 16 and abs(columns[1].start - 272) <= 16


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


@pytest.mark.parametrize("orientation", [1, 6])
def test_the_expected_error_is_written_as_colours(tmp_path: Path, orientation: int) -> None:
    from invdn.inference import Region, expected_error
    from invdn.inference.error_map import in_colour, interval

    noisy = np.random.default_rng(4).normal(120, 9, (160, 200, 3))
    noisy[:, 100:] = noisy[:, 100:] * 0.2 + 90
    noisy = noisy.clip(0, 255).astype(np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    write_photo(Photo(noisy, metadata=Metadata(exif=block)), tmp_path / "a.png")
    files = FileOptions(uncertainty=tmp_path / "error.png", compare=tmp_path / "both.png")
    denoise_file(open_engine(), tmp_path / "a.png", tmp_path / "b.png", files=files)
    error = expected_error(noisy, read_photo(tmp_path / "b.png").pixels)
    shown = read_photo(tmp_path / "error.png").pixels
    assert read_photo(tmp_path / "both.png").pixels.shape[0] > 24
    upright = np.rot90(error, -1) if orientation == 6 else error
    assert shown.shape == (upright.shape[0] + 24, upright.shape[1], 3)
    brightness = shown[: len(upright)].sum(2)
    expected = in_colour(upright, float(np.quantile(error[4::8, 4::8], 0.995))).sum(2)
    assert np.abs(brightness - expected.astype(int)).mean() < 12  # of 765; 1 of 200 is brighter
    assert brightness[:, :90].mean() > 1.4 * brightness[:, 110:].mean() or orientation == 6
    assert (shown[-24:, 0] < 6).all() and shown[-12, 95].sum() > 600, "the scale: black to yellow"
    part = FileOptions(region=Region(20, 10, 64, 48), uncertainty=tmp_path / "part.jpg")
    denoise_file(open_engine(), tmp_path / "a.png", tmp_path / "c.png", files=part)
    assert read_photo(tmp_path / "part.jpg").pixels.shape == (48 + 24, 64, 3)
    with pytest.raises(OutputError, match="exists"):
        denoise_file(open_engine(), tmp_path / "a.png", tmp_path / "d.png", files=part)
    assert not (tmp_path / "d.png").exists() and 1 < 255 * interval() * error.max() < 60


def test_grey_photographs_have_an_expected_error_as_well(tmp_path: Path) -> None:
    noisy = np.random.default_rng(5).normal(120, 9, (40, 30)).clip(0, 255).astype(np.uint8)
    write_photo(Photo(noisy), tmp_path / "a.png")
    files = FileOptions(uncertainty=tmp_path / "error.png")
    denoise_file(open_engine(), tmp_path / "a.png", tmp_path / "b.png", files=files)
    assert read_photo(tmp_path / "error.png").pixels.shape == (40 + 24, 30, 3)


def places_by_the_book(before: np.ndarray, after: np.ndarray, side: int) -> list[tuple[int, int]]:
    """The first rows and columns of the places, from sums over every window of cells."""
    height, width = before.shape[:2]
    high, wide = min(side, height), min(side, width)
    noisy, clean = (x.reshape(height, width, -1) / 255 for x in (before, after))
    slope = np.zeros(clean.shape)
    slope[:, :-1] = clean[:, 1:] - clean[:, :-1]
    rows, columns = -(-height // 16), -(-width // 16)
    cells = np.zeros((2, rows, columns))
    for row in range(rows):
        for column in range(columns):
            part = np.s_[16 * row : 16 * row + 16, 16 * column : 16 * column + 16]
            for which, plane in enumerate((clean - noisy, slope)):
                cells[which, row, column] = (plane[part] ** 2).mean(axis=(0, 2)).sum()
    down, along = max(1, high // 16), max(1, wide // 16)
    sums = np.array([
        [[cells[which, r : r + down, c : c + along].sum() for c in range(columns - along + 1)]
         for r in range(rows - down + 1)] for which in (0, 1)
    ])  # fmt: skip
    changed, shaped = sums
    smooth = changed / (shaped + changed + 1e-6)
    smooth[changed <= 0.1 * changed.max()] = 0
    found: list[tuple[int, int]] = []
    for measure in (changed, shaped * np.sqrt(changed + 1e-6), smooth):
        best = None
        for r in range(measure.shape[0]):
            for c in range(measure.shape[1]):
                free = all(abs(r - y // 16) >= down or abs(c - x // 16) >= along for y, x in found)
                if free and (best is None or measure[r, c] > measure[best]):
                    best = r, c
        if best is None or (found and measure[best] <= 0):
            continue
        last = measure.shape[0] - 1, measure.shape[1] - 1
        found.append((
            height - high if best[0] == last[0] else min(16 * best[0], height - high),
            width - wide if best[1] == last[1] else min(16 * best[1], width - wide),
        ))  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(100, 200), (150, 90, 3), (64, 64, 3)])
def test_the_places_are_those_with_the_highest_sums(shape: tuple[int, ...], seed: int) -> None:
    rng = np.random.default_rng(seed)
    after = np.full(shape, 90, np.uint8)
    for _ in range(6):  # structure and noise, here and there
        top, left = rng.integers(0, shape[0] - 20), rng.integers(0, shape[1] - 20)
        part = after[top : top + 24, left : left + 24]
        part += rng.integers(0, rng.integers(2, 90), part.shape).astype(np.uint8)
    before = after.copy()
    for _ in range(6):
        top, left = rng.integers(0, shape[0] - 20), rng.integers(0, shape[1] - 20)
        part = before[top : top + 30, left : left + 30]
        part += rng.integers(0, rng.integers(2, 60), part.shape).astype(np.uint8)
    places = telling_places(before, after, side=48)
    assert [(p[0].start, p[1].start) for p in places] == places_by_the_book(before, after, 48)
    assert all(p[0].stop - p[0].start == p[1].stop - p[1].start == 48 for p in places)


@pytest.mark.parametrize("option", ["compare", "uncertainty"])
@pytest.mark.parametrize(
    ("name", "whose"), [("a.png", "the photograph"), ("b.png", "its result"), ("link.png", "the")]
)
def test_no_picture_takes_the_place_of_a_photograph(
    tmp_path: Path, option: str, name: str, whose: str
) -> None:
    noisy = np.random.default_rng(6).integers(60, 190, (40, 48, 3)).astype(np.uint8)
    write_photo(Photo(noisy), tmp_path / "a.png")
    (tmp_path / "link.png").hardlink_to(tmp_path / "a.png")
    for there in (False, True):  # a result of before, which may be replaced
        if there:
            write_photo(Photo(noisy), tmp_path / "b.png")
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        files = FileOptions(overwrite=True, **{option: tmp_path / "." / name})
        with pytest.raises(OutputError, match=f"{name}.*: {whose}.* choose another name"):
            denoise_file(open_engine(), tmp_path / "a.png", tmp_path / "b.png", files=files)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_two_pictures_have_two_names(tmp_path: Path) -> None:
    noisy = np.random.default_rng(6).integers(60, 190, (40, 48, 3)).astype(np.uint8)
    write_photo(Photo(noisy), tmp_path / "a.png")
    files = FileOptions(compare=tmp_path / "c.png", uncertainty=tmp_path / "c.png")
    with pytest.raises(OutputError, match=r"that of the comparison is there"):
        denoise_file(open_engine(), tmp_path / "a.png", tmp_path / "b.png", files=files)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]
