"""``invdn evaluate``: figures that say how they were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..stores import local_copy
from .options import (
    Command,
    denoising_options,
    engine_options,
    options_of,
    overwrite_option,
    report_option,
)
from .terminal import reporting

if TYPE_CHECKING:
    from ..evaluation.evaluate import Evaluation, Keep, MethodResult
    from ..evaluation.methods import Method
    from ..evaluation.samples import Samples
    from ..inference import DenoiseOptions

# The network is measured, as the literature measures it, and not what is made of a photograph.
_sampling_options = denoising_options(
    *("num_samples", "self_ensemble", "latent_std", "seed", "tile_size", "tile_overlap"),
    "strength",
    strength=1,
    latent_std=1.0,
)


@click.command(
    cls=Command,
    groups={
        "Measurement": "protocols list_protocols against without_model published uncertainty",
        "Input": "match limit",
        "Output": "output overwrite images worst",
    },
)
@click.argument("noisy", type=click.Path(path_type=Path))
@click.argument("clean", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("evaluation"),
    show_default=True,
    help="Folder for report.html, scores.csv and evaluation.json.",
)
@overwrite_option("files of an earlier evaluation")
@click.option(
    "-p",
    "--protocol",
    "protocols",
    multiple=True,
    default=("paddle", "rgb-8bit"),
    show_default=True,
    help="How to measure; may be repeated. 'invdn evaluate --protocols' lists them.",
)
@click.option(
    "-a",
    "--against",
    multiple=True,
    metavar="[NAME=]WHAT",
    help="Measure beside it: nlm, wavelet, tv or bm3d (nlm:2 is twice the usual strength), an "
    ".onnx file, or a folder of outputs (FOLDER:bgr if red and blue are swapped).",
)
@engine_options
@click.option("--without-model", is_flag=True, help="Measure only what --against names.")
@click.option(
    "--published",
    is_flag=True,
    help="As published: --self-ensemble, with one sample of --latent-std 1 each.",
)
@_sampling_options
@click.option(
    "--uncertainty", is_flag=True, help="Maps of the expected error, and whether it is right."
)
@click.option("--images", is_flag=True, help="Keep the denoised images too (16-bit PNG).")
@click.option("--match", metavar="REGEX", help="The part of a file's name that partners share.")
@click.option("--limit", type=click.IntRange(1), help="Only the first N pairs.")
@click.option(
    "--worst", type=click.IntRange(0), default=12, show_default=True, help="In the report."
)
@report_option
@click.option(
    "--protocols",
    "list_protocols",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, _, wanted: _list_protocols(context, wanted),
    help="List the protocols and exit.",
)
def command(
    noisy: Path,
    clean: Path | None,
    output: Path,
    overwrite: bool,
    protocols: Sequence[str],
    against: Sequence[str],
    without_model: bool,
    published: bool,
    uncertainty: bool,
    images: bool,
    match: str | None,
    limit: int | None,
    worst: int,
    quiet: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Measure a model on pairs of NOISY and CLEAN images.

    NOISY and CLEAN are folders whose files match by name, or SIDD's ValidationNoisyBlocksSrgb.mat
    and ValidationGtBlocksSrgb.mat. A single folder may hold both kinds, as Noisy/ and GT/ or by
    names like 0001_NOISY.png and 0001_GT.png.

    \b
    invdn evaluate Noisy GT
    invdn evaluate Noisy GT --published --against nlm --against Other=outputs/
    invdn evaluate Noisy GT --uncertainty
    """
    from ..evaluation.evaluate import evaluate
    from ..evaluation.protocols import find_protocol
    from ..evaluation.report import as_json as in_json
    from ..evaluation.samples import open_samples

    options = _options(published, _sampling_options.take(choices))
    model = None if without_model else engine_options.take(choices)
    if uncertainty and without_model:
        raise InputError("--uncertainty needs the model: leave out --without-model")
    measured_by = [find_protocol(name) for name in dict.fromkeys(protocols)]
    _prepare_output(output, overwrite)
    samples = open_samples(local_copy(noisy), clean and local_copy(clean), match)
    methods, facts = _methods(samples, against, model, options, uncertainty, match)
    keep = _keeper(output, methods[0].name, uncertainty, images)
    with reporting(1, quiet=quiet) as reporter, reporter.photograph(noisy) as progress:
        chosen = samples if limit is None else samples.first(limit)
        found = evaluate(chosen, methods, measured_by, worst=worst, keep=keep, progress=progress)
    _write(found, facts, output, overwrite)
    if as_json:
        click.echo(in_json(found, facts))
    else:
        _print(found)
    click.echo(f"report: {output / 'report.html'}", err=True)


def _list_protocols(context: click.Context, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from ..evaluation.protocols import PROTOCOLS

    for protocol in PROTOCOLS.values():
        click.echo(f"{protocol.name}\n    {protocol.description}\n    {protocol.source}")
    click.echo("NAME-border4\n    the same with 4 (or any number of) pixels cut from each side")
    context.exit()


def _options(published: bool, chosen: dict[str, Any]) -> DenoiseOptions:
    if published:
        if chosen["num_samples"] is not None or chosen["self_ensemble"] is not None:
            raise InputError("--published sets --num-samples and --self-ensemble: leave those out")
        chosen["self_ensemble"] = True
    return options_of(None, chosen).of_the_network()


def _methods(
    samples: Samples,
    against: Sequence[str],
    model: dict[str, Any] | None,
    options: DenoiseOptions,
    uncertainty: bool,
    match: str | None,
) -> tuple[list[Method], dict[str, Any]]:
    """Return what is measured, the chief first, and the facts that every file repeats."""
    from ..evaluation.machine import describe_machine
    from ..evaluation.methods import invdn, noisy_input

    methods: list[Method] = []
    facts: dict[str, Any] = {"date": datetime.now(UTC).isoformat(timespec="seconds")}
    if model is not None:
        from ..engines import in_float32, open_engine

        engine = open_engine(**in_float32(model))
        named = model["model"]
        name = f"InvDN {named}" if named == "default" else f"InvDN {Path(named).stem}"
        methods.append(invdn(name, engine, options, with_uncertainty=uncertainty))
        facts |= {"model": named, "engine": engine.description, "options": asdict(options)}
    others = [_other(what, samples, match) for what in against]
    return [*methods, *others, noisy_input()], {**facts, "machine": describe_machine()}


def _other(what: str, samples: Samples, match: str | None) -> Method:
    """Return a baseline, an ONNX file or a folder, from ``[NAME=]WHAT``."""
    from ..evaluation.baselines import BASELINES, baseline
    from ..evaluation.methods import onnx_denoiser, precomputed_outputs
    from ..evaluation.samples import open_outputs

    base, _, strength = what.partition(":")
    if base in BASELINES:
        try:
            return baseline(base, float(strength) if strength else None)
        except ValueError as error:
            raise InputError(f"the strength in {what!r} is no number: {strength!r}") from error
    name, _, place = what.rpartition("=")
    swapped = place.endswith(":bgr")
    path = Path(place.removesuffix(":bgr"))
    if path.suffix.lower() == ".onnx":
        return onnx_denoiser(name or path.stem, path)
    if path.is_dir():
        files = open_outputs(path, samples.names, match)
        return precomputed_outputs(name or path.name, files, swap_red_and_blue=swapped)
    raise InputError(
        f"{what!r} is neither {', '.join(BASELINES)}, nor an .onnx file, nor a folder of outputs"
    )


def _prepare_output(output: Path, overwrite: bool) -> None:
    from ..atomic import ensure_folder, ensure_output
    from ..evaluation.charts import require_matplotlib

    require_matplotlib()
    ensure_folder(output)
    for name in ("report.html", "scores.csv", "evaluation.json"):
        ensure_output(output / name, overwrite)


def _keeper(output: Path, chief: str, uncertainty: bool, images: bool) -> Keep | None:
    """Return stores the chief method's images and expected errors as they come."""
    if not (uncertainty or images):
        return None
    from ..evaluation.pictures import write_image, write_uncertainty

    def keep(sample: Any, method: Method, restored: Any) -> None:
        if method.name != chief:
            return
        if images:
            write_image(output / "images", sample.name, restored.pixels)
        if restored.uncertainty is not None:
            write_uncertainty(output / "uncertainty", sample.name, restored.uncertainty)

    return keep


def _write(found: Evaluation, facts: dict[str, Any], output: Path, overwrite: bool) -> None:
    from ..atomic import atomic_output
    from ..evaluation.report import as_csv, as_html, as_json

    texts = {
        "scores.csv": as_csv(found),
        "evaluation.json": as_json(found, facts),
        "report.html": as_html(found, facts),
    }
    for name, text in texts.items():
        with atomic_output(output / name, overwrite) as temporary:
            temporary.write_text(text, encoding="utf-8")


def _print(found: Evaluation) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from ..evaluation.report import decibels

    table = Table("method", "protocol", box=None, pad_edge=False)
    for title in ("PSNR dB", "SSIM", "ahead of it by", "s/MP", "MB/MP"):
        table.add_column(title, justify="right")
    for method in found.methods:
        for number, (protocol, summary) in enumerate(method.summaries.items()):
            costs = _costs(method) if number == 0 else ("", "", "")
            table.add_row(
                escape(method.name), protocol, decibels(summary), f"{summary.ssim:.4f}", *costs
            )
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table)
    for method in found.methods:
        if method.calibration:
            c = method.calibration
            console.print(
                f"expected against true error: Pearson {c.pearson:.3f}, Spearman {c.spearman:.3f}, "
                f"AUSE {c.ause:.3f} (random {c.ause_random:.3f}), {c.nominal:.0%} intervals cover "
                f"{c.coverage:.1%}",
                highlight=False,
            )


def _costs(method: MethodResult) -> tuple[str, str, str]:
    lead = method.lead
    seconds, memory = method.seconds_per_megapixel, method.bytes_per_megapixel
    return (
        f"{lead.mean:+.2f} [{lead.low:+.2f}, {lead.high:+.2f}]" if lead else "",
        f"{seconds:.2f}" if seconds is not None else "",
        f"{memory / 1e6:.0f}" if memory is not None else "",
    )
