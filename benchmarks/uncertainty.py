"""Train and measure the expected error of a result (src/invdn/inference/error_map.npz).

    python benchmarks/noise_shares.py material ../shared/data/clean MATERIAL
    python benchmarks/uncertainty.py pairs ../shared/data FOLDER
    python benchmarks/uncertainty.py train FOLDER src/invdn/inference/error_map.npz \
        --material MATERIAL
    python benchmarks/uncertainty.py measure PREDICTIONS/WEIGHTS benchmarks/results/uncertainty.json

`material` runs the network once on pictures with synthetic noise (those that automatic strength is
trained on), `pairs` on crops of real pairs, and on dim and smooth pictures with the noise of
phones. `train` learns the logarithm of the squared error of blocks of 8x8 pixels at strength 1, at
automatic strength and at a random one. Then it learns how wide the interval is to be where, from
the ratios of error to prediction of photographs that the layers had not seen (three folds, every
photograph counting alike, the real and the synthetic ones half each), and puts that into the
layers. The factor of the interval is conformal: the quantile of what ratios are left where that,
too, was learned from the other folds. `measure` reports on the pictures that
`benchmarks/strength.py` predicted, but for the photographs that were learned from.

A file of `pairs` takes about a second of one processor, a training of the layers half a minute to a
minute and a half, of which there are four. Of the folds by which the shipped intervals were found
one had 2,000 steps and two had 1,000, so these commands give the shipped numbers nearly.
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
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
# Of polyu's photographs, those that are learned from; they serve to calibrate, not to train the
# network. The others are measured on, as SIDD's validation is.
POLYU = ("Canon5D2_bag", "Canon5D2_mouse", "Canon5D2_robot")
POLYU += ("Nikon800_desk", "Nikon800_map", "Nikon800_wall")
SIDD = ("sidd-mini-train-a", "sidd-mini-train-b", "sidd-mini-train-c", "sidd-train-d")
ONE_SCENE = dict.fromkeys(SIDD[:3], "colour checker")
FOLDS = 3  # the interval is found on what layers of the other folds tell of each
KINDS = ("strength 1", "auto", "strength 0.5")  # learned from at a random one
WEIGHTS = {
    "synthetic": 1.0,
    "synthetic, dim": 2.0,
    "polyu": 5.0,
    "polyu, half size": 3.0,  # others: 4
}
FLOOR = (0.25 / 255) ** 2
STEPS, WIDTH, CROP = 2000, 24, 256
BLOCKS, VALUES = 700, 12  # of each item, to learn the width of the intervals
WIDTH_STEPS, DECAY, LIMITS = 800, 1e-3, (-0.3, 0.7)
NORMAL = 1.645  # standard deviations within which nine of ten values of a normal distribution lie
MEASURED = ("sidd-mini-val", "sidd-val-more", "polyu_full", "polyu_half", "syn")
SYNTHETIC, DIM = 399, 56  # pictures to learn from


@dataclass(frozen=True)
class Item:
    """A crop at one strength: features and errors of its blocks, and of single values in them."""

    set: str
    photograph: str
    kind: str
    features: Values  # (blocks, features)
    squares: Values  # (blocks,) mean squared error
    values: Values  # (blocks, 64 * colours) absolute error


def load(path: Path) -> Values:
    return np.asarray(Image.open(path).convert("RGB"))


def half_size(pixels: Values) -> Values:
    height, width = (size // 2 for size in pixels.shape[:2])
    even = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
    return np.rint(even.mean((1, 3))).astype(np.uint8)


def make_pairs(data: Path, folder: Path, model: str) -> None:
    """Write a file of crops, of what the network makes of them, and of the noise around.

    Files that are there stay, so it may be broken off and goes on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    engine = open_engine(model, device="cpu")

    def write(name: str, photograph: str, pair: tuple[Values, ...], whole: Any = None) -> None:
        number = written[name, photograph] = written.get((name, photograph), -1) + 1
        title = f"{name}_{photograph.rpartition('/')[2]}_{number}".replace(" ", "_")
        path = folder / f"{title.replace(',', '')}.npz"
        noisy, clean = pair
        noise = whole or estimate_noise(noisy)
        if noise is None or path.exists():
            return
        seen = noisy.astype(np.float32) / 255
        result = np.asarray(denoise_pixels(engine, seen, FULL)).astype(np.float16)
        facts = np.array(json.dumps([name, photograph, vars(noise)]))
        np.savez(path, noisy=noisy, clean=clean, result=result, facts=facts)

    written: dict[tuple[str, str], int] = {}
    for name in SIDD:
        for path in sorted((data / name / "Noisy").iterdir()):
            noisy, clean = load(path), load(data / name / "GT" / path.name)
            noise = estimate_noise(noisy)
            photograph = ONE_SCENE.get(name, f"{name}/{path.stem}")
            for top, left in np.ndindex(*(size // CROP for size in noisy.shape[:2])):
                part = np.s_[CROP * top : CROP * (top + 1), CROP * left : CROP * (left + 1)]
                write(name, photograph, (noisy[part], clean[part]), noise)
    for path in sorted((data / "polyu-full" / "Noisy").iterdir()):
        if path.stem not in POLYU:
            continue
        noisy, clean = load(path), load(data / "polyu-full" / "GT" / path.name)
        rng = np.random.default_rng(sum(path.name.encode()))
        for name, count in (("polyu", 4), ("polyu, half size", 3)):
            if name != "polyu":
                noisy, clean = half_size(noisy), half_size(clean)
            whole = estimate_noise(noisy)
            for _ in range(count):
                top, left = (int(rng.integers(size - 383)) // 8 * 8 for size in noisy.shape[:2])
                part = np.s_[top : top + 384, left : left + 384]
                write(name, path.stem, (noisy[part], clean[part]), whole)
    photographs = held_out(sorted((data / "clean").iterdir()))[1]
    for number in range(DIM):
        scenes = Scenes(photographs, np.random.default_rng((3, number)))
        pair = noise_of("phone", dim(scenes), scenes.rng, 300_000 + number)
        write("synthetic, dim", f"synthetic/{number}", pair)


def dim(scenes: Scenes) -> Values:
    """Take the smoothest of four places, in weak light: what most of a phone's photograph is."""
    places = [scenes.photo() for _ in range(4)]
    smooth = min(places, key=lambda scene: float(np.abs(np.diff(scene, axis=1)).mean()))
    return (smooth * scenes.rng.uniform(0.15, 0.8)).astype(np.float32)


def read_items(paths: list[Path]) -> list[Item]:
    """Measure every crop at three strengths."""
    items = []
    for path in paths:
        rng = np.random.default_rng(sum(path.name.encode()))
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
            features, values = blocks(before, after, truth, noise)
            squares = np.square(values).mean(1)
            items.append(Item(name, photograph, kind, features, squares, values))
    return items


def blocks(
    noisy: Values, result: Values, clean: Values, noise: NoiseEstimate | None
) -> tuple[Values, Values]:
    """Take whole blocks: their features, (n, 43), and the absolute error of single values."""
    rows, columns = (size // BLOCK for size in result.shape[:2])
    error = np.abs(result - clean)[: rows * BLOCK, : columns * BLOCK]
    cut = error.reshape(rows, BLOCK, columns, BLOCK, -1).transpose(0, 2, 1, 3, 4)
    features = block_features(noisy, result, noise)[:rows, :columns]
    return features.reshape(rows * columns, -1), cut.reshape(rows * columns, -1)


def learn(items: list[Item], steps: int, seed: int = 0) -> dict[str, Values]:
    """Train the layers on the blocks of some items."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    every = np.concatenate([item.features[::3] for item in items])
    mean, spread = every.mean(0), every.std(0) + 1e-3
    features = [torch.from_numpy((i.features - mean) / spread).clamp(-5, 5) for i in items]
    targets = [torch.from_numpy(np.log(item.squares + FLOOR)) for item in items]
    weight = np.array([WEIGHTS.get(item.set, 4.0) for item in items])
    weight *= [0.5 if item.kind == KINDS[2] else 1.0 for item in items]
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
    numbers = fit(items, steps)
    np.savez(target, **numbers)  # type: ignore[arg-type]
    module._layers.cache_clear()  # `target` is the module's own
    print("interval:", numbers["interval"], "x the expected error")


def fit(items: list[Item], steps: int) -> dict[str, Values]:
    """Train the layers, how wide their intervals are to be where, and find the factor of all."""
    photographs = sorted({item.photograph for item in items})
    fold = {name: number % FOLDS for number, name in enumerate(photographs)}
    rng = np.random.default_rng(1)
    unseen: list[Item] = []  # `squares` is what layers of the other folds tell
    for number in range(FOLDS):
        numbers = learn([item for item in items if fold[item.photograph] != number], steps)
        for item in items:
            if fold[item.photograph] == number:
                at = rng.integers(len(item.squares), size=BLOCKS)
                values = rng.permuted(item.values[at], axis=1)[:, :VALUES].astype(np.float32)
                told = run(numbers, item.features[at])
                unseen.append(
                    replace(item, features=item.features[at], squares=told, values=values)
                )
    numbers = learn(items, steps)
    ratios: dict[str, list[Values]] = {}
    for number in range(FOLDS):
        wide = learn_width([i for i in unseen if fold[i.photograph] != number], numbers)
        for item in unseen:
            if fold[item.photograph] == number:
                told = item.squares * np.exp(width_of(wide, numbers, item.features))
                told = np.maximum(told, module._LEAST / 255)
                ratios.setdefault(item.photograph, []).append((item.values / told[:, None]).ravel())
    numbers = joined(numbers, learn_width(unseen, numbers))
    numbers["interval"] = np.float32(conformal(ratios))
    return numbers


def learn_width(items: list[Item], numbers: dict[str, Values]) -> tuple[Values, float]:
    """Learn how wide the errors are that unseen photographs have beside what was told of them.

    A weight for every feature: the logarithm of the 90 % quantile of error over prediction, of a
    normal distribution's. Where noise is left alone it is 0; where one camera's photographs differ
    from another's it is more.

    Args:
        items: `squares` is what layers that have not seen the photograph told.
        numbers: the layers, whose mean and spread are used.
    """
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    share = shares([item.photograph for item in items])
    seen = [torch.from_numpy(_scaled(numbers, item.features).astype(np.float32)) for item in items]
    wanted = [
        torch.from_numpy(np.log(np.maximum(i.values, FLOOR**0.5) / (NORMAL * i.squares[:, None])))
        for i in items
    ]
    line = nn.Linear(seen[0].shape[1], 1)
    with torch.no_grad():
        line.weight.zero_()
        line.bias.zero_()
    optimizer = torch.optim.Adam(line.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-2, WIDTH_STEPS)
    for _ in range(WIDTH_STEPS):
        chosen = rng.choice(len(items), 400, p=share)
        places = rng.integers(BLOCKS, size=400)
        features = torch.stack([seen[i][at] for i, at in zip(chosen, places, strict=True)])
        values = torch.stack([wanted[i][at] for i, at in zip(chosen, places, strict=True)])
        told = line(features + 0.3 * torch.randn(features.shape)).clamp(*LIMITS)
        above = values - told
        loss = torch.maximum(COVERAGE * above, (COVERAGE - 1) * above).mean()
        loss = loss + DECAY * line.weight.square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return line.weight.detach().numpy()[0].astype(np.float64), float(line.bias.detach())


def width_of(line: tuple[Values, float], numbers: dict[str, Values], features: Values) -> Values:
    """What `learn_width` learned, of n blocks: logarithms."""
    weight, bias = line
    return np.asarray((_scaled(numbers, features) @ weight + bias).clip(*LIMITS))


def joined(numbers: dict[str, Values], line: tuple[Values, float]) -> dict[str, Values]:
    """Put the line into the layers: one unit that is never 0, then one for each limit."""
    weight, bias = line
    high = 5 * float(np.abs(weight).sum()) + abs(bias) + 1  # features are clipped to 5
    out = dict(numbers)
    out["first.weight"] = np.c_[numbers["first.weight"], weight]
    out["first.bias"] = np.r_[numbers["first.bias"], bias + high]
    second = np.zeros((WIDTH + 1, WIDTH + 2))
    second[:WIDTH, :WIDTH], second[WIDTH, WIDTH:] = numbers["second.weight"], 1
    out["second.weight"] = second
    out["second.bias"] = np.r_[numbers["second.bias"], [-high - limit for limit in LIMITS]]
    out["last.weight"] = np.r_[numbers["last.weight"], [[2.0], [-2.0]]]  # of the square's logarithm
    out["last.bias"] = numbers["last.bias"] + 2 * LIMITS[0]
    return {name: np.ascontiguousarray(value, np.float32) for name, value in out.items()}


def _scaled(numbers: dict[str, Values], features: Values) -> Values:
    return np.asarray(((features - numbers["mean"]) / numbers["spread"]).clip(-5, 5))


def run(numbers: dict[str, Values], features: Values) -> Values:
    """Run layers that are not the module's: ``(n, 43)`` to the errors of n blocks."""
    values = _scaled(numbers, features)
    for name in ("first", "second"):
        values = np.maximum(values @ numbers[f"{name}.weight"] + numbers[f"{name}.bias"], 0)
    logs = values @ numbers["last.weight"] + numbers["last.bias"]
    return np.maximum(np.exp(logs[:, 0] / 2), module._LEAST / 255)


def shares(photographs: list[str]) -> Values:
    """Weigh items: every photograph counts alike, real ones and synthetic ones half each."""
    counts = Counter(photographs)
    synthetic = sum(name.startswith("synthetic") for name in counts)
    kinds = {True: synthetic, False: len(counts) - synthetic}
    weight = np.array([1 / kinds[p.startswith("synthetic")] / counts[p] for p in photographs])
    return weight / weight.sum()


def conformal(ratios: dict[str, list[Values]]) -> float:
    """Return the quantile of error over prediction, weighed by `shares`."""
    pools = {name: np.concatenate(parts) for name, parts in ratios.items()}
    share = shares(list(pools))
    weights = [np.full(len(x), w / len(x)) for x, w in zip(pools.values(), share, strict=True)]
    values, weight = np.concatenate(list(pools.values())), np.concatenate(weights)
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weight[order]), COVERAGE)])


def measure(predictions: Path, target: Path, data: Path) -> None:
    """Report on unseen pictures of `benchmarks/strength.py`, whose results are there."""
    samples: dict[tuple[str, str], list[BlockSamples]] = {}
    for case in cases(data):
        path = predictions / f"{case.title}__{case.name}.npz"
        seen = case.title.startswith("polyu") and case.name.rpartition("_")[0] in POLYU
        if seen or case.title not in MEASURED or not path.exists():
            continue
        before, truth = (side.astype(np.float32) / 255 for side in (case.noisy, case.clean))
        denoised = np.load(path)["den"].astype(np.float32) / 65535
        noise = case.noise or estimate_noise(case.noisy)
        for kind, strength in zip(KINDS, (1.0, "auto", 0.5), strict=True):
            after = blend(before, denoised, DenoiseOptions(strength=strength), noise)
            after = np.rint(after.clip(0, 1) * 255).astype(np.float32) / 255
            features, values = blocks(before, after, truth, noise)
            told = _run_layers(features[:, None])[:, 0]
            inside = (values <= module.interval() * told[:, None]).mean(1)
            root = np.sqrt(np.square(values).mean(1)).astype(float)
            one = BlockSamples(told.astype(float), root, inside)
            samples.setdefault((case.title, kind), []).append(one)
    facts = {"weights": predictions.name, "interval": module.interval()}
    target.write_text(json.dumps(facts | {"rows": rows_of(samples)}, indent=1) + "\n")


def rows_of(samples: dict[tuple[str, str], list[BlockSamples]]) -> list[dict[str, Any]]:
    """Say of every set and strength whether the expected error is the true one."""
    rows = []
    for (title, kind), of in samples.items():
        found, told = calibrate(of), np.concatenate([one.predicted for one in of])
        inside = [float(one.inside.mean()) for one in of]
        row: dict[str, Any] = {
            "set": title,
            "strength": kind,
            "pictures": len(of),
            "spearman": round(found.spearman, 3),
            "ause of random": round(found.ause / found.ause_random, 3),
            "coverage": round(found.coverage, 4),
            "coverage of pictures, least and most": [
                round(value, 3) for value in (min(inside), max(inside))
            ],
            "interval, of 255": round(255 * module.interval() * float(told.mean()), 2),
        }
        print(row, flush=True)
        curve: dict[str, Any] = {"covered": [round(value, 3) for value in found.covered]}
        for name in ("predicted", "observed"):
            curve[name] = [round(255 * value, 3) for value in getattr(found, name)]
        rows.append(row | curve)
    return rows


def main() -> None:
    """Do what the first word says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("pairs", "train", "measure"))
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="of measure")
    parser.add_argument("--material", type=Path, help="what noise_shares.py made, to train")
    chosen = parser.parse_args()
    if chosen.what == "pairs":
        make_pairs(chosen.source, chosen.target, chosen.model)
    elif chosen.what == "train":
        if not chosen.material:
            parser.error("train needs --material")
        train(chosen.source, chosen.material, chosen.target, chosen.steps)
    else:
        measure(chosen.source, chosen.target, chosen.data)


if __name__ == "__main__":
    main()
