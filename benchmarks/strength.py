"""Measure automatic strength beside its alternatives, photograph by photograph.

    python benchmarks/strength.py ../shared/data PREDICTIONS [--peers peers.json] \
        > benchmarks/results/strength.json

Sets: the hard cases, both SIDD sets, three crops of every full camera JPEG at full and at half
size, the whole photographs, held-out clean photographs with synthetic noise of cameras, and others
untouched. The noise of
a crop is estimated on the whole photograph, as where a photograph is denoised. PSNR of 8-bit
results, at most 100: the noisy picture, `auto` (with defects mended and 8 bits dithered, as by
default), strength 1, the best single strength, and the best shares of luma and colour in squares of
16x16 pixels, both found with the reference: no rule can make more of what the network changed. The
network's results are kept in a folder of PREDICTIONS named after the weights, so that another rule
is measured without running it again. `benchmarks/strength_peers.py` measures other programs on the
same pictures, and `benchmarks/strength_before.py` the rule that automatic strength had before.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from noise_shares import held_out, sums_of_errors
from numpy.typing import NDArray
from PIL import Image

from invdn.data.camera import DSLR, PHONE, sample_cameras
from invdn.data.noise import add_camera_noise
from invdn.engines import open_engine
from invdn.image.defects import mend
from invdn.image.noise_estimation import NoiseEstimate, estimate_noise
from invdn.inference import DenoiseOptions, blend, denoise_pixels
from invdn.inference.blending import dithered

Pixels = NDArray[np.uint8]
HARD = ("fabric", "halffabric", "stage", "stars", "sky", "hot", "banding", "blotches")
STRENGTHS, STRENGTHS_OF_SQUARES = np.linspace(0, 1, 6), np.linspace(0, 1, 21)
CLEAN, CLEAN_SIDE = 110, 384
CROPS = (9, 4, 7)  # of twelve random crops, sorted by contrast


@dataclass(frozen=True)
class Case:
    """A picture, what it should be, and the noise of the photograph that it is a part of."""

    title: str
    name: str
    noisy: Pixels
    clean: Pixels
    noise: NoiseEstimate | None


def load(path: Path) -> Pixels:
    """Read 8-bit RGB."""
    return np.asarray(Image.open(path).convert("RGB"))


def halved(pixels: Pixels) -> Pixels:
    """Means of 2x2."""
    rows, columns = (side // 2 for side in pixels.shape[:2])
    squares = pixels[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2, 3)
    return np.rint(squares.mean(axis=(1, 3), dtype=np.float32)).astype(np.uint8)


def cases(data: Path) -> Iterator[Case]:
    """Every picture that is measured."""
    for name in HARD:
        noisy, clean = (load(data / "hard-cases" / f"{name}{end}.png") for end in ("", "_clean"))
        yield Case("hard", name, noisy, clean, None)
    for folder in ("sidd-mini-val", "sidd-val-more"):
        for path in sorted((data / folder / "Noisy").iterdir()):
            yield Case(folder, path.stem, load(path), load(data / folder / "GT" / path.name), None)
    yield from crops(data / "polyu-full")
    yield from whole(data / "polyu-full")
    apart = held_out(sorted((data / "clean").iterdir()))[0]
    yield from untouched(apart)
    yield from synthetic(apart)


def crops(folder: Path) -> Iterator[Case]:
    """Crops of 512 of each photograph, of low, middle and high contrast."""
    for path in sorted((folder / "Noisy").iterdir()):
        whole = load(path), load(folder / "GT" / path.name)
        for size, (noisy, clean) in (("full", whole), ("half", tuple(map(halved, whole)))):
            noise = estimate_noise(noisy)
            for number, rank in enumerate(CROPS):
                rng = np.random.default_rng(7 * sum(path.name.encode()) + number)
                places = [
                    tuple(int(rng.integers(0, side - 511)) // 8 * 8 for side in noisy.shape[:2])
                    for _ in range(12)
                ]
                windows = [np.s_[y : y + 512, x : x + 512] for y, x in places]
                windows.sort(key=lambda window: float(clean[window].std()))
                name = f"{path.stem}_{number}"
                part = windows[rank]
                yield Case(f"polyu_{size}", name, noisy[part], clean[part], noise)


def whole(folder: Path) -> Iterator[Case]:
    """Whole photographs of cameras, of 5 to 9 megapixels, and at half size."""
    for path in sorted((folder / "Noisy").iterdir()):
        noisy, clean = load(path), load(folder / "GT" / path.name)
        yield Case("whole_full", path.stem, noisy, clean, None)
        yield Case("whole_half", path.stem, halved(noisy), halved(clean), None)


def untouched(paths: list[Path]) -> Iterator[Case]:
    """Crops of clean photographs."""
    for number, path in enumerate(paths[:CLEAN]):
        pixels, rng = load(path), np.random.default_rng(900 + number)
        side = min(CLEAN_SIDE, *pixels.shape[:2])
        top, left = (int(rng.integers(0, edge - side + 1)) for edge in pixels.shape[:2])
        part = pixels[top : top + side, left : left + side]
        yield Case("clean", f"{number:03d}_{path.stem}", part, part, estimate_noise(pixels))


def synthetic(paths: list[Path]) -> Iterator[Case]:
    """Crops of clean photographs with the noise of cameras, and some with white noise."""
    rng, generator = np.random.default_rng(5), torch.Generator().manual_seed(3)
    rng.permutation(348)
    still = replace(DSLR, exposure=(1.0, 1.0))
    cameras = {f"phone{iso}": PHONE.at_iso(iso) for iso in (100, 400, 1600)}
    cameras |= {f"dslr{iso}": still.at_iso(iso) for iso in (400, 1600, 3200, 6400, 12800)}
    for number, path in enumerate(paths[:48]):
        pixels = load(path)
        top, left = (int(rng.integers(0, edge - 383)) for edge in pixels.shape[:2])
        clean = pixels[top : top + 384, left : left + 384]
        name = list(cameras)[number % len(cameras)]
        batch = torch.from_numpy((clean.astype(np.float32) / 255).transpose(2, 0, 1).copy())
        pair = add_camera_noise(batch[None], sample_cameras(1, generator, cameras[name]), generator)
        noisy, target = (
            np.rint(it[0].permute(1, 2, 0).numpy() * 255).clip(0, 255).astype(np.uint8)
            for it in pair
        )
        yield Case("syn", f"{name}_{number:02d}_{path.stem}", noisy, target, None)
        if number % 6 == 0:
            level = (3, 6, 10, 15, 25)[(number // 6) % 5]
            white = np.rint(clean + rng.normal(0, level, clean.shape)).clip(0, 255)
            name = f"white{level}_{number:02d}_{path.stem}"
            yield Case("syn", name, white.astype(np.uint8), clean, None)


def psnr(result: NDArray[Any], clean: Pixels) -> float:
    """Of 8 bits; 100 for equal pictures."""
    error = np.square(np.rint(np.clip(result, 0, 1) * 255) - clean.astype(np.float64)).mean()
    return round(min(100.0, 10 * float(np.log10(255**2 / max(error, 1e-9)))), 2)


def predicted(case: Case, folder: Path, engine: Any) -> NDArray[np.float32] | None:
    """The network's result, from the folder or made now; None without an engine."""
    file = folder / f"{case.title}__{case.name}.npz"
    if not file.exists() or not np.array_equal(np.load(file)["noisy"], case.noisy):
        if engine is None:
            return None
        full = DenoiseOptions(strength=1.0, latent_std=0).of_the_network()
        values = denoise_pixels(engine, case.noisy.astype(np.float32) / 255, full)
        whole = np.rint(np.clip(values, 0, 1) * 65535).astype(np.uint16)
        np.savez(file, noisy=case.noisy, den=whole, ref=case.clean)
    return np.load(file)["den"].astype(np.float32) / 65535


def best_shares(noisy: Pixels, denoised: NDArray[Any], clean: Pixels) -> float:
    """PSNR where each square has the shares of luma and colour that suit it best."""
    before, truth = (side.astype(np.float32) / 255 for side in (noisy, clean))
    sums = sums_of_errors(before, np.asarray(denoised, np.float32), truth).astype(np.float64)
    cells = sums
    for axis in (0, 1):
        cells = np.add.reduceat(cells, np.arange(0, cells.shape[axis], 4), axis)
    ee, ey, ec, yy, cc, yc = np.moveaxis(cells, 2, 0)
    least = ee.copy()
    for luma in STRENGTHS_OF_SQUARES:
        for colour in STRENGTHS_OF_SQUARES:
            error = ee + 2 * luma * ey + 2 * colour * ec + 2 * luma * colour * yc
            least = np.minimum(least, error + luma * luma * yy + colour * colour * cc)
    mean = least.sum() / (3 * sums.shape[0] * sums.shape[1])
    return round(min(100.0, 10 * float(np.log10(255**2 / max(mean, 1e-9)))), 2)


def figures(case: Case, folder: Path, engine: Any) -> dict[str, float] | None:
    """PSNR of every method."""
    denoised = predicted(case, folder, engine)
    mended, _ = mend(case.noisy)
    seen = denoised
    if mended is not case.noisy:
        seen = predicted(replace(case, name=f"{case.name}_mended", noisy=mended), folder, engine)
    if denoised is None or seen is None:
        return None
    before, start = (side.astype(np.float32) / 255 for side in (case.noisy, mended))
    noise = case.noise or estimate_noise(mended)
    change = denoised - before
    found = {"noisy": psnr(before, case.clean)}
    inner = slice(0, start.shape[0]), slice(0, start.shape[1])
    made = blend(start, seen, DenoiseOptions(), noise)
    found["auto"] = psnr(dithered(made, start, seen, inner, (0, 0)), case.clean)
    found["auto, not dithered"] = psnr(made, case.clean)
    found["strength 1"] = psnr(denoised, case.clean)
    found["best strength"] = max(psnr(before + s * change, case.clean) for s in STRENGTHS.tolist())
    found["best shares"] = best_shares(mended, seen, case.clean)
    return found


def summary(rows: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Mean of every method; of `auto` also the median, the worst and the most below strength 1."""
    kinds = [
        "noisy",
        "old auto",
        "auto",
        "auto, not dithered",
        "strength 1",
        "best strength",
        "best shares",
    ]
    kinds += ["non-local means", "RawTherapee"]
    found: dict[str, dict[str, float]] = {}
    for kind in kinds:
        values = [(row[kind], row["auto"]) for row in rows.values() if kind in row]
        if values:
            mean, auto = np.mean(values, axis=0)
            found[kind] = {"mean": round(float(mean), 2), "pictures": len(values)}
            if len(values) < len(rows):
                found[kind]["auto on these"] = round(float(auto), 2)
    autos = [row["auto"] for row in rows.values()]
    found["auto"] |= {
        "median": round(float(np.median(autos)), 2),
        "worst": min(autos),
        "most below strength 1": round(
            max(row["strength 1"] - row["auto"] for row in rows.values()), 2
        ),
    }
    return found


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("predictions", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--only", nargs="+", help="titles of sets, such as clean or whole_half")
    parser.add_argument("--cached", action="store_true", help="only what was predicted already")
    parser.add_argument("--peers", type=Path, help="what strength_peers.py found")
    chosen = parser.parse_args()
    weights = Path(str(files("invdn.weights"))) / "models" / f"{chosen.model}.safetensors"
    edition = sha256(weights.read_bytes()).hexdigest()[:8]
    predictions = chosen.predictions / edition
    predictions.mkdir(parents=True, exist_ok=True)
    engine = None if chosen.cached else open_engine(chosen.model, device="cpu")
    peers = json.loads(chosen.peers.read_text()) if chosen.peers else {}
    found: dict[str, dict[str, dict[str, float]]] = {}
    for case in cases(chosen.data):
        if chosen.only and case.title not in chosen.only:
            continue
        row = figures(case, predictions, engine)
        if row is None:
            continue
        row |= peers.get(f"{case.title}__{case.name}", {})
        found.setdefault(case.title, {})[case.name] = row
        print(case.title, case.name, row, file=sys.stderr, flush=True)
    means = {title: summary(rows) for title, rows in found.items()}
    facts = {"model": chosen.model, "weights": edition}
    print(json.dumps({**facts, "summary": means, "psnr_db": found}, indent=1))


if __name__ == "__main__":
    main()
