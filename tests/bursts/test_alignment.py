"""Shifts are found under noise, to a fraction of a pixel, and undone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from invdn.bursts.alignment import find_shift, shifted


@pytest.mark.parametrize("shift", [(0, 0), (3, -5), (-11, 2)])
def test_whole_pixels_under_noise(scene: NDArray[np.float32], shift: tuple[int, int]) -> None:
    generator = np.random.default_rng(1)
    rows, columns = shift
    frames = []
    for top, left in ((20, 20), (20 - rows, 20 - columns)):
        clean = scene[top : top + 130, left : left + 170].mean(axis=2)
        frames.append((clean + generator.normal(0, 0.04, clean.shape)).astype(np.float32))
    found = find_shift(*frames)
    assert (found.rows, found.columns) == pytest.approx(shift, abs=0.15)
    assert found.difference < 0.5


@pytest.mark.parametrize("shift", [(2, 1), (-9, 7), (1, -3)])
def test_parts_of_pixels(scene: NDArray[np.float32], shift: tuple[int, int]) -> None:
    """Quarters of a pixel, made by averaging four times finer pictures."""
    fine = np.kron(scene.mean(axis=2), np.ones((3, 3)))
    for axis in (0, 1):  # no edges sharper than a pixel to be
        fine = np.mean([np.roll(fine, step, axis) for step in range(4)], axis=0)
    rows, columns = shift

    def photograph(top: int, left: int) -> NDArray[np.float32]:
        cut = fine[top : top + 480, left : left + 560]
        return np.asarray(cut.reshape(120, 4, 140, 4).mean(axis=(1, 3)), np.float32)

    first, second = photograph(20, 20), photograph(20 - rows, 20 - columns)
    found = find_shift(first, second)
    assert (found.rows, found.columns) == pytest.approx((rows / 4, columns / 4), abs=0.06)
    back, inside = shifted(second[..., None], found.rows, found.columns)
    assert np.abs(back[..., 0] - first)[inside].mean() < 0.4 * np.abs(second - first)[inside].mean()


def test_a_shift_of_nothing_changes_nothing(scene: NDArray[np.float32]) -> None:
    back, inside = shifted(scene, 0, 0)
    assert np.array_equal(back, scene)
    assert inside == (slice(0, 180), slice(0, 220))


def test_another_scene_is_told(scene: NDArray[np.float32]) -> None:
    grey = scene.mean(axis=2)
    assert find_shift(grey, grey[::-1, ::-1].copy()).difference > 0.5
