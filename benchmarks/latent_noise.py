"""Noise by the paper's way beside the photograph's own: a picture, and figures by scale.

    python benchmarks/latent_noise.py PICTURE.jpg NOISY... > docs/noise/latent-noise.json

Each row is one photograph's middle, twice as strong around grey: what the network takes away, then
the changes that `perturb_latent` makes at 0.25, 0.5 and 1.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from invdn.data.latent_noise import perturb_latent
from invdn.photo.read import read_photo
from invdn.weights.network import load_network

SCALES = (0.0, 0.03, 0.1, 0.25, 0.5, 0.75, 1.0)
SHOWN = (0.25, 0.5, 1.0)
SIDE = 128


@torch.no_grad()
def main() -> None:
    """Write the picture and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("--model", default="default")
    options = parser.parse_args()
    network = load_network(options.model)
    rows, found = [], {}
    for file in options.photographs:
        pixels = read_photo(file).pixels
        top, left = ((size - SIDE) // 2 for size in pixels.shape[:2])
        pixels = pixels[top : top + SIDE, left : left + SIDE]
        noisy = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
        random = torch.Generator().manual_seed(0)
        low, latent = network.encode(noisy)
        draw = torch.randn(latent.shape, generator=random)
        own = noisy - network.decode(low, draw).clamp(0, 1)
        changes = {
            scale: perturb_latent(network, noisy, scale, torch.Generator().manual_seed(1)) - noisy
            for scale in SCALES
        }
        rows.append(torch.cat([own, *(changes[scale] for scale in SHOWN)], dim=3))
        found[file.stem] = {
            "own": describe(own),
            **{f"{scale:g}": describe(change) for scale, change in changes.items()},
        }
    image = (0.5 + 2 * torch.cat(rows, dim=2)).clamp(0, 1)[0].permute(1, 2, 0)
    levels = (image * 255).round().numpy().astype(np.uint8)
    Image.fromarray(levels).save(options.picture, quality=88)
    print(json.dumps(found, indent=1))


def describe(change: Tensor) -> dict[str, float]:
    """Standard deviation and largest change in levels of 255, and the neighbours' correlation."""
    centred = change - change.mean(dim=(2, 3), keepdim=True)
    power = float(centred.square().mean())
    beside = float((centred[..., 1:] * centred[..., :-1]).mean())
    return {
        "std": round(255 * power**0.5, 2),
        "largest": round(255 * float(change.abs().max()), 1),
        "correlation": round(beside / power, 2) if power else 0.0,
    }


if __name__ == "__main__":
    main()
