"""Learn from a larger network: its output as a second target, its weights as a beginning."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from ..data.crops import Sample
from ..data.synthesis import SynthesisOptions
from ..network import InvDN
from ..weights.network import load_network
from .batches import Batch, prepare
from .hardware import memory_format
from .mixed import use_mixed_precision
from .pruning import prune
from .recipe import DistillationSettings, HardwareSettings
from .state import State

_LOOKED_AT = 8  # crops that pruning sees
_SEEN = 96  # pixels of a side of theirs


class Teacher:
    """A trained network that says what it makes of a batch; it learns nothing.

    Args:
        settings: which one.
        hardware: precision and memory format.
        device: where to compute.

    Raises:
        WeightsError: the weights cannot be read.

    Reference:
        Hinton, Vinyals and Dean, Distilling the Knowledge in a Neural Network, 2015
        (arXiv 1503.02531).
    """

    def __init__(
        self, settings: DistillationSettings, hardware: HardwareSettings, device: torch.device
    ) -> None:
        network = load_network(settings.teacher)
        if hardware.precision in ("mixed", "bf16"):
            use_mixed_precision(network)
        network = network.requires_grad_(False).to(device)
        self._network: InvDN = network.to(memory_format=memory_format(hardware))  # type: ignore[call-overload]

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Tensor:
        """Return the denoised images, (B, 3, H, W), of the latents that the student gets too."""
        return self._passes(batch)[1].clamp(0, 1)

    @torch.no_grad()
    def keep(self, batch: Batch) -> Batch:
        """Return the batch with the teacher's images as the references of all photographs.

        Not clipped: a student that begins as the teacher has no error there.
        """
        low, image = self._passes(batch)
        drawn = batch.drawn.view(-1, 1, 1, 1)
        return replace(
            batch,
            clean=torch.where(drawn, batch.clean, image),
            target=torch.where(drawn, batch.target, low),
        )

    def _passes(self, batch: Batch) -> tuple[Tensor, Tensor]:
        low, _ = self._network.encode(batch.noisy)
        return low, self._network.decode(low, batch.latent)


def begin_pruned(
    state: State,
    settings: DistillationSettings,
    samples: Dataset[Sample],
    synthesis: SynthesisOptions,
    seed: int,
) -> None:
    """Fill network and running mean with the teacher's weights, pruned to their size.

    Args:
        state: of a training that has not begun.
        settings: which teacher.
        samples: what the training draws from; the pruning looks at its first crops.
        synthesis: what happens to photographs without noise.
        seed: of the run.

    Raises:
        RecipeError: the network is not a smaller one of the teacher's kind.
        WeightsError: the teacher's weights cannot be read.
    """
    architecture = state.network.architecture
    collated = default_collate([samples[number] for number in range(_LOOKED_AT)])
    batch = prepare(Sample(*collated), synthesis, seed, torch.device("cpu"), architecture)
    side = min(_SEEN, batch.noisy.shape[-1]) // architecture.scale * architecture.scale
    low_side = side // architecture.scale
    pruned: Mapping[str, Tensor] = prune(
        load_network(settings.teacher),
        architecture,
        batch.noisy[..., :side, :side],
        batch.latent[..., :low_side, :low_side],
    ).state_dict()
    state.network.load_state_dict(pruned)
    state.ema.load_state_dict(pruned)
