"""Peak memory of reading and writing a photograph, without the network, by format.

    python benchmarks/photo_memory.py [--megapixels 25 100] > benchmarks/results/photo-memory.json

Every case runs in a process of its own: the peak of the process (ru_maxrss), less that of a tiny
photograph of the same format, and less the decoded rows, is what reading and writing cost.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from invdn.evaluation.machine import describe_machine
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo

CASES = {
    "JPEG, 8 bits": (".jpg", "uint8"),
    "PNG, 8 bits": (".png", "uint8"),
    "PNG, 16 bits": (".png", "uint16"),
    "TIFF, 8 bits": (".tif", "uint8"),
    "TIFF, 16 bits": (".tif", "uint16"),
    "TIFF, float": (".tif", "float32"),
    "WebP, 8 bits": (".webp", "uint8"),
    "AVIF, 8 bits": (".avif", "uint8"),
}
MOST_AVIF = 12  # megapixels; the encoder takes minutes
SMALL = 0.01  # megapixels; what the process needs anyway


def photograph(megapixels: float, kind: str) -> Photo:
    """Noise over a ramp, 4 by 3; one square of it repeated, so that it is quickly made."""
    height, width = (round((megapixels * 1e6 * share) ** 0.5) for share in (3 / 4, 4 / 3))
    square = np.linspace(0.1, 0.8, 256)[:, None, None] + np.random.default_rng(0).normal(
        0, 0.02, (256, 256, 3)
    )
    top = {"uint8": 255, "uint16": 65535, "float32": 1}[kind]
    scaled = (square * top).astype(kind)
    pixels = np.empty((height, width, 3), kind)
    for row in range(0, height, 256):
        for column in range(0, width, 256):
            part = pixels[row : row + 256, column : column + 256]
            part[:] = scaled[: part.shape[0], : part.shape[1]]
    return Photo(pixels)


def read_and_write(source: Path) -> dict[str, float]:
    """In a process of its own: what it cost."""
    start = time.process_time()
    photo = read_photo(source)
    write_photo(photo, source.with_stem("copy"))
    scale = 1024 if sys.platform != "darwin" else 1  # ru_maxrss is in kilobytes but for macOS
    return {
        "rows": photo.pixels.nbytes,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale,
        "cpu_seconds": time.process_time() - start,
    }


def measured(suffix: str, kind: str, megapixels: float) -> dict[str, float]:
    """One case: the file is made in one process, read and written in another."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"source{suffix}"
        for arguments in (["--make", str(source), kind, str(megapixels)], ["--one", str(source)]):
            done = subprocess.run(
                [sys.executable, __file__, *arguments], capture_output=True, text=True, check=True
            )
        result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Measure all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, nargs="+", default=[12, 100])
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(read_and_write(chosen.one)))
        return
    if chosen.make:
        path, kind, megapixels = chosen.make
        write_photo(photograph(float(megapixels), kind), path)
        return
    lines = []
    for name, (suffix, kind) in CASES.items():
        floor = measured(suffix, kind, SMALL)["peak"]
        for megapixels in chosen.megapixels:
            if suffix == ".avif" and megapixels > MOST_AVIF:
                continue
            found = measured(suffix, kind, megapixels)
            beyond = found["peak"] - floor - found["rows"]
            lines.append({"photograph": name, "megapixels": megapixels, "beyond": beyond, **found})
            print(lines[-1], file=sys.stderr)
    print(json.dumps({"machine": describe_machine(), "cases": lines}, indent=1))


if __name__ == "__main__":
    main()
