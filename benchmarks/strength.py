"""Measure automatic strength beside its alternatives, photograph by photograph.

    python benchmarks/strength.py ../shared/data PREDICTIONS > benchmarks/results/strength.json

Sets: the hard cases, both SIDD sets, two crops of every full camera JPEG at full and at half size,
held-out clean photographs with synthetic noise of cameras, and such photographs untouched. PSNR of
8-bit results, at most 100: the noisy picture, `auto`, strength 1, the best single strength, and,
with --nlm, non-local means (OpenCV, the best of four strengths for each picture). The network's
results are kept in the folder PREDICTIONS, so that another rule is measured without running it
again.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from noise_shares import HELD_OUT, held_out
from numpy.typing import NDArray
from PIL import Image

from invdn.data.camera import DSLR, PHONE, sample_cameras
from invdn.data.noise import add_camera_noise
from invdn.engines import open_engine
from invdn.image.noise_estimation import estimate_noise
from invdn.inference import DenoiseOptions, blend, denoise_pixels

Pixels = NDArray[np.uint8]
HARD = ("fabric", "halffabric", "stage", "stars", "sky", "hot", "banding", "blotches")
STRENGTHS = np.linspace(0, 1, 11)
NLM = (2, 4, 7, 12)


def load(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"))


def halved(pixels: Pixels) -> Pixels:
    """Means of 2x2."""
    rows, columns = (side // 2 for side in pixels.shape[:2])
    squares = pixels[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 3)
    return np.rint(squares.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)


def pairs(data: Path) -> Iterator[tuple[str, str, Pixels, Pixels]]:
    """Set, name, noisy and clean."""
    for name in HARD:
        sides = (load(data / "hard-cases" / f"{name}{end}.png") for end in ("", "_clean"))
        yield "hard", name, *sides
    for folder in ("sidd-mini-val", "sidd-val-more"):
        for path in sorted((data / folder / "Noisy").iterdir()):
            yield folder, path.stem, load(path), load(data / folder / "GT" / path.name)
    yield from crops(data / "polyu-full")
    yield from synthetic(sorted((data / "clean").iterdir()))


def crops(folder: Path) -> Iterator[tuple[str, str, Pixels, Pixels]]:
    """Of twelve random crops of 512 of each photograph those of middle and of high contrast."""
    rng = np.random.default_rng(11)
    for rank in (9, 4):
        for path in sorted((folder / "Noisy").iterdir()):
            whole = load(path), load(folder / "GT" / path.name)
            for size, sides in (("full", whole), ("half", tuple(map(halved, whole)))):
                high, wide = sides[0].shape[:2]
                places = [
                    tuple(int(rng.integers(0, side - 511)) // 8 * 8 for side in (high, wide))
                    for _ in range(12)
                ]
                windows = [np.s_[y : y + 512, x : x + 512] for y, x in places]
                windows.sort(key=lambda window: float(sides[1][window].std()))
                name = f"{path.stem}_{size}{rank}"
                yield f"polyu {size}", name, *(side[windows[rank]] for side in sides)


def synthetic(files: list[Path]) -> Iterator[tuple[str, str, Pixels, Pixels]]:
    """Held-out photographs with noise, and untouched."""
    rng, generator = np.random.default_rng(5), torch.Generator().manual_seed(3)
    rng.permutation(len(files))
    still = replace(DSLR, exposure=(1.0, 1.0))
    cameras = {f"phone{iso}": PHONE.at_iso(iso) for iso in (100, 400, 1600)}
    cameras |= {f"dslr{iso}": still.at_iso(iso) for iso in (400, 1600, 3200, 6400, 12800)}
    for number, path in enumerate(held_out(files)[0][:HELD_OUT]):
        pixels, side = load(path), 384 if number < 48 else 320
        top, left = (int(rng.integers(0, edge - side + 1)) for edge in pixels.shape[:2])
        clean = pixels[top : top + side, left : left + side]
        if number < 48:
            name = list(cameras)[number % len(cameras)]
            batch = torch.from_numpy((clean.astype(np.float32) / 255).transpose(2, 0, 1).copy())
            pair = add_camera_noise(
                batch[None], sample_cameras(1, generator, cameras[name]), generator
            )
            sides = (
                np.rint(it[0].permute(1, 2, 0).numpy() * 255).clip(0, 255).astype(np.uint8)
                for it in pair
            )
            yield "synthetic", f"{name}_{number:02d}_{path.stem}", *sides
            if number % 6 == 0:
                level = (3, 6, 10, 15, 25)[(number // 6) % 5]
                noisy = np.rint(clean + rng.normal(0, level, clean.shape)).clip(0, 255)
                name = f"white{level}_{number:02d}_{path.stem}"
                yield "synthetic", name, noisy.astype(np.uint8), clean
        if number % 2 == 0 or number >= 48:
            yield "clean", f"{number:02d}_{path.stem}", clean, clean


def psnr(result: NDArray[Any], clean: Pixels) -> float:
    """Of 8 bits; 100 for equal pictures."""
    error = np.square(np.rint(np.clip(result, 0, 1) * 255) - clean.astype(np.float64)).mean()
    return round(min(100.0, 10 * float(np.log10(255**2 / max(error, 1e-9)))), 2)


def figures(
    noisy: Pixels, denoised: NDArray[np.float32], clean: Pixels, nlm: bool
) -> dict[str, float]:
    """PSNR of every method; `auto` is the blend alone, without mending before the network."""
    before = noisy.astype(np.float32) / 255
    auto = blend(before, denoised, DenoiseOptions(), estimate_noise(noisy))
    change = denoised - before
    found = {
        "noisy": psnr(before, clean),
        "auto": psnr(auto, clean),
        "strength 1": psnr(denoised, clean),
        "best strength": max(psnr(before + s * change, clean) for s in STRENGTHS.tolist()),
    }
    if nlm:
        made = (cv2.fastNlMeansDenoisingColored(noisy, None, h, h, 7, 21) for h in NLM)
        found["non-local means"] = max(psnr(one / np.float32(255), clean) for one in made)
    return found


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--cached", action="store_true", help="only what was predicted already")
    parser.add_argument("--nlm", action="store_true", help="non-local means too, which is slow")
    chosen = parser.parse_args()
    chosen.predictions.mkdir(parents=True, exist_ok=True)
    engine = open_engine(chosen.model, device="cpu")
    found: dict[str, dict[str, dict[str, float]]] = {}
    for title, name, noisy, clean in pairs(chosen.data):
        file = chosen.predictions / f"{title.split()[0].replace('synthetic', 'syn')}__{name}.npz"
        if not file.exists() or not np.array_equal(np.load(file)["noisy"], noisy):
            if chosen.cached:
                continue
            full = DenoiseOptions(strength=1.0, latent_std=0)
            denoised = denoise_pixels(engine, noisy.astype(np.float32) / 255, full)
            whole = np.rint(np.clip(denoised, 0, 1) * 65535).astype(np.uint16)
            np.savez(file, noisy=noisy, den=whole)
        kept = np.load(file)
        row = figures(noisy, kept["den"].astype(np.float32) / 65535, clean, chosen.nlm)
        found.setdefault(title, {})[name] = row
        print(title, name, row, file=sys.stderr, flush=True)
    means = {
        title: {
            kind: round(float(np.mean([row[kind] for row in rows.values()])), 2)
            for kind in next(iter(rows.values()))
        }
        for title, rows in found.items()
    }
    print(json.dumps({"model": chosen.model, "mean_psnr_db": means, "psnr_db": found}, indent=1))


if __name__ == "__main__":
    main()
