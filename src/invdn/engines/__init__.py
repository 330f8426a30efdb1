"""Inference backends (native, ONNX Runtime, torch) and ``open_engine``, which selects one."""

from .cpu_count import available_processors
from .factory import BACKENDS, DTYPES, available_devices, native_absence, open_engine

__all__ = [
    "BACKENDS",
    "DTYPES",
    "available_devices",
    "available_processors",
    "native_absence",
    "open_engine",
]
