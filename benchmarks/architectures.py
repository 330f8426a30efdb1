"""Time of networks of other sizes in the native engine, against the published one.

    python benchmarks/architectures.py > benchmarks/results/architectures.json
    python benchmarks/architectures.py --sizes 48:8,8 32:2,6 --repeats 9

One picture through encoder and decoder, one thread by default, all networks turn about, so that a
disturbance hits all alike; medians of the ratio to the published network in the same round.
Parameters are random: time does not depend on them.
"""

import argparse
import json
import statistics
import sys
import time

import numpy as np
import torch

from invdn.architecture import Architecture
from invdn.engines.native_engine import NativeEngine
from invdn.evaluation.machine import describe_machine
from invdn.network import InvDN
from invdn.weights.network import parameters_of

PUBLISHED = "64:8,8"
SIZES = (
    "64:4,8", "64:2,8", "64:1,8", "64:4,4", "64:2,4", "64:1,6", "64:1,4",
    "48:8,8", "48:4,8", "48:2,8", "48:2,6", "48:1,8", "48:2,4", "48:1,4",
    "32:8,8", "32:4,8", "32:4,6", "32:2,8", "32:2,4", "24:8,8", "24:4,8",
)  # fmt: skip


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=SIZES, metavar="FEATURES:BLOCKS,BLOCKS")
    parser.add_argument("--side", type=int, default=512, help="of the picture, in pixels")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--wall", action="store_true", help="wall-clock time, on a quiet machine")
    options = parser.parse_args()
    clock = time.perf_counter if options.wall else time.process_time
    random = np.random.default_rng(0)
    noisy = random.random((1, 3, options.side, options.side), np.float32)
    latent = random.standard_normal((1, 45, options.side // 4, options.side // 4), np.float32)

    torch.manual_seed(0)
    engines, sizes = {}, {}
    for name in (PUBLISHED, *(size for size in options.sizes if size != PUBLISHED)):
        features, _, blocks = name.partition(":")
        network = InvDN(Architecture(tuple(map(int, blocks.split(","))), int(features)))
        engines[name] = NativeEngine(parameters_of(network, {}), threads=options.threads)
        sizes[name] = sum(parameter.numel() for parameter in network.parameters())
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for repeat in range(options.repeats + 1):  # the first round warms up
        for name, engine in engines.items():
            start = clock()
            engine.decode(engine.encode(noisy), latent)
            if repeat:
                seconds[name].append(clock() - start)
        print(f"{repeat} of {options.repeats}", file=sys.stderr)
    rows = []
    for name, taken in seconds.items():
        speed = [own / other for own, other in zip(seconds[PUBLISHED], taken, strict=True)]
        rows.append(
            {
                "size": name,
                "parameters": sizes[name],
                "seconds": round(statistics.median(taken), 4),
                "times_as_fast": round(statistics.median(speed), 2),
                "spread": [round(min(speed), 2), round(max(speed), 2)],
            }
        )
    machine = {**describe_machine(), "threads": options.threads, "clock": clock.__name__}
    print(json.dumps({"machine": machine, "side": options.side, "networks": rows}, indent=1))


if __name__ == "__main__":
    main()
