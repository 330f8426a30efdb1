"""How cost grows: time and memory against pixels, draws and threads, with the straight lines.

    python benchmarks/growth.py > benchmarks/results/growth.json
    python benchmarks/growth.py --full --runtime onnxruntime

Every point is a new process that denoises a photograph of random pixels in memory: wall and
processor seconds (medians of ``--repeats`` runs after one that warms up; a run of more than a few
seconds is measurement enough) with their least and largest, and the peak of the resident memory,
all without starting Python and opening the engine, which are told apart as ``base_mib``. To each
curve the least-squares straight line is fitted, with the points' relative distances from it; points
far apart in size count equally, since distances are relative. Against threads, the reciprocal of
the time is what should be straight.

A shared machine is not equally fast all the time, and the largest photographs take minutes. So a
small reference photograph is timed before and after every run: ``pace`` is its seconds, and
``steady_seconds`` are a run's seconds at the median pace of all points. Lines are fitted to these.

Memory has one bend, so two lines: up to 1 megapixel the native engine takes a photograph in one
piece, and memory goes with the pixels; from there on in rows, and what lies beside the photograph
and its result (``beside_mib``) goes with the columns. Engines that work in tiles need the same from
a tile on.

Up to 4 megapixels; ``--full`` goes on to 100, which takes the native engine about ten minutes on
two cores, and ONNX Runtime half an hour.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from invdn.engines import available_processors, open_engine
from invdn.evaluation.machine import describe_machine
from invdn.evaluation.profiling import peak_memory
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.inference.blocks import WHOLE

SIDES = (256, 384, 512, 768, 1024, 1536, 2048)  # 0.066 to 4.2 megapixels
FULL_SIDES = (3464, 5000, 10000)  # 12 to 100 megapixels
REFERENCE = 256  # side of the photograph that tells the machine's pace
DRAWS = (1, 2, 4, 8, 16)
BRIEF = 5  # seconds; a longer first run is measurement enough


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="up to 100 megapixels")
    parser.add_argument("--largest", type=int, default=10**5, help="leave out longer sides")
    parser.add_argument("--side", type=int, default=512, help="for draws and threads")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--threads", type=int, default=available_processors(), help="at most")
    parser.add_argument("--point", metavar="JSON", help="measure one point in this process")
    options = parser.parse_args()
    if options.point:
        print(json.dumps(measure(**json.loads(options.point))))
        return
    shared = {"runtime": options.runtime, "repeats": options.repeats}
    sides = [s for s in SIDES + (FULL_SIDES if options.full else ()) if s <= options.largest]
    threads = range(1, options.threads + 1)
    most = {"draws": 1, "threads": options.threads}
    pixels = [point(side=side, **most, **shared) for side in sides]
    draws = [point(side=options.side, draws=n, threads=options.threads, **shared) for n in DRAWS]
    speeds = [point(side=options.side, draws=1, threads=n, **shared) for n in threads]
    pace = statistics.median(found["pace"] for found in pixels + draws)
    for found in pixels + draws:
        found["steady_seconds"] = round(found["seconds"] / found["pace"] * pace, 4)
    in_one_piece = [found for found in pixels if found["side"] ** 2 <= WHOLE]
    in_rows = [found for found in pixels if found["side"] ** 2 > WHOLE]
    result = {
        "machine": describe_machine(),
        "engine": pixels[0]["engine"],
        "pixels": {
            "points": pixels,
            "steady_seconds_by_megapixels": fitted(pixels, "megapixels", "steady_seconds"),
            "mib_by_megapixels": fitted(in_one_piece, "megapixels", "mib"),
            "beside_mib_by_columns": fitted(in_rows, "side", "beside_mib"),
        },
        "draws": {
            "points": draws,
            "steady_seconds_by_draws": fitted(draws, "draws", "steady_seconds"),
            "mib_by_draws": fitted(draws, "draws", "mib"),
            # an encode and a decode are a pair; N draws should cost (1 + N) / 2 pairs or less
            "pairs": [round(p["steady_seconds"] / draws[0]["steady_seconds"], 3) for p in draws],
            "most_pairs": [(1 + n) / 2 for n in DRAWS],
        },
        "threads": {
            "points": speeds,
            "speed_by_threads": fitted(speeds, "threads", "speed"),
            "mib_by_threads": fitted(speeds, "threads", "mib"),
        },
    }
    print(json.dumps(result, indent=1))


def point(**what: object) -> dict[str, Any]:
    """One point, measured in a process of its own on so many of the processors."""
    command = [sys.executable, __file__, "--point", json.dumps(what)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    print(found, file=sys.stderr)
    return found


def measure(side: int, draws: int, threads: int, runtime: str, repeats: int) -> dict[str, object]:
    """Seconds and memory of one square photograph."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    engine = open_engine(device="cpu", backend=runtime)  # type: ignore[arg-type]
    random = np.random.default_rng(0)
    reference = random.integers(0, 256, (REFERENCE, REFERENCE, 3), np.uint8)
    photograph = random.integers(0, 256, (side, side, 3), np.uint8)

    def run(pixels: NDArray[np.uint8], samples: int) -> tuple[float, float]:
        start, used = time.perf_counter(), time.process_time()
        # the latent is drawn, as for any number of draws
        denoise_pixels(
            engine, pixels, DenoiseOptions(num_samples=samples, latent_std=1, strength=1)
        )
        return time.perf_counter() - start, time.process_time() - used

    base = peak_mib() - photograph.nbytes / 2**20
    run(reference, 1)
    wall, processor, paces = [], [], []
    for _ in range(repeats + 1):
        before = run(reference, 1)[0]
        for kept, seconds in zip((wall, processor), run(photograph, draws), strict=True):
            kept.append(seconds)
        paces.append((before + run(reference, 1)[0]) / 2)
        if len(wall) == 1 and wall[0] > BRIEF:
            break
    paces = paces[1:] or paces
    wall, processor = wall[1:] or wall, processor[1:] or processor
    seconds = statistics.median(wall)
    mib = peak_mib() - base
    return {
        "engine": engine.description,
        "side": side,
        "megapixels": side**2 / 1e6,
        "draws": draws,
        "threads": threads,
        "seconds": round(seconds, 4),
        "spread": [round(min(wall), 4), round(max(wall), 4)],
        "pace": round(statistics.median(paces), 4),
        "speed": round(1 / seconds, 4),
        "processor_seconds": round(statistics.median(processor), 4),
        "mib": round(mib, 1),
        "beside_mib": round(mib - 2 * photograph.nbytes / 2**20, 1),
        "base_mib": round(base, 1),
    }


def fitted(points: list[dict[str, Any]], x: str, y: str) -> dict[str, object] | None:
    """The straight line through two quantities of points; None where there are no two."""
    if len(points) < 2:
        return None
    return line([point[x] for point in points], [point[y] for point in points])


def line(x: list[float], y: list[float]) -> dict[str, object]:
    """The straight line with the smallest sum of squared relative distances."""
    values: NDArray[np.float64] = np.array(y, np.float64)
    columns = np.stack((np.ones(len(x)), np.array(x, np.float64)), axis=1)
    (intercept, slope), *_ = np.linalg.lstsq(columns / values[:, None], np.ones(len(x)), rcond=None)
    distances = values / (columns @ (intercept, slope)) - 1
    return {
        "slope": float(f"{slope:.4g}"),
        "intercept": float(f"{intercept:.4g}"),
        "relative_residuals": [round(float(distance), 3) for distance in distances],
    }


def peak_mib() -> float:
    """The largest resident memory of this process so far."""
    return peak_memory() / 2**20


if __name__ == "__main__":
    main()
