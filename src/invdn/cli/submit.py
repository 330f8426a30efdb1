"""``invdn submit``: the bundles that the servers of the SIDD and DND benchmarks take."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import (
    Command,
    Group,
    OptionGroup,
    denoising_options,
    engine_options,
    options_of,
    report_option,
)
from .terminal import report, reporting

if TYPE_CHECKING:
    from ..inference import DenoiseOptions, Engine

# As in the published submissions: the network's own result, over all symmetries.
_sampling_options = denoising_options(
    *("num_samples", "self_ensemble", "latent_std", "seed", "tile_size", "tile_overlap"),
    "strength",
    strength=1,
    self_ensemble=True,
)
_run_options = OptionGroup(
    click.option("--check", is_flag=True, help="Only read back what is there."),
    report_option,
)


@click.group(cls=Group)
def command() -> None:
    """Denoise a benchmark and write its submission.

    Work that broke off goes on where it stopped when the same command is given again. What was
    written is read back and checked; --check does only that.
    """


@command.command("sidd", cls=Command)
@click.argument("benchmark", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="InvDN", show_default=True, help="Name on the benchmark's list.")
@engine_options
@_sampling_options
@_run_options
def sidd(
    benchmark: Path,
    folder: Path,
    name: str,
    check: bool,
    quiet: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Write SubmitSrgb.mat and SubmitSrgb.csv from BenchmarkNoisyBlocksSrgb.mat into FOLDER."""
    from ..evaluation.sidd import FULL_SHAPE, check_sidd, read_benchmark, submit_sidd

    shape = read_benchmark(benchmark).shape
    if shape != FULL_SHAPE:
        click.echo(f"note: the full benchmark is {FULL_SHAPE}, this one {shape}", err=True)
    if check:
        check_sidd(folder, shape)
        number = shape[0] * shape[1]
        text = f"{folder}: {number} blocks in both bundles, all as they should be"
        report(as_json, {"folder": folder, "blocks": number, "checked": True}, text)
        return
    engine, options, settings = _open(choices)
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
    report(
        as_json,
        asdict(bundle),
        f"{bundle.matlab} and {bundle.table}: {bundle.blocks} blocks ({bundle.resumed} of an "
        f"earlier run), {bundle.seconds_per_megapixel:.2f} s/MP, read back and checked",
    )


@command.command("dnd", cls=Command)
@click.argument("benchmark", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@engine_options
@_sampling_options
@_run_options
def dnd(
    benchmark: Path, folder: Path, check: bool, quiet: bool, as_json: bool, **choices: Any
) -> None:
    """Write FOLDER/bundled/0001.mat and so on from a folder of info.mat and images_srgb/."""
    from ..evaluation.dnd import FULL_COUNT, check_dnd, read_boxes, submit_dnd

    boxes = read_boxes(benchmark)
    if [len(of_image) for of_image in boxes] != [FULL_COUNT[1]] * FULL_COUNT[0]:
        found = f"{len(boxes)} with {sum(map(len, boxes))} boxes in all"
        click.echo(f"note: the full benchmark is 50 images of 20 boxes, this one {found}", err=True)
    if check:
        check_dnd(benchmark, folder)
        text = f"{folder}: {len(boxes)} files, all as they should be"
        report(as_json, {"folder": folder, "files": len(boxes), "checked": True}, text)
        return
    engine, options, settings = _open(choices)
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
    report(
        as_json,
        asdict(bundle),
        f"{folder / 'bundled'}: {len(bundle.files)} files ({bundle.resumed} of an earlier run), "
        f"{bundle.boxes} boxes, read back and checked",
    )


def _open(choices: dict[str, Any]) -> tuple[Engine, DenoiseOptions, dict[str, Any]]:
    """Return the engine, the options, and what the result depends on."""
    from importlib.metadata import version

    from ..engines import in_float32, open_engine
    from ..evaluation.machine import fingerprint

    options = options_of(None, _sampling_options.take(choices)).of_the_network()
    chosen = engine_options.take(choices)
    engine = open_engine(**in_float32(chosen))
    file = Path(chosen["model"])
    identity = fingerprint(file) if file.is_file() else f"{file} of InvDN {version('invdn')}"
    return engine, options, {"model": identity, "options": asdict(options)}
