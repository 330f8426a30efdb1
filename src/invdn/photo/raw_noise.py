"""The noise that a raw file says it has (DNG's NoiseProfile), as the network sees it.

::

    profile ── variance of the mosaic at a brightness ── demosaicing ── matrix, tone curve
                                                          (AHD)          └── spread of luma, colour

An estimate from the picture alone takes texture for noise where nothing is flat; it is never lower
than the truth for long. So the lower one of the two is believed.

Source: Digital Negative Specification 1.7.1, NoiseProfile; the constants of demosaicing were
measured with LibRaw on a ramp under shot noise.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..image.dct import LUMA
from ..image.noise_estimation import NoiseEstimate

# Of demosaicing by AHD: what it leaves of a channel's spread, and the correlation of channels.
_REMAINS, _SHARED = 0.9, 0.57
_SAMPLES = 4096
_LEAST = 0.1  # of the measured noise: a profile that says less is not believed

Floats = NDArray[np.float32]


def known_noise(
    estimate: NoiseEstimate,
    profile: NDArray[np.float64],
    to_camera: Callable[[Floats], Floats],
    to_srgb: Callable[[Floats], Floats],
) -> NoiseEstimate:
    """Return an estimate that takes no texture for noise.

    Args:
        estimate: from the picture.
        profile: slope and offset of the variance over linear values, one pair or three.
        to_camera: sRGB-encoded colours to linear ones of the camera.
        to_srgb: the inverse.

    Example:
        >>> same = lambda window: window
        >>> measured = NoiseEstimate(
        ...     25.5, (0.2, 0.8), (0.1, 0.1), (0.1, 0.1), 0.3, 0.5, ((1.0,) * 64,) * 3
        ... )
        >>> found = known_noise(measured, np.array([0.0, 0.05**2]), same, same)
        >>> [round(spread, 2) for spread in found.colour]
        [0.04, 0.04]
    """
    pairs = np.broadcast_to(profile.reshape(-1, 2), (3, 2))
    generator = np.random.default_rng(0)
    shared = generator.normal(0, _SHARED**0.5, (1, _SAMPLES, 1))
    noise = shared + generator.normal(0, (1 - _SHARED) ** 0.5, (1, _SAMPLES, 3))
    luma, colour = [], []
    for place, bright in enumerate(estimate.brightness):
        linear = to_camera(np.full((1, 1, 3), bright, np.float32))[0, 0].astype(np.float64)
        variance = np.maximum(pairs[:, 0] * np.clip(linear, 0, 1) + pairs[:, 1], 0)
        seen = to_srgb((linear + _REMAINS * noise * np.sqrt(variance)).astype(np.float32))[0]
        measured = estimate.luma[place], estimate.colour[place]
        known = float((seen @ LUMA).std()), float(np.sqrt(seen.var(axis=0).mean()))
        believed = known[1] >= _LEAST * measured[1]
        luma.append(min(measured[0], known[0]) if believed else measured[0])
        colour.append(min(measured[1], known[1]) if believed else measured[1])
    before = float(np.square(estimate.colour).mean()) or 1.0
    share = float(np.square(colour).mean()) / before
    return replace(
        estimate, level=estimate.level * share**0.5, luma=tuple(luma), colour=tuple(colour)
    )
