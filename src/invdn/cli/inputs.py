"""What the user named on the command line: files, folders and globs, as a list of jobs."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from ..errors import InputError
from .option_group import OptionGroup

#: Suffixes that a folder is searched for; a file that is named outright may have any.
PHOTOGRAPH_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"})


def batch_options(*, suffix: str) -> OptionGroup:
    """The arguments of every command that makes files of files: what :func:`plan` takes, and
    ``overwrite``.

    Args:
        suffix: what is added to a result's name, unless the user says otherwise.
    """
    return OptionGroup(
        click.argument("inputs", nargs=-1, required=True, metavar="INPUT..."),
        click.option(
            "-o",
            "--output",
            type=click.Path(path_type=Path),
            help="File to write, or folder for the results. Default: beside each input.",
        ),
        click.option(
            "--suffix", default=suffix, show_default=True, help="Added to the file's name."
        ),
        click.option("-r", "--recursive", is_flag=True, help="Descend into folders."),
        click.option("--overwrite", is_flag=True, help="Replace results that exist."),
    )


@dataclass(frozen=True)
class Job:
    """One photograph to read and the file to write.

    Attributes:
        source: the photograph.
        target: the file to write.
        makes_folder: the target's folder is ours to make.
    """

    source: Path
    target: Path
    makes_folder: bool


def plan(
    inputs: Sequence[str], output: Path | None, *, suffix: str, recursive: bool
) -> tuple[Job, ...]:
    """Every photograph that the inputs name, once, with its target.

    Args:
        inputs: files, folders and globs (which a shell may not have expanded).
        output: a file (for a single input file), a folder, or None: beside each photograph.
        suffix: added to the stem of a result.
        recursive: descend into folders; an output folder then mirrors their structure.

    Raises:
        InputError: an input names nothing, or two photographs would have the same target.
    """
    found = list(_find(inputs, suffix if output is None else None, recursive))
    if output is not None and _is_file(output, inputs):
        return (Job(found[0][0], output, makes_folder=False),)
    jobs: dict[Path, Job] = {}
    for source, place in found:
        name = f"{source.stem}{suffix}{source.suffix}"
        target = source.with_name(name) if output is None else output / place / name
        other = jobs.setdefault(target, Job(source, target, makes_folder=output is not None))
        if other.source != source:
            raise InputError(
                f"{other.source} and {source} would both become {target}; "
                "denoise them into different folders"
            )
    return tuple(jobs.values())


def _find(
    inputs: Iterable[str], own_suffix: str | None, recursive: bool
) -> Iterator[tuple[Path, Path]]:
    """(photograph, its folder relative to the input folder) for every input, in order."""
    for given in inputs:
        path = Path(given)
        if path.is_dir():
            yield from _search(path, own_suffix, recursive)
        elif path.exists() or not glob.has_magic(given):
            yield path, Path()  # a missing file fails when it is read, like any unreadable one
        else:
            matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207  Path.glob takes no '/x/*'
            if not matches:
                raise InputError(f"nothing matches {given}")
            yield from _find(matches, own_suffix, recursive)


def _search(folder: Path, own_suffix: str | None, recursive: bool) -> Iterator[tuple[Path, Path]]:
    """Photographs in a folder, without the results of an earlier run that lie among them."""
    files = sorted(folder.rglob("*") if recursive else folder.iterdir())
    photographs = [
        path
        for path in files
        if path.suffix.lower() in PHOTOGRAPH_SUFFIXES
        and path.is_file()
        and not (own_suffix and path.stem.endswith(own_suffix))
    ]
    if not photographs:
        hint = "" if recursive else "; --recursive descends into its folders"
        raise InputError(f"{folder} holds no photograph{hint}")
    for path in photographs:
        yield path, path.parent.relative_to(folder)


def _is_file(output: Path, inputs: Sequence[str]) -> bool:
    """Whether -o names a file: a single file goes in, and no folder of that name is there."""
    return (
        len(inputs) == 1
        and Path(inputs[0]).is_file()
        and bool(output.suffix)
        and not output.is_dir()
    )
