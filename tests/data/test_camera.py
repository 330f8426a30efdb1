"""Drawn cameras: their ranges, their shares, their reproducibility."""

from dataclasses import fields, replace

import pytest
import torch

from invdn.data.camera import DSLR, MIXED, PHONE, CameraDistribution, Cameras, sample_cameras
from invdn.data.camera_range import COLOUR_MATRICES
from invdn.data.noise import add_camera_noise
from invdn.errors import InputError
from support.cameras import batch, random


def test_equal_seeds_draw_equal_cameras_and_noise() -> None:
    made = []
    for _ in range(2):
        generator = random(7)
        cameras = sample_cameras(4, generator)
        made.append((cameras, add_camera_noise(batch(), cameras, generator)))
    for field in fields(Cameras):
        assert torch.equal(getattr(made[0][0], field.name), getattr(made[1][0], field.name))
    assert torch.equal(made[0][1].noisy, made[1][1].noisy)
    assert torch.equal(made[0][1].clean, made[1][1].clean)


def test_another_seed_gives_other_noise() -> None:
    cameras = sample_cameras(4, random(1))
    first, second = (add_camera_noise(batch(), cameras, random(seed)) for seed in (1, 2))
    assert not torch.equal(first.noisy, second.noisy)
    assert torch.equal(first.clean, second.clean)


def test_every_photograph_gets_a_camera_of_its_own() -> None:
    cameras = sample_cameras(200, random())
    for name in ("phase", "binned", "clipped_black", "jpeg_subsampling", "demosaicing"):
        assert len(set(map(str, getattr(cameras, name).tolist()))) > 1, name
    assert len(set(cameras.shot.tolist())) == 200


@pytest.mark.parametrize("ranges", [PHONE, DSLR])
def test_draws_stay_in_their_ranges(ranges: CameraDistribution) -> None:
    cameras = sample_cameras(500, random(), ranges)
    for name in ("exposure", "shot", "contrast", "luma_radius", "chroma_radius"):
        low, high = getattr(ranges, name)
        values = getattr(cameras, name)
        assert low * 0.999 <= values.min() and values.max() <= high * 1.001, name
    assert set(cameras.levels.log2().round().int().tolist()) <= set(
        range(ranges.bits[0], ranges.bits[1] + 1)
    )
    assert abs((cameras.jpeg_quality > 0).float().mean() - ranges.jpeg_share) < 0.1


def test_shares_decide_how_often_a_range_is_used() -> None:
    dark = replace(PHONE, shot=(1.0, 1.0))
    cameras = sample_cameras(2000, random(), {PHONE: 3.0, dark: 1.0})
    assert abs((cameras.shot == 1).float().mean() - 0.25) < 0.04


def test_colour_matrices_keep_white() -> None:
    sums = torch.tensor(list(COLOUR_MATRICES.values())).sum(2)
    assert torch.allclose(sums, torch.ones_like(sums), atol=2e-3)


def test_iso_is_proportional_to_shot_noise() -> None:
    assert DSLR.at_iso(6400).shot[0] == pytest.approx(64 * DSLR.shot_at_iso_100)


@pytest.mark.parametrize("iso", [0, -100, float("nan"), float("inf")])
def test_impossible_iso_is_refused(iso: float) -> None:
    with pytest.raises(InputError, match="ISO"):
        PHONE.at_iso(iso)


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(InputError, match="1 or more"):
        sample_cameras(0, random())
    with pytest.raises(InputError, match="positive shares"):
        sample_cameras(1, random(), {PHONE: 0.0})
    with pytest.raises(InputError, match="positive shares"):
        sample_cameras(1, random(), {})


def test_the_training_mixture_is_mainly_phones() -> None:
    assert MIXED[PHONE] > MIXED[DSLR] > 0


@pytest.mark.parametrize(("ranges", "strong"), [(PHONE, 0.02), (DSLR, 0.01)])
def test_read_noise_follows_the_measured_tables(ranges: CameraDistribution, strong: float) -> None:
    """Medians of log(read variance) - 1.8 log(shot) lie within the measured quartiles."""
    # at weak, middle and strong shot noise: phones' DNG files, darktable's profiles
    quartiles = {1e-4: (0.5, 2.6), 1e-3: (-0.9, 0.8), strong: (-1.7, 0.8)}
    for shot, (low, high) in quartiles.items():
        cameras = sample_cameras(4000, random(), replace(ranges, shot=(shot, shot)))
        offset = cameras.read.log() - 1.8 * cameras.shot.log()
        assert low < offset.median() < high, shot
        assert 0.7 < offset.std() < 1.5
