"""What denoising asks of a runtime."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..architecture import Architecture

Array = NDArray[np.float32]


class Engine(Protocol):
    """A network ready to run: float32 arrays in, float32 arrays out.

    Heights and widths are divisible by ``architecture.scale``; values are RGB in [0, 1].
    Every engine gives the same numbers within 1e-4 in float32.

    An engine may have more attributes, each of which is taken where it is there:

    - ``tile``: edge in pixels of the tiles that suit it, 0 for whole photographs;
    - ``batch_pixels``: pixels of tiles of one size that it takes at once;
    - ``bytes_per_pixel``: its memory by pixel of a tile;
    - ``process_bytes``: its memory before any photograph;
    - ``exact``: an engine of the same network in float32, for photographs of more than 8 bits.
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


class RowEncoder(Protocol):
    """Takes noisy rows, gives rows of ``low``."""

    def push(self, noisy: Array) -> Array:
        """Return the next ``(3, n, W)`` rows, to the ``(3, m, w)`` rows that they finish."""
        ...


class RowDecoder(Protocol):
    """Takes rows of ``low`` and of latents, gives rows of images."""

    def push(self, low: Array, latent: Array) -> Array:
        """Take ``(3, n, w)`` and ``(N, 45, n, w)`` rows; return the ``(N, 3, m, W)`` finished."""
        ...


class StreamingEngine(Engine, Protocol):
    """An engine that can work through a photograph row by row.

    Attributes:
        bytes_per_pixel: memory of a picture that goes through in one piece.
        bytes_per_column: memory of the rows in flight, for one draw.
    """

    bytes_per_pixel: int
    bytes_per_column: int

    def encode_rows(self, height: int, width: int, piece: int) -> RowEncoder:
        """Return an encoder of one picture, for at most ``piece`` rows at a time."""
        ...

    def decode_rows(self, height: int, width: int, draws: int, piece: int) -> RowDecoder:
        """Return a decoder of one picture, for at most ``piece`` rows of ``low`` at a time."""
        ...
