"""Where arrays meet a runtime; picked in one place, imported late."""

from .choice import RUNTIMES, Runtime, available_devices, native_absence, open_engine
from .processors import available_processors

__all__ = [
    "RUNTIMES",
    "Runtime",
    "available_devices",
    "available_processors",
    "native_absence",
    "open_engine",
]
