"""Downscaling follows MATLAB's imresize."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from invdn.image.resize import downscaling_matrix

sizes = st.integers(1, 60)
factors = st.sampled_from([2, 3, 4])


@given(sizes, factors)
def test_flat_stays_flat_and_the_mean_of_many_is_kept(units: int, factor: int) -> None:
    matrix = downscaling_matrix(units * factor, factor)
    assert matrix.shape == (units, units * factor) and matrix.dtype == np.float32
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-6)


@given(sizes, factors)
def test_mirrored_in_is_mirrored_out(units: int, factor: int) -> None:
    matrix = downscaling_matrix(units * factor, factor)
    assert np.allclose(matrix, matrix[::-1, ::-1], atol=1e-6)


def test_a_straight_line_stays_straight_inside() -> None:
    line = np.arange(64, dtype=np.float32)
    low = downscaling_matrix(64, 4) @ line
    assert np.allclose(low[2:-2], (np.arange(16) * 4 + 1.5)[2:-2], atol=1e-4)


def test_borders_are_mirrored_with_the_edge_pixel() -> None:
    """One long mirrored signal, downscaled far from its ends, has the same numbers."""
    signal = np.random.default_rng(0).random(32).astype(np.float32)
    unfolded = np.concatenate([signal[::-1], signal, signal[::-1]])
    expected = (downscaling_matrix(96, 4) @ unfolded)[8:16]
    assert np.allclose(downscaling_matrix(32, 4) @ signal, expected, atol=1e-6)


def test_weights_of_one_row() -> None:
    """By hand: Keys' cubic at (j + 0.5) / 4, eight taps each side, divided by 4."""
    t = (np.arange(8) + 0.5) / 4
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    half = np.where(t < 1, near, far) / 4
    row = downscaling_matrix(64, 4)[7]
    assert np.allclose(row[22:38], np.concatenate([half[::-1], half]), atol=1e-6)
    assert not row[:22].any() and not row[38:].any()


def test_inside_pillow_and_torch_agree() -> None:
    picture = np.random.default_rng(1).random((80, 64)).astype(np.float32)
    ours = downscaling_matrix(80, 4) @ picture @ downscaling_matrix(64, 4).T
    pillow = np.asarray(Image.fromarray(picture).resize((16, 20), Image.Resampling.BICUBIC))
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(picture)[None, None], scale_factor=0.25, mode="bicubic", antialias=True
    )[0, 0].numpy()
    inner = (slice(2, -2), slice(2, -2))
    assert np.allclose(ours[inner], pillow[inner], atol=1e-5)
    assert np.allclose(ours[inner], theirs[inner], atol=1e-5)
    assert not np.allclose(ours, pillow, atol=1e-3)  # other borders: the reason for this module


@pytest.mark.parametrize(("size", "factor"), [(0, 4), (-4, 4), (7, 4), (8, 0)])
def test_sizes_that_do_not_fit_are_refused(size: int, factor: int) -> None:
    with pytest.raises(ValueError, match="multiple"):
        downscaling_matrix(size, factor)
