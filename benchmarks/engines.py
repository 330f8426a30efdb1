"""The CPU engines side by side: time, share of the processor's rate, exactness, memory.

    python benchmarks/engines.py [--sizes 256 512 1024] [--threads 1 2] [--repeats 9] \
        > benchmarks/results/engines.json
    python benchmarks/engines.py --memory > benchmarks/results/engines-memory.json

A photograph is encoded and decoded by one engine after the other, over and over, so that whatever
else the machine does meets them all. Told are the median of each, the quartiles, the ratio to plain
eager torch within the same rounds, and how many multiply-adds of a direct convolution it does for
each that the processor could do, whose rate is measured in every round as well. Winograd's
convolutions need fewer, so they may pass 100 %.

`--memory` runs every case in a process of its own and tells the largest resident memory above that
of an engine without work. Rows are pushed until the pipeline is full: from there on the memory does
not grow with the height of the photograph.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from invdn.engines import _native
from invdn.engines.factory import PUBLISHED_GRAPHS
from invdn.engines.native_engine import NativeEngine
from invdn.engines.onnx_runtime import OnnxRuntimeEngine
from invdn.evaluation.machine import describe_machine
from invdn.inference.engine import Array, Engine
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.weights import read_parameters

#: Multiply-adds of direct convolutions for a pixel and pass. From: the published architecture.
MULTIPLY_ADDS = 363_000
PIECE = 128


def engines(threads: int) -> dict[str, Engine]:
    """Every engine that there is, for so many threads; torch eager and plain is the measure."""
    import torch

    from invdn.engines.torch_engine import TorchEngine
    from invdn.weights.network import build_network

    torch.set_num_threads(threads)
    parameters = read_parameters("default")
    return {
        "torch": TorchEngine(build_network(parameters)),
        "onnxruntime": OnnxRuntimeEngine(PUBLISHED_GRAPHS, parameters, threads=threads),
        **{
            f"native {name}": NativeEngine(parameters, threads=threads, instructions=name)
            for name in _native.instruction_sets()
            if name != "plain"
        },
    }


def photograph(size: int) -> tuple[Array, Array]:
    noisy = camera_noise(demo_photo(size)).astype(np.float32) / 255
    latent = np.random.default_rng(0).standard_normal((1, 45, size // 4, size // 4), np.float32)
    return np.ascontiguousarray(noisy.transpose(2, 0, 1))[None], latent


def seconds(act: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    act()
    return clock() - start


def compare(size: int, threads: int, repeats: int, clock: Callable[[], float]) -> dict[str, object]:
    """One row of the table for each engine."""
    noisy, latent = photograph(size)
    running = engines(threads)
    low = running["torch"].encode(noisy)
    expected = running["torch"].decode(low, latent)
    apart = {
        name: float(np.abs(engine.decode(low, latent) - expected).max())
        for name, engine in running.items()
    }
    times: dict[str, list[float]] = {name: [] for name in running}
    rates = []
    for _ in range(repeats):
        start, wall = clock(), time.perf_counter()
        rate = _native.multiply_add_rate("auto", 0.1)
        rates.append(rate * (time.perf_counter() - wall) / (clock() - start))
        for name, engine in running.items():
            times[name].append(
                seconds(lambda engine=engine: engine.decode(engine.encode(noisy), latent), clock)
            )
    rate = statistics.median(rates) * threads
    work = 2 * MULTIPLY_ADDS * 2 * size * size
    rows = {}
    for name, taken in times.items():
        ratios = [reference / own for reference, own in zip(times["torch"], taken, strict=True)]
        low_quartile, median, high_quartile = statistics.quantiles(taken, n=4)
        rows[name] = {
            "seconds": round(median, 4),
            "quartiles": [round(low_quartile, 4), round(high_quartile, 4)],
            "times_torch": round(statistics.median(ratios), 2),
            "share_of_rate": round(work / median / rate, 3),
            "largest_difference": apart[name],
        }
        print(size, threads, name, rows[name], file=sys.stderr)
    return {"size": size, "threads": threads, "gflops": round(rate / 1e9, 1), "engines": rows}


def memory() -> list[dict[str, object]]:
    """Largest resident memory of rows by width and height, each in a process of its own."""
    cases = [(512, 512), (1024, 1024), (1024, 4096), (4000, 1536), (4000, 3072), (12000, 1536)]
    idle = _peak(0, 0)
    rows = []
    for width, height in cases:
        peak = _peak(width, height) - idle
        rows.append({"width": width, "height": height, "bytes": peak})
        rows[-1]["bytes_for_a_column"] = round(peak / width)
        rows[-1]["bytes_for_a_pixel"] = round(peak / (width * height), 1)
        print(rows[-1], file=sys.stderr)
    return [{"idle_bytes": idle}, *rows]


def _peak(width: int, height: int) -> int:
    done = subprocess.run(
        [sys.executable, __file__, "--rows", str(width), str(height)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)


def push_rows(width: int, height: int) -> int:
    """Denoises so many rows of noise and returns the largest resident memory in bytes."""
    import resource

    engine = NativeEngine(read_parameters("default"), threads=1)
    if width * height:
        whole = width * height <= 1 << 20
        piece = height if whole else PIECE
        encoder = engine.encode_rows(height, width, piece)
        decoder = engine.decode_rows(height, width, 1, piece // 4)
        generator = np.random.default_rng(0)
        for _ in range(0, height, piece):
            low = encoder.push(generator.random((3, piece, width), np.float32))
            for start in range(0, low.shape[1], piece // 4):
                part = low[:, start : start + piece // 4]
                latent = generator.standard_normal((1, 45, *part.shape[1:]), np.float32)
                decoder.push(part, latent)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument(
        "--cpu-time", action="store_true", help="seconds of the processor: for a busy machine"
    )
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--rows", type=int, nargs=2, metavar=("WIDTH", "HEIGHT"))
    options = parser.parse_args()
    if options.rows:
        sys.stdout.write(str(push_rows(*options.rows)))
        return
    if options.memory:
        result: dict[str, object] = {"machine": describe_machine(), "memory": memory()}
    else:
        clock = time.process_time if options.cpu_time else time.perf_counter
        available = os.cpu_count() or 1
        result = {
            "machine": describe_machine(),
            "clock": clock.__name__,
            "module_bytes": Path(_native.__file__).stat().st_size,
            "cases": [
                compare(size, threads, options.repeats, clock)
                for threads in options.threads
                if threads <= available
                for size in options.sizes
            ],
        }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
