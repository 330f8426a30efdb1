"""The whole state of a training on disk: written atomically, checked and read without running code.

A checkpoint is torch's zip archive, whose CRC-32 of every member is the checksum. Two generations
of the last state are kept: what damages one leaves the other.
"""

import io
import os
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from ..atomic import atomic_output, temporary_name
from ..errors import RecipeError
from ..network import InvDN
from .recipe import Recipe
from .resuming import check_changes
from .state import MakeOptimiser, State, initial_state

LAST, PREVIOUS, BEST = "last.pt", "last-previous.pt", "best.pt"
_FORMAT = 1


class _DamagedError(RecipeError):
    """The file is not whole, or never was a checkpoint."""


def save_checkpoint(path: Path, state: State, recipe: str) -> None:
    """Write the state; whatever stops the process, ``path`` is whole, old or new.

    Args:
        path: the file.
        state: what to save.
        recipe: as JSON, for the record.

    Raises:
        OutputError: the disk is full or not writable.
    """
    content = encode_state(state, recipe)
    with atomic_output(path, overwrite=True) as partial:
        partial.write_bytes(content)


def save_last(folder: Path, state: State, recipe: str) -> None:
    """Write the last state of a run; the one before stays beside it, unless that is damaged.

    Raises:
        OutputError: the disk is full or not writable; the last state is what it was.
    """
    last = folder / LAST
    if _is_whole(last):
        _keep(last, folder / PREVIOUS)
    save_checkpoint(last, state, recipe)


def encode_state(state: State, recipe: str) -> bytes:
    """Return what a checkpoint file holds; ``recipe`` is JSON."""
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
    return memory.getvalue()


def open_state(
    recipe: Recipe,
    folder: Path,
    device: torch.device,
    *,
    resume: bool,
    start: str | Path | None,
    allow_change: bool = False,
    tell: Callable[[str], None] = lambda _: None,
    make_optimiser: MakeOptimiser | None = None,
) -> State:
    """Return what a run begins with: the folder's last state if it resumes, or else a new one.

    Args:
        recipe: of the run.
        folder: of the run.
        device: where the state is to lie.
        resume: whether to go on with what the folder holds.
        start: weights to begin with.
        allow_change: go on although the recipe has changed in what decides the outcome.
        tell: called with what changed, and which checkpoint was damaged.
        make_optimiser: of the parameters; None for the recipe's Adam.

    Raises:
        RecipeError: the folder holds a run that is not to be resumed, its checkpoints are damaged,
            the recipe has changed, or the checkpoint or ``start`` is of another network.
        WeightsError: ``start`` cannot be read.
    """
    held = [path for path in (folder / LAST, folder / PREVIOUS) if path.exists()]
    if held and not resume:
        raise RecipeError(f"{folder} holds a run already: add --resume, or choose another folder")
    if not held:
        return initial_state(recipe, start, device, make_optimiser)
    # `start` made the first state; the checkpoint has taken its place
    content, faults = _newest(held)
    path = held[len(faults)]
    for fault in faults:
        tell(f"{fault}; going on from {path.name}, step {content['step']}")
    state = initial_state(recipe, None, device, make_optimiser)
    restore_state(path, content, state)
    for line in check_changes(content["recipe"], recipe, state.step, allow_change=allow_change):
        tell(line)
    return state


def load_checkpoint(path: Path, state: State) -> None:
    """Fill the state from a file, and set the random generators.

    Raises:
        RecipeError: not a checkpoint, damaged, or of another network than the recipe's.
    """
    restore_state(path, read_checkpoint(path), state)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a file that :func:`save_checkpoint` wrote, after comparing its checksums.

    Raises:
        RecipeError: not a checkpoint, damaged, or of another version.
    """
    try:
        return decode_state(path.read_bytes())
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    except Exception as error:  # torch.load raises many kinds for a damaged file
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise _DamagedError(f"{path} is damaged or no checkpoint ({reason[:200]})") from error


def decode_state(content: bytes) -> dict[str, Any]:
    """Return what :func:`encode_state` was given; raises many kinds of errors for other bytes."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} does not fit")
    found: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if found["format"] != _FORMAT:
        raise RecipeError(f"the checkpoint has the format {found['format']} of another version")
    return found


def restore_state(path: Path | str, content: dict[str, Any], state: State) -> None:
    """Fill the state from what a checkpoint holds; ``path`` stands in the messages.

    Raises:
        RecipeError: something is missing, or it is of another network than the recipe's.
    """
    try:
        _check_shapes(path, content["network"], state.network)
        state.network.load_state_dict(content["network"])
        state.ema.load_state_dict(content["ema"])
        _load_moments(state.optimiser, content["optimiser"])
        state.step, state.samples = int(content["step"]), int(content["samples"])
        state.best, state.lowest = float(content["best"]), float(content["lowest"])
        _set_random_states(content["random"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _DamagedError(f"{path} lacks a part of the state ({error})") from error


def _newest(held: list[Path]) -> tuple[dict[str, Any], list[RecipeError]]:
    """Return the first checkpoint that is whole, and what was wrong with those before it."""
    faults: list[RecipeError] = []
    for path in held:
        try:
            return read_checkpoint(path), faults
        except _DamagedError as error:
            faults.append(error)
    raise RecipeError(
        f"{'; '.join(map(str, faults))}: resume from {BEST} by copying it over {LAST}, or "
        "begin anew"
    ) from faults[0]


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except Exception:  # noqa: BLE001 - zipfile raises many kinds for a damaged file
        return False


def _keep(last: Path, previous: Path) -> None:
    """Give the file a second name, so that a last state is there at every moment."""
    temporary = previous.with_name(temporary_name())
    try:
        os.link(last, temporary)
    except OSError:  # no hard links here: for a moment there is the previous state alone
        last.replace(previous)
    else:
        temporary.replace(previous)


def _load_moments(optimiser: Optimizer, content: dict[str, Any]) -> None:
    """Take over what the optimiser has learned, but not its settings: these are the recipe's."""
    settings = [
        {name: value for name, value in group.items() if name != "params"}
        for group in optimiser.param_groups
    ]
    optimiser.load_state_dict(content)
    for group, own in zip(optimiser.param_groups, settings, strict=True):
        group.update(own)


def _check_shapes(path: Path | str, found: dict[str, Tensor], network: InvDN) -> None:
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
