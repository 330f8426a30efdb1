"""The paper's noise generation."""

import pytest
import torch
from torch import Tensor

from invdn.data.latent_noise import perturb_latent
from invdn.errors import InputError
from invdn.network import InvDN
from invdn.weights.network import load_network
from support.cameras import batch, random


@pytest.fixture(scope="module")
def photograph() -> Tensor:
    """A smooth scene with an edge and a dark part, under noise that grows with the light."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    scene = torch.stack((0.2 + rows / 160, 0.5 - columns / 200, 0.4 + 0.2 * (rows > columns)))
    strength = 0.02 + 0.08 * scene
    return (scene + strength * torch.randn(scene.shape, generator=random(3)))[None].clamp(0, 1)


@pytest.fixture(scope="module")
def shipped() -> InvDN:
    return load_network("default")


@torch.no_grad()
def noise_of(network: InvDN, noisy: Tensor) -> Tensor:
    low, latent = network.encode(noisy)
    return noisy - network.decode(low, torch.randn(latent.shape, generator=random(9))).clamp(0, 1)


def test_with_the_shipped_network_the_scale_is_the_share_of_the_own_noise(
    shipped: InvDN, photograph: Tensor
) -> None:
    own = float(noise_of(shipped, photograph).std())
    scales = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
    made = [perturb_latent(shipped, photograph, scale, random(1)) for scale in scales]
    assert torch.equal(made[0], photograph)
    changes = [float((image - photograph).std()) for image in made]
    assert changes == sorted(changes)
    for scale, change in zip(scales, changes, strict=True):
        assert change == pytest.approx(scale * own, rel=0.15, abs=1e-9)
    # no specks that would hold all of the strength: as with normal noise, a third lies outside one
    # standard deviation
    outside = ((made[-1] - photograph).abs() > 0.8 * own).float().mean()
    assert 0.15 < float(outside) < 0.5
    assert abs(float((made[-1] - photograph).mean())) < 0.1 * own


def test_it_is_strong_where_the_photographs_own_noise_is(
    shipped: InvDN, photograph: Tensor
) -> None:
    quiet = photograph.clone()
    quiet[..., :32, :] = noise_free = photograph[..., :32, :].mean(dim=(2, 3), keepdim=True)
    assert noise_free.shape == (1, 3, 1, 1)
    change = perturb_latent(shipped, quiet, 1.0, random(1)) - quiet
    assert change[..., :20, :].std() < 0.4 * change[..., 44:, :].std()


def test_another_seed_gives_other_noise(shipped: InvDN, photograph: Tensor) -> None:
    first, second = (
        perturb_latent(shipped, photograph, 0.5, random(seed)) - photograph for seed in (1, 2)
    )
    correlation = torch.corrcoef(torch.stack((first.flatten(), second.flatten())))[0, 1]
    assert abs(float(correlation)) < 0.2


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
