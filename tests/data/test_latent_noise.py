"""The paper's noise generation."""

import pytest
import torch

from invdn.data.latent_noise import perturb_latent
from invdn.errors import InputError
from invdn.network import InvDN
from support.cameras import batch, random


def test_the_scale_decides_how_much_changes() -> None:
    torch.manual_seed(0)
    network, noisy = InvDN(), batch(1, 16) * 0.5 + 0.25
    changes = [
        float((perturb_latent(network, noisy, scale, random(1)) - noisy).abs().mean())
        for scale in (0.0, 0.01, 0.05)
    ]
    assert changes[0] < 1e-4 < changes[1] < changes[2]


def test_it_is_reproducible_and_keeps_the_low_resolution_image() -> None:
    torch.manual_seed(0)
    network, noisy = InvDN(), batch(1, 16) * 0.5 + 0.25
    first, again = (perturb_latent(network, noisy, 1e-3, random(1)) for _ in range(2))
    assert torch.equal(first, again)
    with torch.no_grad():
        low, kept = network.encode(noisy)[0], network.encode(first)[0]
    assert torch.allclose(low, kept, atol=1e-4)


@pytest.mark.parametrize("scale", [-0.1, float("nan"), float("inf")])
def test_impossible_scales_are_refused(scale: float) -> None:
    with pytest.raises(InputError, match="disturbance"):
        perturb_latent(InvDN(), batch(1, 8), scale, random())
