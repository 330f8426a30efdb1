"""Synthetic camera noise: tone curves, sensor physics, clean references."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invdn.data.camera import DSLR, sample_cameras
from invdn.data.noise import add_camera_noise, add_display_noise, render, unprocess
from invdn.errors import InputError
from support.cameras import PLAIN, UNPROCESSED, batch, random
from support.noise_statistics import measure_noise


@given(st.floats(0, 4))
@settings(max_examples=20, deadline=None)
def test_inverse_undoes_it(contrast: float) -> None:
    display = torch.linspace(0, 1, 256).expand(1, 3, 1, 256)
    strength = torch.tensor([contrast])
    assert torch.allclose(render(unprocess(display, strength), strength), display, atol=2e-5)


def test_no_contrast_is_srgb() -> None:
    light = torch.tensor([0.0, 0.0031308, 0.18, 1.0]).expand(1, 3, 1, 4)
    expected = torch.tensor([0.0, 0.04045, 0.46135, 1.0])
    assert torch.allclose(render(light, torch.zeros(1))[0, 0, 0], expected, atol=1e-4)


@given(st.integers(1, 5), st.integers(3, 25), st.integers(3, 25), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_any_size_gives_valid_pictures(n: int, height: int, width: int, seed: int) -> None:
    generator = random(seed)
    clean = torch.rand(n, 3, height, width, generator=generator).round()
    noisy, target = add_camera_noise(clean, sample_cameras(n, generator), generator)
    for picture in (noisy, target):
        assert picture.shape == clean.shape
        assert picture.isfinite().all()
        assert picture.min() >= 0 and picture.max() <= 1
    assert torch.allclose(noisy * 255, (noisy * 255).round(), atol=1e-3)


def test_a_weak_camera_leaves_the_picture_alone() -> None:
    weak = replace(PLAIN, shot=(1e-9, 1e-9), read=(0.0, 0.0), bits=(16, 16))
    clean = batch() * 0.9 + 0.02
    noisy, target = add_camera_noise(clean, sample_cameras(4, random(), weak), random())
    assert torch.allclose(target, clean, atol=2e-3)
    assert torch.allclose(noisy, clean, atol=4e-3)


def test_exposure_darkens_noisy_and_clean_alike() -> None:
    dark = replace(PLAIN, exposure=(0.25, 0.25), shot=(1e-6, 1e-6))
    clean = torch.full((2, 3, 16, 16), 0.5)
    noisy, target = add_camera_noise(clean, sample_cameras(2, random(), dark), random())
    plain = torch.zeros(2)
    assert torch.allclose(unprocess(target, plain) * 4, unprocess(clean, plain), rtol=0.01)
    assert abs(noisy.mean() - target.mean()) < 1e-3


def test_linear_variance_follows_the_light() -> None:
    """Without mosaic and matrix the raw variance is shot * light + read, per channel gain^2."""
    n, shot = 64, 1e-3
    cameras = sample_cameras(n, random(), replace(PLAIN, shot=(shot, shot), bits=(16, 16)))
    cameras = replace(
        cameras,
        matrix=torch.eye(3).expand(n, 3, 3),
        gains=torch.ones(n, 3),
        read=torch.full((n,), 1e-5),
        binned=torch.ones(n, dtype=torch.bool),
        output_levels=torch.full((n,), 65535.0),
    )
    for light in (0.05, 0.2, 0.5):
        clean = render(torch.full((n, 3, 16, 16), light), torch.zeros(n))
        noisy, _ = add_camera_noise(clean, cameras, random(3))
        linear = unprocess(noisy, torch.zeros(n))
        assert linear.var() == pytest.approx(shot * light + 1e-5, rel=0.05)
        assert linear.mean() == pytest.approx(light, rel=0.01)
        skewness = ((linear - linear.mean()) ** 3).mean() / linear.var() ** 1.5
        expected = shot**2 * light / (shot * light + 1e-5) ** 1.5
        assert skewness == pytest.approx(expected, abs=0.05)


def test_clean_is_the_average_of_clipped_frames() -> None:
    n, levels = 64, torch.full((64,), 65535.0)
    cameras = sample_cameras(n, random(), replace(PLAIN, shot=(0.01, 0.01), bits=(16, 16)))
    cameras = replace(
        cameras,
        matrix=torch.eye(3).expand(n, 3, 3),
        gains=torch.ones(n, 3),
        read=torch.full((n,), 1e-3),
        binned=torch.ones(n, dtype=torch.bool),
        output_levels=levels,
    )
    plain = torch.zeros(n)
    for light in (0.0, 0.01, 0.95, 1.0):
        clean = render(torch.full((n, 3, 16, 16), light), plain)
        noisy, target = add_camera_noise(clean, cameras, random(4))
        average = float(unprocess(noisy, plain).mean())
        assert unprocess(target, plain).mean() == pytest.approx(average, abs=1.5e-3)
        assert abs(unprocess(target, plain).mean() - light) > 2e-3


def test_a_robust_reference_is_not_lifted() -> None:
    n, light, plain = 64, 0.01, torch.zeros(64)
    clean = render(torch.full((n, 3, 16, 16), light), plain)
    means = {}
    for lift in (0.0, 0.5, 1.0):
        robust = replace(PLAIN, shot=(0.01, 0.01), lift=(lift, lift))
        cameras = replace(sample_cameras(n, random(), robust), matrix=torch.eye(3).expand(n, 3, 3))
        noisy, target = add_camera_noise(clean, cameras, random(4))
        means[lift] = float(unprocess(target, plain).mean())
        assert unprocess(noisy, plain).mean() > light + 1e-4
    assert means[0.0] == pytest.approx(light, rel=1e-3)
    assert means[0.5] == pytest.approx((means[0.0] + means[1.0]) / 2, rel=1e-3)
    assert means[1.0] > light + 1e-4


def test_developed_reference_is_the_average_of_developed_frames() -> None:
    light_noise = replace(
        DSLR,
        exposure=(1.0, 1.0),
        shot=(3e-4, 3e-4),
        jpeg_share=0.0,
        clipped_black_share=0.0,
        developed_reference_share=1.0,
        hot_share=0.0,
        read=(-1.0, 0.8),
    )
    cameras = sample_cameras(64, random(), light_noise)
    for value in (0.1, 0.3, 0.8):
        noisy, target = add_camera_noise(torch.full((64, 3, 32, 32), value), cameras, random())
        bias = (noisy - target).mean((2, 3))
        assert abs(bias.mean()) < 0.15 / 255
        assert bias.abs().max() < 1.5 / 255


def test_it_is_so_where_a_channel_is_dark_and_clipped() -> None:
    """A saturated colour under heavy noise has two clippings: the sensor's and the display's."""
    heavy = replace(
        UNPROCESSED,
        shot=(0.02, 0.02),
        hot_share=0.0,
        developed_reference_share=1.0,
        lift=(1.0, 1.0),
    )
    n = 48
    colors = 0.2 + 0.8 * torch.rand(n, 3, 1, 1, generator=random(3))
    colors[torch.arange(n), torch.arange(n) % 3] *= 0.15
    cameras = sample_cameras(n, random(), heavy)
    noisy, target = add_camera_noise(colors.expand(n, 3, 48, 48), cameras, random(4))
    bias = (target - noisy).mean((2, 3)) * 255
    lifted = (noisy - colors).mean((2, 3)) * 255
    assert lifted.max() > 30  # so much does clipping add
    assert abs(bias.mean()) < 1 and bias.std() < 3.5


def test_saturated_highlights_have_no_noise() -> None:
    over = replace(PLAIN, exposure=(1.6, 1.6), shot=(1e-3, 1e-3))
    clean = torch.ones(4, 3, 16, 16)
    noisy, target = add_camera_noise(clean, sample_cameras(4, random(), over), random())
    assert torch.allclose(noisy, clean, atol=1e-6)
    assert torch.allclose(target, clean, atol=1e-4)


def test_smoothing_correlates_neighbours() -> None:
    smoothed = replace(
        PLAIN, luma=(1.0, 1.0), chroma=(1.0, 1.0), smoothing_share=1.0, shot=(1e-3, 1e-3)
    )
    clean = torch.full((8, 3, 64, 64), 0.5)
    plain, smooth = (
        measure_noise(*add_camera_noise(clean, sample_cameras(8, random(), it), random()))
        for it in (replace(PLAIN, shot=(1e-3, 1e-3)), smoothed)
    )
    assert smooth.horizontal[1, 0] > plain.horizontal[1, 0] + 0.2
    assert (smooth.total_spread < plain.total_spread).all()


def test_banding_is_shared_by_a_row() -> None:
    cameras = sample_cameras(4, random(), replace(PLAIN, shot=(1e-4, 1e-4)))
    banded = replace(cameras, banding=torch.full((4,), 0.02))
    noisy, target = add_camera_noise(torch.full((4, 3, 64, 64), 0.5), banded, random())
    noise = measure_noise(noisy, target)
    assert noise.horizontal[1, 3] > 0.5 > 0.2 > abs(noise.vertical[1, 3])


def test_hot_and_dead_pixels_are_noise_of_their_own() -> None:
    clean = torch.full((8, 3, 64, 64), 0.5)
    cameras = sample_cameras(8, random(), replace(PLAIN, shot=(1e-6, 1e-6)))
    defective = replace(cameras, hot=torch.full((8,), 2e-3), binned=torch.ones(8, dtype=torch.bool))
    noisy, target = add_camera_noise(clean, defective, random(1))
    assert torch.allclose(target, clean, atol=2e-3)  # no reference shows them
    luma = (noisy - target).mean(1)
    assert 0.0005 < (luma > 0.02).float().mean() < 0.002  # the hot; most are hot by little
    assert 0.00005 < (luma < -0.3).float().mean() < 0.0006  # the dead
    assert luma.abs().median() < 0.005


def test_a_camera_smooths_less_at_edges() -> None:
    smoothed = replace(
        PLAIN, luma=(1.0, 1.0), chroma=(1.0, 1.0), smoothing_share=1.0, shot=(1e-3, 1e-3),
        luma_kept=(0.5, 0.5),
    )  # fmt: skip
    clean = torch.full((8, 3, 64, 64), 0.3)
    clean[..., 32:] = 0.8
    spread = {}
    for spared in (0.0, 1.0):
        camera = sample_cameras(8, random(), replace(smoothed, spared=(spared, spared)))
        noisy, target = add_camera_noise(clean, camera, random(1))
        noise = noisy - target
        spread[spared] = noise[..., 31:33].std(), noise[..., :24].std()
    assert spread[1.0][0] > 1.5 * spread[0.0][0]
    assert spread[1.0][1] == pytest.approx(float(spread[0.0][1]), rel=0.05)


def test_a_camera_keeps_a_share_of_the_luma_noise() -> None:
    spread = []
    for kept in (1.0, 0.5):
        ranges = replace(
            PLAIN, smoothing_share=1.0, luma=(0.0, 0.0), chroma=(1.0, 1.0),
            chroma_radius=(4.0, 4.0), luma_kept=(kept, kept), shot=(1e-3, 1e-3),
        )  # fmt: skip
        clean = torch.full((8, 3, 64, 64), 0.5)
        noisy, target = add_camera_noise(clean, sample_cameras(8, random(), ranges), random(1))
        spread.append(float((noisy - target).mean(1).std()))
    assert spread[1] == pytest.approx(0.5 * spread[0], rel=0.1)


def test_wrong_shapes_are_refused() -> None:
    cameras = sample_cameras(2, random())
    with pytest.raises(InputError, match="3x3"):
        add_camera_noise(torch.rand(2, 3, 2, 8), cameras, random())
    with pytest.raises(InputError, match="3x3"):
        add_camera_noise(torch.rand(2, 1, 8, 8), cameras, random())
    with pytest.raises(InputError, match="as many cameras"):
        add_camera_noise(torch.rand(3, 3, 8, 8), cameras, random())


@pytest.mark.parametrize("strength", [2 / 255, 20 / 255])
@pytest.mark.parametrize(
    ("kind", "neighbours", "channels", "dark"),
    [
        ((0.0, 0.0, 0.0), 0.0, 0.0, 1.0),
        ((1.0, 0.0, 0.0), 0.0, 1.0, 1.0),
        ((0.0, 1.0, 0.0), 0.0, 0.0, 0.5),
        ((0.0, 0.0, 1.0), 0.78, 0.0, 1.0),
    ],
)
def test_added_noise_is_of_its_kind(
    strength: float, kind: tuple[float, ...], neighbours: float, channels: float, dark: float
) -> None:
    """Neighbours after a blur of one pixel share exp(-1/4)."""
    n, size = 8, 64
    clean = torch.full((n, 3, size, size), 0.8)
    clean[..., size // 2 :] = 0.2  # a quarter of the light
    noisy = add_display_noise(
        clean, torch.full((n,), strength), torch.tensor([kind] * n), random(5)
    )
    assert torch.equal((noisy * 255).round() / 255, noisy)
    noise = (noisy - clean)[..., 4:-4]
    bright, shadow = noise[..., : size // 2 - 8], noise[..., size // 2 :]
    spread = strength * (0.8**0.5 if kind[1] else 1)
    rounding = 1 / 12 / 255**2
    assert bright.var() == pytest.approx(spread**2 + rounding, rel=0.1)
    assert shadow.var() == pytest.approx((dark * spread) ** 2 + rounding, rel=0.1)
    assert abs(bright.mean()) < 0.06 * spread and abs(shadow.mean()) < 0.06 * spread
    whole = bright.var() - rounding
    assert (bright[..., 1:] * bright[..., :-1]).mean() / whole == pytest.approx(
        neighbours, abs=0.06
    )
    assert (bright[:, 0] * bright[:, 1]).mean() / whole == pytest.approx(channels, abs=0.06)
