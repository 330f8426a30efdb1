"""Recipes from files and from the command line."""

import json
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..errors import RecipeError
from .recipe import Recipe

_SHIPPED = files("invdn.training") / "recipes"


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a shipped recipe by name, or a TOML file by path, and apply ``key=value`` overrides.

    Args:
        name: ``paper``, ``official``, ``paddle``, ``paddle-4``, ``default``, ``fast``, ``smoke``,
            or a path.
        overrides: such as ``"phases.0.steps=500"``; values are TOML, or bare strings.

    Raises:
        RecipeError: no such recipe, not TOML, an unknown key or a wrong value; the message names
            the key.
    """
    shipped = {Path(entry.name).stem: entry for entry in _SHIPPED.iterdir()}
    path = Path(name)
    try:
        text = shipped.get(name, path).read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except FileNotFoundError as error:
        known = ", ".join(sorted(shipped))
        raise RecipeError(
            f"no recipe {name!r}: name one of {known}, or the path of a TOML file"
        ) from error
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{name} is not a readable TOML file: {error}") from error
    for override in overrides:
        _apply(content, override)
    return validate_recipe(content, name)


def validate_recipe(content: dict[str, Any], name: str) -> Recipe:
    """Check the content of a recipe; ``name`` stands in the error message.

    Raises:
        RecipeError: an unknown key or a wrong value; the message names every one.
    """
    try:
        # through JSON: lists become tuples, text becomes paths, and nothing else is converted
        return Recipe.model_validate_json(json.dumps(content), strict=True)
    except (ValidationError, TypeError) as error:
        if isinstance(error, TypeError):
            raise RecipeError(f"recipe {name}: {error}") from error
        raise RecipeError(f"recipe {name}: " + "; ".join(_faults(error))) from error


def _faults(error: ValidationError) -> list[str]:
    """Return one text for each fault, but for those that only follow from a fault deeper inside."""
    faults = {fault["loc"]: fault for fault in error.errors()}
    return [
        "".join(f"{'.'.join(map(str, place))}: " for _ in place[:1])
        + (
            "unknown key"
            if fault["type"] == "extra_forbidden"
            else fault["msg"].removeprefix("Value error, ")
        )
        for place, fault in faults.items()
        if not any(place == other[: len(place)] for other in faults if other != place)
    ]


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise RecipeError(f"{override!r} is not of the form key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.strip().split(".")
    place: Any = content
    try:
        for part in parents:
            place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value
    except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise RecipeError(f"{override!r}: the recipe has no place {key.strip()!r}") from error
