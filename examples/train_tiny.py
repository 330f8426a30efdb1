"""Train for a few seconds from a changed recipe, and denoise with the result.

pip install 'invdn[train]'
python examples/train_tiny.py
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image


def draw_pairs(folder: Path) -> None:
    """Write three pairs of 64x64: smooth pictures, and these with noise."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :64] / 20
    for kind in ("Noisy", "GT"):
        (folder / kind).mkdir(parents=True)
    for number in range(3):
        waves = [np.sin(rows * (2 + number) + columns * c + c) for c in (1, 2, 3)]
        clean = 0.5 + 0.4 * np.stack(waves, axis=2)
        noisy = clean + random.normal(0, 0.08, clean.shape)
        for kind, image in (("GT", clean), ("Noisy", noisy)):
            pixels = np.round(image.clip(0, 1) * 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")


def main() -> None:
    """Train 30 steps of the recipe ``smoke`` on drawn pairs."""
    folder = Path(tempfile.mkdtemp())
    draw_pairs(folder / "pairs")
    settings = {
        "data.root": str(folder),
        "data.pairs": ["pairs"],
        "data.clean": ["pairs/GT"],
        "validation.pairs": ["pairs"],
        "validation.photographs": ["2"],
        "validation.crop": 32,
        "validation.every": 30,
        "phases.0.steps": 30,
        "phases.0.crop": 32,
        "phases.0.decay": 10,
        "log.every": 10,
        "log.checkpoint_every": 30,
        "hardware.device": "cpu",
    }
    command = [sys.executable, "-m", "invdn", "train", "smoke", "-o", str(folder / "run")]
    for key, value in settings.items():
        command += ["--set", f"{key}={json.dumps(value)}"]
    subprocess.run(command, check=True)
    weights = folder / "run" / "weights-ema.safetensors"
    noisy, clean = folder / "pairs" / "Noisy" / "0.png", folder / "clean.png"
    denoise = [sys.executable, "-m", "invdn", "denoise", "--model", weights, "-o", clean, noisy]
    subprocess.run(list(map(str, denoise)), check=True)
    print((folder / "run" / "train.csv").read_text())


if __name__ == "__main__":
    main()
