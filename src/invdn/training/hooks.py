"""A caller's own parts in place of a recipe's: data, loss terms, optimiser, callbacks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import Dataset

from ..data.crops import SCALE, Sample
from ..errors import DataError, InvDNError, RecipeError
from .datasets import TrainingData, open_datasets
from .recipe import Recipe
from .state import State
from .validation import Pair, Score, ValidationSets, open_validation


class PairDataset(Protocol):
    """Pairs by index: ``(noisy, clean)``, float tensors ``(C, H, W)`` in [0, 1] of one shape."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> tuple[Tensor, Tensor]: ...


@dataclass(frozen=True)
class Term:
    """A further term of the loss.

    Attributes:
        weight: what the term is multiplied with.
        function: takes the denoised images and the clean ones, ``(B, C, H, W)`` each, and gives a
            number for each image, ``(B,)``. A module with parameters is moved to the device; freeze
            those parameters, since they are not trained.
    """

    weight: float
    function: Callable[[Tensor, Tensor], Tensor]


class Callback:
    """What is called while a training runs, in every process; override what you need.

    The names are Lightning's. ``state`` has ``network``, ``ema``, ``optimiser`` and ``step``.

    Attributes:
        should_stop: set it to True to end the training after this step, with its state saved.
    """

    should_stop = False

    def on_train_start(self, state: State) -> None:
        """Act before the first step."""

    def on_train_batch_end(self, state: State, losses: Mapping[str, Tensor]) -> None:
        """Act after every step, with the loss and its terms as scalars on the device."""

    def on_validation_end(self, state: State, scores: Mapping[str, Score]) -> None:
        """Act after every validation, with PSNR and SSIM by set; in the first process only."""

    def on_train_end(self, state: State) -> None:
        """Act when the training has ended or was stopped."""

    def on_exception(self, state: State, error: InvDNError) -> None:
        """Act when the training ends by an error."""


@dataclass(frozen=True)
class Hooks:
    """The caller's own parts; what is left out is the recipe's.

    Attributes:
        dataset: pairs to train on, at least as large as the crops.
        validation: pairs to measure, by the name of the set.
        terms: further terms of the loss by name.
        optimiser: makes an optimiser of the parameters; the recipe sets its learning rate.
        callbacks: what is called meanwhile.
    """

    dataset: PairDataset | None = None
    validation: Mapping[str, Sequence[tuple[Tensor, Tensor]]] | None = None
    terms: Mapping[str, Term] = field(default_factory=dict)
    optimiser: Callable[[Iterable[nn.Parameter]], Optimizer] | None = None
    callbacks: Sequence[Callback] = ()

    def open_material(self, recipe: Recipe) -> TrainingData:
        """Return the caller's data, or those that the recipe names."""
        if self.dataset is None:
            return open_datasets(recipe)
        samples = [
            CroppedPairs(self.dataset, phase.crop, recipe.network.channels, recipe.seed)
            for phase in recipe.phases
        ]
        return TrainingData((), (), samples)

    def open_validation(self, recipe: Recipe, material: TrainingData) -> ValidationSets:
        """Return the caller's sets, or those that the recipe names."""
        if self.validation is None:
            return open_validation(recipe, material.photographs)
        return {
            name: [Pair(noisy.float(), clean.float()) for noisy, clean in pairs]
            for name, pairs in self.validation.items()
        }


class CroppedPairs(Dataset[Sample]):
    """Random crops of a caller's pairs, keyed by the number of the sample.

    Every pair comes up once in each pass over the data, in an order of its own for each pass.

    Args:
        pairs: the caller's.
        crop: height and width in pixels; planes of a filter array are half as high and wide.
        channels: of the network.
        seed: of the run.

    Raises:
        DataError: there is no pair.
    """

    def __init__(self, pairs: PairDataset, crop: int, channels: int, seed: int) -> None:
        if not len(pairs):
            raise DataError("the data set is empty: give it a pair or more")
        self._pairs = pairs
        self._crop, self._channels, self._seed = crop, channels, seed

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, number: int) -> Sample:
        count = len(self._pairs)
        order = np.random.default_rng((self._seed, number // count, 1)).permutation(count)
        noisy, clean = self._pairs[int(order[number % count])]
        edge = self._crop // 2 if self._channels == 4 else self._crop
        wanted = {self._channels} if self._channels == 4 else {self._channels, 3}
        fits = noisy.shape == clean.shape and noisy.dim() == 3 and noisy.shape[0] in wanted
        if not fits or min(noisy.shape[1:]) < edge:
            raise DataError(
                f"pair {number % count} must be two tensors ({self._channels}, {edge} or more, "
                f"{edge} or more), not {tuple(noisy.shape)} and {tuple(clean.shape)}"
            )
        random = np.random.default_rng((self._seed, number))
        top, left = (int(random.integers(side - edge + 1)) for side in noisy.shape[1:])
        noisy, clean = (
            255 * image[:, top : top + edge, left : left + edge].float() for image in (noisy, clean)
        )
        low = torch.zeros(3, self._crop // SCALE, self._crop // SCALE, dtype=torch.uint8)
        yes, no = torch.tensor(True), torch.tensor(False)
        return Sample(noisy, clean, low, yes, no, torch.tensor(1.0), torch.tensor(number))


def check_hooks(hooks: Hooks, recipe: Recipe) -> None:
    """Refuse terms of the loss that do not go with the recipe.

    Raises:
        RecipeError: a name is taken, or the recipe records a step that a caller's code is part of.
    """
    taken = {"loss", "forward", "backward", "areas", "gradient", "ssim", "teacher"}
    if clash := taken & hooks.terms.keys():
        raise RecipeError(f"a term of the loss must have a new name, not {', '.join(clash)}")
    if hooks.terms and recipe.hardware.graph:
        raise RecipeError(
            "hardware.graph records kernels alone, and a caller's terms of the loss may do more "
            "than start kernels: set hardware.graph=false, or leave out the terms"
        )
