"""What a small camera in weak light does to a picture, for the demonstration.

::

    clean sRGB -> linear light -> colour mosaic -> photon and read noise, clipped -> white balance
               -> demosaicing -> sRGB, 8 bits

The noise that comes out is what the network is made for: stronger in the light than in the dark
before gamma, coloured, and correlated between neighbouring pixels. Model of the noise: Foi et al.,
"Practical Poissonian-Gaussian noise modeling and fitting", IEEE TIP 2008. Demosaicing: bilinear.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..image.dtype import from_float, to_float
from .color.curves import SRGB_GAMMA, SRGB_KNEE, SRGB_KNEE_LIGHT, SRGB_OFFSET, SRGB_SLOPE

_GAINS = np.array([2.0, 1.0, 1.7], np.float32)  # white balance of red, green, blue in daylight


def camera_noise(
    clean: NDArray[np.uint8], *, shot: float = 0.006, read: float = 0.0004, seed: int = 0
) -> NDArray[np.uint8]:
    """Return the same picture as a camera with a noisy sensor would have taken it.

    Only the noise goes through the demosaicing, so that the clean picture stays the exact target.

    Args:
        clean: ``(H, W, 3)`` sRGB, 2x2 pixels or more.
        shot: variance per unit of light on the sensor (photon noise), white being 1.
        read: variance in the dark.
        seed: fixes the noise.

    Returns:
        ``(H, W, 3)`` sRGB.

    Raises:
        InputError: the picture is no 8-bit RGB or too small.

    Example:
        >>> grey = np.full((64, 64, 3), 128, np.uint8)
        >>> noisy = camera_noise(grey)
        >>> bool(5 < noisy.std() < 50), bool((noisy == camera_noise(grey)).all())
        (True, True)
    """
    if clean.dtype != np.uint8 or clean.ndim != 3 or clean.shape[2] != 3 or min(clean.shape) < 2:
        raise InputError(
            f"pixels of shape {clean.shape} and type {clean.dtype} do not fit; "
            "give (H, W, 3) of uint8, 2x2 pixels or more"
        )
    linear = _srgb_to_linear(to_float(clean))
    sites = _mosaic_sites(*clean.shape[:2])
    light = linear / _GAINS
    variance = shot * light + read
    noise = np.random.default_rng(seed).standard_normal(clean.shape[:2], np.float32)[..., None]
    seen = np.clip(light + noise * np.sqrt(variance), 0, 1) - light
    smeared = np.stack([_fill(seen[..., c] * sites[..., c], sites[..., c]) for c in range(3)], -1)
    noisy = _linear_to_srgb(np.clip(linear + smeared * _GAINS, 0, 1))
    return from_float(noisy, np.uint8).astype(np.uint8, copy=False)


def _mosaic_sites(height: int, width: int) -> NDArray[np.float32]:
    """Return ``(H, W, 3)``: 1 where a pixel of the sensor sees that colour, in RGGB order."""
    sites = np.zeros((height, width, 3), np.float32)
    sites[0::2, 0::2, 0] = 1
    sites[0::2, 1::2, 1] = 1
    sites[1::2, 0::2, 1] = 1
    sites[1::2, 1::2, 2] = 1
    return sites


def _fill(samples: NDArray[np.float32], sites: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give bilinear interpolation of the pixels that have no sample from the neighbours that do."""
    filled: NDArray[np.float32] = np.where(sites > 0, samples, _blur(samples) / _blur(sites))
    return filled


def _blur(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each pixel plus half of its neighbours, along both axes."""
    rows = np.pad(plane, ((1, 1), (0, 0)))
    plane = plane + (rows[:-2] + rows[2:]) / np.float32(2)
    columns = np.pad(plane, ((0, 0), (1, 1)))
    return plane + (columns[:, :-2] + columns[:, 2:]) / np.float32(2)


def _srgb_to_linear(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the curve of IEC 61966-2-1."""
    curve: NDArray[np.float32] = np.where(
        values <= SRGB_KNEE,
        values / SRGB_SLOPE,
        ((values + SRGB_OFFSET) / (1 + SRGB_OFFSET)) ** SRGB_GAMMA,
    )
    return curve


def _linear_to_srgb(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the curve of IEC 61966-2-1."""
    curve: NDArray[np.float32] = np.where(
        values <= SRGB_KNEE_LIGHT,
        values * SRGB_SLOPE,
        (1 + SRGB_OFFSET) * values ** (1 / SRGB_GAMMA) - SRGB_OFFSET,
    )
    return curve
