"""An engine that ignores the exception of a signal once, as a finalizer or a callback of C does."""

import math
import time
from pathlib import Path
from typing import Any

from invdn.engines import open_engine


class _Finalizer:
    """Waits for an exception where Python ignores it, and makes a file when it begins to."""

    def __init__(self, deaf: Path) -> None:
        self._deaf = deaf

    def __del__(self) -> None:
        self._deaf.touch()
        while True:
            time.sleep(0.01)


class DeafEngine:
    """The network ``fast``; only a second exception ends its decoding of more than 100 pixels.

    Args:
        deaf: a file that is made when the first one will be ignored.
    """

    def __init__(self, deaf: Path) -> None:
        self._deaf = deaf
        engine = open_engine("fast", "cpu")
        self.architecture = engine.architecture
        self.description = engine.description
        self.encode = engine.encode
        self._decode = engine.decode

    def decode(self, low: Any, latent: Any) -> Any:
        """Decode what the worker warms up with, and nothing larger."""
        if low.shape[-1] <= 100:
            return self._decode(low, latent)
        _Finalizer(self._deaf)
        while True:
            math.sqrt(2)
