"""Synthetic camera noise against figures measured on real photographs, and a real pair."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from invdn.data.camera import DSLR, PHONE, CameraDistribution, sample_cameras
from invdn.data.noise import add_camera_noise
from invdn.image.dtype import to_float
from invdn.photo.read import read_photo
from support.cameras import PLAIN, random
from support.noise_statistics import NoiseStatistics, measure_noise


def test_phones_are_like_sidd() -> None:
    noise = measure(PHONE)
    spread = torch.stack([it.total_spread for it in noise])
    assert 7 < 255 * spread.mean(1).median() < 16
    assert 1.1 < (spread[:, 0] / spread[:, 1]).median() < 1.6  # SIDD: 0.8 to 1.7
    assert 1.3 < (spread[:, 2] / spread[:, 1]).median() < 1.9  # SIDD: 1.0 to 2.2
    assert 0.29 < median(noise, "horizontal", 1, 0) < 0.38  # SIDD: 0.29 to 0.37
    assert abs(median(noise, "horizontal", 1, 1)) < 0.05  # SIDD: -0.04 to 0.04
    assert 0.2 < median(noise, "colours", 0, 1) < 0.35  # SIDD: 0.24 to 0.33
    assert 0.1 < median(noise, "colours", 1, 2) < 0.26  # SIDD: 0.13 to 0.26
    assert 0.35 < median(noise, "colours", 0, 2) < 0.6  # SIDD: 0.51 to 0.60


def test_dslrs_are_smoother_and_lighter() -> None:
    noise = measure(DSLR)
    spread = torch.stack([it.total_spread for it in noise]).mean(1)
    assert 2.5 < 255 * spread.median() < 6  # photographs: 3.4 to 5.3
    horizontal = torch.stack([it.horizontal[1] for it in noise])
    assert 0.45 < horizontal[:, 0].median() < 0.7  # photographs: 0.43 to 0.7
    assert horizontal[:, 0].quantile(0.8) > 0.5
    assert horizontal[:, 1].quantile(0.8) > 0.16  # photographs: 0.16 to 0.22
    assert torch.stack([it.colours[0, 1] for it in noise]).quantile(0.8) > 0.4


def measure(ranges: CameraDistribution) -> list[NoiseStatistics]:
    levels = torch.rand(96, 3, 1, 1, generator=random(9)) * 0.5 + 0.15
    clean = levels.expand(96, 3, 48, 48)
    noisy, target = add_camera_noise(clean, sample_cameras(96, random(5), ranges), random(6))
    return [measure_noise(n[None], c[None]) for n, c in zip(noisy, target, strict=True)]


def median(noise: list[NoiseStatistics], name: str, row: int, column: int) -> float:
    return float(torch.stack([getattr(it, name)[row, column] for it in noise]).median())


def read(path: Path) -> Tensor:
    return torch.from_numpy(to_float(read_photo(path).pixels)).permute(2, 0, 1)[None]


def test_synthetic_noise_is_like_a_real_pair(real_data: Path) -> None:
    """A real pair against the same clean photograph under the phone's recovered parameters."""
    folder = real_data / "sidd-mini-train-b"
    name = "0001_SRGB_010_s047.PNG"
    clean, noisy = read(folder / "GT" / name), read(folder / "Noisy" / name)
    camera = replace(
        sample_cameras(1, random(), replace(PLAIN, shot=(4.9e-4, 4.9e-4), bits=(10, 10))),
        read=torch.tensor([2.2e-6]),
        gains=torch.tensor([[1.75, 1.0, 2.1]]),
        matrix=torch.tensor(
            [[[1.27, -0.384, 0.294], [-0.182, 1.295, -0.184], [-0.003, -0.526, 1.42]]]
        ),
    )
    made = add_camera_noise(clean, camera, random(1))
    real, synthetic = measure_noise(noisy, clean), measure_noise(made.noisy, made.clean)
    measured = real.spread.isfinite() & synthetic.spread.isfinite() & (real.pixels > 10_000)
    assert measured.sum() >= 8
    assert ((synthetic.spread / real.spread)[measured] - 1).abs().max() < 0.15
    assert (synthetic.bias - real.bias)[measured].abs().max() < 0.8 / 255
    assert (synthetic.black - real.black)[measured].abs().max() < 0.02
    assert (synthetic.colours - real.colours).abs().max() < 0.06
    assert (synthetic.horizontal - real.horizontal).abs()[:, :2].max() < 0.08
