"""``invdn denoise``: photographs in, clean photographs out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvDNError
from .inputs import Job, batch_options, plan
from .option_group import OptionGroup
from .progress import reporting

if TYPE_CHECKING:
    from ..denoise import DenoiseOptions, Engine, Quality

_batch_options = batch_options(suffix="_denoised")
_sample_options = OptionGroup(
    click.option(
        "-q",
        "--quality",
        type=click.Choice(["fast", "balanced", "best"]),
        default="fast",
        show_default=True,
        help="Samples that are averaged: 1, 4, or one for each of 8 symmetries.",
    ),
    click.option("--draws", type=int, help="Samples for each symmetry, instead of the quality's."),
    click.option("--symmetries", type=int, help="1 or 8, instead of the quality's."),
    click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same result."),
    click.option("--tile", type=int, help="Edge of a tile in pixels; 0: the whole photograph."),
    click.option("--overlap", type=int, help="Context around a tile in pixels."),
)
_engine_options = OptionGroup(
    click.option(
        "-m", "--model", default="default", show_default=True, help="Name, file or folder."
    ),
    click.option(
        "-d", "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."
    ),
    click.option(
        "--runtime",
        type=click.Choice(["auto", "onnxruntime", "torch"]),
        default="auto",
        show_default=True,
    ),
)
_reading_options = OptionGroup(
    click.option(
        "--max-megapixels",
        type=click.FloatRange(0, min_open=True),
        default=500,
        show_default=True,
        help="Refuse larger photographs, unread.",
    ),
)
_report_options = OptionGroup(
    click.option(
        "--json-lines",
        is_flag=True,
        help="Report on standard output: a JSON object for each photograph, then a summary.",
    ),
    click.option("--quiet", is_flag=True, help="No progress bar."),
)


@click.command()
@_batch_options
@_sample_options
@_engine_options
@_reading_options
@_report_options
def command(**choices: Any) -> None:
    """Denoise photographs: files, folders or globs.

    Each result lies beside its photograph, with "_denoised" added to its name; size, bit depth,
    colour profile, orientation and EXIF are kept. Nothing is overwritten unasked. A photograph
    that fails does not stop the others; the exit code is 1 if any failed.

    \b
    invdn denoise IMG_1234.jpg
    invdn denoise holiday/ -o clean/ --recursive --quality best
    """
    report = _report_options.take(choices)
    batch = _batch_options.take(choices)
    how = {"overwrite": batch.pop("overwrite"), **_reading(**_reading_options.take(choices))}
    options = _denoise_options(**_sample_options.take(choices))
    jobs = plan(**batch)
    from ..engines import open_engine

    engine = open_engine(**_engine_options.take(choices))
    _denoise_all(engine, jobs, options, how, **report)


def _denoise_options(
    quality: Quality, draws: int | None, symmetries: int | None, **others: Any
) -> DenoiseOptions:
    from ..denoise import QUALITIES, DenoiseOptions

    own_symmetries, own_draws = QUALITIES[quality]
    return DenoiseOptions(
        symmetries=own_symmetries if symmetries is None else symmetries,
        draws=own_draws if draws is None else draws,
        **{name: value for name, value in others.items() if value is not None},
    )


def _reading(max_megapixels: float) -> dict[str, Any]:
    """Arguments of ``denoise_file`` about reading."""
    return {"max_pixels": round(max_megapixels * 1e6)}


def _denoise_all(
    engine: Engine,
    jobs: tuple[Job, ...],
    options: DenoiseOptions,
    how: Mapping[str, Any],
    *,
    json_lines: bool,
    quiet: bool,
) -> None:
    """Denoise one photograph after the other and report; ``how`` goes to ``denoise_file``."""
    counts = {"done": 0, "failed": 0}
    with reporting(len(jobs), quiet=quiet) as reporter:
        for job in jobs:
            with reporter.photograph(job.source) as progress:
                entry = _run(engine, job, options, {**how, "progress": progress})
            counts[entry["status"]] += 1
            if json_lines:
                click.echo(json.dumps({"event": "photograph", **entry}))
            if error := entry.get("error"):
                reporter.message(f"invdn: {error}")
            elif not quiet and not json_lines:
                reporter.message(f"{job.source} -> {job.target}")
    if json_lines:
        described = {"engine": engine.description, "options": asdict(options)}
        click.echo(json.dumps({"event": "summary", **counts, **described}))
    elif len(jobs) > 1:
        click.echo(f"{counts['done']} denoised, {counts['failed']} failed", err=True)
    if counts["failed"]:
        raise SystemExit(1)


def _run(
    engine: Engine, job: Job, options: DenoiseOptions, how: Mapping[str, Any]
) -> dict[str, Any]:
    """Denoise one photograph; what became of it, as the report tells it."""
    from ..atomic import ensure_folder
    from ..denoise import denoise_file

    try:
        if job.makes_folder:
            ensure_folder(job.target.parent)
        result = denoise_file(engine, job.source, job.target, options, **how)
    except InvDNError as error:
        failed = {"source": str(job.source), "target": str(job.target), "error": str(error)}
        return {"status": "failed", **failed}
    facts = {
        name: str(value) if isinstance(value, Path) else value
        for name, value in asdict(result).items()
    }
    return {"status": "done", **facts}
