"""What may change in a recipe when a run goes on, and what must not change silently."""

import json
from collections.abc import Iterator
from typing import Any

from ..errors import RecipeError
from .recipe import Recipe

#: What can change without a flag: where and how fast it runs, what is measured and written, how
#: long it takes, and its learning rate, which a diverged run is asked to lower.
_FREE = ("title", "budget", "data.root", "hardware.", "log.", "validation.")
_FREE_OF_PHASES = ("steps", "learning_rate")


def check_changes(before: str, recipe: Recipe, step: int, *, allow_change: bool) -> list[str]:
    """Compare a checkpoint's recipe with the one that the run is to go on with.

    Args:
        before: the checkpoint's recipe as JSON.
        recipe: of the run, after the linear rule.
        step: steps done.
        allow_change: accept changes of what decides the outcome.

    Returns:
        A line for every change, for people.

    Raises:
        RecipeError: more steps are done than the recipe has; or something changed that would make
            the run another one, and that is not allowed.
    """
    if recipe.budget is None and step > recipe.steps:
        raise RecipeError(
            f"{step} steps are done already, the recipe has {recipe.steps}: set phases.N.steps "
            "higher, or choose another folder"
        )
    changes = changed(json.loads(before), recipe.model_dump(mode="json"))
    lines = [f"the recipe changed: {key}: {old} -> {new}" for key, old, new in changes]
    decisive = [(key, old, new) for key, old, new in changes if not _is_free(key)]
    if decisive and not allow_change:
        texts = ", ".join(f"{key} was {old} and is {new}" for key, old, new in decisive)
        raise RecipeError(
            f"the recipe is not the one that this run began with: {texts}; give the old values, or "
            "add --allow-change to go on all the same"
        )
    return lines


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return key, old and new value (as JSON) of what differs; keys that were not there count not.

    Example:
        >>> changed({"seed": 1, "losses": {"forward": 16}}, {"seed": 1, "losses": {"forward": 8}})
        [('losses.forward', '16', '8')]
    """
    old, new = dict(_flat(before, "")), dict(_flat(after, ""))
    # a phase more or less is a change; a setting that an older version did not have is none
    keys = [
        key
        for key in {**old, **new}
        if (key in old and key in new)
        or ("phases" in before and key.startswith("phases.") and not _shared_phase(key, old, new))
    ]
    return [
        (key, old.get(key, "none"), new.get(key, "none"))
        for key in keys
        if old.get(key) != new.get(key)
    ]


def _shared_phase(key: str, old: dict[str, str], new: dict[str, str]) -> bool:
    phase = ".".join(key.split(".")[:2]) + "."
    return all(any(name.startswith(phase) for name in side) for side in (old, new))


def _flat(tree: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(tree, dict) and tree:
        for key, value in tree.items():
            yield from _flat(value, f"{place}.{key}" if place else key)
    elif isinstance(tree, list) and place == "phases":
        for number, value in enumerate(tree):
            yield from _flat(value, f"{place}.{number}")
    else:
        yield place, json.dumps(tree)


def _is_free(key: str) -> bool:
    if key.startswith("phases."):
        return key.rpartition(".")[2] in _FREE_OF_PHASES
    return key.startswith(_FREE)
