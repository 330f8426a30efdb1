"""The whole state of a training on disk: written atomically, read without running code."""

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from ..atomic import atomic_output
from ..errors import RecipeError
from ..network import InvDN
from .recipe import Recipe
from .state import State, initial_state

LAST, BEST = "last.pt", "best.pt"
_FORMAT = 1


def save_checkpoint(path: Path, state: State, recipe: str) -> None:
    """Write the state; whatever stops the process, ``path`` is whole, old or new.

    Args:
        path: the file.
        state: what to save.
        recipe: as JSON, for the record.

    Raises:
        OutputError: the disk is full or not writable.
    """
    content = {
        "format": _FORMAT,
        "recipe": recipe,
        "network": state.network.state_dict(),
        "ema": state.ema.state_dict(),
        "optimiser": state.optimiser.state_dict(),
        "step": state.step,
        "samples": state.samples,
        "best": state.best,
        "lowest": state.lowest,
        "random": _random_states(),
    }
    # first into memory: torch's own writer does not say that a disk is full
    memory = io.BytesIO()
    torch.save(content, memory)
    with atomic_output(path, overwrite=True) as partial:
        partial.write_bytes(memory.getbuffer())


def open_state(
    recipe: Recipe, folder: Path, device: torch.device, *, resume: bool, start: str | Path | None
) -> State:
    """What a run begins with: the folder's last checkpoint if it resumes, or else a new state.

    Raises:
        RecipeError: the folder holds a run that is not to be resumed, or the checkpoint or
            ``start`` is of another network.
        WeightsError: ``start`` cannot be read.
    """
    held = (folder / LAST).exists()
    if held and not resume:
        raise RecipeError(f"{folder} holds a run already: add --resume, or choose another folder")
    state = initial_state(recipe, start, device)
    if held:
        load_checkpoint(folder / LAST, state)
    return state


def load_checkpoint(path: Path, state: State) -> None:
    """Fill the state from a file, and set the random generators.

    Raises:
        RecipeError: not a checkpoint, damaged, or of another network than the recipe's.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content["format"] != _FORMAT:
            raise RecipeError(f"{path} has the format {content['format']} of another version")
        _check_shapes(path, content["network"], state.network)
        state.network.load_state_dict(content["network"])
        state.ema.load_state_dict(content["ema"])
        _load_moments(state.optimiser, content["optimiser"])
        state.step, state.samples = int(content["step"]), int(content["samples"])
        state.best, state.lowest = float(content["best"]), float(content["lowest"])
        _set_random_states(content["random"])
    except RecipeError:
        raise
    except Exception as error:  # torch.load raises many kinds for a damaged file
        raise RecipeError(
            f"{path} is not a readable checkpoint of this version ({type(error).__name__}: "
            f"{error}): resume from {BEST} by copying it over {LAST}, or begin anew"
        ) from error


def _load_moments(optimiser: Optimizer, content: dict[str, Any]) -> None:
    """Take over what the optimiser has learned, but not its settings: these are the recipe's."""
    settings = [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimiser.param_groups
    ]
    optimiser.load_state_dict(content)
    for group, own in zip(optimiser.param_groups, settings, strict=True):
        group.update(own)


def _check_shapes(path: Path, found: dict[str, Tensor], network: InvDN) -> None:
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    if shapes != wanted:
        parameters = sum(value.numel() for value in found.values())
        raise RecipeError(
            f"{path} holds another network ({parameters} parameters) than the recipe's "
            f"{network.architecture}: resume with the recipe it was made with"
        )


def _random_states() -> dict[str, Any]:
    name, keys, position, has_gauss, gauss = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
        "numpy": (name, np.asarray(keys).tolist(), position, has_gauss, gauss),
        "python": random.getstate(),
    }


def _set_random_states(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch"])
    if states["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
    np.random.set_state(states["numpy"])  # noqa: NPY002
    random.setstate(states["python"])
