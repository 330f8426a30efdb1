"""Options that commands share: one spelling and one default each.

Those of denoising come from the schema in :mod:`invdn.options`, with its bounds and its help.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from ..atomic import is_url
from ..batch import NameTemplate
from ..errors import InputError
from ..options import (
    LOOKS,
    QUALITIES,
    SHARES,
    Backend,
    DenoiseOptions,
    Dtype,
    Quality,
    explain_unknown,
    model_of_quality,
    option_help,
)

if TYPE_CHECKING:
    from ..photo.photo import WriteOptions

Function = TypeVar("Function", bound=Callable[..., Any])

FORMATS = ("jpeg", "png", "tiff", "webp", "avif", "jxl", "dng")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
#: Headings of the help, and the options below them; others come last.
_GROUPS = {
    "Input": "recursive page max_megapixels watch jobs",
    "Output": "output suffix name on_conflict overwrite skip_existing output_format "
    "jpeg_quality subsampling strip_metadata keep_time "
    "codec crf lossless keep_readable drop_streams",
    "Look": "look strength luminance chroma detail hot_pixels banding blotches stars dither "
    "preview compare uncertainty",
    "Quality": "quality num_samples self_ensemble latent_std seed",
    "Engine": "model device backend dtype tile_size tile_overlap max_memory",
    "Report": "dry_run as_json json_lines quiet",
    "Archives": "files_from manifest shard shards max_failures cluster cores_per_engine estimate",
}


class Command(click.Command):
    """A command whose help lists its options in groups, and which knows the names of old.

    Args:
        groups: headings of this command, and the options below them, before the common ones.
        **others: as of :class:`click.Command`.
    """

    def __init__(self, *args: Any, groups: Mapping[str, str] | None = None, **others: Any) -> None:
        super().__init__(*args, **others)
        self._groups = {**(groups or {}), **_GROUPS}

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options below the headings of their groups."""
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        left = {p.name: p.get_help_record(ctx) for p in options}
        for heading, names in self._groups.items():
            records = [record for name in names.split() if (record := left.pop(name, None))]
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)
        with formatter.section("Other" if len(left) < len(options) else "Options"):
            formatter.write_dl([record for record in left.values() if record])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and name the option that was meant by one that there is not."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            raise click.UsageError(explain_option(error.option_name, self, ctx), ctx) from error


class Group(click.Group):
    """A group of such commands."""

    command_class = Command


def explain_option(name: str, command: click.Command, ctx: click.Context) -> str:
    """Say which option was probably meant by one that there is not."""
    known = {
        spelling.lstrip("-").replace("-", "_"): spelling
        for parameter in command.get_params(ctx)
        for spelling in parameter.opts
        if spelling.startswith("--")
    }
    text = explain_unknown(name.lstrip("-").replace("-", "_"), known)
    return re.sub(r"'(\w+)'", lambda found: known.get(found[1], name), text) + "."


class OptionGroup:
    """A decorator made of click's decorators ``argument`` and ``option``.

    A command takes what the user chose as one mapping, ``**choices``, and every part of its work
    takes from the mapping the group that it understands. So a group gets a new option, or a
    command a new group, and the rest of the command stays as it is.

    Args:
        parameters: in the order in which the help lists them.

    Example:
        >>> import click
        >>> report_options = OptionGroup(click.option("--quiet", is_flag=True))
        >>> choices = {"quiet": True, "seed": 3}
        >>> report_options.take(choices), choices
        ({'quiet': True}, {'seed': 3})
    """

    def __init__(self, *parameters: Callable[[Any], Any]) -> None:
        self._parameters = parameters

        bare: Any = self(lambda: None)
        self.names = tuple(parameter.name for parameter in bare.__click_params__)

    def __call__(self, function: Function) -> Function:
        """Give the group's parameters to a command."""
        decorated: Any = function
        for parameter in reversed(self._parameters):
            decorated = parameter(decorated)
        result: Function = decorated
        return result

    def take(self, choices: dict[str, Any]) -> dict[str, Any]:
        """Remove this group's part from the choices of a command, and return it."""
        return {name: choices.pop(name) for name in self.names}


if TYPE_CHECKING:
    ParamType = click.ParamType
else:

    class ParamType(click.ParamType):
        """A type of arguments. Click's own has no parameter before version 8.4."""

        def __class_getitem__(cls, _: Any) -> type:
            return cls


class _Share(ParamType[float | str]):
    """A share as the schema takes it: 0 to 1, percent, or a word."""

    name = "share"

    def convert(self, value: Any, param: Any, ctx: Any) -> float | str:
        """Read a number; the schema knows words and percent, and refuses the rest."""
        text = str(value).lower()
        try:
            return float(text)
        except ValueError:
            return text


class _Bytes(ParamType[int]):
    """An amount of memory, such as 500M."""

    name = "bytes"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([0-9]*\.?[0-9]+) *([kmg]i?|)b?", value.strip().lower())
        if not found:
            self.fail(f"{value!r} is no amount of memory like 500M or 2G", param, ctx)
        return round(float(found[1]) * _UNITS[found[2]])


def _schema_option(name: str, default: Any = None) -> Callable[[Function], Function]:
    """Return the option of the command for an option of the schema.

    Args:
        name: in the schema.
        default: of this command where it differs from the schema's; the help shows it.
    """
    declared = {option.name: option for option in fields(DenoiseOptions)}[name]
    text = option_help()[name].partition(". ")[0].replace("``", "").removesuffix(".")
    shown = declared.default if default is None else default
    spelling = "--" + name.replace("_", "-")
    kind: dict[str, Any]
    if isinstance(declared.default, bool):
        spelling += f"/--no-{name.replace('_', '-')}"
        kind = {}
    elif name in SHARES:
        word = "|auto" if name == "strength" else ""
        kind = {"type": _Share(), "metavar": f"0..1|%{word}"}
    elif name == "look":
        kind = {"type": click.Choice(tuple(LOOKS))}
    elif name == "max_memory":
        kind = {"type": _Bytes(), "metavar": "BYTES"}
        text = f"500M, 2G ...: {text[:1].lower()}{text[1:]}"
    else:
        kind = {"type": float if name == "latent_std" else int}
    if shown is not None and not isinstance(shown, bool):
        text += f".  [default: {shown:g}]" if isinstance(shown, float) else f".  [default: {shown}]"
    elif not text.endswith("."):
        text += "."
    return click.option(spelling, default=default, help=text, **kind)


def denoising_options(*names: str, **defaults: Any) -> OptionGroup:
    """Return options of the schema for a command.

    Args:
        *names: in the schema.
        **defaults: where a command measures the network and so cannot take the schema's.
    """
    return OptionGroup(*(_schema_option(name, defaults.get(name)) for name in names))


def options_of(quality: Quality | None, chosen: dict[str, Any], **fixed: Any) -> DenoiseOptions:
    """Return the options that a command was given.

    Args:
        quality: its samples, unless ``chosen`` names them.
        chosen: options of the schema; None: not given.
        **fixed: what the command fixes.

    Raises:
        InputError: a value is outside its range.

    Example:
        >>> options_of("best", {"num_samples": 2, "self_ensemble": None}).total_samples
        16
    """
    given = {name: value for name, value in chosen.items() if value is not None}
    return DenoiseOptions(**{**(QUALITIES[quality] if quality else {}), **fixed, **given})


def _choose_model(ctx: click.Context, _: click.Parameter, quality: Quality) -> Quality:
    """Let the quality choose the model, unless ``--model`` does."""
    ctx.default_map = {**(ctx.default_map or {}), "model": model_of_quality(quality)}
    return quality


quality_option = OptionGroup(
    click.option(
        "-q",
        "--quality",
        type=click.Choice(get_args(Quality)),
        default="fast",
        show_default=True,
        is_eager=True,
        callback=_choose_model,
        help="Samples that are averaged: 1, 4, or one for each of 8 symmetries; draft: 1 of the "
        "model 'fast'.",
    ),
)
sample_options = denoising_options("num_samples", "self_ensemble", "latent_std", "seed")
tile_options = denoising_options("tile_size", "tile_overlap", "max_memory")
look_options = denoising_options(
    "look", *SHARES, "hot_pixels", "banding", "blotches", "stars", "dither"
)

engine_options = OptionGroup(
    click.option(
        "-m", "--model", default="default", show_default=True, help="Name, file or folder."
    ),
    click.option(
        "-d", "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."
    ),
    click.option(
        "--backend",
        type=click.Choice(get_args(Backend)),
        default="auto",
        show_default=True,
        help="What runs the network.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(get_args(Dtype)),
        default="auto",
        show_default=True,
        help="Of convolutions; auto: what is fastest and shows nothing in 8 bits (docs/native.md).",
    ),
)


def max_megapixels(default: float) -> OptionGroup:
    """Return the limit of a photograph's or a frame's size."""
    return OptionGroup(
        click.option(
            "--max-megapixels",
            type=click.FloatRange(0, min_open=True),
            default=default,
            show_default=True,
            help="Refuse larger ones before decoding them.",
        )
    )


#: Every command that makes or finds something reports it as one JSON object at its end.
json_option = OptionGroup(
    click.option("--json", "as_json", is_flag=True, help="Report on standard output as JSON."),
)
report_option = OptionGroup(
    json_option,
    click.option("--quiet", is_flag=True, help="No progress bar; messages of failures only."),
)


def overwrite_option(what: str = "the output if it exists") -> OptionGroup:
    """Return the option that lets a command replace files.

    Args:
        what: it replaces.
    """
    return OptionGroup(click.option("--overwrite", is_flag=True, help=f"Replace {what}."))


class _Place(ParamType[Path | str]):
    """A path, or the URL of a store, which a path would rob of a slash."""

    name = "path"

    def convert(self, value: Any, param: Any, ctx: Any) -> Path | str:
        """Return a URL as it is, and anything else as a path."""
        return value if isinstance(value, Path) or is_url(value) else Path(value)


class BatchOptions(OptionGroup):
    """Inputs, outputs and names, as :func:`invdn.batch.plan` takes them; and ``overwrite``.

    Args:
        suffix: what is added to a result's name, unless the user says otherwise.
        stores: whether the output may be a URL, and inputs may be named elsewhere.
    """

    def __init__(self, *, suffix: str, stores: bool = False) -> None:
        self._suffix = suffix
        super().__init__(
            click.argument("inputs", nargs=-1, required=not stores, metavar="INPUT..."),
            click.option(
                "-o",
                "--output",
                type=_Place() if stores else click.Path(path_type=Path),
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
            overwrite_option("results that exist"),
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


output_options = OptionGroup(
    click.option(
        "--format",
        "output_format",
        type=click.Choice(FORMATS),
        help="Format of the results. Default: the source's (raw becomes TIFF, HEIC AVIF).",
    ),
    click.option(
        "--jpeg-quality",
        type=click.IntRange(1, 100),
        help="Of JPEG, WebP and AVIF. Default: that of a source of the format, else 95.",
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
)
page_option = OptionGroup(
    click.option(
        "--page", type=click.IntRange(1), help="Which picture of a file with several pages."
    ),
)


def suffix_of_results(wanted: str | None, output: Path | None) -> Callable[[Path], str]:
    """Return what planning asks of the format of the results.

    Args:
        wanted: the format that was asked for, if one was.
        output: a file to write, a folder or None, as the user named it.

    Returns:
        A function from a photograph to the ending of its result.

    Raises:
        InputError: the file to write has an ending of another format.

    Example:
        >>> suffix_of_results("png", None)(Path("photo.jpg"))
        '.png'
    """
    from ..photo.formats import SUFFIXES
    from ..photo.read import output_suffix  # late: a quick --help

    named = SUFFIXES.get(output.suffix.lower()) if output else None
    if wanted and named and wanted != named:
        raise InputError(f"--format {wanted} and the name {output} contradict each other: drop one")
    return partial(output_suffix, wanted=wanted)


def write_options(jpeg_quality: int | None, **others: Any) -> WriteOptions:
    """Return the options of writing from those of the command, but for the format.

    Example:
        >>> write_options(jpeg_quality=80, subsampling=None, strip_metadata=False).quality
        80
    """
    from ..photo.photo import WriteOptions  # late: a quick --help

    return WriteOptions(quality=jpeg_quality, **others)
