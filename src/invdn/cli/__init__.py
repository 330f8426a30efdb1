"""The command ``invdn``; each subcommand lives in a module of its name, imported when called."""

import atexit
import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from ..errors import InputError, InvDNError, WeightsError

# Heading -> name -> what it does, as `invdn --help` lists it. Here rather than in the modules, so
# that the help is printed without importing any of them.
_COMMANDS = {
    "Photographs and videos": {
        "denoise": "Remove the noise of photographs.",
        "burst": "Make one clean photograph of several of a still scene.",
        "video": "Remove the noise of a video, frame by frame.",
        "serve": "Start the page and the REST service on this machine.",
    },
    "Archives of millions": {
        "plan": "List an archive, cut it into shards, tell its cost.",
        "status": "Tell how far an archive is: done, failed, left, time left.",
    },
    "Models and training": {
        "train": "Train a network from a recipe.",
        "adapt": "Adapt a model to the noise of one camera, from noisy photographs.",
        "evaluate": "Measure a model on pairs of noisy and clean photographs.",
        "submit": "Write the bundles of the SIDD and DND benchmarks.",
        "compare": "Compare two sets of outputs within a tolerance.",
        "weights": "Inspect and convert weights files.",
        "export": "Write a model for other programs: ONNX, darktable, Paddle.",
        "infer": "Run an exported folder on a photograph and measure it.",
        "noise": "Add realistic camera noise to clean photographs.",
        "data": "Prepare data sets for training.",
    },
    "For developers": {
        "dev": "Check an installation: doctor, demo, smoke, bench.",
    },
}
_DEVELOPERS = {
    "doctor": "Tell what is installed, which devices are there, which model would run.",
    "demo": "Denoise a picture made on the spot, to see what it does.",
    "smoke": "Train, evaluate, export and denoise: the whole chain in one command.",
    "bench": "Time and memory of every stage, by size, engine and threads.",
}


class _Lazy(click.Group):
    """A group that imports a command's module when the command is called.

    Args:
        sections: heading -> name -> help.
        **others: as of :class:`click.Group`.
    """

    def __init__(
        self, *args: Any, sections: Mapping[str, Mapping[str, str]] | None = None, **others: Any
    ) -> None:
        super().__init__(*args, **others)
        self._sections = sections or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in self._sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "dev":
            return developers
        if cmd_name not in (*self.list_commands(ctx), *_DEVELOPERS):
            return None
        command: click.Command = import_module(f".{cmd_name}", __name__).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a file or folder alone stands for ``invdn denoise``."""
        name = args[0]
        if self.get_command(ctx, name):
            return super().resolve_command(ctx, args)
        looks_like_files = any(mark in name for mark in "./\\*?[") or Path(name).exists()
        if looks_like_files and self is group:
            return "denoise", self.get_command(ctx, "denoise"), args
        near = get_close_matches(name, self.list_commands(ctx), n=1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise click.UsageError(f"there is no command {name!r}{meant}", ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, commands in self._sections.items():
            with formatter.section(heading):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=_Lazy, sections=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="invdn")
def group() -> None:
    """Remove real noise from photographs with the Invertible Denoising Network.

    "invdn photo.jpg" is short for "invdn denoise photo.jpg".

    \b
    Exit codes: 0 all is well; 1 the work failed; 2 the command is wrong and nothing was done;
    130 Ctrl-C, 143 kill.
    """


@click.group("dev", cls=_Lazy, sections={"Commands": _DEVELOPERS})
def developers() -> None:
    """Check an installation, for developers."""


def main() -> None:
    """Run the command; errors that InvDN knows become one line.

    The exit code is 2 where an option or the model is wrong, else 1.
    """
    try:
        group()
    except InvDNError as error:
        click.echo(f"invdn: {error}", err=True)
        _exit(2 if isinstance(error, InputError | WeightsError) else 1)
    except SystemExit as ended:
        _exit(ended.code)


def _exit(code: str | int | None) -> NoReturn:
    """End the process.

    Of several processes that train together each ends without taking the interpreter apart: the
    threads that connect it to the others would drop their last tensors meanwhile, which aborts
    the process ("terminate called without an active exception", code -6) in place of its exit code.
    """
    distributed = sys.modules.get("torch.distributed")
    together = distributed and distributed.is_available() and distributed.is_initialized()
    if together and not isinstance(code, str):
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    sys.exit(code)
