"""What the compiled module offers; its source is src/native/pixel_bindings.cpp."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..image.dtype import Floats

def instruction_sets() -> list[str]: ...
def noise_shares(
    noisy: Floats,
    denoised: Floats,
    numbers: Floats,
    spreads: Sequence[NDArray[np.float64]],
    towards_noise: float,
    layers: Sequence[Floats],
    to: Floats,
    instructions: str = "auto",
) -> None: ...
def dither(
    clean: Floats,
    blended: Floats,
    noisy: Floats,
    denoised: Floats,
    top: int,
    left: int,
    row: int,
    column: int,
    to: Floats,
    instructions: str = "auto",
) -> int: ...
