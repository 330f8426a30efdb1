"""``invdn burst``: several photographs of a still scene in, one clean photograph out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from .options import (
    Command,
    engine_options,
    look_options,
    options_of,
    overwrite_option,
    quality_option,
    report_option,
    sample_options,
    tile_options,
)
from .terminal import reporting


@click.command(cls=Command)
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
@overwrite_option()
@quality_option
@sample_options
@look_options
@engine_options
@tile_options
@report_option
def command(
    inputs: Sequence[Path],
    output: Path,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **choices: Any,
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

    groups = (look_options, sample_options, tile_options)
    chosen = {name: value for group in groups for name, value in group.take(choices).items()}
    options = options_of(choices["quality"], chosen)
    engine = open_engine(**engine_options.take(choices))
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
