"""``invdn submit``: the bundles that the servers of the SIDD and DND benchmarks take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .control_options import strength_option
from .progress import reporting

if TYPE_CHECKING:
    from ..inference import DenoiseOptions, Engine

Command = TypeVar("Command", bound=Callable[..., Any])


def _model_options(function: Command) -> Command:
    for option in reversed(
        (
            click.option("-m", "--model", default="default", show_default=True),
            click.option("-d", "--device", default="auto", show_default=True),
            click.option("--draws", type=int, default=1, show_default=True),
            click.option(
                "--symmetries",
                type=int,
                default=8,
                show_default=True,
                help="8 as in the published submissions, or 1.",
            ),
            click.option("--seed", type=int, default=0, show_default=True),
            strength_option("1"),
            click.option("--check", is_flag=True, help="Only read back what is there."),
            click.option("--quiet", is_flag=True, help="No progress bar."),
        )
    ):
        function = option(function)
    return function


@click.group()
def command() -> None:
    """Denoise a benchmark and write its submission.

    Work that broke off goes on where it stopped when the same command is given again. What was
    written is read back and checked; --check does only that.
    """


@command.command("sidd")
@click.argument("benchmark", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="InvDN", show_default=True, help="Name on the benchmark's list.")
@_model_options
def sidd(
    benchmark: Path,
    folder: Path,
    name: str,
    model: str,
    device: str,
    check: bool,
    quiet: bool,
    **choices: Any,
) -> None:
    """Write SubmitSrgb.mat and SubmitSrgb.csv from BenchmarkNoisyBlocksSrgb.mat into FOLDER."""
    from ..evaluation.sidd import FULL_SHAPE, check_sidd, read_benchmark, submit_sidd

    shape = read_benchmark(benchmark).shape
    if shape != FULL_SHAPE:
        click.echo(f"note: the full benchmark is {FULL_SHAPE}, this one {shape}", err=True)
    if check:
        check_sidd(folder, shape)
        click.echo(f"{folder}: {shape[0] * shape[1]} blocks in both bundles, all as they should be")
        return
    engine, options, settings = _open(model, device, choices)
    import numpy as np

    from ..inference import denoise_pixels

    with reporting(1, quiet=quiet) as reporter, reporter.photograph(benchmark) as progress:
        bundle = submit_sidd(
            benchmark,
            folder,
            lambda block: np.asarray(denoise_pixels(engine, block, options), np.uint8),
            {**settings, "name": name},
            method=name,
            progress=progress,
        )
    click.echo(
        f"{bundle.matlab} and {bundle.table}: {bundle.blocks} blocks ({bundle.resumed} of an "
        f"earlier run), {bundle.seconds_per_megapixel:.2f} s/MP, read back and checked"
    )


@command.command("dnd")
@click.argument("benchmark", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@_model_options
def dnd(
    benchmark: Path, folder: Path, model: str, device: str, check: bool, quiet: bool, **choices: Any
) -> None:
    """Write FOLDER/bundled/0001.mat and so on from a folder of info.mat and images_srgb/."""
    from ..evaluation.dnd import FULL_COUNT, check_dnd, read_boxes, submit_dnd

    boxes = read_boxes(benchmark)
    if [len(of_image) for of_image in boxes] != [FULL_COUNT[1]] * FULL_COUNT[0]:
        found = f"{len(boxes)} with {sum(map(len, boxes))} boxes in all"
        click.echo(f"note: the full benchmark is 50 images of 20 boxes, this one {found}", err=True)
    if check:
        check_dnd(benchmark, folder)
        click.echo(f"{folder}: {len(boxes)} files, all as they should be")
        return
    engine, options, settings = _open(model, device, choices)
    import numpy as np

    from ..inference import denoise_pixels

    with reporting(1, quiet=quiet) as reporter, reporter.photograph(benchmark) as progress:
        bundle = submit_dnd(
            benchmark,
            folder,
            lambda box: np.asarray(denoise_pixels(engine, box, options), np.float32),
            settings,
            progress=progress,
        )
    click.echo(
        f"{folder / 'bundled'}: {len(bundle.files)} files ({bundle.resumed} of an earlier run), "
        f"{bundle.boxes} boxes, read back and checked"
    )


def _open(
    model: str, device: str, choices: dict[str, Any]
) -> tuple[Engine, DenoiseOptions, dict[str, Any]]:
    """The engine, the options, and what the result depends on."""
    from importlib.metadata import version

    from ..engines import open_engine
    from ..evaluation.resume import fingerprint
    from ..inference import DenoiseOptions

    options = DenoiseOptions(**choices)
    engine = open_engine(model, device)
    file = Path(model)
    identity = fingerprint(file) if file.is_file() else f"{model} of InvDN {version('invdn')}"
    return engine, options, {"model": identity, "options": asdict(options)}
