"""What adapting to a camera gains: on one half of its photographs, measured on the other.

    python benchmarks/adaptation.py ../shared/data/polyu-full benchmarks/results/adaptation.json

Every camera twice, the halves exchanged; a camera with one photograph by its upper and lower half.
Crops of 320 pixels from the other half are measured at full and at half size, at strength 1.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from uncertainty import half_size, load

from invdn.network import DenoisingModule, InvDN
from invdn.training.adaptation import adapt, read_shoot
from invdn.weights.network import load_network

SIDE, CROPS = 320, 3


def halves(names: list[str], folder: Path, scratch: Path) -> list[tuple[list[Path], list[Path]]]:
    """Noisy photographs to adapt to, and those to measure on."""
    if len(names) > 1:
        middle = len(names) // 2
        parts = [[folder / "Noisy" / n for n in part] for part in (names[:middle], names[middle:])]
    else:
        parts = []
        for place in (0, 1):
            for side in ("Noisy", "GT"):
                pixels = load(folder / side / names[0])
                rows = len(pixels) // 2
                path = scratch / str(place) / side / Path(names[0]).with_suffix(".png")
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels[place * rows : (place + 1) * rows]).save(path)
            parts.append([scratch / str(place) / "Noisy" / path.name])
    return [(parts[0], parts[1]), (parts[1], parts[0])]


def crops(paths: list[Path]) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Noisy and clean crops, at full and at half size."""
    pairs = []
    for path in paths:
        noisy, clean = (load(path.parents[1] / side / path.name) for side in ("Noisy", "GT"))
        random = np.random.default_rng(7)
        for _ in range(CROPS):
            top, left = (int(random.integers(size - SIDE + 1)) for size in noisy.shape[:2])
            part = (slice(top, top + SIDE), slice(left, left + SIDE))
            pairs.append((noisy[part], clean[part]))
    return pairs


@torch.inference_mode()
def scores(network: InvDN, pairs: list[Any]) -> NDArray[np.float64]:
    """Mean PSNR at full and at half size."""
    module, found = DenoisingModule(network), []
    for noisy, clean in pairs:
        image = torch.from_numpy(noisy).permute(2, 0, 1)[None].float() / 255
        result = module(image)[0].clamp(0, 1).permute(1, 2, 0).numpy()
        result = np.rint(255 * result).astype(np.uint8)
        sides = ((result, clean), (half_size(result), half_size(clean)))
        found.append([_psnr(*pair) for pair in sides])
    return np.array(found)


def _psnr(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(-10 * np.log10(np.square((a.astype(float) - b) / 255).mean()))


def main() -> None:
    """Measure every camera, and write a table of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--only", help="One camera: the beginning of its files' names.")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cameras: dict[str, list[str]] = {}
    for path in sorted((chosen.folder / "Noisy").iterdir()):
        cameras.setdefault(path.name.replace("Nikon_", "Nikon").split("_")[0], []).append(path.name)
    network, rows = load_network("default"), []
    if chosen.target.exists():
        rows = json.loads(chosen.target.read_text())["rows"]
    for camera, names in cameras.items():
        if chosen.only and not camera.startswith(chosen.only):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            for mine, others in halves(names, chosen.folder, Path(scratch)):
                start = time.process_time()
                found = adapt(network, read_shoot(mine), steps=chosen.steps)
                pairs = crops(others)
                change = scores(found.network, pairs) - scores(network, pairs)
                row = {
                    "camera": camera,
                    "adapted to": [path.name for path in mine],
                    "measured on": [path.name for path in others],
                    "told gain": round(found.gain, 3),
                    "share": found.share,
                    "gain": round(float(change[:, 0].mean()), 3),
                    "gain at half size": round(float(change[:, 1].mean()), 3),
                    "least": round(float(change.min()), 3),
                    "processor seconds": round(time.process_time() - start),
                }
                rows.append(row)
                print(row, flush=True)
    means = [
        np.mean([r[key] for r in rows if r["camera"] == camera])
        for key in ("gain", "gain at half size")
        for camera in {r["camera"] for r in rows}
    ]
    half = len(means) // 2
    facts = {
        "steps": chosen.steps,
        "mean over cameras": [round(float(np.mean(m)), 3) for m in (means[:half], means[half:])],
        "rows": rows,
    }
    chosen.target.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
