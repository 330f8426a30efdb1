"""``invdn infer``: an exported folder on a photograph, as the reproduction's ``infer.py`` does."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..atomic import atomic_output, ensure_folder, ensure_output
from ..errors import InputError
from .options import Command, json_option
from .terminal import report

if TYPE_CHECKING:
    from ..engines.exported import Device

_STAGES = ("preprocess", "inference", "postprocess")
_FILE = click.Path(exists=True, path_type=Path)


@click.command(
    cls=Command,
    groups={
        "Input": "noisy clean",
        "Engine": "device seed latent_std border",
        "Measurement": "benchmark repeats",
        "Output": "output reprod_log",
    },
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--noisy", type=_FILE, required=True, help="Photograph, or folder of them.")
@click.option("--clean", type=_FILE, help="Its reference, or folder of references of equal names.")
@click.option(
    "--device",
    type=click.Choice(["cpu", "gpu"]),
    default="cpu",
    show_default=True,
    help="Of the model.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the latent.")
@click.option(
    "--latent-std",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Standard deviation of the latent, where the model takes one: 0 is the middle of the "
    "distribution, 1 a sample of it.",
)
@click.option(
    "--border",
    type=click.IntRange(0),
    help="Mirrored pixels around the image. Default: as 'invdn denoise', 8; 0 in infer.py.",
)
@click.option("--benchmark", is_flag=True, help="Print the time of every stage, in milliseconds.")
@click.option(
    "--repeats", type=click.IntRange(1), default=5, show_default=True, help="Of a measured run."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Write results here."
)
@click.option(
    "--reprod-log",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the PSNR for reprod_log, such as output_inference_engine.npy.",
)
@json_option
def command(
    folder: Path,
    noisy: Path,
    clean: Path | None,
    device: Device,
    seed: int,
    latent_std: float,
    border: int | None,
    benchmark: bool,
    repeats: int,
    output: Path | None,
    reprod_log: Path | None,
    as_json: bool,
) -> None:
    """Denoise photographs with the exported model in FOLDER, and measure the result.

    FOLDER is one that 'invdn export' wrote, for ONNX Runtime or for Paddle Inference. The result
    is the network's own, as in 'invdn denoise --strength 1'; the PSNR is over RGB in [0, 1], the
    result clipped and not rounded. With --benchmark every stage is timed over --repeats runs after
    one more that is not counted; the median is printed.
    """
    import numpy as np

    from ..engines.exported import ExportedModel
    from ..image.dtype import from_float, to_float
    from ..image.metrics import psnr
    from ..photo.photo import Photo
    from ..photo.read import read_photo
    from ..photo.write import write_photo

    pairs = _pairs(noisy, clean)
    if reprod_log is not None:
        if clean is None:
            raise InputError("--reprod-log needs a PSNR, and so --clean")
        ensure_output(reprod_log, overwrite=False)
    targets = _targets(output, [path for path, _ in pairs])
    model = ExportedModel(folder, device=device, border=border)
    click.echo(f"{model.file.name}: {model.description}", err=True)
    if output is not None:
        ensure_folder(output)
    found: list[float] = []
    images: list[dict[str, Any]] = []
    times: dict[str, list[float]] = {stage: [] for stage in _STAGES}
    for path, reference in pairs:
        for repeat in range(-1 if benchmark else 0, repeats if benchmark else 1):
            marks = [time.perf_counter()]
            pixels = read_photo(path).pixels
            _require_colours(path, pixels)
            image = to_float(pixels)
            marks.append(time.perf_counter())
            result = model(image, seed, latent_std)
            marks.append(time.perf_counter())
            result = np.clip(result, 0, 1)
            if reference is not None:
                score = psnr(result, to_float(read_photo(reference).pixels))
            marks.append(time.perf_counter())
            if repeat >= 0:
                for number, stage in enumerate(_STAGES):
                    times[stage].append(1000 * (marks[number + 1] - marks[number]))
        measured = f", psnr: {score}" if reference is not None else ""
        if reference is not None:
            found.append(score)
        images.append({"image": path, "psnr": score if reference is not None else None})
        if not as_json:
            click.echo(f"image_name: {path}{measured}")
        if targets:
            write_photo(Photo(from_float(result, np.dtype(np.uint8))), targets[path])
    mean = statistics.fmean(found) if found else None
    medians = {stage: statistics.median(values) for stage, values in times.items()}
    lines = [f"images: {len(found)}, psnr: {mean}"] if len(found) > 1 else []
    if benchmark:
        shown = ", ".join(f"{stage}_time(ms): {value:.2f}" for stage, value in medians.items())
        lines.append(f"runs: {len(times['inference'])}, {shown}")
    if as_json or lines:
        facts = {"model": model.description, "images": images, "psnr": mean}
        report(as_json, facts | ({"milliseconds": medians} if benchmark else {}), *lines)
    if reprod_log is not None:
        write_reprod_log(reprod_log, psnr=np.array([statistics.fmean(found)]))


def _pairs(noisy: Path, clean: Path | None) -> list[tuple[Path, Path | None]]:
    """Return every photograph with its reference; those of two folders belong together by name."""
    from ..data.pairing import IMAGE_SUFFIXES

    if noisy.is_file():
        if clean is not None and not clean.is_file():
            raise InputError(f"{noisy} is a file and {clean} a folder: name the reference's file")
        return [(noisy, clean)]
    paths = sorted(p for p in noisy.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise InputError(f"{noisy} holds no photographs")
    if clean is None:
        return [(path, None) for path in paths]
    if missing := [path.name for path in paths if not (clean / path.name).is_file()]:
        raise InputError(f"{clean} has no file {missing[0]}, the reference of {noisy}'s")
    return [(path, clean / path.name) for path in paths]


def _targets(output: Path | None, paths: list[Path]) -> dict[Path, Path]:
    """Return where every result goes, before any work; none may exist, or be of two photographs."""
    if output is None:
        return {}
    targets = {path: output / f"{path.stem}.png" for path in paths}
    for path, target in targets.items():
        if target.exists():
            ensure_output(target, overwrite=False)
        if others := [p.name for p in paths if p != path and targets[p] == target]:
            raise InputError(f"{path.name} and {others[0]} would both become {target}")
    return targets


def _require_colours(path: Path, pixels: Any) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(
            f"{path} is no RGB photograph without alpha, and exported models take nothing else: "
            "'invdn denoise' takes any"
        )


def write_reprod_log(path: Path, **arrays: Any) -> None:
    """Write named arrays, whole or not at all.

    Raises:
        OutputError: the file exists, or cannot be written.
    """
    import numpy as np

    ensure_output(path, overwrite=False)
    with atomic_output(path, overwrite=False) as temporary, temporary.open("wb") as file:
        values = {name: np.asarray(values) for name, values in arrays.items()}
        np.save(file, values, allow_pickle=True)  # type: ignore[arg-type]
