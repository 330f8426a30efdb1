"""Denoising: an engine, a latent field, tiles, symmetries and draws, in one loop."""

from .blending import blend
from .engine import Engine
from .files import FileResult, denoise_file, denoise_photo
from .options import QUALITIES, DenoiseOptions, Quality, Strength
from .pipeline import (
    Progress,
    denoise_in_place,
    denoise_pixels,
    denoise_region,
    denoise_with_spread,
)
from .recall import recalling, recorded_bytes, recording
from .region import Region
from .trained_range import warning_of

__all__ = [
    "QUALITIES",
    "DenoiseOptions",
    "Engine",
    "FileResult",
    "Progress",
    "Quality",
    "Region",
    "Strength",
    "blend",
    "denoise_file",
    "denoise_in_place",
    "denoise_photo",
    "denoise_pixels",
    "denoise_region",
    "denoise_with_spread",
    "recalling",
    "recorded_bytes",
    "recording",
    "warning_of",
]
