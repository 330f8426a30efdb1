"""Cameras for tests: nothing but sensor noise, and seeded sources."""

from dataclasses import replace

import torch
from torch import Tensor

from invdn.data.camera import PHONE

#: A phone at one exposure, whose photographs are neither banded, reduced, smoothed nor compressed.
UNPROCESSED = replace(
    PHONE,
    exposure=(1.0, 1.0),
    contrast=(0.0, 0.0),
    banding_share=0.0,
    binned_share=0.0,
    smoothing_share=0.0,
    jpeg_share=0.0,
)
#: The same with one demosaicing and references that average frames clipped at black.
PLAIN = replace(UNPROCESSED, bilinear_share=0.0, clipped_black_share=1.0, lift=(1.0, 1.0))


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 4, size: int = 32, seed: int = 0) -> Tensor:
    return torch.rand(n, 3, size, size, generator=random(seed))
