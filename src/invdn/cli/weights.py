"""``invdn weights``: look into weights files and convert them."""

import json
from pathlib import Path
from typing import Any

import click

from ..architecture import Architecture
from ..errors import InputError, MissingDependencyError
from .options import Group, json_option, overwrite_option
from .terminal import report


@click.group(cls=Group)
def command() -> None:
    """Look into weights files, and convert between the formats."""


@command.command()
@click.argument("source")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@overwrite_option("TARGET if it exists")
@json_option
def convert(source: str, target: Path, *, overwrite: bool, as_json: bool) -> None:
    """Write SOURCE as TARGET, whose suffix chooses the format.

    SOURCE is a shipped model's name, a .safetensors, a .pth of the official code or a .pdparams of
    Paddle. TARGET ends in .safetensors (keeps provenance and licence), .pth or .pdparams (loadable
    by the originals). No code inside a file is ever executed.
    """
    from ..weights.convert import convert as convert_weights  # late: a quick --help

    read = convert_weights(source, target, overwrite=overwrite)
    facts = {"source": read.path, "format": read.format, "target": target}
    report(as_json, facts, f"{read.path} ({read.format}) -> {target}")


@command.command(groups={"Parameters": "seed blocks features"})
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the numbers."
)
@click.option("--blocks", default="8,8", show_default=True, help="Coupling blocks of each level.")
@click.option(
    "--features", type=click.IntRange(1), default=64, show_default=True, help="Of the subnets."
)
@overwrite_option("TARGET if it exists")
@json_option
def init(
    target: Path, *, seed: int, blocks: str, features: int, overwrite: bool, as_json: bool
) -> None:
    """Write the random parameters that training begins with as TARGET.

    They are PyTorch's: Kaiming uniform with a = sqrt(5), weights and biases, to which this network
    is very sensitive. TARGET ends in .safetensors, .pth or .pdparams, as 'convert' has it.
    """
    try:
        from ..weights.network import initial_parameters  # late: imports torch
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"random parameters need {error.name}: pip install 'invdn[torch]'"
        ) from error
    from ..weights import write_parameters

    try:
        architecture = Architecture(tuple(int(part) for part in blocks.split(",")), features)
    except ValueError as error:
        raise InputError(f"--blocks must be numbers such as 8,8, not {blocks!r}") from error
    parameters = initial_parameters(architecture, seed)
    write_parameters(parameters, target, overwrite=overwrite)
    facts = {"parameters": parameters.count, "seed": seed, "target": target}
    report(as_json, facts, f"{parameters.count} random parameters, seed {seed} -> {target}")


@command.command()
@click.argument("source")
@json_option
def info(source: str, *, as_json: bool) -> None:
    """Tell what SOURCE, a weights file or a shipped model's name, holds."""
    from ..weights import open_weights  # late: a quick --help

    read = open_weights(source)
    architecture = read.parameters.architecture
    facts: dict[str, Any] = {
        "file": str(read.path),
        "format": read.format,
        "bytes": read.size,
        "sha256": read.sha256,
        "stored_as": ", ".join(read.stored_types),
        "parameters": read.parameters.count,
        "blocks": architecture.blocks,
        "features": architecture.features,
        "channels": architecture.channels,
        "scale": architecture.scale,
    }
    metadata = read.parameters.metadata
    if as_json:
        click.echo(json.dumps({**facts, "metadata": metadata}, indent=2))
        return
    facts["blocks"] = " + ".join(map(str, architecture.blocks))
    for name, value in {**facts, **metadata}.items():
        # What a file says of itself is printed, but no terminal obeys it.
        click.echo("".join(c if c.isprintable() else "?" for c in f"{name:<12} {value}"))
