"""What a training carries from step to step, and how it begins."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..errors import RecipeError
from ..network import InvDN
from ..weights.network import load_network
from .hardware import memory_format
from .mixed import use_mixed_precision
from .recipe import HardwareSettings, Recipe
from .schedule import learning_rate

MakeOptimiser = Callable[[Iterable[nn.Parameter]], Optimizer]


@dataclass
class State:
    """Everything that a checkpoint keeps.

    Attributes:
        network: what is trained.
        ema: the running mean of its weights.
        optimiser: Adam and its moments.
        step: steps done.
        samples: samples drawn, the number of the next one.
        best: the best mean PSNR in decibels of any validation so far.
        lowest: the lowest mean loss per pixel of any logging interval so far.
    """

    network: InvDN
    ema: InvDN
    optimiser: Optimizer
    step: int = 0
    samples: int = 0
    best: float = float("-inf")
    lowest: float = float("inf")


def initial_state(
    recipe: Recipe,
    start: str | Path | None,
    device: torch.device,
    make_optimiser: MakeOptimiser | None = None,
) -> State:
    """Return a network from the recipe's seed, or from a weights file, with its optimiser.

    Args:
        recipe: of the run.
        start: weights to begin with; None for those of the seed.
        device: where they are to lie.
        make_optimiser: of the parameters; None for the recipe's Adam.

    Raises:
        RecipeError: the weights are of another network than the recipe's.
        WeightsError: the weights cannot be read.
    """
    torch.manual_seed(recipe.seed)
    network = InvDN(recipe.network.architecture)
    if start is not None:
        loaded = load_network(start)
        if loaded.architecture != network.architecture:
            raise RecipeError(
                f"{start} is {loaded.architecture}, the recipe wants {network.architecture}"
            )
        network.load_state_dict(loaded.state_dict())
    if recipe.hardware.precision == "mixed":
        use_mixed_precision(network)
    network = _placed(network, recipe.hardware, device)
    ema = InvDN(recipe.network.architecture)
    ema.load_state_dict(network.state_dict())
    ema = _placed(ema, recipe.hardware, device).requires_grad_(False)
    settings = recipe.optimiser
    if make_optimiser is not None:
        return State(network, ema, make_optimiser(network.parameters()))
    optimiser = torch.optim.Adam(
        network.parameters(),
        lr=learning_rate(recipe, 0),
        betas=settings.betas,
        weight_decay=settings.weight_decay,
    )
    return State(network, ema, optimiser)


@torch.no_grad()
def update_ema(state: State, decay: float) -> None:
    """Move the running mean towards the network; it forgets faster in the first steps."""
    weight = 1 - min(decay, (state.step + 1) / (state.step + 10))
    means: list[Tensor] = list(state.ema.parameters())
    values: list[Tensor] = list(state.network.parameters())
    torch._foreach_lerp_(means, values, weight)


def _placed(network: InvDN, hardware: HardwareSettings, device: torch.device) -> InvDN:
    # mypy does not know nn.Module.to with a memory format
    return network.to(device).to(memory_format=memory_format(hardware))  # type: ignore[call-overload,no-any-return]
