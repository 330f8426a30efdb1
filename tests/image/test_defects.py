"""Defects that are found and mended, and pictures in which there are none."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from invdn.image.defects import Mending, find_bands, mend
from invdn.image.dtype import from_float
from invdn.image.metrics import psnr
from invdn.photo.read import read_photo

Values = NDArray[np.float64]


def _scene(seed: int = 0, size: int = 160) -> Values:
    """Smooth colours with noise of 5 of 255."""
    generator = np.random.default_rng(seed)
    smooth = gaussian_filter(generator.random((size, size, 3)), (8, 8, 0))
    smooth = 0.2 + 0.6 * (smooth - smooth.min()) / np.ptp(smooth)
    return np.asarray(smooth + generator.normal(0, 5 / 255, smooth.shape))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_hot_and_dead_pixels_are_mended_and_nothing_else(kind: type[np.generic]) -> None:
    scene = _scene().clip(0, 1)
    defects = [(0, 0, 1.0), (20, 31, 1.0), (80, 81, 0.0), (159, 40, 1.0), (33, 159, 1.0)]
    broken = scene.copy()
    for row, column, value in defects:
        broken[row, column] = value
    pixels = np.asarray(from_float(broken.astype(np.float32), kind))
    mended, found = mend(pixels)
    assert found == ("5 hot or dead pixels were mended",)
    changed = {(int(r), int(c)) for r, c in np.argwhere((mended != pixels).any(axis=2))}
    assert changed == {(row, column) for row, column, _ in defects}
    white = np.iinfo(kind).max if kind != np.float32 else 1  # type: ignore[type-var]
    for row, column, _ in defects:
        assert np.abs(mended[row, column] / white - scene[row, column]).max() < 0.1


def test_one_channel_is_mended_alone() -> None:
    pixels = np.full((40, 50, 3), 90, np.uint8)
    pixels[10, 12, 1] = 255
    mended, _ = mend(pixels)
    assert (mended == 90).all()
    assert mend(pixels, Mending(hot_pixels=False))[0] is pixels


def test_a_hot_site_that_demosaicing_spread_goes_and_coloured_lights_stay() -> None:
    scene = np.random.default_rng(0).integers(25, 36, (40, 40, 3), dtype=np.uint8)
    hot = scene.copy()
    hot[10:13, 20:23, 1], hot[11, 21, 1] = 110, 255
    mended, _ = mend(hot)
    assert np.abs(mended.astype(int) - scene).max() <= 10
    light = (
        hot.copy()
    )  # a green lamp reaches the other channels too, and dark spots are no hot sites
    light[11, 21] += np.array((18, 0, 9), np.uint8)
    assert mend(light)[0] is light
    dark = np.full((40, 40, 3), 230, np.uint8)
    dark[20:23, 20:23, 0], dark[21, 21, 0] = 150, 10
    assert mend(dark)[0] is dark


def test_stars_points_of_texture_and_impulses_stay() -> None:
    """A star has a halo; dense points are no defects."""
    points = np.zeros((120, 120, 3))
    points[10:110:10, 10:110:10] = 4
    stars = from_float((0.05 + gaussian_filter(points, (0.7, 0.7, 0))).clip(0, 1), np.uint8)
    assert mend(stars)[0] is stars
    dense = np.full((120, 120, 3), 60, np.uint8)
    dense[::5, ::5] = 255
    assert mend(dense)[0] is dense


@pytest.mark.parametrize("axis", [0, 1])
def test_bands_are_taken_off(axis: int) -> None:
    scene = _scene(3)
    offsets = np.random.default_rng(9).normal(0, 4 / 255, 160)
    shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
    banded = from_float((scene + offsets.reshape(shape)).clip(0, 1).astype(np.float32), np.uint8)
    mended, found = mend(banded)
    assert len(found) == 1 and ("rows", "columns")[axis] in found[0]
    rest = (mended / 255 - scene).mean(axis=(1 - axis, 2))
    assert rest.std() < 0.45 * offsets.std()
    assert mend(banded, Mending(banding=False))[0] is banded


def test_stripes_edges_and_noise_are_no_bands() -> None:
    scene = _scene(4)
    rows = np.arange(160)[:, None, None]
    stripes = scene + 0.05 * np.sin(rows * 0.9)
    edge = scene + 0.3 * (rows > 70)
    for picture in (scene, stripes, edge):
        pixels = from_float(picture.clip(0, 1).astype(np.float32), np.uint8)
        assert find_bands(pixels, 0) is None
        assert find_bands(pixels, 1) is None


@pytest.mark.parametrize("size", [(1, 1), (1, 16), (4, 9), (5, 5), (16, 16)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_small_and_even_pictures_stay(size: tuple[int, int], value: int) -> None:
    pixels = np.full((*size, 3), value, np.uint8)
    mended, found = mend(pixels)
    assert mended is pixels and found == ()


def test_the_hard_cases(real_data: Path) -> None:
    folder = real_data / "hard-cases"
    hot, clean = (read_photo(folder / f"hot{end}.png").pixels for end in ("", "_clean"))
    mended, _ = mend(hot)
    lines = (folder / "hot_positions.txt").read_text().splitlines()
    places = [tuple(map(int, line.split())) for line in lines]
    gone = [np.abs(mended[place].astype(int) - clean[place]).max() < 40 for place in places]
    assert all(gone)
    stars = read_photo(folder / "stars.png").pixels
    assert mend(stars)[0] is stars
    banding, clean = (read_photo(folder / f"banding{end}.png").pixels for end in ("", "_clean"))
    before, after = (
        psnr(side / np.float32(255), clean / np.float32(255))
        for side in (banding, mend(banding)[0])
    )
    assert after > before + 1.5
