"""How much the clean sides of training crops vary, beside SIDD's references: a table (JSON).

python benchmarks/contrast.py ../shared/data benchmarks/results/contrast.json
"""

import json
import sys
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import default_collate

from invdn.data.crops import Sample
from invdn.image.dct import LUMA
from invdn.image.dtype import to_float
from invdn.photo.read import read_photo
from invdn.training.batches import prepare
from invdn.training.datasets import open_datasets, synthesis_options
from invdn.training.recipe_files import load_recipe

CROP, CROPS = 144, 400
LAGS = (1, 4, 16, 32)  # pixels
QUANTILES = (0.25, 0.5, 0.75)


def references(folder: Path) -> Tensor:
    """Three crops down by three along of every reference: (n, 3, 144, 144)."""
    crops = []
    for path in sorted((folder / "GT").iterdir()):
        pixels = torch.from_numpy(to_float(read_photo(path).pixels)).permute(2, 0, 1)
        height, width = pixels.shape[1:]
        crops += [
            pixels[:, top : top + CROP, left : left + CROP]
            for top in {0, (height - CROP) // 2, height - CROP}
            for left in {0, (width - CROP) // 2, width - CROP}
        ]
    return torch.stack(crops)


def trained_on(data: Path, smooth_share: float) -> Tensor:
    """Clean sides of the recipe's synthetic pairs, after enlarging and exposure."""
    changes = [f"data.root={data}", "data.pair_fraction=0", f"data.smooth_share={smooth_share}"]
    changes += ["data.pairs=[]", "validation.pairs=[]"]
    recipe = load_recipe("default", changes)
    samples, synthesis = open_datasets(recipe).samples[-1], synthesis_options(recipe.data)
    clean = []
    for first in range(0, CROPS, 8):
        batch = Sample(*default_collate([samples[first + place] for place in range(8)]))
        clean.append(prepare(batch, synthesis, recipe.seed, torch.device("cpu")).clean)
    return torch.cat(clean)


def describe(clean: Tensor) -> dict[str, object]:
    """Mean brightness, and quantiles over crops of root mean squared differences of luma."""
    luma = torch.einsum("nchw,c->nhw", clean, torch.from_numpy(LUMA)) * 255
    differences = {}
    for lag in LAGS:
        down = (luma[:, lag:] - luma[:, :-lag]).square().mean((1, 2))
        along = (luma[:, :, lag:] - luma[:, :, :-lag]).square().mean((1, 2))
        root = ((down + along) / 2).sqrt()
        levels = root.quantile(torch.tensor(QUANTILES))
        differences[f"{lag} px"] = [round(float(level), 2) for level in levels]
    return {"crops": len(clean), "mean of 255": round(float(luma.mean()), 1), **differences}


def main(data: Path, target: Path) -> None:
    """Measure, and write the table."""
    report: dict[str, object] = {"quantiles": QUANTILES}
    for name in ("sidd-mini-val", "sidd-mini-train-a", "sidd-mini-train-b"):
        report[name] = describe(references(data / name))
    for share in (0.0, 0.7, 1.0):
        report[f"default, smooth_share {share:g}"] = describe(trained_on(data, share))
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in report.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
