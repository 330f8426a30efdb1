"""The command ``invdn``; each subcommand lives in a module of its name, imported when called."""

import sys
from importlib import import_module

import click

from ..errors import InvDNError

# Name -> what it does, as `invdn --help` lists it. Here rather than in the modules, so that
# the help is printed without importing any of them.
_COMMANDS = {
    "denoise": "Remove the noise of photographs.",
    "burst": "Make one clean photograph of several of a still scene.",
    "video": "Remove the noise of a video, frame by frame.",
    "serve": "Start the page and the REST service on this machine.",
    "demo": "Denoise a picture made on the spot, to see what it does.",
    "doctor": "Tell what is installed, which devices are there, which model would run.",
    "weights": "Inspect and convert weights files.",
    "export": "Write a model for other programs: ONNX, darktable, Paddle.",
    "infer": "Run an exported folder on a photograph and measure it.",
    "noise": "Add realistic camera noise to clean photographs.",
    "data": "Prepare data sets for training.",
    "train": "Train a network from a recipe.",
    "evaluate": "Measure a model on pairs of noisy and clean photographs.",
    "submit": "Write the bundles of the SIDD and DND benchmarks.",
    "compare": "Compare two sets of outputs within a tolerance.",
    "smoke": "Train, evaluate, export and denoise: the whole chain in one command.",
    "bench": "Time and memory of every stage, by size, engine and threads.",
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f".{cmd_name}", __name__).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="invdn")
def group() -> None:
    """Remove real noise from photographs with the Invertible Denoising Network."""


def main() -> None:
    """Run the command; errors that InvDN knows become one line and exit code 1."""
    try:
        group()
    except InvDNError as error:
        click.echo(f"invdn: {error}", err=True)
        sys.exit(1)
