"""What denoising asks of a runtime."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..architecture import Architecture

Array = NDArray[np.float32]


def engine_for(engine: "Engine", dtype: "np.dtype[Any]") -> "Engine":
    """Return the engine for pixels of this type.

    One whose fast precision shows nothing in 8 bits may have an ``exact`` companion for more.

    Args:
        engine: any.
        dtype: of the pixels before they were converted to float32.
    """
    exact: Engine = getattr(engine, "exact", engine) if dtype != np.uint8 else engine
    return exact


class Engine(Protocol):
    """A network ready to run: float32 arrays in, float32 arrays out.

    Heights and widths are divisible by ``architecture.scale``; values are RGB in [0, 1].
    Every engine gives the same numbers within 1e-4 in float32.
    """

    @property
    def architecture(self) -> Architecture:
        """The shape of the network that this engine runs."""
        ...

    @property
    def description(self) -> str:
        """What runs and where, for people: ``"ONNX Runtime 1.32 on the CPU"``."""
        ...

    def encode(self, noisy: Array) -> Array:
        """Map ``(B, 3, H, W)`` noisy images to ``(B, 3, h, w)`` clean low-resolution ones."""
        ...

    def decode(self, low: Array, latent: Array) -> Array:
        """Return ``(1 or B, 3, h, w)`` and ``(B, 45, h, w)`` to ``(B, 3, H, W)`` images.

        One ``low`` serves a batch of latents, which are then samples of the same image: what does
        not depend on the latent is computed once.
        """
        ...
