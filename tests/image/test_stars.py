"""Points of light that stay as they are."""

import numpy as np
import pytest
from numpy.typing import NDArray

from invdn.image.stars import find_stars, with_stars

Floats = NDArray[np.float32]


def sky(channels: int = 3, noise: float = 0.02) -> Floats:
    """A dark sky with noise."""
    generator = np.random.default_rng(1)
    return generator.normal(0.1, noise, (64, 80, channels)).clip(0, 1).astype(np.float32)


def star(height: float, colour: tuple[float, ...] = (1, 1, 1), width: float = 0.7) -> Floats:
    """A point of light, (5, 5, C)."""
    down, along = np.mgrid[-2:3, -2:3]
    shape = height * np.exp(-(down**2 + along**2) / (2 * width**2))
    return (shape[..., None] * np.array(colour)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("height", [0.25, 0.85])
def test_stars_are_found_and_kept(channels: int, height: float) -> None:
    picture = sky(channels)
    places = {(10, 12), (40, 70), (2, 2), (61, 77)}
    for row, column in places:
        picture[row - 2 : row + 3, column - 2 : column + 3] += star(height, (1,) * channels)
    found = find_stars(picture)
    assert set(zip(*(axis.tolist() for axis in found), strict=True)) == places
    clean = np.full_like(picture, 0.1)
    kept = with_stars(clean, picture)
    same = (kept == picture).all(axis=2)
    assert same.sum() == 9 * len(places) and same[9:12, 11:14].all()
    assert np.array_equal(kept[~same], clean[~same]) and (clean == np.float32(0.1)).all()


def test_stars_may_have_a_colour() -> None:
    picture = sky()
    picture[20:25, 20:25] += star(0.7, (1, 0.8, 0.5))
    assert [place.tolist() for place in find_stars(picture)] == [[22], [22]]


def one_pixel() -> Floats:
    return star(0.8, width=0.35)  # its neighbours have 2 % each


def a_line() -> Floats:
    return np.pad(np.full((5, 1, 3), 0.6, np.float32), ((0, 0), (2, 2), (0, 0)))


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(one_pixel(), id="hot pixel"),
        pytest.param(star(0.8, (1, 0, 0)), id="spread over one colour by demosaicing"),
        pytest.param(star(0.08), id="too faint"),
        pytest.param(-star(0.09), id="dark"),
        pytest.param(a_line(), id="line"),
        pytest.param(star(0.8, width=3), id="broad"),
    ],
)
def test_others_are_not(patch: Floats) -> None:
    picture = sky()
    picture[30:35, 30:35] += patch
    assert not len(find_stars(picture)[0])
    assert with_stars(picture, picture) is picture


@pytest.mark.parametrize("level", [0.05, 0.15])
def test_noise_and_texture_hold_no_stars(level: float) -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(0.4, level, (400, 500, 3)).clip(0, 1).astype(np.float32)
    soft = (
        noise + np.roll(noise, 1, 0) + np.roll(noise, 1, 1) + np.roll(noise, (1, 1), (0, 1))
    ) / 4
    speckle = generator.random((400, 500, 1), np.float32).repeat(3, axis=2)
    for picture in (noise, soft, speckle):
        assert len(find_stars(picture)[0]) <= 2


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 90, 3), (5, 5, 1), (3, 3, 1)])
def test_tiny_pictures(shape: tuple[int, ...]) -> None:
    assert not len(find_stars(np.zeros(shape, np.float32))[0])
