"""What the network is worth on images it never trained on.

One draw of the latent is measured, as the originals do while training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from ..data.camera import sample_cameras
from ..data.images import ImageSource
from ..data.noise import add_camera_noise
from ..data.sources import PairSource, open_pairs
from ..errors import DataError
from ..image.metrics import luma, psnr, ssim
from ..network import InvDN
from .batches import keyed_generator
from .channels import to_network
from .datasets import CAMERAS
from .recipe import Recipe

_SEED = 0  # of every validation: the same noise and the same draws, so that numbers compare


@dataclass(frozen=True)
class Pair:
    """One image to measure: ``(C, H, W)`` float32 in [0, 1], sides that the scale divides."""

    noisy: Tensor
    clean: Tensor


@dataclass(frozen=True)
class Score:
    """Means over one set: PSNR over all channels in dB, SSIM of the luma; unrounded images."""

    psnr: float
    ssim: float


ValidationSets = dict[str, Sequence[Pair]]


def open_validation(recipe: Recipe, photographs: Sequence[ImageSource]) -> ValidationSets:
    """Return the real pairs and the synthetic sets that the recipe names.

    Args:
        recipe: what to measure.
        photographs: where the held-out photographs are found by name.

    Raises:
        DataError: a folder or photograph is missing, or smaller than the crop.
    """
    settings = recipe.validation
    sets: ValidationSets = {}
    for path in settings.pairs:
        source = open_pairs(recipe.data.root / path)
        count = min(len(source.clean.names), settings.limit or len(source.clean.names))
        multiple = recipe.network.multiple
        sets[_set_name(path, sets)] = [
            _whole_pair(source, index, multiple, recipe.network.channels) for index in range(count)
        ]
    if settings.photographs:
        crops = torch.stack([_middle(photographs, n, settings.crop) for n in settings.photographs])
        for name, noise in settings.noise.items():
            random = keyed_generator(torch.device("cpu"), _SEED)
            camera = replace(CAMERAS[noise.camera], shot=(noise.shot, noise.shot))
            cameras = sample_cameras(len(crops), random, camera)
            made = add_camera_noise(crops, cameras, random)
            both = (to_network(x, recipe.network.channels) for x in (made.noisy, made.clean))
            sets[name] = [Pair(*sides) for sides in zip(*both, strict=True)]
    return sets


def validate(network: InvDN, sets: ValidationSets, fabric: Fabric) -> dict[str, Score]:
    """Return mean scores by set; processes share the images between them."""
    scores = {}
    for name, pairs in sets.items():
        total = torch.zeros(2, dtype=torch.float64)
        for index in range(fabric.global_rank, len(pairs), fabric.world_size):
            clean = _pixels(pairs[index].clean)
            image = _pixels(denoise(network, pairs[index].noisy, index, fabric.device))
            scored = (psnr(image, clean), ssim(_brightness(image), _brightness(clean)))
            total += torch.tensor(scored, dtype=torch.float64)
        mean = cast(Tensor, fabric.all_reduce(total, reduce_op="sum")) / len(pairs)
        scores[name] = Score(*mean.tolist())
    return scores


@torch.no_grad()
def denoise(network: InvDN, noisy: Tensor, number: int, device: torch.device) -> Tensor:
    """Denoise ``(C, H, W)`` by one draw, keyed by the image's number; clipped to [0, 1]."""
    low, latent = network.encode(noisy[None].to(device))
    # drawn on the host, so that the numbers are the same on every device
    draw = torch.randn(latent.shape, generator=keyed_generator(torch.device("cpu"), _SEED, number))
    return network.decode(low, draw.to(device))[0].clamp(0, 1).cpu()


def _whole_pair(source: PairSource, index: int, multiple: int, channels: int) -> Pair:
    height, width = (int(size) // multiple * multiple for size in source.clean.sizes[index])
    if not height or not width:
        raise DataError(f"{source.clean.names[index]!r} is too small to validate on")
    sides = (
        _tensor(side.crop(index, 0, 0, height, width)) for side in (source.noisy, source.clean)
    )
    return Pair(*(to_network(side, channels) for side in sides))


def _middle(photographs: Sequence[ImageSource], name: str, crop: int) -> Tensor:
    for source in photographs:
        if name in source.names:
            index = list(source.names).index(name)
            top, left = ((int(size) - crop) // 2 for size in source.sizes[index])
            if top < 0 or left < 0:
                raise DataError(f"{name!r} is smaller than validation.crop, {crop}")
            return _tensor(source.crop(index, top, left, crop, crop))
    raise DataError(
        f"validation.photographs names {name!r}, which data.clean does not hold: name some of "
        "yours, which will be kept out of the training"
    )


def _tensor(pixels: NDArray[np.uint8]) -> Tensor:
    return torch.tensor(pixels).permute(2, 0, 1).float() / 255


def _pixels(image: Tensor) -> NDArray[np.float32]:
    return image.permute(1, 2, 0).numpy()


def _brightness(image: NDArray[np.float32]) -> NDArray[np.floating]:
    """Return what SSIM is measured on: luma of RGB, the mean of any other channels."""
    return luma(image) if image.shape[2] == 3 else np.asarray(image.mean(axis=2))


def _set_name(path: Path, taken: ValidationSets) -> str:
    return path.name if path.name not in taken else str(path).replace("/", "_")
