"""Measuring noise that is known."""

import pytest
import torch

from invdn.errors import InputError
from support.cameras import random
from support.noise_statistics import measure_noise


def test_known_noise_is_measured() -> None:
    clean = torch.cat((torch.full((1, 3, 128, 128), 0.2), torch.full((1, 3, 128, 128), 0.7)))
    spread = torch.tensor([0.01, 0.03]).view(2, 1, 1, 1)
    noise = torch.randn(2, 3, 128, 129, generator=random()) * spread
    noisy = clean + (noise[..., 1:] + noise[..., :-1]) / 2 + 0.05
    measured = measure_noise(noisy, clean, intervals=4)
    assert torch.allclose(measured.bias[:, [0, 2]], torch.tensor(0.05).double(), atol=1e-3)
    expected = torch.tensor([0.01, 0.03]).double() / 2**0.5
    assert torch.allclose(measured.spread[:, [0, 2]], expected.expand(3, 2), rtol=0.05)
    assert torch.allclose(measured.horizontal[:, 0], torch.tensor(0.5).double(), atol=0.04)
    assert measured.horizontal[:, 1:].abs().max() < 0.05
    assert measured.vertical.abs().max() < 0.05
    assert (measured.colours - torch.eye(3)).abs().max() < 0.05
    assert measured.spread[:, [1, 3]].isnan().all()
    assert measured.pixels.sum() == noisy.numel()


def test_black_pixels_are_counted() -> None:
    clean = torch.full((1, 3, 40, 40), 0.1)
    noisy = clean.clone()
    noisy[..., :10] = 0
    assert torch.allclose(
        measure_noise(noisy, clean, intervals=2).black[:, 0], torch.tensor(0.25).double()
    )


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="pairs"):
        measure_noise(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 9))
    with pytest.raises(InputError, match="5x5"):
        measure_noise(torch.rand(1, 3, 4, 8), torch.rand(1, 3, 4, 8))
