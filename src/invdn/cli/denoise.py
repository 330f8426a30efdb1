"""``invdn denoise``: photographs in, clean photographs out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvDNError
from .control_options import control_options, remarks
from .inputs import Job, batch_options, plan
from .progress import reporting

if TYPE_CHECKING:
    from ..denoise import DenoiseOptions, Engine, Quality
    from ..engines import Runtime


@click.command()
@batch_options(suffix="_denoised")
@click.option(
    "-q",
    "--quality",
    type=click.Choice(["fast", "balanced", "best"]),
    default="fast",
    show_default=True,
    help="Samples that are averaged: 1, 4, or one for each of 8 symmetries.",
)
@click.option("--draws", type=int, help="Samples for each symmetry, instead of the quality's.")
@click.option("--symmetries", type=int, help="1 or 8, instead of the quality's.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same result.")
@click.option("-m", "--model", default="default", show_default=True, help="Name, file or folder.")
@click.option(
    "-d", "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."
)
@click.option(
    "--runtime",
    type=click.Choice(["auto", "onnxruntime", "torch"]),
    default="auto",
    show_default=True,
)
@control_options
@click.option("--tile", type=int, help="Edge of a tile in pixels; 0: the whole photograph.")
@click.option("--overlap", type=int, help="Context around a tile in pixels.")
@click.option(
    "--max-megapixels",
    type=click.FloatRange(0, min_open=True),
    default=500,
    show_default=True,
    help="Refuse larger photographs, unread.",
)
@click.option("--json", "as_json", is_flag=True, help="Report on standard output as JSON.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    inputs: Sequence[str],
    output: Path | None,
    suffix: str,
    recursive: bool,
    overwrite: bool,
    max_megapixels: float,
    as_json: bool,
    quiet: bool,
    model: str,
    device: str,
    runtime: Runtime,
    preview: str | None,
    **choices: Any,
) -> None:
    """Denoise photographs: files, folders or globs.

    Each result lies beside its photograph, with "_denoised" added to its name; size, bit depth,
    colour profile, orientation and EXIF are kept. Nothing is overwritten unasked. A photograph
    that fails does not stop the others; the exit code is 1 if any failed.

    \b
    invdn denoise IMG_1234.jpg
    invdn denoise holiday/ -o clean/ --recursive --quality best
    """
    options = _options(**choices)
    region = None
    if preview is not None:
        from ..denoise import Region

        region = Region.parse(preview)
        suffix = "_preview" if suffix == "_denoised" else suffix
    jobs = plan(inputs, output, suffix=suffix, recursive=recursive)
    from ..engines import open_engine

    engine = open_engine(model, device, runtime)
    report: list[dict[str, Any]] = []
    with reporting(len(jobs), quiet=quiet) as reporter:
        for job in jobs:
            with reporter.photograph(job.source) as progress:
                report.append(
                    _run(
                        engine,
                        job,
                        options,
                        region=region,
                        overwrite=overwrite,
                        max_pixels=round(max_megapixels * 1e6),
                        progress=progress,
                    )
                )
            if error := report[-1].get("error"):
                reporter.message(f"invdn: {error}")
            elif not quiet and not as_json:
                reporter.message(f"{job.source} -> {job.target}{remarks(report[-1])}")
    failed = sum("error" in entry for entry in report)
    if as_json:
        click.echo(
            json.dumps({"engine": engine.description, "options": asdict(options), "files": report})
        )
    elif len(jobs) > 1:
        click.echo(f"{len(jobs) - failed} denoised, {failed} failed", err=True)
    if failed:
        raise SystemExit(1)


def _options(
    quality: Quality, draws: int | None, symmetries: int | None, **others: Any
) -> DenoiseOptions:
    from ..denoise import QUALITIES, DenoiseOptions

    own_symmetries, own_draws = QUALITIES[quality]
    return DenoiseOptions(
        symmetries=own_symmetries if symmetries is None else symmetries,
        draws=own_draws if draws is None else draws,
        **{name: value for name, value in others.items() if value is not None},
    )


def _run(engine: Engine, job: Job, options: DenoiseOptions, **how: Any) -> dict[str, Any]:
    """Denoise one photograph; what became of it, as the JSON report tells it."""
    from ..atomic import ensure_folder
    from ..denoise import denoise_file

    try:
        if job.makes_folder:
            ensure_folder(job.target.parent)
        result = denoise_file(engine, job.source, job.target, options, **how)
    except InvDNError as error:
        return {"source": str(job.source), "target": str(job.target), "error": str(error)}
    return {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(result).items()
    }
