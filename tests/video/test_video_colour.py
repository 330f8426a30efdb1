"""Planes <-> RGB: exact back and forth, and the colours that the standards name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from invdn.errors import InputError
from invdn.video.colour import LUMA_WEIGHTS, Coding


@given(
    depth=st.sampled_from([8, 10, 12, 16]),
    full=st.booleans(),
    weights=st.sampled_from([None, *LUMA_WEIGHTS.values()]),
    seed=st.integers(0, 1000),
)
def test_full_chroma_comes_back_exactly(
    depth: int, full: bool, weights: tuple[float, float] | None, seed: int
) -> None:
    """Also colours that no screen shows: nothing is clipped on the way."""
    generator = np.random.default_rng(seed)
    kind = np.uint8 if depth == 8 else np.uint16
    planes = tuple(generator.integers(0, 1 << depth, (5, 7), kind) for _ in range(3))
    coding = Coding(depth, full, weights)
    back = coding.to_planes(coding.to_rgb(planes))
    for before, after in zip(planes, back, strict=True):
        difference = np.abs(after.astype(int) - before)
        assert after.dtype == kind
        assert difference.max() <= (0 if depth < 16 else 1)  # float32 has 24 bits


@pytest.mark.parametrize(
    ("matrix", "red", "green", "blue"),
    [
        (1, (63, 102, 240), (173, 42, 26), (32, 240, 118)),
        (6, (81, 90, 240), (145, 54, 34), (41, 240, 110)),
        (9, (74, 97, 240), (164, 47, 25), (29, 240, 119)),
    ],
)
def test_the_primaries_of_the_standards(
    matrix: int, red: tuple[int, ...], green: tuple[int, ...], blue: tuple[int, ...]
) -> None:
    """BT.709, BT.601 and BT.2020 in studio range, as colour bars at 100 % have them."""
    coding = Coding(8, full=False, weights=LUMA_WEIGHTS[matrix])
    colours = np.eye(3, dtype=np.float32)[None]
    planes = coding.to_planes(colours)
    for column, expected in enumerate((red, green, blue)):
        assert tuple(int(plane[0, column]) for plane in planes) == expected


@pytest.mark.parametrize("halvings", [(1, 1), (1, 0), (0, 1), (2, 0), (2, 2)])
@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 1), (2, 3)])
def test_halved_chroma_keeps_size_and_plain_colours(
    halvings: tuple[int, int], size: tuple[int, int]
) -> None:
    across, down = halvings
    height, width = size
    small = (-(-height // (1 << down)), -(-width // (1 << across)))
    planes = (
        np.full(size, 120, np.uint8),
        np.full(small, 90, np.uint8),
        np.full(small, 170, np.uint8),
    )
    coding = Coding(8, full=False, weights=LUMA_WEIGHTS[1], halvings=halvings)
    rgb = coding.to_rgb(planes)
    assert rgb.shape == (*size, 3)
    for before, after in zip(planes, coding.to_planes(rgb), strict=True):
        assert np.array_equal(before, after)


def test_a_chroma_ramp_lies_where_mpeg_puts_it() -> None:
    """Chroma samples sit above even columns: a ramp there is a ramp of half the slope."""
    chroma = np.tile(np.arange(100, 160, 4, dtype=np.uint8), (6, 1))
    planes = (np.full((12, 30), 120, np.uint8), chroma, np.full((6, 15), 128, np.uint8))
    coding = Coding(8, full=False, weights=LUMA_WEIGHTS[1], halvings=(1, 1))
    rgb = coding.to_rgb(planes)
    blue = rgb[6, :28, 2]
    assert np.allclose(np.diff(blue), np.diff(blue)[0], atol=1e-6)
    again = coding.to_planes(rgb)[1]
    assert np.array_equal(again[:, 1:-1], chroma[:, 1:-1])


def test_grey_alone() -> None:
    plane = np.arange(256, dtype=np.uint8).reshape(16, 16)
    coding = Coding(8, full=True)
    grey = coding.to_rgb((plane,))
    assert (grey.min(), grey.max(), grey.shape) == (0, 1, (16, 16))
    assert np.array_equal(coding.to_planes(grey)[0], plane)


def test_an_impossible_depth() -> None:
    with pytest.raises(InputError, match="17 bits"):
        Coding(17, full=True)
