"""Measure the automatic strength of an earlier commit on what `benchmarks/strength.py` predicted.

    git clone -n . OLD && git -C OLD checkout 7cf31f2 -- src
    PYTHONPATH=OLD/src python benchmarks/strength_before.py ../shared/data \\
        PREDICTIONS/WEIGHTS peers.json

Of commit 7cf31f2, the sixth edition's, whose rule looked at squares of 8x8 pixels alone: so both
rules have the same results of the network, and the same whole photographs for their estimate of the
noise. "old auto" is added to the file of `benchmarks/strength_peers.py`.
"""

import argparse
import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def whole(data: Path, title: str, name: str) -> Path | None:
    """The photograph that a crop was cut from."""
    if title.startswith("polyu"):
        return next((data / "polyu-full" / "Noisy").glob(f"{name.rpartition('_')[0]}.*"))
    if title == "clean":
        return next((data / "clean").glob(f"{name.partition('_')[2]}.*"))
    return None


@cache
def estimate(path: Path, halves: bool) -> Any:
    """The earlier estimate of a photograph's noise."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    if halves:
        rows, columns = (side // 2 for side in pixels.shape[:2])
        squares = pixels[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 3)
        pixels = np.rint(squares.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)
    return import_module("invdn.imaging.noise_level").estimate_noise(pixels)


def psnr(result: NDArray[Any], clean: NDArray[Any]) -> float:
    """Of 8 bits; 100 for equal pictures."""
    error = np.square(np.rint(np.clip(result, 0, 1) * 255) - clean.astype(np.float64)).mean()
    return round(min(100.0, 10 * float(np.log10(255**2 / max(error, 1e-9)))), 2)


def main() -> None:
    """Write one JSON object."""
    blend = import_module("invdn.denoise.control").blend  # of the earlier commit, by PYTHONPATH
    options = import_module("invdn.denoise").DenoiseOptions()
    estimate_noise = import_module("invdn.imaging.noise_level").estimate_noise
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("target", type=Path)
    given = parser.parse_args()
    found = json.loads(given.target.read_text()) if given.target.exists() else {}
    for path in sorted(given.predictions.glob("*__*.npz")):
        if path.stem.endswith("_mended"):
            continue
        with np.load(path) as arrays:
            noisy, clean = arrays["noisy"], arrays["ref"]
            denoised = arrays["den"].astype(np.float32) / 65535
        title, _, name = path.stem.partition("__")
        photograph = whole(given.data, title, name)
        halves = title == "polyu_half"
        noise = estimate(photograph, halves) if photograph else estimate_noise(noisy)
        made = blend(noisy.astype(np.float32) / 255, denoised, options, noise)
        found.setdefault(path.stem, {})["old auto"] = psnr(made, clean)
        print(path.stem, found[path.stem], flush=True)
    given.target.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
