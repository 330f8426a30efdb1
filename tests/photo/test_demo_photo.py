"""The demonstration's picture and its noise."""

import numpy as np
import pytest

from invdn.errors import InputError
from invdn.photo.demo_photo import camera_noise, demo_photo


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return demo_photo(256)


def test_it_is_the_same_every_time(clean: np.ndarray) -> None:
    assert clean.shape == (256, 256, 3) and clean.dtype == np.uint8
    assert np.array_equal(clean, demo_photo(256))
    assert not np.array_equal(clean, demo_photo(256, seed=1))


def test_it_has_light_shadow_colour_and_edges(clean: np.ndarray) -> None:
    grey = clean.mean(axis=-1)
    assert (grey < 25).mean() > 0.05 and (grey > 200).mean() > 0.02
    assert (np.ptp(clean.astype(int), axis=-1) > 120).mean() > 0.02
    assert (np.abs(np.diff(grey, axis=1)) > 80).mean() > 0.003
    assert (np.abs(np.diff(grey, axis=1)) < 1).mean() > 0.3


def test_noise_is_as_strong_as_the_real_one(clean: np.ndarray) -> None:
    """Within the range measured on SIDD's blocks, 17 to 37 of 255, and biased in the dark only."""
    difference = camera_noise(clean).astype(float) - clean
    assert 14 < difference.std() < 37
    assert abs(difference.mean()) < 3


def test_noise_is_spread_by_the_demosaicing() -> None:
    flat = np.full((256, 256, 3), 150, np.uint8)
    green = camera_noise(flat)[..., 1].astype(float)
    near = np.corrcoef(green[:, 1:].ravel(), green[:, :-1].ravel())[0, 1]
    far = np.corrcoef(green[:, 3:].ravel(), green[:, :-3].ravel())[0, 1]
    assert near > 0.2 > 0.05 > abs(far)


def test_more_light_means_less_noise() -> None:
    """In display values, as the gamma curve is steep in the dark."""
    spread = [camera_noise(np.full((99, 99, 3), level, np.uint8)).std() for level in (60, 130, 200)]
    assert spread[0] > spread[1] > spread[2]


def test_without_noise_nothing_changes(clean: np.ndarray) -> None:
    assert np.array_equal(camera_noise(clean, shot=0, read=0), clean)


def test_the_seed_decides(clean: np.ndarray) -> None:
    assert np.array_equal(camera_noise(clean, seed=3), camera_noise(clean, seed=3))
    assert not np.array_equal(camera_noise(clean, seed=3), camera_noise(clean, seed=4))


@pytest.mark.parametrize("shape", [(9, 9), (9, 9, 4), (1, 9, 3)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="do not fit"):
        camera_noise(np.zeros(shape, np.uint8))
