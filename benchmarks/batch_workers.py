"""Whether several photographs at a time are faster: workers of one command, and several commands.

    python benchmarks/batch_workers.py > benchmarks/results/batch-workers.json

Draws JPEG photographs of 1.5 megapixels, and runs `invdn denoise` on them with 1, 2 and 3 workers,
and as two commands at once on half of the cores each, which share the folder. The ways take turns;
for each: medians of wall time, of processor time of all, and of the peak of resident memory, the
least and the largest wall time, and how many times as fast as one worker it was in the same round.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from invdn.evaluation.machine import describe_machine
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

PHOTOGRAPHS, EDGE, RUNS = 6, 1224, 3


def draw(folder: Path) -> None:
    """Photographs that differ, so that no cache helps."""
    folder.mkdir()
    for number in range(PHOTOGRAPHS):
        noisy = camera_noise(demo_photo(EDGE, number), seed=number)
        write_photo(Photo(np.ascontiguousarray(noisy)), folder / f"{number}.jpg")


def measure(folder: Path, cores: list[list[int]], workers: int) -> dict[str, float]:
    """One command for each list of cores, all at once on the same photographs."""
    with tempfile.TemporaryDirectory(dir=folder) as output:
        arguments = ["-o", output, "--skip-existing", "--jobs", str(workers), "--quiet"]
        command = [sys.executable, "-m", "invdn", "denoise", str(folder / "in"), *arguments]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        processes = []
        for allowed in cores:
            os.sched_setaffinity(0, allowed)
            processes.append(subprocess.Popen([*command, "--device", "cpu"]))
        os.sched_setaffinity(0, set().union(*cores))
        codes, peaks = [], []
        for process in processes:
            _, status, usage = os.wait4(process.pid, 0)
            codes.append(os.waitstatus_to_exitcode(status))
            peaks.append(usage.ru_maxrss / 1024)
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if any(codes) or len(list(Path(output).iterdir())) != PHOTOGRAPHS:
            raise SystemExit(f"a command failed: {codes}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": wall, "processor_s": processor, "peak_mib": sum(peaks)}


def main() -> None:
    """Measure all ways in turn and print the medians."""
    cores = sorted(os.sched_getaffinity(0))
    half = len(cores) // 2
    ways = {f"{workers} workers": ([cores], workers) for workers in (1, 2, 3)}
    if half:
        ways["2 commands"] = ([cores[:half], cores[half:]], 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw(folder / "in")
        found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(RUNS):
            for way, (places, workers) in ways.items():
                found[way].append(measure(folder, places, workers))
    medians: dict[str, dict[str, object]] = {
        way: {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
        for way, runs in found.items()
    }
    alone = [run["wall_s"] for run in found["1 workers"]]
    for way, runs in found.items():
        wall = [run["wall_s"] for run in runs]
        medians[way]["wall_spread_s"] = [round(min(wall), 2), round(max(wall), 2)]
        ratios = [one / own for one, own in zip(alone, wall, strict=True)]
        medians[way]["times_one_worker"] = round(statistics.median(ratios), 2)
    facts = {
        "machine": describe_machine(),
        "photographs": PHOTOGRAPHS,
        "megapixels": EDGE**2 / 1e6,
    }
    print(json.dumps({**facts, "runs": RUNS, "medians": medians}, indent=2))


if __name__ == "__main__":
    main()
