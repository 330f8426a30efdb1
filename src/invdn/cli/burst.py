"""``invdn burst``: several photographs of a still scene in, one clean photograph out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .engine_options import engine_options, quality_options
from .progress import reporting

if TYPE_CHECKING:
    from ..inference import Quality


@click.command()
@click.argument(
    "inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT..."
)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="Photograph to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@quality_options
@engine_options
@click.option("--json", "as_json", is_flag=True, help="Report on standard output as JSON.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    inputs: Sequence[Path],
    output: Path,
    overwrite: bool,
    quality: Quality,
    seed: int,
    as_json: bool,
    quiet: bool,
    **engine_choice: Any,
) -> None:
    """Make one clean photograph of several of the same still scene.

    From a tripod or a steady hand: the photographs may be shifted a little against each other,
    but neither turned nor exposed differently. What moves is taken from the first one alone, which
    also gives size, bit depth and metadata. Nothing is overwritten unasked.

    \b
    invdn burst IMG_1.jpg IMG_2.jpg IMG_3.jpg IMG_4.jpg -o clean.tif
    """
    from ..bursts import denoise_burst
    from ..engines import open_engine
    from ..inference import QUALITIES, DenoiseOptions

    symmetries, draws = QUALITIES[quality]
    options = DenoiseOptions(symmetries=symmetries, draws=draws, seed=seed, strength=1)
    engine = open_engine(**engine_choice)
    with reporting(1, quiet=quiet) as reporter, reporter.photograph(output) as progress:
        result = denoise_burst(
            engine, inputs, output, options, overwrite=overwrite, progress=progress
        )
    if as_json:
        report = asdict(result)
        report["sources"] = [str(source) for source in result.sources]
        report["target"] = str(result.target)
        click.echo(json.dumps({"engine": engine.description, "options": asdict(options), **report}))
    elif not quiet:
        click.echo(
            f"{len(inputs)} photographs -> {output} "
            f"({result.averaged:.1f} averaged in a pixel's mean)",
            err=True,
        )
