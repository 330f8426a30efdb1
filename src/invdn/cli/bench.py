"""``invdn dev bench``: what a photograph costs on this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from .options import Command, ParamType, overwrite_option, report_option
from .terminal import reporting

if TYPE_CHECKING:
    from ..evaluation.bench import Case, Outcome

_PRECISIONS = ("auto", "float32", "bfloat16", "bfloat16x3", "float16")
_OF_TORCH = ("float16",)


class _Numbers(ParamType[tuple[int, ...]]):
    """Whole numbers separated by commas."""

    name = "numbers"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers like 1,4,16", param, ctx)
        if min(numbers) < 0:
            self.fail(f"{value!r} holds a negative number", param, ctx)
        return numbers


@click.command(
    cls=Command,
    groups={
        "Cases": "sizes num_samples self_ensemble threads tile_size runtimes device precisions",
    },
)
@click.option("-m", "--model", default="default", show_default=True, help="Name, file or folder.")
@click.option(
    "--sizes",
    default="256x256,512x512,1024x1024",
    show_default=True,
    help="Photographs: WIDTHxHEIGHT, separated by commas.",
)
@click.option("--num-samples", type=_Numbers(), default="1", show_default=True, help="Such as 1,4.")
@click.option("--self-ensemble", is_flag=True, help="Average over all 8 symmetries.")
@click.option("--threads", type=_Numbers(), default="0", show_default=True, help="Cores; 0: all.")
@click.option("--tile-size", type=int, help="0: no tiles.  [default: what suits the engine]")
@click.option(
    "--backend",
    "runtimes",
    type=click.Choice(["auto", "native", "onnxruntime", "torch"]),
    multiple=True,
    default=("auto",),
    show_default=True,
    help="May be repeated; auto: what a photograph gets.",
)
@click.option("-d", "--device", default="cpu", show_default=True, help="cpu, cuda, mps (torch).")
@click.option(
    "--dtype",
    "precisions",
    type=click.Choice(_PRECISIONS),
    multiple=True,
    default=("auto",),
    show_default=True,
    help="Of convolutions; may be repeated; auto: what a photograph gets.",
)
@click.option("--repeats", type=click.IntRange(1), default=3, show_default=True, help="Of a case.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for bench.json and bench.svg.",
)
@overwrite_option("files of an earlier run")
@report_option
def command(
    model: str,
    output: Path | None,
    overwrite: bool,
    quiet: bool,
    as_json: bool,
    repeats: int,
    **grid: Any,
) -> None:
    """Measure time and memory of denoising, from file to file, each case in a fresh process.

    Every combination of the given sizes, numbers of samples, threads, backends and dtypes is a
    case. A first run only warms up; of the others the median is shown.

    \b
    invdn dev bench --sizes 512x512,2000x1500 --num-samples 1,4 --threads 1,2
    invdn dev bench --backend torch --device cuda --dtype float32 --dtype bfloat16
    """
    cases = _cases(repeats=repeats, **grid)
    if output is not None:
        _prepare_output(output, overwrite)
    outcomes: list[Outcome] = []
    with reporting(1, quiet=quiet) as reporter, reporter.photograph(Path("bench")) as progress:
        for number, case in enumerate(cases, 1):
            outcomes.append(run_in_fresh_process(model, case))
            progress(number, len(cases))
    facts = _facts(outcomes, model)
    if as_json:
        click.echo(json.dumps(facts))
    else:
        _print(outcomes)
    if output is not None:
        _write(outcomes, facts, output, overwrite)


def _cases(
    *,
    sizes: str,
    num_samples: Sequence[int],
    self_ensemble: bool,
    threads: Sequence[int],
    tile_size: int | None,
    runtimes: Sequence[str],
    device: str,
    precisions: Sequence[str],
    repeats: int,
) -> list[Case]:
    from ..engines import available_processors
    from ..evaluation.bench import Case
    from ..inference import DenoiseOptions

    light = {"native", "onnxruntime", *(["auto"] if device == "cpu" else [])} & set(runtimes)
    if light and (set(precisions) & set(_OF_TORCH) or device != "cpu"):
        raise InputError(
            f"only torch runs on {device} in {', '.join(precisions)}: choose --backend torch"
        )
    cores = available_processors()
    if max(threads) > cores:
        raise InputError(f"{max(threads)} threads need more than the {cores} cores here")
    if any(threads) and not hasattr(os, "sched_setaffinity"):
        raise InputError("this system cannot limit the cores of a process: leave out --threads")
    for number in num_samples:  # refuses impossible values
        DenoiseOptions(num_samples=number, tile_size=tile_size)
    symmetries = 8 if self_ensemble else 1
    grid = product(runtimes, precisions, threads, num_samples, _sizes(sizes))
    return [
        Case(*where, thread, width, height, number, symmetries, tile_size, repeats)
        for runtime, precision, thread, number, (width, height) in grid
        for where in [(runtime, device, precision)]
    ]


def _sizes(text: str) -> list[tuple[int, int]]:
    try:
        sizes = [tuple(int(edge) for edge in part.split("x")) for part in text.split(",")]
        found = [(width, height) for width, height in sizes]
    except ValueError as error:
        raise InputError(f"{text!r} is no list of sizes like 512x512,2000x1500") from error
    if min(map(min, found)) < 1:
        raise InputError(f"{text!r} holds a size of less than one pixel")
    return found


def run_in_fresh_process(model: str, case: Case) -> Outcome:
    """Measure in a new interpreter, so that memory and opening time are the case's own."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run_case, model, case).result()


def _run_case(model: str, case: Case) -> Outcome:
    from tempfile import TemporaryDirectory

    from ..evaluation.bench import measure_case

    if case.threads:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: case.threads])
        os.environ["OMP_NUM_THREADS"] = str(case.threads)

    def opening() -> Any:
        from ..engines import open_engine

        return open_engine(model, case.device, case.runtime, case.precision)  # type: ignore[arg-type]

    with TemporaryDirectory(prefix="invdn-bench-") as folder:
        return measure_case(case, opening, Path(folder))


def _prepare_output(output: Path, overwrite: bool) -> None:
    from ..atomic import ensure_folder, ensure_output
    from ..evaluation.charts import require_matplotlib

    require_matplotlib()
    ensure_folder(output)
    for name in ("bench.json", "bench.svg"):
        ensure_output(output / name, overwrite)


def _facts(outcomes: Sequence[Outcome], model: str) -> dict[str, Any]:
    from ..evaluation.bench import as_record
    from ..evaluation.machine import describe_machine

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": model,
        "machine": describe_machine(),
        "cases": [as_record(outcome) for outcome in outcomes],
    }


def _write(
    outcomes: Sequence[Outcome], facts: dict[str, Any], output: Path, overwrite: bool
) -> None:
    from ..atomic import atomic_output
    from ..evaluation.bench import cost_chart
    from ..evaluation.charts import standalone

    texts = {
        "bench.json": json.dumps(facts, indent=2) + "\n",
        "bench.svg": standalone(cost_chart(outcomes)),
    }
    for name, text in texts.items():
        with atomic_output(output / name, overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")
        click.echo(str(output / name), err=True)


def _print(outcomes: Sequence[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("case", "size", box=None, pad_edge=False)
    titles = ("read", "prepare", "network", "finish", "write", "total s", "MP/s", "first", "open")
    for title in (*titles, "peak MB"):
        table.add_column(title, justify="right")
    for outcome in outcomes:
        seconds = [*asdict(outcome.stages).values(), outcome.latency]
        table.add_row(
            outcome.case.series,
            f"{outcome.case.width}x{outcome.case.height}",
            *(f"{value:.3f}" for value in seconds),
            f"{outcome.throughput:.3f}",
            f"{outcome.first:.3f}",
            f"{outcome.opening:.3f}",
            f"{outcome.peak_memory / 1e6:.0f}",
        )
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table)
    for series, engine in {outcome.case.series: outcome.engine for outcome in outcomes}.items():
        click.echo(f"{series}: {engine}")
