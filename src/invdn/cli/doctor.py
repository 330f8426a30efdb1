"""``invdn dev doctor``: what is here and what would run."""

import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, requires, version

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..errors import InvDNError


@click.command()
def command() -> None:
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

    console = Console()
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_row("InvDN", version("invdn"))
    facts.add_row("Python", f"{platform.python_version()}, {escape(sys.executable)}")
    facts.add_row(
        "machine", f"{platform.system()} {platform.machine()}, {available_processors()} processors"
    )
    for part, packages in _parts().items():
        facts.add_row(escape(part), ", ".join(map(_installed, packages)))
    facts.add_row("native engine", why_native_unavailable() or "built, and used on the CPU")
    facts.add_row("devices", ", ".join(available_devices()))
    facts.add_row("models", ", ".join(shipped_models()))
    console.print(facts)
    try:
        engine = open_engine()
    except InvDNError as error:
        raise click.ClickException(f"the default model cannot run: {error}") from error
    blocks = " + ".join(map(str, engine.architecture.blocks))
    console.print(
        f"\n'invdn denoise' would use the model 'default' (x{engine.architecture.scale}, "
        f"{blocks} blocks) through {engine.description}."
    )


def _parts() -> dict[str, list[str]]:
    """The light install and each extra, with the packages that they ask for."""
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
        return f"[yellow]{package} missing[/]"
