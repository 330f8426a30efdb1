"""Gradients of the shipped network by precision: random networks would hide what goes wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from invdn.network import InvDN, ResidualSubnet
from invdn.training.memory import activation_bytes
from invdn.training.mixed import MixedSubnet, use_mixed_precision
from invdn.training.objective import Objective
from invdn.training.recipe_files import load_recipe
from invdn.training.state import initial_state
from invdn.weights.network import load_network

SIDE = 64


def _gradient(
    network: InvDN, precision: torch.dtype | None = None, *, recompute: bool = False
) -> Tensor:
    """The gradient of one noisy picture's loss, all parameters in a row."""
    random = torch.Generator().manual_seed(0)
    rows = torch.linspace(0, 1, SIDE).view(1, 1, SIDE, 1)
    clean = torch.cat((rows, 1 - rows, 0.3 + 0.2 * rows), dim=1).expand(1, 3, SIDE, SIDE)
    noisy = (clean + 0.08 * torch.randn(clean.shape, generator=random)).clamp(0, 1)
    target = torch.nn.functional.avg_pool2d(clean, 4)
    latent = torch.randn(1, 45, SIDE // 4, SIDE // 4, generator=random)
    network.zero_grad()
    losses = load_recipe("default").losses
    objective = Objective(network, losses, precision, recompute=recompute)
    objective(noisy, clean, target, latent)["loss"].backward()
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


@pytest.fixture(scope="module")
def exact() -> Tensor:
    """Of the shipped network in float32, whose cosine to float64 is 1.0000."""
    return _gradient(load_network("default").requires_grad_())


def test_mixed_precision_points_where_float32_does(exact: Tensor) -> None:
    network = load_network("default").requires_grad_()
    autocast = cosine_similarity(exact, _gradient(network, torch.bfloat16), dim=0)
    use_mixed_precision(network)
    found = _gradient(network)
    assert found.dtype == torch.float32
    cosine = cosine_similarity(exact, found, dim=0)
    assert cosine > 0.995
    assert 1 - cosine < (1 - autocast) / 3  # what it is there for


def test_rebuilt_activations_of_a_trained_network_are_right_in_float32(exact: Tensor) -> None:
    network = load_network("default").requires_grad_()
    assert cosine_similarity(exact, _gradient(network, recompute=True), dim=0) > 0.99999


@pytest.mark.parametrize(("inputs", "outputs"), [(9, 3), (3, 45)])
def test_a_subnet_and_every_gradient_of_it(inputs: int, outputs: int) -> None:
    """Each near float32's, so none is swapped or left out."""
    torch.manual_seed(0)
    plain = ResidualSubnet(inputs, outputs, 16)
    mixed = MixedSubnet(plain)
    x, of_y = torch.randn(2, inputs, 12, 8), torch.randn(2, outputs, 12, 8)
    results = []
    for subnet in (plain, mixed):
        leaf = x.clone().requires_grad_()
        y = subnet(leaf)
        gradients = torch.autograd.grad(y, (leaf, *subnet.parameters()), of_y)
        results.append((y, *gradients))
    assert [name for name, _ in plain.named_parameters()] == list(mixed.state_dict())
    for expected, found in zip(*results, strict=True):
        assert found.dtype == torch.float32 and found.shape == expected.shape
        assert (found - expected).norm() < 0.15 * expected.norm()  # activations change sign


def test_a_recipe_uses_it_and_the_running_mean_does_not() -> None:
    state = initial_state(
        load_recipe("smoke", ["hardware.precision=mixed"]), None, torch.device("cpu")
    )
    assert sum(isinstance(m, MixedSubnet) for m in state.network.modules()) == 6
    assert not any(isinstance(m, MixedSubnet) for m in state.ema.modules())
    assert list(state.network.state_dict()) == list(state.ema.state_dict())


def test_it_keeps_half_of_what_float32_keeps() -> None:
    kept = {
        precision: activation_bytes(
            load_recipe("paper", [f"hardware.precision={precision}"]), None, 1
        )
        for precision in ("fp32", "mixed")
    }
    assert 0.4 < kept["mixed"] / kept["fp32"] < 0.7
