"""``invdn noise``: realistic noise for clean photographs, or new noise for noisy ones."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..batch import Job, plan
from ..errors import InputError, MissingDependencyError
from .batch import BatchRun, conflict_options, existing_of, report_options
from .options import BatchOptions, Command

if TYPE_CHECKING:
    from ..photo.photo import Photo

_Made = tuple["Photo", dict[str, Any]]  # the noisy photograph and what its report says


@dataclass(frozen=True)
class _Result:
    """What the report says of a photograph."""

    width: int
    height: int
    camera: dict[str, Any] | None = None
    perturb: float | None = None


_batch_options = BatchOptions(suffix="_noisy")


@click.command(cls=Command)
@_batch_options
@click.option("--png", is_flag=True, help="Write PNG, so that no compression changes the noise.")
@click.option(
    "-c",
    "--camera",
    type=click.Choice(["phone", "dslr", "mixed"]),
    help="What the photograph is taken with. [default: mixed]",
)
@click.option("--iso", type=float, help="Sensitivity, as in 1600. Default: drawn at random.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same noise.")
@click.option(
    "--perturb",
    type=float,
    metavar="SCALE",
    help="The inputs are noisy: change their noise by disturbing their latents instead. 0 changes "
    "nothing, 1 as much as the photograph's own noise is strong.",
)
@click.option("-m", "--model", help="Network for --perturb. [default: default]")
@conflict_options
@report_options
def command(png: bool, seed: int, **choices: Any) -> None:
    """Make clean photographs noisy, as a phone or a DSLR would have taken them.

    Every photograph gets a camera of its own, drawn from measured ranges: sensor noise that grows
    with the light, clipping, demosaicing, colour matrix, tone curve, the camera's own smoothing,
    JPEG. Size, depth and metadata are kept. Nothing is overwritten unasked.

    \b
    invdn noise clean.png -o noisy.png --camera phone --iso 3200
    invdn noise clean/ -o noisy/ --png --seed 7
    invdn noise IMG_1234.jpg --perturb 0.5
    """
    if not find_spec("torch"):
        raise MissingDependencyError("making noise needs torch: pip install 'invdn[torch]'")
    if seed < 0:
        raise click.UsageError("--seed must be 0 or more.")
    batch = _batch_options.take(choices)
    conflicts = conflict_options.take(choices)
    workers = conflicts.pop("jobs")
    existing = existing_of(overwrite=batch.pop("overwrite"), inputs=batch["inputs"], **conflicts)
    report = report_options.take(choices)
    found = plan(**batch)
    found = replace(found, jobs=_as_png(found.jobs, png))
    make = _maker(**choices)

    def work(job: Job, overwrite: bool, progress: Any) -> _Result:
        return _make_noisy(job, make, _seed_of(job.source, seed), overwrite, progress)

    raise SystemExit(BatchRun(work, {"seed": seed}, existing, workers, **report).do(found))


def _as_png(jobs: tuple[Job, ...], png: bool) -> tuple[Job, ...]:
    """Return the jobs with targets that end in .png, if wanted."""
    if not png:
        return jobs
    changed = {job.target.with_suffix(".png"): job for job in jobs}
    if len(changed) < len(jobs):
        raise InputError("two photographs would become the same PNG; leave out --png")
    return tuple(Job(job.source, target, job.makes_folder) for target, job in changed.items())


def _seed_of(source: Path, seed: int) -> int:
    """Return a photograph's seed: others of a folder differ, and all keep theirs in any order."""
    return int.from_bytes(hashlib.sha256(f"{seed} {source.name}".encode()).digest()[:7], "big")


def _maker(
    camera: str | None, iso: float | None, perturb: float | None, model: str | None
) -> Callable[["Photo", int, Any], _Made]:
    """Choose the function (photograph, seed, progress) -> noisy photograph."""
    if perturb is not None:
        if camera or iso is not None:
            raise click.UsageError("--perturb takes its noise from the photograph, not a camera.")
        from ..data.noisy_photographs import resample_noise
        from ..weights.network import load_network

        network = load_network(model or "default")
        return lambda photo, seed, progress: (
            resample_noise(photo, network, scale=perturb, seed=seed, progress=progress),
            {"perturb": perturb},
        )
    if model:
        raise click.UsageError("--model is the network for --perturb.")
    from ..data.camera_range import DSLR, MIXED, PHONE
    from ..data.noisy_photographs import add_noise

    shares = {"phone": {PHONE: 1.0}, "dslr": {DSLR: 1.0}, "mixed": MIXED}[camera or "mixed"]
    if iso is not None:
        shares = {ranges.at_iso(iso): share for ranges, share in shares.items()}

    def make(photo: "Photo", seed: int, progress: Any) -> _Made:
        made = add_noise(photo, shares, seed=seed, progress=progress)
        drawn = {name: values[0].tolist() for name, values in vars(made.camera).items()}
        return made.photo, {"camera": drawn}

    return make


def _make_noisy(
    job: Job,
    make: Callable[["Photo", int, Any], _Made],
    seed: int,
    overwrite: bool,
    progress: Any,
) -> _Result:
    """Make one photograph noisy, from file to file."""
    from ..photo.read import read_photo
    from ..photo.write import check_writable, write_photo

    photo = read_photo(job.source)
    check_writable(photo, job.target, overwrite=overwrite)
    noisy, made_with = make(photo, seed, progress)
    write_photo(noisy, job.target, overwrite=overwrite)
    return _Result(photo.width, photo.height, **made_with)
