"""Parameters and their files: every format of the originals in, without torch and without risk."""

from .convert import (
    WeightsFile,
    open_weights,
    read_parameters,
    shipped_model,
    shipped_models,
    write_parameters,
)
from .parameters import Parameters

__all__ = [
    "Parameters",
    "WeightsFile",
    "open_weights",
    "read_parameters",
    "shipped_model",
    "shipped_models",
    "write_parameters",
]
