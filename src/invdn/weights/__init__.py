"""Parameters and their files: every format of the originals in, without torch and without risk."""

from .convert import WeightsFile, open_weights, read_parameters, write_parameters
from .parameters import Parameters
from .zoo import shipped_model, shipped_models

__all__ = [
    "Parameters",
    "WeightsFile",
    "open_weights",
    "read_parameters",
    "shipped_model",
    "shipped_models",
    "write_parameters",
]
