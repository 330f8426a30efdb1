"""Training from Python, with parts of one's own."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn
from torch.optim import Optimizer

from .callbacks import StepStats
from .hooks import Callback, Hooks, PairDataset, Term
from .loop import train
from .objective import RecipeLoss
from .plan import Plan
from .recipe import Recipe
from .recipe_files import load_recipe
from .validation import Score

__all__ = ["Callback", "PairDataset", "RecipeLoss", "Term", "fit"]


def fit(
    recipe: Recipe | str,
    folder: str | Path,
    *,
    overrides: Sequence[str] = (),
    dataset: PairDataset | None = None,
    validation: Mapping[str, Sequence[tuple[Tensor, Tensor]]] | None = None,
    terms: Mapping[str, Term] | None = None,
    optimiser: Callable[[Iterable[nn.Parameter]], Optimizer] | None = None,
    callbacks: Sequence[Callback] = (),
    start: str | Path | None = None,
    resume: bool = False,
    allow_change: bool = False,
) -> Path:
    """Train a network by a recipe, with parts of your own in place of the recipe's.

    Logs, checkpoints, resuming and several processes work as in ``invdn train``. A run is resumed
    with the same parts; only the recipe is compared.

    Args:
        recipe: a recipe, the name of a shipped one, or the path of a TOML file.
        folder: of the run.
        overrides: changes such as ``"phases.0.steps=500"``, where the recipe is named.
        dataset: pairs ``(noisy, clean)``, float tensors ``(C, H, W)`` in [0, 1] at least as large
            as the recipe's crops; crops are drawn from them. None: the data that the recipe names.
        validation: pairs to measure by the name of the set; both sides divisible by the network's
            scale. None: those that the recipe names.
        terms: further terms of the loss by name.
        optimiser: makes an optimiser of the parameters, such as ``torch.optim.AdamW``. The learning
            rate of each step is the recipe's. None: the recipe's Adam.
        callbacks: called meanwhile.
        start: weights to begin with: a shipped model's name or a file.
        resume: go on with the run in the folder, if there is one.
        allow_change: go on although the recipe has changed in what decides the outcome.

    Returns:
        The weights file of the running mean.

    Raises:
        InvDNError: as :func:`invdn.training.loop.train`; ``DataError`` where a pair does not fit.
    """
    settings = load_recipe(recipe, overrides) if isinstance(recipe, str) else recipe
    hooks = Hooks(dataset, validation, terms or {}, optimiser, callbacks)
    return train(
        settings,
        Path(folder),
        _Quiet(callbacks),
        resume=resume,
        start=start,
        allow_change=allow_change,
        hooks=hooks,
    )


class _Quiet:
    """A watcher that shows nothing: callbacks are the caller's, and ``train.log`` has the rest."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = callbacks

    def planned(self, plan: Plan) -> None:
        pass

    def message(self, text: str) -> None:
        pass

    def verifying(self, done: int, total: int) -> None:
        pass

    def measured(self, measured: StepStats) -> None:
        pass

    def validated(self, step: int, scores: dict[str, Score]) -> None:
        pass

    def wants_stop(self) -> bool:
        return any(callback.should_stop for callback in self._callbacks)
