"""The noise estimator against noise that is known, and the warning on photographs of every kind.

    python benchmarks/noise_level.py ../shared/data > benchmarks/results/noise-level.json

The true level is the spread of ``noisy - clean`` over the colours. Synthetic noise is that of
`invdn.data.noise` and white Gaussian noise, on squares of clean photographs, 512 pixels at most.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from invdn.data.camera import DSLR, PHONE, sample_cameras
from invdn.data.noise import add_camera_noise
from invdn.image.dtype import from_float, to_float
from invdn.image.noise_estimation import estimate_noise
from invdn.inference import training_range_warning
from invdn.photo.read import read_photo

EVERY = 58  # of the clean photographs


def cases(data: Path):
    """(set, noisy pixels, clean pixels or None)."""
    folder = data / "sidd-mini-val"
    for path in sorted((folder / "Noisy").iterdir()):
        yield "SIDD validation", *(read_photo(p).pixels for p in (path, folder / "GT" / path.name))
    for path in sorted((data / "real-noisy").iterdir()):
        yield "real, no reference", read_photo(path).pixels, None
    for path in sorted((data / "clean").iterdir())[::6]:
        yield "clean", read_photo(path).pixels, None
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    cameras = {f"phone ISO {iso}": PHONE.at_iso(iso) for iso in (100, 400, 1600)}
    exposed = replace(DSLR, exposure=(1.0, 1.0))
    cameras |= {f"DSLR ISO {iso}": exposed.at_iso(iso) for iso in (400, 3200, 12800)}
    for path in sorted((data / "clean").iterdir())[::EVERY]:
        clean = read_photo(path).pixels[:512, :512]
        batch = torch.from_numpy(to_float(clean).transpose(2, 0, 1).copy())[None]
        for name, camera in cameras.items():
            pair = add_camera_noise(batch, sample_cameras(1, generator, camera), generator)
            yield name, *(side[0].permute(1, 2, 0).numpy().copy() for side in pair)
        for level in (5, 15, 25):
            noisy = to_float(clean) + rng.normal(0, level / 255, clean.shape)
            yield f"Gaussian {level}", from_float(noisy, np.uint8), clean


def kind(noise) -> str:
    warning = training_range_warning(noise) or "none"
    return next(
        w
        for w in ("almost clean", "unlike a camera", "stronger", "none")
        if w.split()[0] in warning
    )


def main(data: Path) -> None:
    torch.set_num_threads(1)
    found, seconds, pixels = {}, 0.0, 0
    for name, noisy, clean in cases(data):
        start = time.process_time()
        noise = estimate_noise(noisy)
        seconds, pixels = seconds + time.process_time() - start, pixels + noisy[..., 0].size
        row = found.setdefault(name, {"true": [], "estimate": [], "correlation": [], "warning": []})
        row["estimate"].append(noise.level)
        row["correlation"].append(noise.correlation)
        row["warning"].append(kind(noise))
        if clean is not None:
            residual = to_float(noisy) - to_float(clean)
            row["true"].append(float(255 * np.sqrt(residual.var(axis=(0, 1)).mean())))
    sets = {}
    for name, row in found.items():
        estimate, true = np.array(row["estimate"]), np.array(row["true"])
        sets[name] = {
            "photographs": len(estimate),
            "estimate": np.quantile(estimate, (0.1, 0.5, 0.9)).round(2).tolist(),
            "true": np.quantile(true, (0.1, 0.5, 0.9)).round(2).tolist() if len(true) else None,
            "ratio": np.quantile(estimate / true, (0.1, 0.5, 0.9)).round(3).tolist()
            if len(true)
            else None,
            "correlation": np.quantile(row["correlation"], (0.1, 0.5, 0.9)).round(3).tolist(),
            "warnings": {word: row["warning"].count(word) for word in sorted(set(row["warning"]))},
        }
        print(name, sets[name], file=sys.stderr)
    result = {"cpu_seconds_per_megapixel": round(seconds / pixels * 1e6, 4), "sets": sets}
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
