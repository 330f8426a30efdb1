"""Train and measure the expected error of a result (src/invdn/inference/error_map.npz).

    python benchmarks/noise_shares.py material ../shared/data/clean MATERIAL --seed 1
    python benchmarks/uncertainty.py pairs ../shared/data FOLDER
    python benchmarks/uncertainty.py train FOLDER src/invdn/inference/error_map.npz \
        --material MATERIAL
    python benchmarks/uncertainty.py measure FOLDER benchmarks/results/uncertainty.json
    python benchmarks/uncertainty.py check PREDICTIONS/WEIGHTS benchmarks/results/error-check.json

`material` runs the network once on pictures with synthetic noise (those that automatic strength is
trained on), `pairs` on crops of real pairs, on dim and smooth pictures with synthetic noise, and on
other photographs with it, for measuring. `train` learns the logarithm of the squared error of
blocks of 8x8 pixels at strength 1, at automatic strength and at a random one. The interval is
conformal and by photograph: on photographs that were not learned from, the quantile of the ratio of
error to prediction, every photograph counting alike, the real and the synthetic ones half each.
`measure` reports on what neither has seen: other photographs of the same kinds, and other scenes.
`check` does so on the pictures that `benchmarks/strength.py` predicted, without the network.

The shipped file was made with the seventh edition of the model, 340 pictures with synthetic noise
that an earlier version of these functions drew, and without dim ones: these commands make it anew,
not the same.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from noise_shares import FULL, Scenes, held_out, noise_of
from numpy.typing import NDArray
from PIL import Image
from strength import cases
from torch import nn

from invdn.engines import open_engine
from invdn.evaluation.uncertainty import BlockSamples, calibrate
from invdn.image.noise_estimation import NoiseEstimate, estimate_noise
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.inference import error_map as module
from invdn.inference.blending import blend
from invdn.inference.error_map import BLOCK, COVERAGE, _run_layers, block_features

Values = NDArray[Any]
# Of the real pairs, by set, the photographs that are learned from and those that the interval is
# found on; None: all of them. The others are measured on.
LEARNED: dict[str, tuple[str, ...] | None] = {
    "sidd-mini-train-a": None,
    "sidd-mini-train-b": None,
    "sidd-mini-train-c": None,
    "sidd-train-d": ("scrabble",),
    "polyu": ("Canon5D2_bag", "Canon5D2_robot", "Nikon800_desk", "Nikon800_wall", "SonyA7II_book"),
}
LEARNED["polyu, half size"] = LEARNED["polyu"]
CALIBRATED: dict[str, tuple[str, ...] | None] = {
    "sidd-train-d": ("small_00",),
    "sidd-val-more": ("0064",),
    "polyu": ("Canon5D2_mouse", "Nikon800_map"),
    "polyu, half size": ("Canon5D2_mouse", "Nikon800_map"),
}
SIDD = ("sidd-mini-train-a", "sidd-mini-train-b", "sidd-mini-train-c", "sidd-train-d")
SIDD += ("sidd-mini-val", "sidd-val-more")
ONE_SCENE = dict.fromkeys(SIDD[:3], "colour checker")
KINDS = ("strength 1", "auto", "random strength")
WEIGHTS = {
    "synthetic": 1.0,
    "synthetic, dim": 2.0,
    "polyu": 5.0,
    "polyu, half size": 3.0,  # others: 4
}
FLOOR = (0.25 / 255) ** 2
STEPS, WIDTH, CROP = 2000, 24, 256
CHECKED = ("sidd-mini-val", "sidd-val-more", "polyu_full", "polyu_half", "syn")
SYNTHETIC, DIM, OTHERS = 340, 60, 60  # pictures to learn from, and to measure on


@dataclass(frozen=True)
class Item:
    """A crop at one strength: features and errors of its blocks, and of single values in them."""

    set: str
    photograph: str
    kind: str
    features: Values  # (blocks, features)
    squares: Values  # (blocks,) mean squared error
    values: Values  # (blocks, 64 * colours) absolute error

    @property
    def use(self) -> str:
        """Whether it is learned from, calibrated on or measured on."""
        name = self.photograph.rpartition("/")[2]
        if self.set == "synthetic, other photographs":
            return "calibrated" if int(name) % 2 == 0 else "measured"
        if self.set.startswith("synthetic"):
            return "learned"
        for use, photographs in (("learned", LEARNED), ("calibrated", CALIBRATED)):
            chosen = photographs.get(self.set, ())
            if chosen is None or name in chosen:
                return use
        return "measured"


def load(path: Path) -> Values:
    return np.asarray(Image.open(path).convert("RGB"))


def half_size(pixels: Values) -> Values:
    height, width = (size // 2 for size in pixels.shape[:2])
    even = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.rint(even.mean((1, 3))).astype(np.uint8)


def make_pairs(data: Path, folder: Path, model: str) -> None:
    """Write a file of crops, of what the network makes of them, and of the noise around."""
    folder.mkdir(parents=True, exist_ok=True)
    engine, rng = open_engine(model, device="cpu"), np.random.default_rng(11)

    def write(name: str, photograph: str, pair: tuple[Values, ...], whole: Any = None) -> None:
        noisy, clean = pair
        noise = whole or estimate_noise(noisy)
        if noise is None:
            return
        seen = noisy.astype(np.float32) / 255
        result = np.asarray(denoise_pixels(engine, seen, FULL)).astype(np.float16)
        number = len(list(folder.glob("*.npz")))
        np.savez(
            folder / f"{number:04d}.npz",
            noisy=noisy,
            clean=clean,
            result=result,
            facts=np.array(json.dumps([name, photograph, vars(noise)])),
        )

    def crops(noisy: Values, clean: Values, count: int, side: int) -> Any:
        for _ in range(count):
            top, left = (int(rng.integers(size - side + 1)) // 8 * 8 for size in noisy.shape[:2])
            part = (slice(top, top + side), slice(left, left + side))
            yield noisy[part], clean[part]

    for name in SIDD:
        count = 3 if name == "sidd-train-d" else 1
        for path in sorted((data / name / "Noisy").iterdir()):
            noisy, clean = load(path), load(data / name / "GT" / path.name)
            for part in crops(noisy, clean, count, CROP):
                write(name, ONE_SCENE.get(name, f"{name}/{path.stem}"), part, estimate_noise(noisy))
    for path in sorted((data / "polyu-full" / "Noisy").iterdir()):
        noisy, clean = load(path), load(data / "polyu-full" / "GT" / path.name)
        for name, count in (("polyu", 4), ("polyu, half size", 3)):
            if name != "polyu":
                noisy, clean = half_size(noisy), half_size(clean)
            whole = estimate_noise(noisy)
            for part in crops(noisy, clean, count, 384):
                write(name, path.stem, part, whole)
    photographs = held_out(sorted((data / "clean").iterdir()))
    kinds, shares = ("none", "camera", "processed", "camera's JPEG"), (0.06, 0.44, 0.15, 0.35)
    scenes = Scenes(photographs[0], np.random.default_rng(9))
    name = "synthetic, other photographs"
    for number in range(OTHERS):
        kind = str(scenes.rng.choice(kinds, p=shares))
        pair = noise_of(kind, scenes.photo(), scenes.rng, 900_000 + number)
        write(name, f"{name}/{number}", pair)
    scenes = Scenes(photographs[1], np.random.default_rng(3))
    for number in range(DIM):
        pair = noise_of("camera", dim(scenes), scenes.rng, 300_000 + number)
        write("synthetic, dim", f"synthetic/{number}", pair)


def dim(scenes: Scenes) -> Values:
    """Take the smoothest of four places, in weak light: what most of a phone's photograph is."""
    places = [scenes.photo() for _ in range(4)]
    smooth = min(places, key=lambda scene: float(np.abs(np.diff(scene, axis=1)).mean()))
    return (smooth * scenes.rng.uniform(0.15, 0.8)).astype(np.float32)


def read_items(paths: list[Path]) -> list[Item]:
    """Measure every crop at three strengths."""
    rng, items = np.random.default_rng(5), []
    for path in paths:
        with np.load(path) as arrays:
            noisy, clean, result = (arrays[name] for name in ("noisy", "clean", "result"))
            name, photograph, facts = json.loads(str(arrays["facts"]))
        noise = NoiseEstimate(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()}
        )
        before, truth = (x.astype(np.float32) / 255 for x in (noisy, clean))
        for kind, strength in zip(
            KINDS, (1.0, "auto", max(0.0, float(rng.uniform(-0.25, 1)))), strict=True
        ):
            options = DenoiseOptions(strength=strength)
            after = blend(before, result.astype(np.float32), options, noise)
            after = np.rint(after.clip(0, 1) * 255).astype(np.float32) / 255
            features = block_features(before, after, noise)
            error = np.abs(after - truth)
            rows, columns = (size // BLOCK for size in error.shape[:2])
            cut = error[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, -1)
            values = cut.transpose(0, 2, 1, 3, 4).reshape(rows * columns, -1)
            seen = features[:rows, :columns].reshape(rows * columns, -1)
            squares = np.square(values).mean(1)
            items.append(Item(name, photograph, kind, seen, squares, values))
    return items


def learn(items: list[Item], steps: int, seed: int = 0) -> dict[str, Values]:
    """Train the layers on the blocks of some items."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    every = np.concatenate([item.features[::3] for item in items])
    mean, spread = every.mean(0), every.std(0) + 1e-3
    features = [torch.from_numpy((i.features - mean) / spread).clamp(-5, 5) for i in items]
    targets = [torch.from_numpy(np.log(item.squares + FLOOR)) for item in items]
    weight = np.array([WEIGHTS.get(item.set, 4.0) for item in items])
    weight *= [0.5 if item.kind == "random strength" else 1.0 for item in items]
    net = nn.Sequential(
        *(nn.Linear(len(mean), WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU()),
        nn.Linear(WIDTH, 1),
    )
    with torch.no_grad():
        net[4].bias.fill_(-8)
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 5e-3, steps)
    for _ in range(steps):
        chosen = rng.choice(len(items), 24, p=weight / weight.sum())
        places = [rng.integers(len(targets[i]), size=200) for i in chosen]
        seen = torch.stack([features[i][at] for i, at in zip(chosen, places, strict=True)])
        wanted = torch.stack([targets[i][at] for i, at in zip(chosen, places, strict=True)])
        seen = seen + 0.3 * torch.randn(24, 1, seen.shape[2])  # other scenes, other cameras
        told = net(seen)[..., 0]
        loss = nn.functional.huber_loss(told, wanted, delta=1.5)
        width = wanted.std(1, keepdim=True) + 0.1  # within a photograph as well as between them
        apart = [(x - x.mean(1, keepdim=True)) / width for x in (told, wanted)]
        loss = loss + nn.functional.huber_loss(*apart, delta=1.5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    numbers = {"mean": mean, "spread": spread}
    for name, place in (("first", 0), ("second", 2), ("last", 4)):
        numbers[f"{name}.weight"] = net[place].weight.detach().numpy().T
        numbers[f"{name}.bias"] = net[place].bias.detach().numpy()
    return {name: np.ascontiguousarray(value, np.float32) for name, value in numbers.items()}


def train(folder: Path, material: Path, target: Path, steps: int) -> None:
    """Learn the layers, and find the factor of the interval."""
    torch.set_num_threads(1)
    synthetic = sorted(material.glob("*.npz"))[:SYNTHETIC]
    items = read_items(sorted(folder.glob("*.npz")) + synthetic)
    numbers = learn([item for item in items if item.use == "learned"], steps)
    np.savez(target, **numbers, interval=np.float32(1))  # type: ignore[arg-type]
    module._layers.cache_clear()  # `target` is the module's own
    numbers["interval"] = np.float32(conformal([i for i in items if i.use == "calibrated"]))
    np.savez(target, **numbers)  # type: ignore[arg-type]
    module._layers.cache_clear()
    print("interval:", numbers["interval"], "x the expected error")


def conformal(items: list[Item]) -> float:
    """Return the quantile of error over prediction, every photograph counting alike."""
    rng = np.random.default_rng(1)
    ratios: dict[tuple[bool, str], list[Values]] = {}
    for item in items:
        ratio = item.values / _run_layers(item.features[:, None])
        key = (item.set.startswith("synthetic"), item.photograph)
        ratios.setdefault(key, []).append(rng.choice(ratio.ravel(), 3000))
    pools = {key: np.concatenate(parts) for key, parts in ratios.items()}
    synthetic = sum(key[0] for key in pools)
    shares = {key: 1 / synthetic if key[0] else 1 / (len(pools) - synthetic) for key in pools}
    values = np.concatenate(list(pools.values()))
    weight = np.concatenate([np.full(len(v), shares[key] / len(v)) for key, v in pools.items()])
    ordered = np.argsort(values)
    place = np.searchsorted(np.cumsum(weight[ordered]) / weight.sum(), COVERAGE)
    return float(values[ordered][place])


def measure(folder: Path, target: Path) -> None:
    """Report by set and strength."""
    rows = []
    items = read_items(sorted(folder.glob("*.npz")))
    names = sorted({(item.use, item.set) for item in items}, reverse=True)
    factor = module.interval()
    for use, name in names:
        for kind in KINDS:
            of = [i for i in items if (i.set, i.kind, i.use) == (name, kind, use)]
            told = [_run_layers(item.features[:, None])[:, 0] for item in of]
            samples = [
                BlockSamples(
                    t.astype(float),
                    np.sqrt(item.squares.astype(float)),
                    (item.values <= factor * t[:, None]).mean(1),
                )
                for item, t in zip(of, told, strict=True)
            ]
            found = calibrate(samples)
            inside = [float(sample.inside.mean()) for sample in samples]
            row = {
                "set": name,
                "strength": kind,
                "use": use,
                "crops": len(of),
                "photographs": len({item.photograph for item in of}),
                "spearman": round(found.spearman, 3),
                "ause": round(found.ause, 4),
                "ause at random": round(found.ause_random, 4),
                "coverage": round(found.coverage, 4),
                "covered": [round(v, 3) for v in found.covered],
                "coverage of crops, least and most": [
                    round(v, 3) for v in (min(inside), max(inside))
                ],
                "width of the interval, of 255": round(
                    2 * 255 * factor * float(np.mean(np.concatenate(told))), 2
                ),
                "predicted": [round(255 * v, 3) for v in found.predicted],
                "observed": [round(255 * v, 3) for v in found.observed],
            }
            rows.append(row)
            print(
                {k: v for k, v in row.items() if k not in ("predicted", "observed", "covered")},
                flush=True,
            )
    target.write_text(json.dumps({"interval": factor, "rows": rows}, indent=1) + "\n")


def check(predictions: Path, target: Path, data: Path) -> None:
    """Report on unseen pictures of `benchmarks/strength.py`, whose results are there."""
    samples: dict[tuple[str, str], list[BlockSamples]] = {}
    seen = {name for used in (LEARNED, CALIBRATED) for name in used["polyu"] or ()}
    for case in cases(data):
        path = predictions / f"{case.title}__{case.name}.npz"
        known = case.title.startswith("polyu") and case.name.rpartition("_")[0] in seen
        if known or case.name == "0064" or case.title not in CHECKED or not path.exists():
            continue
        before, truth = (side.astype(np.float32) / 255 for side in (case.noisy, case.clean))
        denoised = np.load(path)["den"].astype(np.float32) / 65535
        noise = case.noise or estimate_noise(case.noisy)
        for kind, strength in zip(KINDS[:2], (1.0, "auto"), strict=True):
            after = blend(before, denoised, DenoiseOptions(strength=strength), noise)
            after = np.rint(after.clip(0, 1) * 255).astype(np.float32) / 255
            rows, columns = (size // BLOCK for size in after.shape[:2])
            told = _run_layers(block_features(before, after, noise))[:rows, :columns].ravel()
            error = np.abs(after - truth)[: rows * BLOCK, : columns * BLOCK]
            cut = error.reshape(rows, BLOCK, columns, BLOCK, 3).transpose(0, 2, 1, 3, 4)
            values = cut.reshape(rows * columns, -1)
            inside = (values <= module.interval() * told[:, None]).mean(1)
            root = np.sqrt(np.square(values).mean(1)).astype(float)
            one = BlockSamples(told.astype(float), root, inside)
            samples.setdefault((case.title, kind), []).append(one)
    rows_of = []
    for (title, kind), of in samples.items():
        found = calibrate(of)
        row = {"set": title, "strength": kind, "pictures": len(of)}
        row |= {"spearman": round(found.spearman, 3), "coverage": round(found.coverage, 4)}
        row |= {"ause of random": round(found.ause / found.ause_random, 3)}
        rows_of.append(row)
        print(row, flush=True)
    target.write_text(json.dumps({"weights": predictions.name, "rows": rows_of}, indent=1) + "\n")


def main() -> None:
    """Do what the first word says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("pairs", "train", "measure", "check"))
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="of check")
    parser.add_argument("--material", type=Path, help="what noise_shares.py made, to train")
    chosen = parser.parse_args()
    if chosen.what == "pairs":
        make_pairs(chosen.source, chosen.target, chosen.model)
    elif chosen.what == "train":
        if not chosen.material:
            parser.error("train needs --material")
        train(chosen.source, chosen.material, chosen.target, chosen.steps)
    elif chosen.what == "check":
        check(chosen.source, chosen.target, chosen.data)
    else:
        measure(chosen.source, chosen.target)


if __name__ == "__main__":
    main()
