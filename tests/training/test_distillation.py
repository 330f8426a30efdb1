"""A smaller network learns from a larger one: from its weights, and from its output."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from invdn.architecture import Architecture
from invdn.errors import RecipeError, WeightsError
from invdn.network import InvDN
from invdn.training.batches import Batch
from invdn.training.distillation import Teacher
from invdn.training.loop import train
from invdn.training.losses import charbonnier
from invdn.training.objective import Objective
from invdn.training.pruning import _choose_blocks, prune
from invdn.training.recipe_files import load_recipe
from invdn.weights import write_parameters
from invdn.weights.network import load_network, parameters_of
from support.tiny_run import Recorder, tiny_recipe


def inputs(side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    noisy = torch.rand(2, 3, side, side, generator=random)
    return noisy, torch.randn(2, 45, side // 4, side // 4, generator=random)


@torch.no_grad()
def denoise(network: InvDN, noisy: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    low, _ = network.encode(noisy)
    return network.decode(low, latent)


def test_pruning_to_the_same_size_changes_nothing() -> None:
    torch.manual_seed(0)
    network, (noisy, latent) = InvDN(Architecture((2, 1), 8)), inputs()
    same = prune(network, network.architecture, noisy, latent)
    assert torch.equal(denoise(same, noisy, latent), denoise(network, noisy, latent))


def test_features_that_do_nothing_go_first_and_cost_nothing() -> None:
    """Half of the features have no say: without them the network is the same."""
    torch.manual_seed(0)
    network, (noisy, latent) = InvDN(Architecture((1, 1), 16)), inputs()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("conv2.weight"):
                parameter[:, ::2] = 0
            if name.endswith("conv3.weight"):
                parameter[:, -16::2] = 0
    small = prune(network, Architecture((1, 1), 8), noisy, latent)
    assert small.architecture.features == 8
    expected, found = (denoise(n, noisy, latent) for n in (network, small))
    assert (found - expected).abs().max() < 5e-3 * expected.std()


def test_a_block_that_does_nothing_goes_first() -> None:
    torch.manual_seed(0)
    network, (noisy, latent) = InvDN(Architecture((3, 2), 8)), inputs()
    with torch.no_grad():
        for letter in "FGH":  # the second block of the first level: an identity
            conv = network.get_submodule(f"operations.2.{letter}.conv3")
            conv.weight.zero_()  # type: ignore[operator, union-attr]
            conv.bias.zero_()  # type: ignore[operator, union-attr]
    assert _choose_blocks(network, (2, 2), noisy, latent) == [[0, 2], [0, 1]]
    small = prune(network, Architecture((2, 2), 8), noisy, latent)
    expected, found = (denoise(n, noisy, latent) for n in (network, small))
    assert torch.allclose(found, expected, atol=1e-5)


def test_fitting_anew_helps() -> None:
    """The shipped network at half its features, against cutting features without a fit."""
    network = load_network("default")
    noisy, latent = inputs(48)
    noisy = 0.5 + 0.1 * (noisy - 0.5)
    small = prune(network, Architecture((8, 8), 48), noisy, latent)
    block, pruned = network.operations[1], small.operations[1]
    x = torch.split(network.operations[0](noisy), [3, 9], dim=1)[1]
    with torch.no_grad():
        expected = block.F(x)
        error = (pruned.F(x) - expected).square().mean() / expected.square().mean()
    assert error < 0.02


@pytest.mark.parametrize("blocks", [(9, 8), (8,), (8, 8, 8)])
def test_a_larger_network_is_refused(blocks: tuple[int, ...]) -> None:
    network = InvDN(Architecture((8, 8), 4))
    with pytest.raises(RecipeError, match="not a smaller network"):
        prune(network, Architecture(blocks, 4), *inputs())


def test_the_teachers_share_of_the_loss() -> None:
    torch.manual_seed(0)
    network, (noisy, latent) = InvDN(Architecture((1, 1), 4)), inputs()
    clean, taught = noisy.roll(1, 2), noisy.roll(1, 3)
    target = torch.rand(2, 3, 8, 8)
    losses = load_recipe("smoke").losses
    plain = Objective(network, losses)(noisy, clean, target, latent)
    both = Objective(network, losses, teacher_share=0.25)(noisy, clean, target, latent, taught)
    image = denoise(network, noisy, latent)
    teacher = charbonnier(image, taught, losses.epsilon).mean()
    assert both["teacher"].item() == pytest.approx(teacher.item(), rel=1e-6)
    expected = plain["loss"] + 0.25 * (teacher - plain["backward"])
    assert both["loss"].item() == pytest.approx(expected.item(), rel=1e-6)


def test_photographs_are_kept_as_the_teacher_has_them(tmp_path: Path) -> None:
    """A student that is the teacher learns from drawn pictures alone."""
    torch.manual_seed(0)
    network, (noisy, latent) = InvDN(Architecture((2, 1), 12)), inputs()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.2)  # results beyond [0, 1] too
    path = tmp_path / "teacher.safetensors"
    write_parameters(parameters_of(network, {}), path)
    keep = f"distillation={{teacher={str(path)!r}, keep=true}}"
    recipe = load_recipe("smoke", [keep, "data.drawn_share=0.5"])
    assert recipe.distillation
    teacher = Teacher(recipe.distillation, recipe.hardware, torch.device("cpu"))
    drawn = torch.tensor([False, True])
    batch = Batch(noisy, noisy.roll(1, 2), torch.rand(2, 3, 8, 8), latent, drawn)
    kept = teacher.keep(batch)
    assert torch.equal(kept.clean[1], batch.clean[1])
    assert torch.equal(kept.target[1], batch.target[1])
    assert kept.clean[0].min() < 0 or kept.clean[0].max() > 1

    def gradient(number: int) -> float:
        one = slice(number, number + 1)
        terms = Objective(network, recipe.losses)(
            kept.noisy[one], kept.clean[one], kept.target[one], kept.latent[one]
        )
        found = torch.autograd.grad(terms["loss"], list(network.parameters()), allow_unused=True)
        return float(sum(g.square().sum() for g in found if g is not None) ** 0.5)

    assert gradient(0) < 1e-3 * gradient(1)  # of rounding


def test_keeping_leaves_nothing_for_a_share_and_needs_drawn_pictures() -> None:
    with pytest.raises(RecipeError, match="leave share out"):
        load_recipe("smoke", ["distillation={teacher='default', keep=true, share=0.5}"])
    with pytest.raises(RecipeError, match=r"give data\.drawn_share"):
        load_recipe("smoke", ["distillation={teacher='default', keep=true}"])


def test_a_run_from_a_teacher(data: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    teacher = tmp_path / "teacher.safetensors"
    write_parameters(parameters_of(InvDN(Architecture((2, 1), 12)), {}), teacher)
    settings = (
        f"distillation={{teacher={str(teacher)!r}, share=0.5, prune=true}}", "phases.0.steps=4",
        "phases.0.warm_up=0", "phases.0.decay=0", "phases.0.learning_rate=1e-9",
    )  # fmt: skip
    recorder = Recorder()
    weights = train(tiny_recipe(data, *settings), tmp_path / "a", recorder)
    assert recorder.rows[-1].losses["teacher"] > 0
    found, large = load_network(weights), load_network(teacher)
    # whatever features were kept, they are the teacher's
    own = large.get_submodule("operations.1.F.conv1").weight
    for row in found.get_submodule("operations.1.F.conv1").weight:
        assert (own - row).abs().flatten(1).max(dim=1).values.min() < 1e-6

    kept = (
        f"distillation={{teacher={str(teacher)!r}, keep=true}}",
        "network.blocks=[2, 1]",
        "network.features=12",
        "data.drawn_share=1e-9",  # none of so few
    )
    recipe = tiny_recipe(data, *settings[1:], *kept)
    train(recipe, tmp_path / "kept", recorder, start=teacher)
    # no error is left, but for what is inside the root
    least = recipe.losses.epsilon**0.5
    assert recorder.rows[-1].losses["backward"] == pytest.approx(least, rel=1e-4)

    with pytest.raises(RecipeError, match="not a smaller network"):
        train(tiny_recipe(data, *settings, "network.features=64"), tmp_path / "b", Recorder())
    with pytest.raises(WeightsError):
        train(tiny_recipe(data, "distillation={teacher='none', prune=true}"), tmp_path / "c",
              Recorder())  # fmt: skip
