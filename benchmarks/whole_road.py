"""Seconds a megapixel of the whole road, from file to file, against the network alone.

    python benchmarks/whole_road.py > benchmarks/results/whole-road.json
    python benchmarks/whole_road.py --sizes 3000x2000 --runtime torch --device cuda

Every case (size, format, setting) is run in turn, ``--repeats`` times after a warm-up, so that a
slow minute of the machine falls on all of them; medians are told, the least and the largest of the
seconds, and the time inside the engine apart from the rest: decoding, noise estimate, tiles or
rows, latent, blending, rounding, encoding. Processor time is told as well, since it hardly depends
on what else runs.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from invdn.engines import open_engine
from invdn.evaluation.bench import noisy_photograph
from invdn.evaluation.machine import describe_machine
from invdn.inference import DenoiseOptions, FileOptions, denoise_file
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

SETTINGS = {
    "full strength": DenoiseOptions(strength=1),
    "auto, detail 0.5": DenoiseOptions(strength="auto", detail=0.5),
}
FORMATS = {"jpg": np.uint8, "png": np.uint8, "tif": np.uint16}


class Timed:
    """An engine that counts the seconds inside it, on the same way through a photograph."""

    def __init__(self, engine) -> None:
        self._engine = engine
        self.wall = self.processor = 0.0
        self.exact = self  # of 16 bits too: what runs is timed
        if hasattr(engine, "decode_rows"):
            self.encode_rows = partial(self._rows, engine.encode_rows)
            self.decode_rows = partial(self._rows, engine.decode_rows)

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def _rows(self, make, *size):
        rows = self.count(make, *size)
        return SimpleNamespace(push=partial(self.count, rows.push))

    def count(self, work, *arrays):
        wall, processor = time.perf_counter(), time.process_time()
        result = work(*arrays)
        self.wall += time.perf_counter() - wall
        self.processor += time.process_time() - processor
        return result

    def encode(self, noisy):
        return self.count(self._engine.encode, noisy)

    def decode(self, low, latent):
        return self.count(self._engine.decode, low, latent)


def run(engine, source: Path, options: DenoiseOptions) -> dict[str, float]:
    timed = Timed(engine)
    wall, processor = time.perf_counter(), time.process_time()
    denoise_file(timed, source, source.with_stem("clean"), options, FileOptions(overwrite=True))
    return {
        "seconds": time.perf_counter() - wall,
        "network_seconds": timed.wall,
        "processor_seconds": time.process_time() - processor,
        "network_processor_seconds": timed.processor,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="512x512,1500x1000,3000x2000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--model", default="default")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runtime", default="auto")
    chosen = parser.parse_args()
    engine = open_engine(chosen.model, chosen.device, chosen.runtime, "float32")
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        for size in chosen.sizes.split(","):
            width, height = map(int, size.split("x"))
            pixels = noisy_photograph(width, height)
            for suffix, kind in FORMATS.items():
                source = Path(folder, f"noisy-{size}.{suffix}")
                stored = pixels if kind is np.uint8 else pixels.astype(kind) * kind(257)
                write_photo(Photo(stored), source)
                cases += [(width, height, source, name) for name in SETTINGS]
        runs = {case: [] for case in cases}
        run(engine, cases[0][2], DenoiseOptions(strength=1))
        for _ in range(chosen.repeats):
            for case in cases:
                runs[case].append(run(engine, case[2], SETTINGS[case[3]]))
                print(*case, runs[case][-1], file=sys.stderr)
    rows = []
    for (width, height, source, setting), measured in runs.items():
        median = {key: statistics.median(one[key] for one in measured) for key in measured[0]}
        seconds = sorted(one["seconds"] for one in measured)
        extremes = seconds[0], seconds[-1]
        megapixels = width * height / 1e6
        rows.append(
            {
                "megapixels": round(megapixels, 3),
                "format": source.suffix[1:],
                "setting": setting,
                **{f"{key}_per_megapixel": round(v / megapixels, 4) for key, v in median.items()},
                "spread_per_megapixel": [round(v / megapixels, 4) for v in extremes],
                "road_over_network": round(median["seconds"] / median["network_seconds"], 4),
            }
        )
    facts = {"engine": engine.description, "machine": describe_machine(), "cases": rows}
    json.dump(facts, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
