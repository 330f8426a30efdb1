"""Averaging without ghosts, and detail given back."""

import numpy as np
import pytest
from numpy.typing import NDArray

from invdn.bursts.merging import Merge, motion_weight
from invdn.image.metrics import psnr


def _noisy(clean: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """With noise that grows with the light, as a camera's."""
    noise = np.random.default_rng(seed).normal(0, 1, clean.shape) * (0.02 + 0.06 * clean)
    return (clean + noise).astype(np.float32)


def _merged(frames: list[NDArray[np.float32]]) -> Merge:
    merge = Merge(frames[0])
    height, width = frames[0].shape[:2]
    for frame in frames[1:]:
        merge.add(frame, (slice(0, height), slice(0, width)))
    return merge


def test_a_still_scene_is_averaged_almost_fully(scene: NDArray[np.float32]) -> None:
    merge = _merged([_noisy(scene, seed) for seed in range(4)])
    assert merge.weights.mean() > 3.7
    noise = (merge.mean - scene).var(axis=(0, 1))
    assert np.allclose(merge.variance().mean(axis=(0, 1)), noise, rtol=0.15)


def test_what_moved_is_no_ghost(scene: NDArray[np.float32]) -> None:
    """A disc that jumps: both its places come from the reference alone."""
    rows, columns = np.mgrid[0:180, 0:220]
    frames, discs = [], []
    for number in range(4):
        clean = scene.copy()
        disc = (rows - 90) ** 2 + (columns - 40 - 45 * number) ** 2 < 15**2
        clean[disc] = (0.9, 0.1, 0.1)
        discs.append(disc)
        frames.append(_noisy(clean, number))
    merge = _merged(frames)
    first = scene.copy()
    first[discs[0]] = (0.9, 0.1, 0.1)
    for disc in discs[1:]:
        ghost = np.abs(merge.mean - first)[disc].mean()
        plain = np.abs(np.mean(frames, axis=0) - first)[disc].mean()
        assert ghost < 0.35 * plain
    assert merge.weights[~np.any(discs, axis=0)].mean() > 3.4
    assert np.isinf(merge.variance()[rows == 90][40]).all()


def test_detail_comes_back_and_noise_does_not(scene: NDArray[np.float32]) -> None:
    """Whatever the network: here one that takes all detail, and one that takes nothing."""
    merge = _merged([_noisy(scene, seed) for seed in range(8)])
    flat = np.broadcast_to(scene.mean(axis=(0, 1)), scene.shape).astype(np.float32)
    assert psnr(merge.restore_detail(flat), scene) > psnr(merge.mean, scene) - 0.5
    assert psnr(merge.restore_detail(scene), scene) > psnr(merge.mean, scene) + 6


@pytest.mark.parametrize(
    ("deviations", "weight"), [(2.0, 1.0), (2.6, 0.93), (3.25, 0.5), (3.9, 0.07), (4.5, 0.0)]
)
def test_how_much_may_differ(deviations: float, weight: float) -> None:
    """A square that is brighter by so many standard deviations of a mean over 5x5 pixels."""
    generator = np.random.default_rng(0)
    reference = np.full((200, 200, 1), 0.53, np.float32)  # in the middle of a step of brightness
    noise = generator.normal(0, 0.03, reference.shape).astype(np.float32)
    means = np.lib.stride_tricks.sliding_window_view(noise[..., 0], (5, 5)).mean(axis=(2, 3))
    noise[90:110, 90:110] = deviations * means.std()
    found = motion_weight(reference, reference + noise)[92:108, 92:108]
    assert np.allclose(found, weight, atol=0.08)


def test_frames_without_noise(scene: NDArray[np.float32]) -> None:
    assert motion_weight(scene, scene).min() == 1
    merge = _merged([scene, scene, scene])
    assert np.allclose(merge.restore_detail(scene * 0), scene, atol=1e-5)


def test_nothing_in_common() -> None:
    empty = np.zeros((0, 5, 3), np.float32)
    assert motion_weight(empty, empty).shape == (0, 5, 1)
