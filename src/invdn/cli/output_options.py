"""Options about the files that are read and written, apart from which they are."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from ..errors import InputError

Function = TypeVar("Function", bound=Callable[..., Any])

FORMATS = ("jpeg", "png", "tiff", "webp", "avif")
_NAMES = ("jpeg_quality", "subsampling", "strip_metadata", "page", "keep_time")


def output_options(function: Function) -> Function:
    """Add the options to a command; the two functions below take what they gave."""
    options = (
        click.option(
            "--format",
            "output_format",
            type=click.Choice(FORMATS),
            help="Format of the results. Default: the source's (raw becomes TIFF, HEIC AVIF).",
        ),
        click.option(
            "--jpeg-quality",
            type=click.IntRange(1, 100),
            help="Of JPEG, and of WebP and AVIF. Default: that of a source of the format, else 95.",
        ),
        click.option(
            "--subsampling",
            type=click.Choice(["4:4:4", "4:2:0"]),
            help="Chroma of JPEG and AVIF. Default: the source's.",
        ),
        click.option(
            "--strip-metadata",
            is_flag=True,
            help="Drop EXIF (GPS too), XMP, IPTC, resolution, gain map and video; profile and "
            "orientation stay.",
        ),
        click.option("--keep-time", is_flag=True, help="Give results the time of their source."),
        click.option(
            "--page", type=click.IntRange(1), help="Which picture of a file with several pages."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def suffix_of_results(choices: dict[str, Any], output: Path | None) -> Callable[[Path], str]:
    """Remove ``--format`` from a command's choices and give what planning asks of it.

    Args:
        choices: of the command.
        output: a file to write, a folder or None, as the user named it.

    Returns:
        A function from a photograph to the ending of its result.

    Raises:
        InputError: the file to write has an ending of another format.

    Example:
        >>> suffix_of_results({"output_format": "png"}, None)(Path("photo.jpg"))
        '.png'
    """
    from ..photo.endings import ending_of_result  # late: a quick --help
    from ..photo.formats import SUFFIXES

    wanted = choices.pop("output_format")
    named = SUFFIXES.get(output.suffix.lower()) if output else None
    if wanted and named and wanted != named:
        raise InputError(f"--format {wanted} and the name {output} contradict each other: drop one")
    return partial(ending_of_result, wanted=wanted)


def take_output_choices(choices: dict[str, Any]) -> dict[str, Any]:
    """Remove the options from a command's choices and give them as parts of ``FileOptions``.

    Example:
        >>> given = {"jpeg_quality": 80, "subsampling": None, "strip_metadata": False, "page": 2}
        >>> given["keep_time"] = False
        >>> taken = take_output_choices({**given, "seed": 3})
        >>> taken["page"], taken["write"].quality
        (2, 80)
    """
    from ..photo.write_options import WriteChoices  # late: a quick --help

    taken = {name: choices.pop(name) for name in _NAMES}
    return {
        "page": taken.pop("page"),
        "keep_time": taken.pop("keep_time"),
        "write": WriteChoices(quality=taken.pop("jpeg_quality"), **taken),
    }
