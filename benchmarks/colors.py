"""What a model does to plain colours: 1,000 flat patches over the RGB cube, ramps and edges.

    python benchmarks/colors.py > benchmarks/results/colors.json
    python benchmarks/colors.py --model run/weights-ema.safetensors --noise none,light

Every patch goes through the network by itself, at strength 1 and latent scale 0, without noise and
with light, medium and heavy noise: 4, 12 and 30 of 255 in the noisiest channel, a phone's or
Gaussian noise added to the picture. Per patch, of 255 in the worst channel: error of the mean,
largest error, the same 8 pixels or more from the border, spread. Clipping moves the mean of a noisy
patch: anything between the true colour and that mean is right. The bar: no flat patch with a mean
error above 2 at no and light noise or 4 at medium and heavy, nor with a largest error above 12 at
no noise.
"""

import argparse
import csv
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from invdn.engines import open_engine
from invdn.engines.factory import Engine
from invdn.evaluation.machine import describe_machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.color_patches import (
    LARGEST_BAR,
    NOISE,
    PatchError,
    color_grid,
    edges,
    flat_patches,
    measure_edges,
    measure_flat,
    measure_ramps,
    ramps,
)

QUANTILES = (0.5, 0.95, 0.99, 1.0)
WORST = 12  # patches that the result names

Measure = Callable[[Engine, Iterator, str], list[PatchError]]


def summarise(errors: list[PatchError], noise: str) -> dict[str, object]:
    """Quantiles over the patches, how many are beyond the bar, and the worst."""
    failing = [error for error in errors if error.fails(noise)]
    worst = sorted(errors, key=lambda error: error.mean, reverse=True)[:WORST]
    return {
        "patches": len(errors),
        "beyond the bar": len(failing),
        **{
            name: [round(float(x), 2) for x in np.quantile(values, QUANTILES)]
            for name, values in {
                "mean error": [error.mean for error in errors],
                "largest error": [error.largest for error in errors],
                "largest error inside": [error.inside for error in errors],
                "spread": [error.spread for error in errors],
            }.items()
        },
        "worst": {
            error.name: [
                round(value, 2) for value in (error.mean, error.largest, error.inside, error.spread)
            ]
            for error in worst
        },
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default", help="name or weights file")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--noise", default=",".join(NOISE), help="levels, with commas")
    parser.add_argument("--levels", type=int, default=10, help="of each channel: 10 for 1,000")
    parser.add_argument("--size", type=int, default=96, help="of a patch")
    parser.add_argument("--patches", type=Path, help="write every patch to this CSV file")
    chosen = parser.parse_args()
    engine = open_engine(chosen.model, "cpu", chosen.runtime)
    size = chosen.size
    found: dict[str, dict[str, dict[str, object]]] = {}
    rows: list[tuple[object, ...]] = []
    for noise in chosen.noise.split(","):
        found[noise] = {}
        kinds: dict[str, tuple[Measure, Iterator]] = {
            "flat": (measure_flat, flat_patches(color_grid(chosen.levels), size)),
            "ramps": (measure_ramps, ramps(size)),
            "edges": (measure_edges, edges(size)),
        }
        for kind, (measure, patches) in kinds.items():
            start = time.monotonic()
            errors = measure(engine, patches, noise)
            rows += [(noise, kind, e.name, e.mean, e.largest, e.inside, e.spread) for e in errors]
            found[noise][kind] = summarise(errors, noise)
            took = time.monotonic() - start
            print(f"{noise} {kind}: {len(errors)} patches in {took:.0f} s", file=sys.stderr)
    if chosen.patches:
        with chosen.patches.open("w", newline="") as file:
            writer = csv.writer(file)
            columns = ("mean error", "largest error", "largest error inside", "spread")
            writer.writerow(("noise", "kind", "patch", *columns))
            writer.writerows(rows)
    report = {
        "machine": describe_machine(),
        "engine": engine.description,
        "model": Path(chosen.model).name,
        "patch": size,
        "bar": {
            "mean error": {name: noise.bar for name, noise in NOISE.items()},
            "largest error without noise": LARGEST_BAR,
        },
        "reached": not any(found[noise]["flat"]["beyond the bar"] for noise in found),
        "quantiles": QUANTILES,
        "noise": found,
    }
    if Path(chosen.model).is_file():
        report["sha256"] = hashlib.sha256(Path(chosen.model).read_bytes()).hexdigest()
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
