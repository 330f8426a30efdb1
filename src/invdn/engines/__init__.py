"""Inference backends (native, ONNX Runtime, torch) and ``open_engine``, which selects one."""

from .factory import (
    BACKENDS,
    DTYPES,
    available_devices,
    available_processors,
    in_float32,
    model_parameters,
    open_engine,
    why_native_unavailable,
)

__all__ = [
    "BACKENDS",
    "DTYPES",
    "available_devices",
    "available_processors",
    "in_float32",
    "model_parameters",
    "open_engine",
    "why_native_unavailable",
]
