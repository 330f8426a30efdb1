"""Inference: an engine, latent sampling, tiling, self-ensemble, blending, from file to file."""

from ..options import QUALITIES, DenoiseOptions, Quality, Strength
from .blending import Findings, blend, noise_word
from .engine import Engine
from .error_map import expected_error
from .files import (
    ContentResult,
    FileOptions,
    FileResult,
    denoise_content,
    denoise_file,
    denoise_photo,
    training_range_warning,
)
from .outlook import Outlook, outlook_of
from .pipeline import Pipeline, Prediction, Progress, denoise_pixels
from .region import Region

__all__ = [
    "QUALITIES",
    "ContentResult",
    "DenoiseOptions",
    "Engine",
    "FileOptions",
    "FileResult",
    "Findings",
    "Outlook",
    "Pipeline",
    "Prediction",
    "Progress",
    "Quality",
    "Region",
    "Strength",
    "blend",
    "denoise_content",
    "denoise_file",
    "denoise_photo",
    "denoise_pixels",
    "expected_error",
    "noise_word",
    "outlook_of",
    "training_range_warning",
]
