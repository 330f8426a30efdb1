"""``invdn plan``: an archive listed and cut into shards, and what it will cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from ..errors import InvDNError, StoreError
from ..stores import open_store
from .archive import naming_of, source_and_rows
from .options import FORMATS, Command
from .terminal import printable

if TYPE_CHECKING:
    from ..archive import Estimate

_MODELS = ("default", "fast")
_SIZE = 1024  # edge of the photograph that speed is measured with


@click.command(cls=Command)
@click.argument("source", required=False)
@click.option("-o", "--output", "target", metavar="URL", help="Store for the results.")
@click.option("--manifest", metavar="URL", help="Folder for the plan, in any store.")
@click.option(
    "--shards",
    type=click.IntRange(1, 100_000),
    help="Parts of equal bytes, one for each worker.  [default: one for every 500 photographs]",
)
@click.option(
    "--files-from",
    metavar="FILE",
    help="Read names instead of listing the store: a key or URL a line, or JSON with key, size "
    "and etag; a .parquet file with these columns; -: standard input.",
)
@click.option("--suffix", help="Added to the photographs' names.  [default: _denoised]")
@click.option("--name", metavar="TEMPLATE", help="As of invdn denoise.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(FORMATS),
    help="Format of the results. Default: the source's (raw becomes TIFF, HEIC AVIF).",
)
@click.option(
    "--rows",
    "how",
    type=click.Choice(("jsonl", "parquet")),
    default="jsonl",
    show_default=True,
    help="How the manifest holds the photographs' names.",
)
@click.option("--overwrite", is_flag=True, help="Replace a plan that is there.")
@click.option(
    "--estimate",
    is_flag=True,
    help="Measure this machine, and tell core-hours for the models default and fast.",
)
@click.option(
    "-d", "--device", default="cpu", show_default=True, help="That --estimate measures: cpu, cuda."
)
@click.option("--json", "as_json", is_flag=True, help="Report on standard output as JSON.")
def command(source: str | None, **choices: Any) -> None:
    """Plan an archive: list SOURCE, cut it into shards, write a manifest.

    Nothing is denoised yet. Any number of machines then do the shards with "invdn denoise
    --manifest URL --shard I/N". Stores are s3://, gs://, az://, https:// (with --files-from),
    file:// and folders.

    \b
    invdn plan s3://photos/2024 -o s3://clean/2024 --manifest s3://clean/plan-2024 --shards 500
    invdn plan s3://photos/2024 --estimate
    """
    try:
        report = _run(source, choices)
    except InvDNError as error:
        click.echo(printable(f"invdn: {error}"), err=True)
        raise SystemExit(1 if isinstance(error, StoreError) else 2) from error
    if choices["as_json"]:
        click.echo(json.dumps(report))


def _run(source: str | None, choices: dict[str, Any]) -> dict[str, Any]:
    from ..archive import SizeSample, estimate_cost, list_photographs, plan_archive

    inputs = (source,) if source else ()
    source, rows = source_and_rows(inputs, choices["files_from"])
    naming = naming_of(choices)
    sample = SizeSample()
    report: dict[str, Any] = {}
    if choices["manifest"]:
        if not choices["target"]:
            raise click.UsageError("a plan needs a place for the results: -o URL.")
        planned = plan_archive(
            source,
            choices["target"],
            choices["manifest"],
            naming,
            rows=rows,
            shards=choices["shards"],
            overwrite=choices["overwrite"],
            how=choices["how"],
            seen=sample,
        )
        made = planned.manifest
        report = {
            "photographs": made.rows,
            "bytes": made.size,
            "shards": len(made.shards),
            "manifest": made.store.url,
            "passed_over": planned.listing.passed_over,
            "results": planned.listing.results,
        }
        if not choices["as_json"]:
            _tell(report)
    elif choices["estimate"]:
        for row in rows if rows is not None else list_photographs(open_store(source), naming):
            sample(row)
    else:
        raise click.UsageError("say where the plan goes, --manifest URL, or ask for --estimate.")
    if choices["estimate"]:
        estimate = estimate_cost(open_store(source), sample)
        report["estimate"] = _measured(estimate, choices["device"])
        if not choices["as_json"]:
            _tell_cost(estimate, report["estimate"])
    return report


def _tell(report: dict[str, Any]) -> None:
    passed = report["passed_over"] + report["results"]
    more = f"; {passed} other objects were passed over" if passed else ""
    click.echo(
        f"{report['photographs']} photographs, {report['bytes'] / 1e9:.2f} GB, in "
        f"{report['shards']} shards{more}"
    )
    click.echo(f"next: invdn denoise --manifest {report['manifest']} --shard I/{report['shards']}")


def _measured(estimate: Estimate, device: str) -> dict[str, Any]:
    """Hours for each model, by a measurement on this machine."""
    from ..engines import available_processors
    from ..evaluation.bench import Case
    from .bench import run_in_fresh_process

    gpu = device != "cpu"
    processors = 1 if gpu else available_processors()
    found: dict[str, Any] = {
        "photographs": estimate.photographs,
        "megapixels": estimate.megapixels,
        "headers_measured": estimate.measured,
        "headers_sampled": estimate.sampled,
        "processors": processors,
        "unit": "GPU-hours" if gpu else "core-hours",
    }
    for model in _MODELS:  # as invdn denoise runs it
        case = Case("auto", device, "auto", 0, _SIZE, _SIZE, 1, 1, None, 2)
        seconds = 1 / run_in_fresh_process(model, case).throughput
        found[model] = {
            "seconds_per_megapixel": seconds,
            "hours": estimate.hours(seconds, processors),
        }
    return found


def _tell_cost(estimate: Estimate, found: dict[str, Any]) -> None:
    if estimate.megapixels is None:
        click.echo("none of the headers that were looked at tells a size: no estimate")
        return
    click.echo(
        f"about {estimate.megapixels:,.0f} megapixels in {estimate.photographs:,} photographs, by "
        f"the headers of {estimate.measured} of them"
    )
    for model in _MODELS:
        seconds, hours = found[model]["seconds_per_megapixel"], found[model]["hours"]
        click.echo(
            f"{model}: {hours:,.1f} {found['unit']} of a machine like this one "
            f"({seconds:.2f} s a megapixel on {found['processors']} at once)"
        )
    if found["unit"] != "GPU-hours":
        click.echo("GPU-hours: not measured; --device cuda measures them where there is a GPU")
