"""Where arrays meet a runtime; picked in one place, imported late."""

from .choice import RUNTIMES, available_devices, open_engine

__all__ = ["RUNTIMES", "available_devices", "open_engine"]
