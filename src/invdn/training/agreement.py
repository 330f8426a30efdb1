"""Processes of one training, on one machine or several: begun from one state, on the same data."""

import hashlib
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed
from lightning_fabric import Fabric

from ..data.images import ImageSource
from ..errors import InvDNError, RecipeError
from .checkpoint import decode_state, encode_state, restore_state
from .datasets import TrainingData
from .log import package_versions
from .recipe import Recipe
from .state import MakeOptimiser, State, initial_state
from .validation import ValidationSets

Result = TypeVar("Result")

_WINDOWS, _EDGE = 256, 16  # of a pack that are compared, and their side in pixels


def shared_state(
    fabric: Fabric,
    recipe: Recipe,
    make: Callable[[], State],
    make_optimiser: MakeOptimiser | None = None,
) -> State:
    """Let the first process make or load the state; all others get a copy of it.

    So a run can be resumed whose folder only the first node has.

    Args:
        fabric: the processes, launched.
        recipe: of the run.
        make: called in the first process.
        make_optimiser: of the parameters, in the others; None for the recipe's Adam.

    Raises:
        InvDNError: in the first process, what ``make`` raised.
        RecipeError: in the others, that the first one could not begin.
    """
    if fabric.world_size == 1:
        return make()
    state, raised, content = None, None, b""
    if fabric.is_global_zero:
        try:
            state = make()
            content = encode_state(state, recipe.model_dump_json())
        except InvDNError as error:
            raised = error
    content = fabric.broadcast(content)
    if raised is not None:
        raise raised
    if not content:
        raise RecipeError("the first process could not begin, and says why")
    if state is None:
        state = initial_state(recipe, None, fabric.device, make_optimiser)
        restore_state("the state of the first process", decode_state(content), state)
    return state


def together(fabric: Fabric, work: Callable[[], Result]) -> Result:
    """Do something in every process; where it fails in one, all end and say where.

    Raises:
        InvDNError: what ``work`` raised here.
        RecipeError: that it failed in another process, and why.
    """
    if fabric.world_size == 1:
        return work()
    result, raised = None, None
    try:
        result = work()
    except InvDNError as error:
        raised = error
    faults = _gather(fabric, str(raised) if raised else "")
    if raised is not None:
        raise raised
    for process, (host, fault) in enumerate(faults):
        if fault:
            raise RecipeError(f"process {process} on {host} could not begin: {fault}")
    return result  # type: ignore[return-value]


def check_agreement(
    fabric: Fabric, recipe: Recipe, state: State, material: TrainingData, sets: ValidationSets
) -> None:
    """Compare step, recipe, weights, data and versions of all processes before the first step.

    Raises:
        RecipeError: in every process, what differs and where.
    """
    if fabric.world_size == 1:
        return
    facts = _gather(fabric, describe_process(recipe, state, material, sets))
    first_host, first = facts[0]
    for process, (host, own) in enumerate(facts):
        for name, value in first.items():
            if own[name] != value:
                raise RecipeError(
                    f"process {process} on {host} has another {name} than process 0 on "
                    f"{first_host}: {_differing(own[name], value)}; give all nodes the same "
                    "recipe, data and packages"
                )


def describe_process(
    recipe: Recipe, state: State, material: TrainingData, sets: ValidationSets
) -> dict[str, Any]:
    """Return what all processes must have in common, by what a message would call it."""
    pairs = [
        side
        for pair in material.pairs
        for side in (pair.noisy, pair.clean, pair.low)
        if side is not None
    ]
    return {
        "step": {"step": state.step, "samples": state.samples},
        "recipe": recipe.model_dump(
            mode="json",
            exclude={"hardware": True, "log": True, "data": {"root"}},  # of each node's own
        ),
        "set of versions": package_versions(),
        "set of pairs": {str(n): fingerprint(source) for n, source in enumerate(pairs)},
        "set of photographs": {
            str(n): fingerprint(source) for n, source in enumerate(material.photographs)
        },
        "validation": {
            name: f"{len(pairs)} images, {_digest(pairs[0].noisy.numpy().tobytes())}"
            for name, pairs in sets.items()
        },
        "network": {
            part: _digest(
                *(p.detach().cpu().contiguous().numpy().tobytes() for p in network.parameters())
            )
            for part, network in (("network", state.network), ("ema", state.ema))
        },
    }


def fingerprint(source: ImageSource) -> str:
    """Return a text that differs where names, sizes or contents do.

    Of image files their bytes are counted; of a pack or a database small windows of up to 256
    images are read.
    """
    count = len(source.names)
    files: Sequence[Any] = getattr(source, "files", ())
    if files:
        contents = [str(file.stat().st_size).encode() for file in files]
    else:
        chosen = np.unique(np.linspace(0, count - 1, min(count, _WINDOWS)).round().astype(int))
        contents = [
            source.crop(int(n), 0, 0, *np.minimum(source.sizes[n], _EDGE)).tobytes() for n in chosen
        ]
    names = "\n".join(source.names).encode()
    digest = _digest(names, np.ascontiguousarray(source.sizes).tobytes(), *contents)
    return f"{count} images, {digest}"


def _gather(fabric: Fabric, own: Any) -> list[tuple[str, Any]]:
    """Return the host and what each process has, in their order."""
    gathered: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(gathered, (socket.gethostname(), own))
    return gathered


def _digest(*contents: bytes) -> str:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()[:16]


def _differing(own: dict[str, Any], first: dict[str, Any], place: str = "") -> str:
    """Return the first entry in which two trees differ."""
    for key in (*first, *(key for key in own if key not in first)):
        a, b = own.get(key, "nothing"), first.get(key, "nothing")
        if a != b:
            name = f"{place}{key}"
            if isinstance(a, dict) and isinstance(b, dict):
                return _differing(a, b, f"{name}.")
            return f"{name} is {a} and not {b}"
    raise AssertionError("equal trees")
