"""Arguments of every command that makes files of files: which ones, and what they become."""

from pathlib import Path
from typing import Any

import click

from ..batch import NameTemplate
from .option_group import OptionGroup


class BatchOptions(OptionGroup):
    """Inputs, outputs and names, as :func:`invdn.batch.plan` takes them; and ``overwrite``.

    Args:
        suffix: what is added to a result's name, unless the user says otherwise.
    """

    def __init__(self, *, suffix: str) -> None:
        self._suffix = suffix
        super().__init__(
            click.argument("inputs", nargs=-1, required=True, metavar="INPUT..."),
            click.option(
                "-o",
                "--output",
                type=click.Path(path_type=Path),
                help="File to write, or folder for the results. Default: beside each input.",
            ),
            click.option("--suffix", help=f"Added to the file's name.  [default: {suffix}]"),
            click.option(
                "--name",
                metavar="TEMPLATE",
                help="Name of a result instead, of {stem}, {suffix}, {parent}, {extension}: "
                "'{stem}_clean{suffix}'.",
            ),
            click.option("-r", "--recursive", is_flag=True, help="Descend into folders."),
            click.option("--overwrite", is_flag=True, help="Replace results that exist."),
        )

    def take(self, choices: dict[str, Any], *, suffix: str | None = None) -> dict[str, Any]:
        """As every group, but ``name`` is a :class:`~invdn.batch.NameTemplate`.

        Args:
            choices: of the command.
            suffix: what is added to a name here, unless the user says otherwise.

        Raises:
            InputError: the name is no template.
        """
        chosen = super().take(choices)
        wanted, name = chosen.pop("suffix"), chosen["name"]
        if name is None:
            added = wanted if wanted is not None else suffix or self._suffix
            chosen["name"] = NameTemplate.adding(added)
        elif wanted is None:
            chosen["name"] = NameTemplate(name)
        else:
            raise click.UsageError("--name is the whole name: leave out --suffix.")
        return chosen
