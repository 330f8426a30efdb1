"""Crops per second of one loader worker, by storage of the pairs.

Makes a data set of patches from real pairs (``invdn data sidd``'s layout), packs it, writes it as
an LMDB of the official code, and reads random crops from each, turn about. Told are the medians,
the least and the largest, and the ratio to the slowest.

    python benchmarks/loader.py > benchmarks/results/loader.json
    python benchmarks/loader.py FOLDER --crop 96
"""

import argparse
import json
import pickle
import statistics
import tempfile
import time
from pathlib import Path

import lmdb
import numpy as np
from torch.utils.data import DataLoader

from invdn.data.crops import CropDataset, CropOptions, StepSampler
from invdn.data.images import ImageSource
from invdn.data.pack import write_pack
from invdn.data.sources import PairSource, open_pairs
from invdn.evaluation.machine import describe_machine

PAIRS = Path(__file__).parents[2] / "shared" / "data" / "sidd-mini-train-a"


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path, nargs="?", default=PAIRS, help="with Noisy/ and GT/")
    parser.add_argument("--crop", type=int, default=144)
    parser.add_argument("--batch", type=int, default=14)
    parser.add_argument("--seconds", type=float, default=5, help="for each storage and round")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        source = open_pairs(options.pairs)
        planes = {"noisy": source.noisy, "clean": source.clean}
        write_pack(Path(folder) / "pack", planes)
        write_lmdb(Path(folder) / "lmdb" / "Noisy.lmdb", source.noisy)
        write_lmdb(Path(folder) / "lmdb" / "GT.lmdb", source.clean)
        storages = {
            "PNG patches": PairSource(source.noisy, source.clean),
            "LMDB of the official code": open_pairs(Path(folder) / "lmdb"),
            "packed": open_pairs(Path(folder) / "pack"),
        }
        found: dict[str, list[float]] = {name: [] for name in storages}
        for _ in range(options.repeats):
            for name, pairs in storages.items():
                rate = crops_per_second(pairs, options.crop, options.batch, options.seconds)
                found[name].append(rate)
    rates = {name: statistics.median(each) for name, each in found.items()}
    slowest = min(rates.values())
    result = {
        "machine": describe_machine(),
        "crop": options.crop,
        "crops_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "spread": {name: [round(f(each), 1) for f in (min, max)] for name, each in found.items()},
        "times_the_slowest": {name: round(rate / slowest, 1) for name, rate in rates.items()},
    }
    print(json.dumps(result, indent=1))


def crops_per_second(pairs: PairSource, crop: int, batch: int, seconds: float) -> float:
    """Pairs of crops that one worker process delivers as batches, after the first one."""
    dataset = CropDataset([pairs], [], CropOptions(crop, seed=0), 1 << 40)
    loader = DataLoader(dataset, batch_sampler=StepSampler(0, 1 << 30, batch), num_workers=1)
    batches = iter(loader)
    next(batches)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        next(batches)
        count += batch
    return count / (time.perf_counter() - start)


def write_lmdb(folder: Path, images: ImageSource) -> None:
    """One database as the official code writes it."""
    folder.mkdir(parents=True)
    size = int(images.sizes.prod(axis=1).sum()) * 6
    with lmdb.open(str(folder), map_size=size) as database, database.begin(write=True) as writing:
        for index, (height, width) in enumerate(images.sizes.tolist()):
            pixels = images.crop(index, 0, 0, height, width)
            writing.put(str(index).encode(), np.ascontiguousarray(pixels[:, :, ::-1]).tobytes())
    meta = {
        "keys": [str(index) for index in range(len(images.names))],
        "resolution": [f"3_{height}_{width}" for height, width in images.sizes.tolist()],
    }
    (folder / "meta_info.pkl").write_bytes(pickle.dumps(meta))


if __name__ == "__main__":
    main()
