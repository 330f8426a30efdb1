"""The options of ``invdn denoise`` that say how much is taken away, and where."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


class _Strength(click.ParamType[float | str]):
    """A number from 0 to 1, or "auto"."""

    name = "strength"

    def convert(self, value: Any, param: Any, ctx: Any) -> float | str:
        if str(value).lower() == "auto":
            return "auto"
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither 'auto' nor a number from 0 to 1", param, ctx)


class _Bytes(click.ParamType[int]):
    """An amount of memory, such as 500M."""

    name = "bytes"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]*\.?[0-9]+) *([kmg]i?|)b?", value.strip().lower())
        if not found:
            self.fail(f"{value!r} is no amount of memory like 500M or 2G", param, ctx)
        return round(float(found[1]) * _UNITS[found[2]])


def strength_option(default: str) -> Callable[[Function], Function]:
    """``--strength``: found from the noise for photographs, 1 where the network is measured."""
    return click.option(
        "--strength",
        type=_Strength(),
        default=default,
        show_default=True,
        metavar="0..1|auto",
        help="How much of the change is made; auto: as much as the noise found calls for.",
    )


def control_options(function: Function) -> Function:
    """Strength, luminance, chroma, detail, latent scale, memory and preview."""
    share = click.FloatRange(0, 1)
    options = (
        strength_option("auto"),
        click.option("--luminance", type=share, help="Share of the change of brightness.  [1]"),
        click.option("--chroma", type=share, help="Share of the change of colour.  [1]"),
        click.option(
            "--detail",
            type=share,
            help="Share of fine texture that is given back; no colour noise.  [0]",
        ),
        click.option(
            "--latent-scale",
            type=click.FloatRange(0),
            help="Spread of the sample that replaces the noise; 0: always the middle one.  [1]",
        ),
        click.option(
            "--max-memory",
            type=_Bytes(),
            metavar="BYTES",
            help="500M, 2G ...: smaller tiles where the photograph needs more.",
        ),
        click.option(
            "--preview",
            metavar="X,Y,W,H",
            help="Denoise and write this part only, in pixels as a viewer shows them.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def remarks(entry: Mapping[str, Any]) -> str:
    """What a finished photograph's line says of its noise; a line for each note."""
    level = entry.get("noise_level")
    text = "" if level is None else f" (noise {level:.1f} of 255)"
    notes = [entry.get("warning"), *entry.get("remarks", ())]
    return text + "".join(f"\n  note: {note}" for note in notes if note)
