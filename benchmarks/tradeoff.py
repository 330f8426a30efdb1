"""Time against quality of networks of several sizes, and what a model reaches on real pairs.

    python benchmarks/tradeoff.py ../shared/data MODEL... > benchmarks/results/tradeoff.json

MODEL is a name or a weights file, the first of which the others' times are compared with. PSNR of
8-bit results at strength 1 and latent scale 0, mean of the pictures: `sidd-mini-val` and
`sidd-val-more` whole, and of every photograph of `polyu-full`, at half size, the middle 640x640.
Time: encoder and decoder of one picture of 512x512, one thread, in the precision that a photograph
gets on this processor and in float32; processor time, all models turn about, medians of the ratio
within a round.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from strength import Pixels, halved, load, psnr

from invdn import Denoiser
from invdn.engines import model_parameters
from invdn.engines.native_engine import NativeEngine, choose_precision
from invdn.evaluation.machine import describe_machine

SIDD = ("sidd-mini-val", "sidd-val-more")
CAMERAS, SIDE = "polyu-full", 640
PRECISIONS = ("auto", "float32")


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    found = {model: measure_quality(model, options.data) for model in options.models}
    for precision in PRECISIONS:
        for model, ratios in measure_speed(options.models, precision, options.repeats).items():
            found[model][f"times_as_fast_{precision}"] = ratios
    print(json.dumps({"machine": describe_machine(), "models": list(found.values())}, indent=1))


def measure_quality(model: str, data: Path) -> dict[str, object]:
    """Return the mean PSNR of each set by its name, and what the model is."""
    denoiser = Denoiser(model, strength=1, latent_std=0)
    sets: dict[str, list[float]] = {}
    for title, noisy, clean in pictures(data):
        sets.setdefault(title, []).append(psnr(denoiser(noisy) / 255, clean))
    print(f"{model}: {len(sets)} sets", file=sys.stderr)
    architecture = model_parameters(model).architecture
    return {
        "model": Path(model).stem,
        "features": architecture.features,
        "blocks": list(architecture.blocks),
        "psnr": {title: round(statistics.fmean(values), 3) for title, values in sets.items()},
    }


def pictures(data: Path) -> Iterator[tuple[str, Pixels, Pixels]]:
    """Every pair, with the set it is of."""
    for title in (*SIDD, CAMERAS):
        for path in sorted((data / title / "Noisy").iterdir()):
            pair = load(path), load(data / title / "GT" / path.name)
            if title == CAMERAS:
                pair = tuple(map(middle, map(halved, pair)))
            yield title, *pair


def middle(pixels: Pixels) -> Pixels:
    """Cut SIDE x SIDE pixels out of the middle."""
    top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def measure_speed(models: list[str], precision: str, repeats: int) -> dict[str, dict[str, float]]:
    """Return how many times as fast as the first each model is."""
    random = np.random.default_rng(0)
    noisy = random.random((1, 3, 512, 512), np.float32)
    latent = random.standard_normal((1, 45, 128, 128), np.float32)
    engines = {}
    for model in models:
        parameters = model_parameters(model)
        chosen = choose_precision(parameters) if precision == "auto" else precision
        engines[model] = NativeEngine(parameters, threads=1, precision=chosen)
    seconds: dict[str, list[float]] = {model: [] for model in models}
    for repeat in range(repeats + 1):  # the first round warms up
        for model, engine in engines.items():
            start = time.process_time()
            engine.decode(engine.encode(noisy), latent)
            if repeat:
                seconds[model].append(time.process_time() - start)
    ratios = {
        model: [own / other for own, other in zip(seconds[models[0]], taken, strict=True)]
        for model, taken in seconds.items()
    }
    return {
        model: {
            "median": round(statistics.median(values), 2),
            "least": round(min(values), 2),
            "most": round(max(values), 2),
            "seconds": round(statistics.median(seconds[model]), 4),
        }
        for model, values in ratios.items()
    }


if __name__ == "__main__":
    main()
