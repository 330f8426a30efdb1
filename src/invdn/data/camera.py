"""Cameras for synthetic noise, one drawn for every photograph."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from ..errors import InputError
from .camera_range import COLOUR_MATRICES, DSLR, MIXED, PHONE, CameraDistribution, Interval

__all__ = ["DSLR", "MIXED", "PHONE", "CameraDistribution", "Cameras", "sample_cameras"]


@dataclass(frozen=True)
class Cameras:
    """Drawn cameras, one for every photograph of a batch of n; see ``CameraDistribution``.

    Every field is a tensor whose first dimension is n: ``matrix`` (n, 3, 3) and ``gains`` (n, 3)
    for red, green, blue; ``phase`` (n, 2) row and column of the first red pixel; ``banding``
    standard deviation of a row's noise; ``hot`` share of hot and dead pixels; ``levels`` and
    ``output_levels`` largest numbers; ``demosaicing`` 0 Malvar to 1 bilinear;
    ``jpeg_quality`` 0 without JPEG; ``jpeg_subsampling`` 0: 4:4:4, 1: 4:2:2, 2: 4:2:0;
    ``jpeg_offset`` (n, 2) start of the first whole block; the rest (n,).
    """

    exposure: Tensor
    shot: Tensor
    read: Tensor
    banding: Tensor
    hot: Tensor
    matrix: Tensor
    gains: Tensor
    levels: Tensor
    clipped_black: Tensor
    phase: Tensor
    demosaicing: Tensor
    binned: Tensor
    contrast: Tensor
    luma: Tensor
    luma_radius: Tensor
    luma_kept: Tensor
    chroma: Tensor
    chroma_radius: Tensor
    spared: Tensor
    jpeg_quality: Tensor
    jpeg_subsampling: Tensor
    jpeg_offset: Tensor
    output_levels: Tensor
    developed_reference: Tensor
    lift: Tensor

    def __len__(self) -> int:
        return self.shot.shape[0]


_DRAWS = 40  # uniform numbers for a camera, rounded up


def _sample(count: int, ranges: CameraDistribution, generator: torch.Generator) -> Cameras:
    device = generator.device
    unit = iter(torch.rand(_DRAWS, count, generator=generator, device=device).unbind())

    def uniform(interval: tuple[float, float]) -> Tensor:
        return interval[0] + (interval[1] - interval[0]) * next(unit)

    def log_uniform(interval: Interval) -> Tensor:
        return uniform((math.log(interval[0]), math.log(interval[1]))).exp()

    def happens(share: float) -> Tensor:
        return next(unit) < share

    def whole(choices: int) -> Tensor:
        return (next(unit) * choices).long().clamp(max=choices - 1)

    shot = log_uniform(ranges.shot)
    deviation = torch.randn(count, generator=generator, device=device)
    offset = ranges.read[0] + ranges.read_slope * (shot.log() - math.log(1e-3))
    read = (1.8 * shot.log() + offset + ranges.read[1] * deviation).exp()
    matrices = torch.tensor([COLOUR_MATRICES[name] for name in ranges.matrices], device=device)
    between = next(unit).view(-1, 1, 1)
    first, second = whole(len(matrices)), whole(len(matrices))
    temperature = uniform(ranges.temperature)
    red = (1.3 + 1.2 * temperature) * uniform((0.85, 1.15))
    blue = (2.9 - 1.6 * temperature) * uniform((0.85, 1.15))
    smoothed = happens(ranges.smoothing_share).float()
    kept = log_uniform(ranges.luma_kept)
    return Cameras(
        exposure=log_uniform(ranges.exposure),
        shot=shot,
        read=read,
        banding=happens(ranges.banding_share) * uniform(ranges.banding) * read.sqrt(),
        hot=happens(ranges.hot_share) * log_uniform(ranges.hot_pixels),
        matrix=torch.lerp(matrices[first], matrices[second], between),
        gains=torch.stack((red, torch.ones_like(red), blue), 1),
        levels=2.0 ** (ranges.bits[0] + whole(ranges.bits[1] - ranges.bits[0] + 1)) - 1,
        clipped_black=happens(ranges.clipped_black_share),
        phase=torch.stack((whole(2), whole(2)), 1),
        demosaicing=happens(ranges.bilinear_share) * next(unit),
        binned=happens(ranges.binned_share),
        contrast=uniform(ranges.contrast),
        luma=uniform(ranges.luma) * smoothed,
        luma_radius=uniform(ranges.luma_radius),
        luma_kept=torch.lerp(torch.ones_like(kept), kept, smoothed),
        chroma=uniform(ranges.chroma) * smoothed,
        chroma_radius=log_uniform(ranges.chroma_radius),
        spared=uniform(ranges.spared),
        jpeg_quality=happens(ranges.jpeg_share) * uniform(ranges.jpeg_quality).round(),
        jpeg_subsampling=whole(3),
        jpeg_offset=torch.stack((whole(8), whole(8)), 1),
        output_levels=torch.full_like(shot, 2.0**ranges.output_bits - 1),
        developed_reference=happens(ranges.developed_reference_share),
        lift=uniform(ranges.lift),
    )


def sample_cameras(
    count: int,
    generator: torch.Generator,
    ranges: CameraDistribution | Mapping[CameraDistribution, float] = MIXED,
) -> Cameras:
    """Draw a camera, its exposure and its settings for each of ``count`` photographs.

    Args:
        count: number of photographs.
        generator: source of all randomness; the result lies on its device.
        ranges: one range, or several with their shares.

    Raises:
        InputError: ``count`` is not positive, or the shares are not positive numbers.

    Example:
        >>> import torch
        >>> cameras = sample_cameras(4, torch.Generator().manual_seed(1))
        >>> len(cameras), cameras.matrix.shape
        (4, torch.Size([4, 3, 3]))
    """
    shares = {ranges: 1.0} if isinstance(ranges, CameraDistribution) else ranges
    if count < 1:
        raise InputError(f"cameras can be drawn for 1 or more photographs, not for {count}")
    if not shares or min(shares.values()) <= 0:
        raise InputError(f"camera ranges need positive shares, not {list(shares.values())}")
    weights = torch.tensor(list(shares.values()), device=generator.device)
    chosen = torch.multinomial(weights, count, replacement=True, generator=generator)
    drawn = [_sample(count, camera_range, generator) for camera_range in shares]
    here = torch.arange(count, device=generator.device)
    return Cameras(
        **{
            field.name: torch.stack([getattr(cameras, field.name) for cameras in drawn])[
                chosen, here
            ]
            for field in fields(Cameras)
        }
    )
