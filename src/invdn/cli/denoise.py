"""``invdn denoise``: photographs in, clean photographs out."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from ..batch import Job, plan
from ..errors import InvDNError
from .batch_run import BatchRun, Look, existing_of, report_options, running_options
from .control_options import control_options
from .engine_options import engine_options, quality_options
from .inputs import BatchOptions
from .option_group import OptionGroup
from .output_options import output_options, suffix_of_results, take_output_choices
from .pipes import pipes, uses_pipes
from .printable import printable

if TYPE_CHECKING:
    from ..inference import DenoiseOptions, FileResult, Progress, Quality

_batch_options = BatchOptions(suffix="_denoised")
_sample_options = OptionGroup(
    click.option("--draws", type=int, help="Samples for each symmetry, instead of the quality's."),
    click.option("--symmetries", type=int, help="1 or 8, instead of the quality's."),
    click.option("--tile", type=int, help="Edge of a tile in pixels; 0: the whole photograph."),
    click.option("--overlap", type=int, help="Context around a tile in pixels."),
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


@click.command()
@_batch_options
@running_options
@quality_options
@_sample_options
@control_options
@engine_options
@_reading_options
@output_options
@report_options
def command(**choices: Any) -> None:
    """Denoise photographs: files, folders or globs.

    Each result lies beside its photograph, with "_denoised" added to its name; size, bit depth,
    colour profile, orientation and EXIF are kept. Photographs are never changed, and nothing is
    overwritten unasked. A photograph that fails does not stop the others.

    \b
    invdn denoise IMG_1234.jpg
    invdn denoise holiday/ -o clean/ --recursive --quality best
    invdn denoise holiday/ -o clean/ --recursive   # again: go on after Ctrl-C
    invdn denoise inbox/ -o clean/ --watch
    convert a.jpg png:- | invdn denoise - -o - | display -

    \b
    Exit codes: 0 all is well; 1 a photograph failed; 2 the command is wrong and nothing was
    done; 130 Ctrl-C, 143 kill.
    """
    try:
        code = _run(choices)
    except InvDNError as error:
        click.echo(printable(f"invdn: {error}"), err=True)
        code = 2
    except KeyboardInterrupt:  # before the first photograph
        code = 130
    raise SystemExit(code)


def _run(choices: dict[str, Any]) -> int:
    """Prepare everything, then denoise; the exit code."""
    preview = choices.pop("preview")
    batch = _batch_options.take(choices, suffix="_preview" if preview else None)
    running = running_options.take(choices)
    existing = existing_of(
        overwrite=batch.pop("overwrite"),
        skip_existing=running["skip_existing"],
        on_conflict=running["on_conflict"],
        inputs=batch["inputs"],
    )
    suffix_of = suffix_of_results(choices, batch["output"])
    how = {**_reading(**_reading_options.take(choices)), **take_output_choices(choices)}
    report = report_options.take(choices)
    engine_choice = engine_options.take(choices)
    options = _denoise_options(**choices)
    if preview is not None:
        from ..inference import Region

        how["region"] = Region.parse(preview)
    with ExitStack() as stack:
        streams = None
        if uses_pipes(batch):
            json_lines, watch = report["json_lines"], running["watch"]
            streams = stack.enter_context(pipes(batch, json_lines=json_lines, watch=watch))
            batch = streams.replaced(batch)
            report["spoken"] = streams.spoken
        look = Look if running["watch"] else plan
        found = look(**batch, suffix_of=suffix_of)
        from ..engines import open_engine
        from ..inference import FileOptions, denoise_file  # late: a quick --help

        engine = open_engine(**engine_choice)

        def work(job: Job, overwrite: bool, progress: Progress) -> FileResult:
            files = FileOptions(overwrite=overwrite, **how)
            return denoise_file(engine, job.source, job.target, options, files, progress)

        run = BatchRun(
            work,
            {"engine": engine.description, "options": asdict(options)},
            existing,
            workers=running["jobs"],
            **report,
        )
        code = run.watch(found) if isinstance(found, Look) else run.do(found)
        return streams.finish(code) if streams else code


def _denoise_options(
    quality: Quality, draws: int | None, symmetries: int | None, **others: Any
) -> DenoiseOptions:
    from ..inference import QUALITIES, DenoiseOptions

    own_symmetries, own_draws = QUALITIES[quality]
    return DenoiseOptions(
        symmetries=own_symmetries if symmetries is None else symmetries,
        draws=own_draws if draws is None else draws,
        **{name: value for name, value in others.items() if value is not None},
    )


def _reading(max_megapixels: float) -> dict[str, Any]:
    """Return the part of ``FileOptions`` about reading."""
    return {"max_pixels": round(max_megapixels * 1e6)}
