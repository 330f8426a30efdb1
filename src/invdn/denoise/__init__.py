"""Denoising: an engine, a latent field, tiles, symmetries and draws, in one loop."""

from .engine import Engine
from .files import FileResult, denoise_file
from .options import QUALITIES, DenoiseOptions, Quality
from .pixels import Progress, denoise_pixels, denoise_with_spread

__all__ = [
    "QUALITIES",
    "DenoiseOptions",
    "Engine",
    "FileResult",
    "Progress",
    "Quality",
    "denoise_file",
    "denoise_pixels",
    "denoise_with_spread",
]
