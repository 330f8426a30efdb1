"""What the service costs over the bare engine, and how it bears a minute of 32 clients.

    python benchmarks/service.py > benchmarks/results/service.json
    python benchmarks/service.py --sizes 0.05 --runs 1 --seconds 5

Latency: a JPEG of each size by turns through `denoise_file` in this process (the road of the
command, its engine open and warm) and through `POST /api/v1/denoise` of a running server: the
medians of their wall times, and what the service adds. Also the pure `denoise_pixels`, without
reading and writing.

Load: 32 clients send a small photograph again and again. Every answer is compared with the
first. Resident memory of the server and its two workers is read every second; a process that
leaks grows from the second quarter of the time to the last.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from invdn.engines import open_engine
from invdn.evaluation.machine import describe_machine
from invdn.inference import DenoiseOptions, FileOptions, denoise_file, denoise_pixels
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo

CLIENTS = 32
USUAL = DenoiseOptions(strength="auto")  # as the command and the service


def main() -> None:
    """Measure both and print them as JSON; progress goes to standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=float, nargs="*", default=[0.25, 2, 12], help="megapixels")
    parser.add_argument("--runs", type=int, default=3, help="of each size")
    parser.add_argument("--seconds", type=float, default=60, help="of load")
    parser.add_argument("--side", type=int, default=64, help="of the photograph of the load")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, served(Path(name)) as server:
        folder, (address, pid) = Path(name), server
        result = {
            "machine": describe_machine(),
            "latency": [latency(address, folder, size, options.runs) for size in options.sizes],
            "load": load(address, pid, folder, options.seconds, options.side),
        }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, int]]:
    """A server for the time of the block: its address and process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "invdn", "serve", "--port", "0", "--device", "cpu"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout  # noqa: S101 - it is a pipe
        yield process.stdout.readline().strip(), process.pid
    finally:
        process.terminate()
        process.wait()


def photograph(folder: Path, width: int, height: int) -> Path:
    """A noisy JPEG of this size."""
    piece = camera_noise(demo_photo(512), seed=1)
    repeats = (-(-height // 512), -(-width // 512), 1)
    path = folder / f"{width}x{height}.jpg"
    pixels = np.ascontiguousarray(np.tile(piece, repeats)[:height, :width])
    write_photo(Photo(pixels), path)
    return path


def latency(address: str, folder: Path, megapixels: float, runs: int) -> dict[str, Any]:
    """Seconds of each road for one size, interleaved."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    source = photograph(folder, width, height)
    target = folder / "clean.jpg"
    engine = open_engine("default", "cpu")
    pixels = read_photo(source).pixels
    denoise_pixels(engine, pixels[:64, :64])
    seconds: dict[str, list[float]] = {"engine": [], "file": [], "service": []}
    with httpx.Client(timeout=3600) as client:
        for run in range(runs):
            start = time.perf_counter()
            denoise_pixels(engine, pixels, USUAL)
            engine_end = time.perf_counter()
            denoise_file(engine, source, target, USUAL, FileOptions(overwrite=True))
            file_end = time.perf_counter()
            answer = client.post(f"{address}api/v1/denoise", content=source.read_bytes())
            service_end = time.perf_counter()
            if answer.content != target.read_bytes():
                raise SystemExit(f"the service gave another file: {answer.status_code}")
            seconds["engine"].append(engine_end - start)
            seconds["file"].append(file_end - engine_end)
            seconds["service"].append(service_end - file_end)
            print(f"{megapixels:g} megapixels, run {run + 1} of {runs}", file=sys.stderr)
    medians = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    added = round(medians["service"] - medians["file"], 3)
    return {
        "megapixels": round(width * height / 1e6, 3),
        "seconds": medians,
        "added_to_file": added,
        "added_to_file_percent": round(100 * added / medians["file"], 1),
        "added_to_engine": round(medians["service"] - medians["engine"], 3),
    }


def load(address: str, pid: int, folder: Path, seconds: float, side: int) -> dict[str, Any]:
    """Every client asks once, and again as soon as it has its answer."""
    body = photograph(folder, side, side).read_bytes()
    url = f"{address}api/v1/denoise"
    expected = httpx.post(url, content=body, timeout=60).content
    statuses: Counter[str] = Counter()
    times: list[float] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        with httpx.Client(timeout=120) as client:
            start = 0.0
            while not start or time.monotonic() < end:
                start = time.monotonic()
                try:
                    answer = client.post(url, content=body)
                except httpx.HTTPError as error:
                    statuses[type(error).__name__] += 1
                    continue
                right = answer.status_code != 200 or answer.content == expected
                statuses[str(answer.status_code) if right else "wrong pixels"] += 1
                times.append(time.monotonic() - start)

    clients = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    curve = []
    while any(client.is_alive() for client in clients):
        curve.append(memory(pid))
        print(f"{len(times)} answers, {curve[-1]} MiB", file=sys.stderr)
        time.sleep(1)
    quarter = max(1, len(curve) // 4)
    return {
        "clients": CLIENTS,
        "seconds": seconds,
        "photograph": f"{side}x{side} JPEG",
        "answers": dict(statuses),
        "failures": sum(count for status, count in statuses.items() if status != "200"),
        "per_second": round(len(times) / seconds, 1),
        "latency_seconds": {
            "median": round(statistics.median(times), 3),
            "p95": round(sorted(times)[int(len(times) * 0.95)], 3),
            "longest": round(max(times), 3),
        },
        "memory_mib": {
            "peak": max(curve),
            "second_quarter": max(curve[quarter : 2 * quarter] or curve),
            "last_quarter": max(curve[-quarter:]),
            "curve": curve,
        },
    }


def memory(pid: int) -> float:
    """MiB resident in a process and its children."""
    children = [
        child
        for thread in Path(f"/proc/{pid}/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]
    pages = [int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in (pid, *children)]
    return round(sum(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


if __name__ == "__main__":
    main()
