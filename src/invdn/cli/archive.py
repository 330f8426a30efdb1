"""Archives from the command line: URLs, manifests, shards and clusters for ``invdn denoise``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from ..atomic import is_url
from ..batch import Outcome, StopEvent
from ..errors import BusyStoreError, DataError, FullStoreError, InputError, StoreError
from ..stores import Location, join, open_store, url_of
from .batch import BatchReport
from .options import (
    OptionGroup,
    engine_options,
    look_options,
    options_of,
    output_options,
    sample_options,
    tile_options,
    write_options,
)
from .terminal import Interrupts, printable, stopping

if TYPE_CHECKING:
    from ..archive import (
        FailureLimit,
        Naming,
        Row,
        RowOutcome,
        ShardChoice,
        ShardSummary,
        WorkSettings,
    )

archive_options = OptionGroup(
    click.option(
        "--files-from",
        metavar="FILE",
        help="Read the photographs' names from a file, one a line; -: standard input.",
    ),
    click.option("--manifest", metavar="URL", help="Do what 'invdn plan' planned there."),
    click.option(
        "--shard",
        metavar="I/N|auto",
        help="With --manifest: this part of the plan, counted from 0; auto: as Kubernetes, AWS "
        "Batch, SLURM, SkyPilot and others tell.  [default: all]",
    ),
    click.option(
        "--max-failures",
        metavar="N|P%",
        help="With --manifest: stop a shard, with exit code 42, when more photographs failed.",
    ),
    click.option(
        "--cluster",
        metavar="ADDRESS",
        help="Do all shards on a Ray cluster: ray://HOST:10001, or auto.",
    ),
    click.option(
        "--cores-per-engine",
        type=click.IntRange(1),
        default=4,
        show_default=True,
        help="With --cluster: processors of each worker; on --device cuda, a GPU as well.",
    ),
)
# option -> what stands in its way
_NOT_IN_STORES = {
    "in_place": "--in-place",
    "backup": "--backup",
    "watch": "--watch",
    "preview": "--preview",
    "keep_time": "--keep-time",
    "compare": "--compare",
    "uncertainty": "--uncertainty",
    "dry_run": "--dry-run",
}


def named_files(path: str) -> Iterator[str]:
    """Read names line by line.

    Raises:
        InputError: the file cannot be read.
    """
    if path == "-":
        yield from sys.stdin
        return
    try:
        with Path(path).open(encoding="utf-8") as file:
            yield from file
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--files-from {path}: {error}") from error


def denoise_archive(choices: dict[str, Any], archive: dict[str, Any]) -> int:
    """Do what ``invdn denoise`` is asked to do with stores; return the exit code."""
    for name, option in _NOT_IN_STORES.items():
        if choices.get(name):
            raise click.UsageError(f"{option} is for files on this machine, and not for stores.")
    if choices["as_json"]:
        raise click.UsageError("--json is one object for all: of a store, give --json-lines.")
    settings = _settings(choices)
    if archive["manifest"]:
        for name, option in (("inputs", "the inputs"), ("output", "--output")):
            if choices[name]:
                raise click.UsageError(f"--manifest tells what to do: leave out {option}.")
        if archive["files_from"]:
            raise click.UsageError("--manifest tells what to do: leave out --files-from.")
        manifest = archive["manifest"]
    elif archive["shard"] or archive["max_failures"]:
        raise click.UsageError("--shard and --max-failures go with --manifest.")
    else:
        manifest = None
    if archive["cluster"]:
        return _on_cluster(manifest or _planned(choices, archive), settings, archive, choices)
    if manifest:
        return _run_shards(manifest, settings, archive, choices)
    return _run_directly(settings, archive, choices)


def naming_of(choices: Mapping[str, Any]) -> Naming:
    """Return how results are named, from the options of naming."""
    from ..archive import Naming
    from ..batch import NameTemplate

    if choices["name"] is not None and choices["suffix"] is not None:
        raise click.UsageError("--name is the whole name: leave out --suffix.")
    template = (
        NameTemplate(choices["name"])
        if choices["name"] is not None
        else NameTemplate.adding("_denoised" if choices["suffix"] is None else choices["suffix"])
    )
    return Naming(template.text, choices["output_format"])


def source_and_rows(
    inputs: tuple[str, ...], files_from: str | None
) -> tuple[str, Iterable[Row] | None]:
    """Return the URL that keys are below, and the photographs; None: all that the store lists.

    Args:
        inputs: a folder, or photographs of one folder.
        files_from: a file of names, or None.

    Raises:
        click.UsageError: there is more than one folder, or none.
    """
    from ..archive import Row, read_names, read_parquet
    from ..photo.formats import PHOTOGRAPH_SUFFIXES

    if files_from and files_from.endswith(".parquet"):
        if len(inputs) != 1:
            raise click.UsageError("name the store that the keys of the Parquet file lie in.")
        return inputs[0], read_parquet(Path(files_from))
    if files_from:
        names = named_files(files_from)
        if not inputs:
            first = next((line for line in names if line.strip()), None)
            if first is None:
                raise InputError(f"--files-from {files_from} names no photograph")
            if not is_url(first):
                raise click.UsageError("name the store that the names of --files-from lie in.")
            scheme, _, rest = first.strip().partition("://")
            source = f"{scheme}://{rest.partition('/')[0]}"
            return source, read_names(chain([first], names), source)
        if len(inputs) > 1:
            raise click.UsageError("--files-from goes with one store.")
        return inputs[0], read_names(names, inputs[0])
    single = [PurePosixPath(given).suffix.lower() in PHOTOGRAPH_SUFFIXES for given in inputs]
    if inputs and all(single):
        places = [Location.parse(given) for given in inputs]
        if len({place.store for place in places}) == 1:
            return places[0].store, [Row(place.key) for place in places]
    if len(inputs) != 1:
        raise click.UsageError("give one store at a time, or the names with --files-from.")
    return inputs[0], None


def _settings(choices: dict[str, Any]) -> WorkSettings:
    from ..archive import WorkSettings
    from ..inference import FileOptions

    conflict = choices["on_conflict"]
    if conflict == "rename":
        raise click.UsageError("--on-conflict rename is for files on this machine.")
    chosen = {
        name: choices[name]
        for group in (look_options, sample_options, tile_options)
        for name in group.names
    }
    output = {name: choices[name] for name in output_options.names}
    output.pop("output_format")
    output.pop("keep_time")
    existing: Any = "refuse"
    if choices["overwrite"] or conflict == "overwrite":
        existing = "replace"
    elif choices["skip_existing"] or conflict == "skip":
        existing = "skip"
    return WorkSettings(
        **{name: choices[name] for name in engine_options.names},
        options=options_of(choices["quality"], chosen),
        files=FileOptions(
            page=choices["page"],
            max_pixels=round(choices["max_megapixels"] * 1e6),
            write=write_options(**output),
        ),
        existing=existing,
    )


@contextmanager
def _reported(
    choices: Mapping[str, Any], described: Mapping[str, Any]
) -> Iterator[tuple[BatchReport, StopEvent, Interrupts]]:
    """Yield a report, a stop that a signal requests, and which signals came."""
    stop = StopEvent()

    def log(text: str) -> None:
        click.echo(text, err=True)

    report = BatchReport(
        log, json_lines=choices["json_lines"], as_json=False, quiet=choices["quiet"]
    )
    report.how_to_go_on = "; the same command goes on"
    with stopping(stop, log) as interrupts:
        yield report, stop, interrupts
    report.finish(described, stop.reason)


def _run_directly(
    settings: WorkSettings, archive: Mapping[str, Any], choices: Mapping[str, Any]
) -> int:
    from ..archive import RowWorker, list_photographs
    from ..archive.shard_run import TRY_AGAIN

    naming = naming_of(choices)
    source_url, rows = source_and_rows(choices["inputs"], archive["files_from"])
    target_url = str(choices["output"] or source_url)
    engine = settings.open_engine()
    described = {"engine": engine.description, "options": asdict(settings.options)}
    with _reported(choices, described) as (report, stop, interrupts):
        source = open_store(source_url, wait=stop.wait)
        target = open_store(target_url, wait=stop.wait)
        if rows is None:
            rows = list_photographs(source, naming, [target.url])
        worker = RowWorker(source, target, naming, settings, engine, stop, choices["jobs"] or 1)
        passing = False
        try:
            for outcome in worker.outcomes(rows):
                report.add(_as_of_a_batch(outcome, source.url, target.url))
                passing = passing or outcome.kind in ("busy", "full")
        except BusyStoreError as error:  # of the listing
            click.echo(printable(f"invdn: {error}"), err=True)
            passing = True
        if not sum(report.counts.values()) and not stop.requested:
            if archive["files_from"]:
                raise InputError(f"--files-from {archive['files_from']} names no photograph")
            raise InputError(f"{source.url} holds no photograph that is not a result")
    return interrupts.exit_code or (TRY_AGAIN if passing else report.exit_code)


def _run_shards(
    manifest_url: str,
    settings: WorkSettings,
    archive: Mapping[str, Any],
    choices: Mapping[str, Any],
) -> int:
    from ..archive import open_manifest, run_shard
    from ..archive.shard_run import TRY_AGAIN, worst

    choice, limit = _choice_and_limit(archive)
    codes = []
    described: dict[str, Any] = {"options": asdict(settings.options), "manifest": manifest_url}
    with _reported(choices, described) as (report, stop, _):
        try:
            manifest = open_manifest(manifest_url, wait=stop.wait)
            shards = choice.of_plan(len(manifest.shards))
            engine = settings.open_engine()
            described["engine"] = engine.description

            def on_outcome(outcome: RowOutcome) -> None:
                report.add(_as_of_a_batch(outcome, manifest.source, manifest.target))

            for shard in shards:
                if stop.requested:
                    codes.append(TRY_AGAIN)
                    break
                summary = run_shard(
                    manifest,
                    shard,
                    settings,
                    limit=limit,
                    jobs=choices["jobs"] or 1,
                    engine=engine,
                    stop=stop,
                    on_outcome=on_outcome,
                )
                codes.append(summary.exit_code)
                report.note(describe(summary))
        except (StoreError, DataError) as error:
            codes.append(_told(error))
    return worst(codes)


def _told(error: StoreError | DataError) -> int:
    """Tell of an error that ends all shards; the exit code."""
    from ..archive.shard_run import PERMANENT, TRY_AGAIN

    click.echo(printable(f"invdn: {error}"), err=True)
    return TRY_AGAIN if isinstance(error, BusyStoreError | FullStoreError) else PERMANENT


def _choice_and_limit(archive: Mapping[str, Any]) -> tuple[ShardChoice, FailureLimit | None]:
    from ..archive import FailureLimit, ShardChoice

    limit = archive["max_failures"]
    return (
        ShardChoice.parse(archive["shard"] or "0/1"),
        FailureLimit.parse(limit) if limit else None,
    )


def describe(summary: ShardSummary) -> str:
    """Say in one line how an attempt at a shard ended."""
    counts = ", ".join(f"{number} {status}" for status, number in summary.counts.items() if number)
    stopped = f"; {summary.stopped}" if summary.stopped else ""
    return f"shard {summary.shard}: {counts or 'nothing to do'}{stopped}"


def _planned(choices: Mapping[str, Any], archive: Mapping[str, Any]) -> str:
    """The plan of a source and a target that were named; made unless it is there."""
    from ..archive import plan_archive
    from ..archive.manifest import PLAN

    source, rows = source_and_rows(choices["inputs"], archive["files_from"])
    target = url_of(str(choices["output"] or source))
    manifest = join(target, ".invdn/manifest")
    if open_store(manifest).head(PLAN):
        click.echo(f"going on with the plan at {manifest}", err=True)
    else:
        plan_archive(source, target, manifest, naming_of(choices), rows=rows)
    return manifest


def _on_cluster(
    manifest: str, settings: WorkSettings, archive: Mapping[str, Any], choices: Mapping[str, Any]
) -> int:
    from ..archive.ray_cluster import run_on_ray
    from ..archive.shard_run import worst

    choice, limit = _choice_and_limit(archive)
    stop = StopEvent()
    codes = []
    with stopping(stop, lambda text: click.echo(text, err=True)):
        try:
            for summary in run_on_ray(
                archive["cluster"],
                manifest,
                settings,
                choice=choice,
                cores=archive["cores_per_engine"],
                limit=limit,
                jobs=choices["jobs"] or 1,
                stop=stop,
            ):
                codes.append(summary.exit_code)
                if not choices["quiet"]:
                    click.echo(printable(describe(summary)), err=True)
        except (StoreError, DataError) as error:
            codes.append(_told(error))
    return worst(codes, stopped=stop.requested)


def _as_of_a_batch(outcome: RowOutcome, source: str, target: str) -> Outcome:
    return Outcome(
        join(source, outcome.row.key),
        join(target, outcome.target) if outcome.target else None,
        outcome.status,
        outcome.reason,
        outcome.facts,
    )
