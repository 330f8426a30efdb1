"""``invdn export``: a model in the formats of other programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError, MissingDependencyError
from .options import Command, ParamType, json_option, overwrite_option
from .terminal import report

if TYPE_CHECKING:
    from ..weights import Parameters
    from ..weights.checks import Comparison

_LONGEST_NAME = 24


class Size(ParamType[tuple[int, int]]):
    """Height and width, such as ``512x768``."""

    name = "HxW"

    def convert(
        self,
        value: str | tuple[int, int],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> tuple[int, int]:
        """Read ``HxW``; a single number is both."""
        if isinstance(value, tuple):
            return value
        try:
            edges = [int(part) for part in value.lower().split("x")]
            height, width = edges if len(edges) == 2 else edges * 2
        except ValueError:
            self.fail(f"{value!r} is no size; write HEIGHTxWIDTH, such as 512x768", param, ctx)
        return height, width


@dataclass(frozen=True)
class _Choices:
    """What the user chose, apart from model, folder and format."""

    size: tuple[int, int] | None
    half: bool
    licence: str | None
    noise_input: bool
    datasets: tuple[str, ...]
    results: tuple[str, ...]
    overwrite: bool

    def only(self, form: str, *allowed: str) -> None:
        """Refuse the choices that mean nothing to a format."""
        options = {
            "--size": self.size is not None,
            "--dtype": self.half,
            "--licence": self.licence is not None,
            "--noise-input": self.noise_input,
            "--dataset": bool(self.datasets),
            "--result": bool(self.results),
        }
        wrong = [name for name, given in options.items() if given and name not in allowed]
        if wrong:
            raise InputError(f"{', '.join(wrong)} means nothing to the format {form}")


@click.command(
    cls=Command,
    groups={
        "Format": "form size dtype noise_input",
        "Model card": "licence dataset result",
    },
)
@click.argument("model")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "darktable", "paddle", "hugging-face"]),
    default="onnx",
    show_default=True,
    help="For which programs.",
)
@click.option(
    "--size", type=Size(), help="Fix height and width of the plain graph; default: any size."
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16"]),
    default="float32",
    show_default=True,
    help="Of the plain graph's convolutions; float16 halves its size.",
)
@click.option("--licence", help="Of the weights, where their file names none.")
@click.option(
    "--noise-input",
    is_flag=True,
    help="Paddle: the noise joined to the image, as the reproduction has it.",
)
@click.option("--dataset", multiple=True, help="Model card: trained on this; may be repeated.")
@click.option(
    "--result", multiple=True, metavar="DATASET:METRIC=VALUE", help="Model card: a figure."
)
@overwrite_option("files of an earlier export")
@json_option
def command(
    model: str,
    folder: Path,
    form: str,
    size: tuple[int, int] | None,
    dtype: str,
    licence: str | None,
    noise_input: bool,
    dataset: tuple[str, ...],
    result: tuple[str, ...],
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write MODEL into FOLDER for other programs, and compare every file with torch.

    MODEL is a shipped model's name or a weights file (.safetensors, .pth, .pdparams).

    \b
    --format onnx (docs/export.md)
      plain.onnx           input -> output, any size: for programs that expect a denoiser
      weights.safetensors  one copy of the parameters for the next two
      encode.onnx          noisy -> low
      decode.onnx          low, latent -> image (N draws cost one encode and N decodes)
      denoise.onnx         noisy, latent -> image, in one file of its own
    --format darktable
      denoise-invdn.dtmodel, for darktable 5.6 and later: preferences, AI, import from file
    --format paddle
      model.json and model.pdiparams, for paddle.inference (docs/from-paddle.md)
    --format hugging-face
      config.json, model.safetensors and a model card, for InvDN.from_pretrained and the hub

    Batch, height and width are dynamic; but in the plain graph, height and width must be
    divisible by the network's scale (4). Images are float32 RGB in [0, 1]; the latent is a sample
    of N(0, 1), and 0 in the plain graph.
    """
    from ..weights import read_parameters

    write = {
        "onnx": _onnx,
        "darktable": _darktable,
        "paddle": _paddle,
        "hugging-face": _hugging_face,
    }[form]
    choices = _Choices(size, dtype == "float16", licence, noise_input, dataset, result, overwrite)
    parameters = read_parameters(model)
    click.echo(f"exporting to {folder} ...", err=True)
    comparisons = write(parameters, folder, choices)
    largest = max(comparison.difference for comparison in comparisons)
    report(
        as_json,
        {
            "folder": folder,
            "format": form,
            "largest_difference": largest,
            "comparisons": [asdict(comparison) for comparison in comparisons],
        },
        *map(_line, comparisons),
        f"largest difference {largest:.1e}; written to {folder}",
    )


def _line(comparison: Comparison) -> str:
    batch, height, width = comparison.shape
    return (
        f"{comparison.graph:{_LONGEST_NAME}} {batch} x 3 x {height:3} x {width:3}   "
        f"difference from torch {comparison.difference:.1e} "
        f"({comparison.steps:.3f} of 255, {comparison.decibels:.1f} dB)"
    )


def _onnx(parameters: Parameters, folder: Path, choices: _Choices) -> tuple[Comparison, ...]:
    choices.only("onnx", "--size", "--dtype")
    try:
        from ..weights.network import build_network
        from ..weights.onnx_export import export_onnx
    except ModuleNotFoundError as error:
        raise _missing(error, "export") from error
    return export_onnx(
        build_network(parameters),
        folder,
        metadata=parameters.metadata,
        size=choices.size,
        half=choices.half,
        overwrite=choices.overwrite,
    )


def _darktable(parameters: Parameters, folder: Path, choices: _Choices) -> tuple[Comparison, ...]:
    choices.only("darktable", "--dtype", "--licence")
    try:
        from ..weights.dtmodel import export_darktable
        from ..weights.network import build_network
    except ModuleNotFoundError as error:
        raise _missing(error, "export") from error
    return export_darktable(
        build_network(parameters),
        folder,
        metadata=parameters.metadata,
        licence=choices.licence,
        half=choices.half,
        overwrite=choices.overwrite,
    )


def _paddle(parameters: Parameters, folder: Path, choices: _Choices) -> tuple[Comparison, ...]:
    choices.only("paddle", "--noise-input")
    try:
        from ..weights.network import build_network
        from ..weights.paddle_export import export_paddle
    except ModuleNotFoundError as error:
        raise _missing(error, "paddle") from error
    return export_paddle(
        build_network(parameters),
        folder,
        metadata=parameters.metadata,
        noise_input=choices.noise_input,
        overwrite=choices.overwrite,
    )


def _hugging_face(
    parameters: Parameters, folder: Path, choices: _Choices
) -> tuple[Comparison, ...]:
    choices.only("hugging-face", "--licence", "--dataset", "--result")
    try:
        from ..weights.hub_export import Result, export_hub
        from ..weights.network import build_network
    except ModuleNotFoundError as error:
        raise _missing(error, "export") from error
    return export_hub(
        build_network(parameters),
        folder,
        metadata=parameters.metadata,
        licence=choices.licence,
        datasets=choices.datasets,
        results=[Result.parse(text) for text in choices.results],
        overwrite=choices.overwrite,
    )


def _missing(error: ModuleNotFoundError, extra: str) -> MissingDependencyError:
    return MissingDependencyError(f"exporting needs {error.name}: pip install 'invdn[{extra}]'")
