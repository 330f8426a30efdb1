"""Activations rebuilt instead of kept: the same numbers, and memory that does not grow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from invdn.architecture import Architecture
from invdn.errors import RecipeError
from invdn.network import InvDN
from invdn.training.memory import activation_bytes
from invdn.training.objective import Objective
from invdn.training.recipe import LossSettings
from invdn.training.recipe_files import load_recipe
from invdn.training.reversible import ReversibleBackprop
from invdn.weights import read_parameters
from support import tiny_run

LOSSES = LossSettings(forward=16, backward=1, gradient=0.1, ssim=1, epsilon=1e-3)


def _batch(size: int = 16) -> tuple[Tensor, ...]:
    random = torch.Generator().manual_seed(0)
    shapes = ((2, 3, size, size), (2, 3, size, size), (2, 3, size // 4, size // 4))
    images = [torch.rand(shape, generator=random) for shape in shapes]
    return (*images, torch.randn((2, 45, size // 4, size // 4), generator=random))


def _gradients(
    network: InvDN, precision: torch.dtype | None, *, recompute: bool
) -> tuple[float, list[Tensor]]:
    network.zero_grad()
    loss = Objective(network, LOSSES, precision, recompute=recompute)(*_batch())["loss"]
    loss.backward()
    return loss.item(), [parameter.grad.clone() for parameter in network.parameters()]


@pytest.mark.parametrize("blocks", [(1, 1), (4, 4), (3,), (1, 2, 1)])
def test_both_passes_and_their_gradients_are_those_of_autograd(blocks: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    network = InvDN(Architecture(blocks, features=8))
    passes = ReversibleBackprop(network)
    noisy = torch.rand(2, 3, 16, 24)
    expected, found = [], []
    for run, results in ((network, expected), (passes, found)):
        network.zero_grad()
        image = noisy.clone().requires_grad_()
        low, latent = run.encode(image)
        z = torch.randn(latent.shape, generator=torch.Generator().manual_seed(1)).requires_grad_()
        denoised = run.decode(low, z)
        (denoised.square().sum() + low.sin().sum() + latent.square().sum()).backward()
        gradients = (parameter.grad.clone() for parameter in network.parameters())
        results += [
            low.detach(),
            latent.detach(),
            denoised.detach(),
            image.grad,
            z.grad,
            *gradients,
        ]
    for a, b in zip(expected, found, strict=True):
        assert (a - b).abs().max() <= 1e-5 * a.abs().max()


def test_a_training_step_of_the_published_network() -> None:
    torch.manual_seed(0)
    network = InvDN()
    loss, expected = _gradients(network, None, recompute=False)
    again, found = _gradients(network, None, recompute=True)
    assert again == pytest.approx(loss, rel=1e-6)
    norm = torch.stack([gradient.norm() for gradient in expected]).norm()
    for a, b in zip(expected, found, strict=True):
        assert (a - b).norm() <= 1e-5 * norm


def test_autocast_around_it_changes_nothing() -> None:
    """Inverting in bfloat16 would rebuild activations that a trained network never had."""
    torch.manual_seed(0)
    network = InvDN(Architecture((2, 2), 8))
    loss, exact = _gradients(network, None, recompute=True)
    again, found = _gradients(network, torch.bfloat16, recompute=True)
    assert again == loss
    assert all(torch.equal(a, b) for a, b in zip(exact, found, strict=True))


@pytest.mark.parametrize("precision", ["bf16", "mixed", "tf32"])
def test_it_is_refused_where_it_would_be_wrong(precision: str) -> None:
    with pytest.raises(RecipeError, match=f"{precision} is too coarse .* precision = 'fp32'"):
        load_recipe("smoke", ["hardware.recompute=true", f"hardware.precision={precision}"])
    load_recipe("smoke", ["hardware.recompute=true"])


@pytest.mark.slow
def test_a_run_learns_the_same_as_without_and_in_two_processes(data: Path, tmp_path: Path) -> None:
    """Against ordinary training in one process; two share each batch and their gradients."""
    program = Path(tiny_run.__file__)
    learned = {}
    for name, overrides in {
        "ordinary": (),
        "shared": ("hardware.recompute=true", "hardware.devices=2"),
    }.items():
        settings = ("phases.0.steps=6", "phases.0.warm_up=0", "phases.0.decay=0", *overrides)
        subprocess.run(
            [sys.executable, program, data, tmp_path / name, "data.pair_fraction=1", *settings],
            check=True,
            capture_output=True,
        )
        learned[name] = read_parameters(tmp_path / name / "weights-ema.safetensors").tensors
    for key, values in learned["ordinary"].items():
        assert np.abs(learned["shared"][key] - values).max() < 1e-4, key


def test_compiling_and_recomputing_exclude_each_other() -> None:
    with pytest.raises(RecipeError, match="choose one"):
        load_recipe("smoke", ["hardware.compile=true", "hardware.recompute=true"])


@pytest.mark.parametrize("recompute", [False, True])
def test_what_autograd_keeps(recompute: bool) -> None:
    """With recomputation the same for 2 and for 8 blocks a level, else four times as much."""
    kept = []
    for blocks in (2, 8):
        network = InvDN(Architecture((blocks, blocks), 8))
        parameters = {parameter.data_ptr() for parameter in network.parameters()}
        sizes: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            if tensor.untyped_storage().data_ptr() not in parameters:  # noqa: B023
                sizes[tensor.data_ptr()] = tensor.nbytes  # noqa: B023
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            terms = Objective(network, LOSSES, recompute=recompute)(*_batch())
        kept.append(sum(sizes.values()))
        del terms
    assert kept[1] == kept[0] if recompute else kept[1] > 3 * kept[0]


def test_what_is_kept_for_the_gradient_does_not_grow_with_the_blocks() -> None:
    def kept(blocks: int, recompute: str) -> int:
        changes = [f"network.blocks=[{blocks},{blocks}]", f"hardware.recompute={recompute}"]
        return activation_bytes(load_recipe("smoke", changes), None, 1)

    assert kept(2, "true") == kept(4, "true") < kept(2, "false") < 0.6 * kept(4, "false")
