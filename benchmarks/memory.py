r"""Peak memory: of a tile, by engine, and of whole photographs up to 100 megapixels, file to file.

    python benchmarks/memory.py > benchmarks/results/memory.json
    python benchmarks/memory.py --windows= --engine native --formats jpg \
        --megapixels 1,6,12,24,100 > benchmarks/results/memory-native.json

Every measurement is a process of its own; its peak is the largest resident memory. The
first table denoises one window of every size with the real engines; its slope is what an engine
says as ``bytes_per_pixel``. The second takes photographs through ``denoise_file``. There the
network would need hours for the largest, so by default a stand-in computes nothing but touches as
much memory for a window as the ONNX Runtime engine; ``--engine`` takes a real one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from invdn.architecture import Architecture
from invdn.engines import open_engine
from invdn.engines.onnx_runtime import OnnxRuntimeEngine
from invdn.evaluation.machine import describe_machine
from invdn.evaluation.profiling import peak_memory
from invdn.inference import DenoiseOptions, FileOptions, denoise_file, denoise_pixels
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

WINDOWS = (64, 128, 192, 256, 320, 384, 448, 512, 576, 640)
MEGAPIXELS = (1, 3, 6, 12, 25, 50, 100)
KINDS = {"uint8": "jpg", "uint16": "tif"}


class StandIn:
    """An engine that gives the picture back, and touches the memory that a real one would."""

    architecture = Architecture()
    description = "stand-in"
    process_bytes = OnnxRuntimeEngine.process_bytes
    bytes_per_pixel = OnnxRuntimeEngine.bytes_per_pixel

    def encode(self, noisy):
        touched = np.ones(noisy[0, 0].size * self.bytes_per_pixel, np.uint8)
        return np.ascontiguousarray(noisy[..., ::4, ::4]) * touched[-1]

    def decode(self, low, latent):
        return low.repeat(4, axis=2).repeat(4, axis=3)


def peak_mb() -> float:
    return peak_memory() / 1e6


def window(runtime: str, side: int) -> dict[str, float]:
    engine = open_engine(device="cpu", backend=runtime)
    opened = peak_mb()
    if side:
        pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), np.uint8)
        denoise_pixels(engine, pixels, DenoiseOptions(tile_size=0, strength="auto", detail=0.5))
    return {"opened_mb": round(opened), "peak_mb": round(peak_mb())}


def draw(path: str, megapixels: float, kind: str) -> None:
    """A photograph of 3:2 with noise, made of one piece so that drawing takes no time."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    width = round(megapixels * 1e6 / height)
    piece = np.random.default_rng(0).normal(110, 12, (500, 500, 3)).clip(0, 255).astype(np.uint8)
    pixels = np.tile(piece, (-(-height // 500), -(-width // 500), 1))[:height, :width]
    stored = np.ascontiguousarray(pixels) if kind == "uint8" else pixels.astype(np.uint16) * 257
    write_photo(Photo(stored), path)


def photograph(runtime: str, path: str, max_memory: str) -> dict[str, float]:
    engine = StandIn() if runtime == "stand-in" else open_engine(device="cpu", backend=runtime)
    source = Path(path)
    options = DenoiseOptions(strength="auto", max_memory=int(max_memory) or None)
    result = denoise_file(
        engine, source, source.with_stem("clean"), options, FileOptions(overwrite=True)
    )
    decoded = result.width * result.height * 3 * np.dtype(result.depth).itemsize / 1e6
    return {
        "megapixels": round(result.width * result.height / 1e6, 2),
        "depth": result.depth,
        "decoded_mb": round(decoded),
        "seconds": round(result.seconds, 1),
        "peak_mb": round(peak_mb()),
        "beyond_decoded_mb": round(peak_mb() - decoded),
    }


def fresh(*arguments: object) -> dict[str, float]:
    """The result of one step in a new process."""
    command = [sys.executable, __file__, "--step", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout or "{}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument(
        "--engine", default="stand-in", help="stand-in, native, onnxruntime or torch"
    )
    parser.add_argument("--megapixels", default=",".join(map(str, MEGAPIXELS)))
    parser.add_argument("--formats", default=",".join(KINDS.values()))
    parser.add_argument("--windows", default=",".join(map(str, WINDOWS)))
    parser.add_argument("--max-memory", type=int, default=0, help="bytes, as denoise takes them")
    chosen = parser.parse_args()
    if chosen.step:
        name, *values = chosen.step
        if name == "window":
            json.dump(window(values[0], int(values[1])), sys.stdout)
        elif name == "draw":
            draw(values[0], float(values[1]), values[2])
        else:
            json.dump(photograph(*values), sys.stdout)
        return
    windows, photographs = [], []
    for runtime in ("onnxruntime", "torch"):
        for side in [int(side) for side in chosen.windows.split(",") if side]:
            found = fresh("window", runtime, side)
            bytes_each = (found["peak_mb"] - found["opened_mb"]) * 1e6 / side**2
            row = {"engine": runtime, "side": side, **found, "bytes_per_pixel": round(bytes_each)}
            windows.append(row)
            print(row, file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        for kind, suffix in KINDS.items():
            if suffix not in chosen.formats.split(","):
                continue
            for megapixels in [float(size) for size in chosen.megapixels.split(",") if size]:
                path = Path(folder, f"noisy.{suffix}")
                path.unlink(missing_ok=True)
                fresh("draw", path, megapixels, kind)
                row = fresh("photograph", chosen.engine, path, chosen.max_memory)
                photographs.append({"format": suffix, **row})
                print(photographs[-1], file=sys.stderr)
    result = {
        "machine": describe_machine(),
        "engine_of_photographs": chosen.engine,
        "max_memory": chosen.max_memory or None,
        "windows": windows,
        "photographs": photographs,
    }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
