"""``invdn dev doctor``: what is here and what would run."""

import json
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import InvDNError
from .options import Command, json_option


@click.command(cls=Command)
@json_option
def command(as_json: bool) -> None:
    """Tell what is installed, which devices are there, and which model would be used.

    Exits with 1 where the default model cannot run.
    """
    from ..engines import (
        available_devices,
        available_processors,
        open_engine,
        why_native_unavailable,
    )
    from ..weights import shipped_models

    facts = {
        "InvDN": version("invdn"),
        "Python": f"{platform.python_version()}, {sys.executable}",
        "machine": f"{platform.system()} {platform.machine()}, {available_processors()} processors",
        **{part: ", ".join(map(_installed, packages)) for part, packages in _parts().items()},
        "native engine": why_native_unavailable() or "built, and used on the CPU",
        "devices": ", ".join(available_devices()),
        "models": ", ".join(shipped_models()),
    }
    console = Console()
    if not as_json:
        table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        for name, fact in facts.items():
            table.add_row(escape(name), re.sub(r"(\S+ missing)", r"[yellow]\1[/]", escape(fact)))
        console.print(table)
    try:
        engine = open_engine()
    except InvDNError as error:
        raise click.ClickException(f"the default model cannot run: {error}") from error
    if as_json:
        click.echo(json.dumps({**facts, "engine": engine.description}))
        return
    blocks = " + ".join(map(str, engine.architecture.blocks))
    console.print(
        f"\n'invdn denoise' would use the model 'default' (x{engine.architecture.scale}, "
        f"{blocks} blocks) through {engine.description}."
    )


def _parts() -> dict[str, list[str]]:
    """Return the light install and each extra, with the packages that they ask for."""
    parts: dict[str, list[str]] = {}
    for requirement in requires("invdn") or ():
        name = re.match(r"[\w.-]+", requirement)
        extra = re.search(r"extra == ['\"](.+?)['\"]", requirement)
        if name and name[0] != "invdn":  # extras may hold other extras
            part = f"invdn[{extra[1]}]" if extra else "light install"
            parts.setdefault(part, []).append(name[0])
    return parts


def _installed(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} missing"
