"""Where arrays meet a runtime; picked in one place, imported late."""

from .cpu_count import available_processors
from .factory import RUNTIMES, Runtime, available_devices, native_absence, open_engine

__all__ = [
    "RUNTIMES",
    "Runtime",
    "available_devices",
    "available_processors",
    "native_absence",
    "open_engine",
]
