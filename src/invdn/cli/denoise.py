"""``invdn denoise``: photographs in, clean photographs out."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..atomic import is_url
from ..batch import Job, Plan, plan
from ..batch.in_place import backed_up, check_in_place, plan_in_place
from ..batch.plan import InputIndex
from ..errors import BusyStoreError, FullStoreError, InputError, InvDNError
from .archive import archive_options, denoise_archive, named_files
from .batch import BatchRun, FolderScanner, existing_of, report_options, running_options
from .dry_run import dry_run
from .options import (
    BatchOptions,
    Command,
    OptionGroup,
    engine_options,
    look_options,
    max_megapixels,
    options_of,
    output_options,
    page_option,
    quality_option,
    sample_options,
    suffix_of_results,
    tile_options,
    write_options,
)
from .terminal import printable

if TYPE_CHECKING:
    from ..inference import FileOptions, FileResult, Progress

_batch_options = BatchOptions(suffix="_denoised", stores=True)
_reading_options = max_megapixels(500)
_in_place_options = OptionGroup(
    click.option(
        "--in-place",
        is_flag=True,
        help="Change the files themselves, as editors ask for; whole or not at all.",
    ),
    click.option(
        "--backup", is_flag=True, help="With --in-place: keep each file as NAME_original first."
    ),
)
_showing_options = OptionGroup(
    click.option(
        "--compare",
        type=click.Path(path_type=Path),
        help="Also write before and after side by side at 100 %, of the most telling places: a "
        "file, or for several photographs a folder that exists.",
    ),
    click.option(
        "--uncertainty",
        type=click.Path(path_type=Path),
        help="Also write a picture of the error that is expected around every pixel: a file, or "
        "for several photographs a folder that exists.",
    ),
    click.option(
        "--dry-run",
        is_flag=True,
        help="Tell noise, strength, time and target of each photograph, and write nothing.",
    ),
)


@click.command(cls=Command)
@_batch_options
@_in_place_options
@archive_options
@running_options
@look_options
@click.option(
    "--preview",
    metavar="X,Y,W,H",
    help="Denoise and write this part only, in pixels as a viewer shows them.",
)
@_showing_options
@quality_option
@sample_options
@engine_options
@tile_options
@_reading_options
@page_option
@output_options
@report_options
def command(**choices: Any) -> None:
    """Denoise photographs: files, folders or globs.

    Each result lies beside its photograph, with "_denoised" added to its name; size, bit depth,
    colour profile, orientation and EXIF are kept. Photographs are never changed (but with
    --in-place), and nothing is overwritten unasked. A photograph that fails does not stop the
    others.

    \b
    invdn denoise IMG_1234.jpg
    invdn denoise holiday/ -o clean/ --recursive --quality best
    invdn denoise holiday/ -o clean/ --recursive   # again: go on after Ctrl-C
    invdn denoise inbox/ -o clean/ --watch
    invdn denoise s3://photos/2024 -o s3://clean/2024
    invdn denoise --manifest s3://clean/plan --shard auto
    convert a.jpg png:- | invdn denoise - -o - | display -

    \b
    Exit codes: 0 all is well; 1 a photograph failed; 2 the command is wrong and nothing was
    done; 75 a store did not serve, or is full: try again; 130 Ctrl-C, 143 kill. With --manifest:
    0 done; 75 try again; 42 it would fail again.
    """
    try:
        code = _run(choices)
    except InvDNError as error:
        click.echo(printable(f"invdn: {error}"), err=True)
        code = 75 if isinstance(error, BusyStoreError | FullStoreError) else 2
    except KeyboardInterrupt:  # before the first photograph
        code = 130
    raise SystemExit(code)


def _run(choices: dict[str, Any]) -> int:
    """Prepare everything, then denoise; return the exit code."""
    archive = archive_options.take(choices)
    if _is_archive(choices, archive):
        return denoise_archive(choices, archive)
    if archive["files_from"]:
        names = named_files(archive["files_from"])
        choices["inputs"] = (*choices["inputs"], *(line.rstrip("\r\n") for line in names))
    if not choices["inputs"]:
        raise click.UsageError("name photographs, folders or URLs, or --manifest.")
    preview = choices["preview"]
    in_place = _in_place_options.take(choices)
    if in_place["in_place"]:
        _check_in_place_choices(choices)
    elif in_place["backup"]:
        raise click.UsageError("--backup goes with --in-place.")
    batch = _batch_options.take(choices, suffix="_preview" if preview else None)
    running = running_options.take(choices)
    existing = existing_of(
        overwrite=batch.pop("overwrite"),
        skip_existing=running["skip_existing"],
        on_conflict=running["on_conflict"],
        inputs=batch["inputs"],
    )
    output = output_options.take(choices)
    suffix_of = suffix_of_results(output.pop("output_format"), batch["output"])
    report = report_options.take(choices)
    if report["as_json"] and running["watch"]:
        raise click.UsageError("--json is one object at the end: watch with --json-lines.")
    showing = _showing_options.take(choices)
    if showing["dry_run"] and (running["watch"] or "-" in batch["inputs"]):
        raise click.UsageError("--dry-run looks at files: leave out --watch and -.")
    chosen = {
        name: value
        for group in (look_options, sample_options, tile_options)
        for name, value in group.take(choices).items()
    }
    options = options_of(choices["quality"], chosen)
    files = _file_options(output, choices)
    with ExitStack() as stack:
        streams = None
        if "-" in batch["inputs"] or batch["output"] == Path("-"):
            from .pipes import pipes

            taken, watch = report["json_lines"] or report["as_json"], running["watch"]
            streams = stack.enter_context(pipes(batch, taken=taken, watch=watch))
            batch = streams.replaced(batch)
            report["spoken"] = streams.spoken
        found: FolderScanner | Plan
        if in_place["in_place"]:
            existing, found = "edit", plan_in_place(batch["inputs"])
        else:
            found = (FolderScanner if running["watch"] else plan)(**batch, suffix_of=suffix_of)
        comparison_of = _picture_names("compare", showing["compare"], found)
        error_of = _picture_names("uncertainty", showing["uncertainty"], found)
        from ..engines import open_engine
        from ..inference import denoise_file, outlook_of  # late: a quick --help

        engine = open_engine(**engine_options.take(choices))

        if showing["dry_run"] and isinstance(found, Plan):
            return dry_run(
                found,
                lambda job: outlook_of(engine, job.source, job.target, options, files),
                existing,
                json_lines=report["json_lines"],
                as_json=report["as_json"],
            )

        def work(job: Job, overwrite: bool, progress: Progress) -> FileResult:
            how = replace(
                files, overwrite=overwrite, compare=comparison_of(job), uncertainty=error_of(job)
            )
            with ExitStack() as kept:
                if in_place["in_place"]:
                    check_in_place(job.source)
                if in_place["backup"]:
                    kept.enter_context(backed_up(job.source))
                return denoise_file(engine, job.source, job.target, options, how, progress)

        run = BatchRun(
            work,
            {"engine": engine.description, "options": asdict(options)},
            existing,
            workers=running["jobs"] or (1 if options.max_memory else None),
            **report,
        )
        if in_place["in_place"] and not sys.stderr.isatty():
            return _told_on_the_desktop(run, found)
        code = run.watch(found) if isinstance(found, FolderScanner) else run.do(found)
        return streams.finish(code) if streams else code


_CONTRADICTIONS = {
    "output": "--output",
    "suffix": "--suffix",
    "name": "--name",
    "output_format": "--format",
    "overwrite": "--overwrite",
    "skip_existing": "--skip-existing",
    "on_conflict": "--on-conflict",
    "watch": "--watch",
    "preview": "--preview",
    "recursive": "--recursive",
}


def _check_in_place_choices(choices: dict[str, Any]) -> None:
    for name, option in _CONTRADICTIONS.items():
        if choices.get(name):
            raise click.UsageError(f"--in-place changes the files themselves: leave out {option}.")
    if "-" in choices["inputs"]:
        raise click.UsageError("--in-place changes files, and - is none.")


def _picture_names(
    option: str, chosen: Path | None, found: FolderScanner | Plan
) -> Callable[[Job], Path | None]:
    """Return the name of the picture that an option writes beside a photograph's result.

    Raises:
        InputError: several photographs would have the same, or it is a photograph's own.
    """
    if chosen is None:
        return lambda job: None
    in_folder = chosen.is_dir()
    if not in_folder and (isinstance(found, FolderScanner) or len(found.jobs) > 1):
        raise InputError(
            f"--{option} {str(chosen)!r} is one file, and there are several photographs: make a "
            "folder and name that"
        )

    def name(job: Job) -> Path:
        return chosen / f"{job.target.stem}_{option}.jpg" if in_folder else chosen

    if isinstance(found, Plan):
        photographs = InputIndex(job.source for job in found.jobs)
        for path in map(name, found.jobs):
            if photograph := photographs.behind(path):
                raise InputError(
                    f"the picture of --{option} would be written over the photograph {photograph}; "
                    "choose another name or folder"
                )
    return name


def _told_on_the_desktop(run: BatchRun, found: Any) -> int:
    """Do the work of an editor that shows no terminal, with notifications."""
    number = len(found.jobs)
    what = found.jobs[0].source.name if number == 1 else f"{number} photographs"
    notify(f"Denoising {what} ...")
    code = run.do(found)
    notify(f"{what}: {'done' if code == 0 else 'failed; the photograph is as it was'}")
    return code


def _file_options(output: dict[str, Any], choices: dict[str, Any]) -> FileOptions:
    """Return how photographs are read and written."""
    from ..inference import FileOptions, Region

    return FileOptions(
        region=Region.parse(choices["preview"]) if choices["preview"] else None,
        page=choices["page"],
        max_pixels=round(choices["max_megapixels"] * 1e6),
        keep_time=output.pop("keep_time"),
        write=write_options(**output),
    )


def _is_archive(choices: Mapping[str, Any], archive: Mapping[str, Any]) -> bool:
    """Return whether a command is about stores, and not about files alone."""
    output = choices["output"]
    return bool(
        archive["manifest"]
        or archive["cluster"]
        or any(map(is_url, choices["inputs"]))
        or isinstance(output, str)
    )


_SECONDS = 5  # a notification service that hangs must not hold the work


def notify(text: str) -> None:
    """Show a notification where the desktop has them; elsewhere do nothing."""
    command = _command(text)
    if command is None:
        return
    with suppress(OSError, subprocess.SubprocessError):
        subprocess.run(  # noqa: S603  a fixed program, and text that is no code there
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )


def _command(text: str) -> list[str] | None:
    if sys.platform == "darwin":
        script = 'on run argv\ndisplay notification (item 1 of argv) with title "InvDN"\nend run'
        return ["/usr/bin/osascript", "-e", script, text]
    if program := shutil.which("notify-send"):
        return [program, "--app-name=InvDN", "InvDN", text]
    return None
