"""``invdn adapt``: a network for one camera and sensitivity, from its noisy photographs."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from ..errors import InputError, MissingDependencyError
from .options import Command, overwrite_option, report_option


@click.command(cls=Command)
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The weights file to write, .safetensors.",
)
@click.option("-m", "--model", default="default", show_default=True, help="To begin with.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    help="Time to train; measuring comes on top.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Decides the crops."
)
@overwrite_option()
@report_option
def command(
    photos: tuple[Path, ...],
    output: Path,
    model: str,
    minutes: float,
    seed: int,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Adapt a model to noisy PHOTOS of one camera and sensitivity; nothing clean is needed.

    Their noise is measured, laid over their own denoised versions, and a gain for every channel is
    trained on these pairs. Photographs of another camera, size, sensitivity or noise are refused.
    A quarter of the photographs is kept apart: where the adapted model is no better on them, the
    original weights are written, and the command says so.

    \b
    invdn adapt concert/*.jpg -o concert.safetensors
    invdn denoise concert/ -o clean/ --model concert.safetensors
    """
    missing = [name for name in ("torch",) if not find_spec(name)]
    if missing:
        raise MissingDependencyError("adapting needs torch: pip install 'invdn[torch]'")
    if output.suffix != ".safetensors":
        raise InputError(f"{output} must end in .safetensors")
    from ..atomic import ensure_output
    from ..training.adaptation import adapt, read_shoot
    from ..weights import read_parameters, write_parameters
    from ..weights.network import build_network, parameters_of

    ensure_output(output, overwrite, spare=[*photos, Path(model)])
    parameters = read_parameters(model)
    shoot = read_shoot(photos, seed)
    last_words, shown = "", not quiet and sys.stderr.isatty()

    def progress(share: float, what: str) -> None:
        nonlocal last_words
        words = f"{what} ({share:.0%})" if what == "training" else what
        if shown and words != last_words:
            click.echo(f"\r{words:50}", nl=False, err=True)
        last_words = words

    found = adapt(
        build_network(parameters), shoot, seconds=60 * minutes, seed=seed, progress=progress
    )
    if shown and last_words:
        click.echo(f"\r{'':50}\r", nl=False, err=True)
    metadata = dict(parameters.metadata)
    if found.share:
        metadata["adapted"] = (
            f"to {len(photos)} photographs in {found.steps} steps; {found.gain:+.2f} dB on "
            "noise of their kind"
        )
    written = parameters_of(found.network, metadata) if found.share else parameters
    write_parameters(written, output, overwrite=overwrite)
    _tell(found, output, as_json)


def _tell(found: Any, output: Path, as_json: bool) -> None:
    facts = {
        "output": str(output),
        "adapted": found.share > 0,
        "gain_db": round(found.gain, 3),
        "share": found.share,
        "steps": found.steps,
        "noise_of_255": [round(value, 2) for value in found.noise],
    }
    if as_json:
        click.echo(json.dumps(facts))
        return
    noise = f"noise {min(found.noise):.1f} to {max(found.noise):.1f} of 255"
    if found.share:
        click.echo(
            f"{noise}; {found.steps} steps; {found.gain:+.2f} dB on photographs that were kept "
            f"apart, with noise of this kind -> {output}"
        )
    else:
        click.echo(
            f"{noise}; {found.steps} steps; no better on photographs that were kept apart: the "
            f"original weights -> {output}"
        )
