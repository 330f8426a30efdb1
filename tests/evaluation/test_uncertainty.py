"""Calibration against scipy and against cases whose answer is known; the maps of the spread."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from invdn.errors import InputError
from invdn.evaluation.maps import write_image, write_spread
from invdn.evaluation.uncertainty import calibrate, pixel_samples
from invdn.photo.read import read_photo


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 50), st.booleans())
def test_correlations_agree_with_scipy(seed: int, with_ties: bool) -> None:
    random = np.random.default_rng(seed)
    spread = random.random(300)
    error = 0.3 * spread + random.random(300)
    if with_ties:
        spread, error = np.round(spread, 1), np.round(error, 1)
    found = calibrate([(spread, error)])
    assert found.pearson == pytest.approx(pearsonr(spread, error).statistic, abs=1e-9)
    assert found.spearman == pytest.approx(spearmanr(spread, error).statistic, abs=1e-9)


def test_a_spread_that_knows_nothing_is_as_good_as_chance() -> None:
    random = np.random.default_rng(0)
    found = calibrate([(random.random(50_000), random.random(50_000))])
    assert abs(found.spearman) < 0.02
    assert found.ause == pytest.approx(found.ause_random, rel=0.03)


def test_gaussian_error_of_the_predicted_size_lies_on_the_diagonal() -> None:
    random = np.random.default_rng(0)
    spread = random.uniform(0.01, 0.1, 100_000)
    found = calibrate([(spread, np.abs(random.normal(0, spread)))])
    assert found.observed == pytest.approx(found.predicted, rel=0.05)
    assert 0 < found.ause < found.ause_random


def test_a_constant_spread_correlates_with_nothing() -> None:
    found = calibrate([(np.ones(100), np.arange(100.0))])
    assert (found.pearson, found.spearman) == (0, 0)


def test_no_error_at_all_is_no_crash() -> None:
    found = calibrate([(np.arange(100.0), np.zeros(100))])
    assert found.ause == 0


def test_pixels_are_root_mean_squares_over_colours() -> None:
    spread = np.array([[[0.1, 0.2, 0.2]]])
    restored, clean = np.array([[[0.5, 0.5, 0.5]]]), np.array([[[0.5, 0.1, 0.8]]])
    predicted, true = pixel_samples(spread, restored, clean)
    assert predicted == pytest.approx([np.sqrt(0.09 / 3)])
    assert true == pytest.approx([np.sqrt(0.25 / 3)])
    with pytest.raises(InputError, match="one shape"):
        pixel_samples(spread[0], restored, clean)


def test_large_images_are_sampled() -> None:
    big = np.random.default_rng(0).random((100, 100, 3))
    predicted, true = pixel_samples(big, big, big * 0.9, limit=500)
    assert predicted.shape == true.shape == (500,)
    # the same pixels on both sides: error is a tenth of the spread everywhere
    assert true == pytest.approx(predicted * 0.1)


def test_too_few_pixels_are_refused() -> None:
    with pytest.raises(InputError, match="50 pixels"):
        calibrate([(np.ones(3), np.ones(3))])


def test_spread_is_kept_as_16_bits_and_shown_as_a_picture(tmp_path: Path) -> None:
    spread = np.linspace(0, 0.1, 16 * 20 * 3, dtype=np.float32).reshape(16, 20, 3)
    values, picture = write_spread(tmp_path / "new", "scene/1", spread)
    stored = read_photo(values).pixels
    assert stored.dtype == np.uint16
    assert stored / 65535 == pytest.approx(spread, abs=1 / 65535)
    shown = read_photo(picture).pixels
    assert shown.dtype == np.uint8
    assert shown[0, 0].sum() < 10
    assert shown[-1, -1].sum() > 600


def test_images_are_kept_as_16_bits(tmp_path: Path) -> None:
    path = write_image(tmp_path, "a", np.full((4, 4, 3), 0.5, np.float32))
    assert read_photo(path).pixels[0, 0, 0] == 32768
