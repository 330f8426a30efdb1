"""Calibration against scipy and against cases whose answer is known; the maps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from invdn.errors import InputError
from invdn.evaluation.pictures import write_image, write_uncertainty
from invdn.evaluation.uncertainty import BlockSamples, block_samples, calibrate
from invdn.inference.error_map import interval
from invdn.photo.read import read_photo


def samples(predicted: Any, error: Any, inside: Any = None) -> list[BlockSamples]:
    return [BlockSamples(predicted, error, np.ones(len(error)) if inside is None else inside)]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 50), st.booleans())
def test_correlations_agree_with_scipy(seed: int, with_ties: bool) -> None:
    random = np.random.default_rng(seed)
    predicted = random.random(300)
    error = 0.3 * predicted + random.random(300)
    if with_ties:
        predicted, error = np.round(predicted, 1), np.round(error, 1)
    found = calibrate(samples(predicted, error))
    assert found.pearson == pytest.approx(pearsonr(predicted, error).statistic, abs=1e-9)
    assert found.spearman == pytest.approx(spearmanr(predicted, error).statistic, abs=1e-9)


def test_a_prediction_that_knows_nothing_is_as_good_as_chance() -> None:
    random = np.random.default_rng(0)
    found = calibrate(samples(random.random(50_000), random.random(50_000)))
    assert abs(found.spearman) < 0.02
    assert found.ause == pytest.approx(found.ause_random, rel=0.03)


def test_gaussian_error_of_the_predicted_size_lies_on_the_diagonal() -> None:
    random = np.random.default_rng(0)
    predicted = random.uniform(0.01, 0.1, 100_000)
    found = calibrate(samples(predicted, np.abs(random.normal(0, predicted))))
    assert found.observed == pytest.approx(found.predicted, rel=0.05)
    assert 0 < found.ause < found.ause_random


def test_a_constant_prediction_correlates_with_nothing() -> None:
    found = calibrate(samples(np.ones(100), np.arange(100.0)))
    assert (found.pearson, found.spearman) == (0, 0)


def test_no_error_at_all_is_no_crash() -> None:
    found = calibrate(samples(np.arange(100.0), np.zeros(100)))
    assert found.ause == 0


def test_coverage_is_that_of_all_values_and_of_each_tenth() -> None:
    inside = np.repeat([0.5, 1.0], 500)
    found = calibrate(samples(np.arange(1000.0), np.ones(1000), inside))
    assert found.coverage == 0.75
    assert found.covered == (0.5,) * 5 + (1.0,) * 5
    assert found.nominal == 0.9


def test_blocks_are_root_mean_squares_and_intervals_are_counted_by_value() -> None:
    random = np.random.default_rng(3)
    clean = random.random((19, 24, 3))
    predicted = random.uniform(0.01, 0.1, (19, 24))
    restored = clean + random.normal(0, 0.05, clean.shape)
    found = block_samples(predicted, restored, clean)
    assert found.error.shape == (2 * 3,)
    error = (restored - clean)[8:16, 8:16]
    assert found.error[4] == pytest.approx(np.sqrt((error**2).mean()))
    assert found.predicted[4] == pytest.approx(np.sqrt((predicted[8:16, 8:16] ** 2).mean()))
    within = np.abs(error) <= interval() * predicted[8:16, 8:16, None]
    assert found.inside[4] == pytest.approx(within.mean())
    with pytest.raises(InputError, match="one size"):
        block_samples(predicted[:8], restored, clean)


def test_too_few_blocks_are_refused() -> None:
    with pytest.raises(InputError, match="10 blocks"):
        calibrate(samples(np.ones(3), np.ones(3)))


def test_the_map_is_kept_as_16_bits_and_shown_as_a_picture(tmp_path: Path) -> None:
    expected = np.linspace(0, 0.1, 16 * 20, dtype=np.float32).reshape(16, 20)
    values, picture = write_uncertainty(tmp_path / "new", "scene/1", expected)
    stored = read_photo(values).pixels
    assert stored.dtype == np.uint16
    assert stored / 65535 == pytest.approx(expected, abs=1 / 65535)
    shown = read_photo(picture).pixels
    assert shown.dtype == np.uint8
    assert shown[0, 0].sum() < 10
    assert shown[-1, -1].sum() > 600


def test_images_are_kept_as_16_bits(tmp_path: Path) -> None:
    path = write_image(tmp_path, "a", np.full((4, 4, 3), 0.5, np.float32))
    assert read_photo(path).pixels[0, 0, 0] == 32768
