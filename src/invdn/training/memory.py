"""How much memory a step will take, measured on a crop of a few pixels and scaled up."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..architecture import Architecture
from ..network import InvDN
from .mixed import use_mixed_precision
from .objective import Objective
from .recipe import Recipe

# Measured peak over this sum: fp32 1.13 to 1.28, bf16 1.19 to 1.21 (benchmarks/training_step.py).
_OVERHEAD = 1.2
_PROBE = 16  # pixels; what a step keeps for the backward pass grows with the area alone


def step_bytes(recipe: Recipe, precision: torch.dtype | None, processes: int) -> int:
    """Estimate the peak of a process in the hungriest phase, in bytes, without torch itself.

    Parameters, gradients, Adam's two moments and the running mean take five copies; to these come
    the activations. With ``hardware.recompute`` the gradients of a pass are gathered before they
    are added to those of the other: two copies more.
    """
    copies = 7 if recipe.hardware.recompute else 5
    parameters = 4 * parameter_count(recipe.network.architecture)
    return int(_OVERHEAD * (copies * parameters + activation_bytes(recipe, precision, processes)))


def activation_bytes(recipe: Recipe, precision: torch.dtype | None, processes: int) -> int:
    """Count on a small crop what autograd keeps for the gradient of a step.

    With ``hardware.recompute`` these are the ends of the two passes, and of one block at a time
    what its subnets keep: at most those of a network of one block.
    """
    architecture = recipe.network.architecture
    recompute = recipe.hardware.recompute
    per_pixel = _saved_bytes(architecture, recipe, precision, recompute=recompute) / _PROBE**2
    if recompute:
        block = Architecture((1,), architecture.features, architecture.channels)
        per_pixel += _block_bytes(InvDN(block), precision) / _PROBE**2
    pixels = max(phase.batch // processes * phase.crop**2 for phase in recipe.phases)
    if architecture.channels == 4:  # planes of half the size
        pixels //= 4
    return int(per_pixel * pixels)


def parameter_count(architecture: Architecture) -> int:
    """Return learned numbers of the network."""
    return sum(p.numel() for p in InvDN(architecture).parameters())


def _saved_bytes(
    architecture: Architecture, recipe: Recipe, precision: torch.dtype | None, *, recompute: bool
) -> int:
    """Return what a step keeps between its two halves."""
    network = InvDN(architecture)
    if recipe.hardware.precision == "mixed":
        use_mixed_precision(network)
    objective = Objective(network, recipe.losses, precision, recompute=recompute)
    image = torch.rand(1, architecture.channels, _PROBE, _PROBE)
    small = _PROBE // architecture.scale
    low = torch.rand(1, architecture.channels, small, small)
    latent = torch.rand(1, architecture.latent_channels, small, small)
    return _kept_bytes(network, lambda: objective(image, image, low, latent)["loss"])


def _block_bytes(network: InvDN, precision: torch.dtype | None) -> int:
    """Return what one pass through a small network keeps."""

    def run() -> Tensor:
        with torch.autocast("cpu", precision, enabled=precision is not None):
            channels = network.architecture.channels
            result: Tensor = network(torch.rand(1, channels, _PROBE, _PROBE))
        return result

    return _kept_bytes(network, run)


def _kept_bytes(network: InvDN, run: Callable[[], Tensor]) -> int:
    """Give bytes that autograd keeps for the gradient of what ``run`` computes with the network."""
    parameters = {p.untyped_storage().data_ptr() for p in network.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        # autocast saves reduced copies of the weights: they have 3x3 taps, activations do not
        is_weight = tensor.dim() == 4 and tensor.shape[2:] == (3, 3)
        if not is_weight and tensor.untyped_storage().data_ptr() not in parameters:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = run()
    total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del result
    return total
