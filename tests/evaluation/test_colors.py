"""Plain colours through a network: patches, the rule about clipping, and the measures."""

import numpy as np
import pytest

from invdn.engines import open_engine
from invdn.inference.engine import Engine
from support.color_patches import (
    NOISE,
    Noise,
    color_grid,
    compare_patch,
    edges,
    flat_patches,
    measure_edges,
    measure_flat,
    measure_ramps,
    ramps,
    with_noise,
)

WHOLE = [np.s_[:, :]]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return open_engine("default", device="cpu")


def flat(value: int, size: int = 32) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


def test_the_grid_holds_corners_edges_faces_and_the_inside() -> None:
    colors = np.array(color_grid(10))
    assert len({tuple(color) for color in colors.tolist()}) == 1000
    at_bound = ((colors == 0) | (colors == 255)).sum(1)
    assert np.bincount(at_bound).tolist() == [8**3, 6 * 8**2, 12 * 8, 8]


def test_errors_are_of_the_worst_channel_and_place() -> None:
    clean = flat(100)
    result = clean.copy()
    result[..., 1] += 3  # the whole green plane
    result[16, 16, 2] = 120  # one pixel inside
    result[0, 0, 0] = 60  # one in the corner
    error = compare_patch("grey", clean, clean, result, WHOLE)
    assert error.mean == pytest.approx(3)
    assert (error.largest, error.inside) == (40, 20)
    assert error.spread == pytest.approx(40 / 32, rel=0.01)


def test_between_true_colour_and_noisy_mean_all_is_right() -> None:
    clean, noisy = flat(0), flat(10)
    for value, expected in ((0, 0), (6, 0), (10, 0), (14, 4)):
        assert compare_patch("black", clean, noisy, flat(value), WHOLE).mean == expected
    assert compare_patch("grey", flat(50), flat(45), flat(53), WHOLE).mean == 3


def test_the_bar_depends_on_the_noise() -> None:
    clean = flat(100)
    error = compare_patch("grey", clean, clean, flat(103), WHOLE)
    assert [noise for noise in NOISE if error.fails(noise)] == ["none", "light", "added light"]
    spot = clean.copy()
    spot[5, 5] = 113
    error = compare_patch("grey", clean, clean, spot, WHOLE)
    assert error.mean < NOISE["none"].bar
    assert [noise for noise in NOISE if error.fails(noise)] == ["none"]


@pytest.mark.parametrize("color", [(128, 128, 128), (255, 255, 28), (28, 57, 113), (255, 0, 0)])
def test_noise_is_equally_strong_in_every_colour(color: tuple[int, ...]) -> None:
    clean = np.full((64, 64, 3), color, np.uint8)
    for kind in NOISE.values():
        noise = with_noise(clean, kind, 3).astype(float) - clean
        clipped = kind.added and {0, 255} >= set(color)  # half of it is cut off in every channel
        spread = kind.spread * (np.sqrt(0.5 - 0.5 / np.pi) if clipped else 1)
        assert noise.std((0, 1)).max() == pytest.approx(spread, rel=0.25)
    for added in (False, True):
        kind = Noise(9.0, 4.0, added)
        assert np.array_equal(with_noise(clean, kind, 3), with_noise(clean, kind, 3))
        assert not np.array_equal(with_noise(clean, kind, 3), with_noise(clean, kind, 4))


def test_ramps_and_edges_join_every_two_corners() -> None:
    for made in (list(ramps(40)), list(edges(40))):
        assert len({name for name, _ in made}) == 28
        for _, picture in made:
            assert picture.shape == (40, 40, 3)
            assert {0, 255} >= set(np.unique(picture[:, [0, -1]]))
            assert (picture == picture[:1]).all()  # alike from top to bottom


def test_greys_come_out_right(engine: Engine) -> None:
    """Every edition has been right about these; a ramp's bands are compared each by itself."""
    (grey,) = measure_flat(engine, flat_patches([(128, 128, 128)], 64), "none")
    assert not grey.fails("none") and grey.mean < 1
    name, ramp = next(pair for pair in ramps(64) if pair[0] == "0 0 0 to 255 255 255")
    (error,) = measure_ramps(engine, iter([(name, ramp)]), "none")
    assert error.mean < 3 and error.spread < 15  # of a band, not of the whole ramp
    name, edge = next(pair for pair in edges(64) if pair[0] == "0 0 0 beside 255 255 255")
    (error,) = measure_edges(engine, iter([(name, edge)]), "none")
    assert error.mean < 3
