"""How far an image is from its reference: PSNR and SSIM, in numpy alone.

Everything here works on floating-point images in [0, 1], ``(H, W)`` or ``(H, W, C)``, and computes
in double precision. Which colours, which rounding and which border the literature uses is the
business of ``invdn.evaluation.protocols``.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError

Pixels = NDArray[np.float64]

# ITU-R BT.601, studio swing (luma from 16 to 235 of 255), as MATLAB's rgb2ycbcr has it.
_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_LUMA_BLACK = 16 / 255

_STRIP = 512  # rows per step of the SSIM, which bounds its memory on large photographs


@dataclass(frozen=True)
class Window:
    """The neighbourhood in which the structural similarity compares two images.

    Attributes:
        size: taps along each axis, odd.
        sigma: standard deviation of the Gaussian weights in pixels; None weighs all taps alike.
        covariance: divide by the number of samples ("population") or by one less ("sample").
        border: average only where the whole window lies inside ("valid"), or everywhere, with the
            edge pixels repeated outwards ("replicate").
        across: filter within each colour ("plane"), or across the colours as well, as if the
            image were a volume ("volume": what MATLAB's ``ssim`` does with an RGB array).

    The default is the window of Wang et al., Image quality assessment: from error visibility to
    structural similarity, IEEE TIP 2004, section III-C.

    Raises:
        InputError: the size is even or not positive, or sigma is not positive.
    """

    size: int = 11
    sigma: float | None = 1.5
    covariance: Literal["population", "sample"] = "population"
    border: Literal["valid", "replicate"] = "valid"
    across: Literal["plane", "volume"] = "plane"

    def __post_init__(self) -> None:
        if self.size < 1 or self.size % 2 == 0 or (self.sigma is not None and self.sigma <= 0):
            raise InputError(f"a window needs an odd size and a positive sigma: {self}")

    @property
    def weights(self) -> Pixels:
        """``(size,)`` weights along one axis; they sum to one."""
        if self.sigma is None:
            return np.full(self.size, 1 / self.size)
        weights = np.exp(-((np.arange(self.size) - self.size // 2) ** 2) / (2 * self.sigma**2))
        return np.asarray(weights / weights.sum())


def luma(image: ArrayLike) -> Pixels:
    """Return the luma Y of an RGB image by BT.601: black is 16/255, white 235/255.

    Args:
        image: ``(H, W, 3)``, RGB in [0, 1].

    Returns:
        ``(H, W)`` float64, not rounded.

    Raises:
        InputError: the image does not have three colours.

    Example:
        >>> import numpy as np
        >>> (luma(np.ones((1, 1, 3))) * 255).round(3).tolist()
        [[235.0]]
    """
    pixels = np.asarray(image, dtype=np.float64)
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(f"luma needs an RGB image (H, W, 3), not an array of shape {pixels.shape}")
    return np.asarray(pixels @ _LUMA + _LUMA_BLACK)


def psnr(image: ArrayLike, reference: ArrayLike) -> float:
    """Return peak signal-to-noise ratio in decibels, the peak being 1.

    Args:
        image: ``(H, W)`` or ``(H, W, C)`` in [0, 1].
        reference: the same shape.

    Returns:
        ``10 log10(1 / mean squared error)``; infinity where both are equal.

    Raises:
        InputError: shapes differ, are empty, or a value is NaN or infinite.

    Example:
        >>> import numpy as np
        >>> round(psnr(np.full((4, 4), 0.6), np.full((4, 4), 0.5)), 6)
        20.0
        >>> psnr(np.ones((4, 4)), np.ones((4, 4)))
        inf
    """
    a, b = _comparable(image, reference)
    error = float(np.mean(np.square(a - b)))
    return -10 * math.log10(error) if error > 0 else math.inf


def ssim(image: ArrayLike, reference: ArrayLike, window: Window = Window()) -> float:
    """Return SSIM, the mean over positions and colours (K1 = 0.01, K2 = 0.03, range 1).

    Args:
        image: ``(H, W)`` or ``(H, W, C)`` in [0, 1].
        reference: the same shape.
        window: the neighbourhood; the default is that of the original paper.

    Returns:
        A number up to 1, which means equal.

    Raises:
        InputError: shapes differ, a value is NaN or infinite, or the image is smaller than the
            window.

    Reference:
        Wang et al., Image quality assessment: from error visibility to structural similarity,
        IEEE TIP 2004, equation 13.

    Example:
        >>> import numpy as np
        >>> ramp = np.linspace(0, 1, 256).reshape(16, 16)
        >>> ssim(ramp, ramp)
        1.0
        >>> ssim(ramp, 1 - ramp) < 0
        True
    """
    a, b = _comparable(image, reference)
    a, b = np.atleast_3d(a), np.atleast_3d(b)
    radius = window.size // 2
    if window.border == "replicate":
        edges = ((radius, radius), (radius, radius), (0, 0))
        a, b = np.pad(a, edges, mode="edge"), np.pad(b, edges, mode="edge")
    rows, columns = (extent - window.size + 1 for extent in a.shape[:2])
    if rows < 1 or columns < 1:
        raise InputError(
            f"an image of {a.shape[1]}x{a.shape[0]} is too small for the "
            f"{window.size}x{window.size} window of the SSIM: use larger images"
        )
    total = 0.0
    for top in range(0, rows, _STRIP):
        strip = slice(top, min(top + _STRIP, rows) + window.size - 1)
        total += float(_similarity(a[strip], b[strip], window).sum())
    return total / float(rows * columns * a.shape[2])


def _comparable(image: ArrayLike, reference: ArrayLike) -> tuple[Pixels, Pixels]:
    a = np.asarray(image, dtype=np.float64)
    b = np.asarray(reference, dtype=np.float64)
    if a.shape != b.shape:
        raise InputError(f"the image has shape {a.shape}, its reference {b.shape}: they must agree")
    if a.ndim not in (2, 3) or a.size == 0:
        raise InputError(f"an image is (H, W) or (H, W, C) and not empty, not {a.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("the image or its reference holds NaN or infinite values")
    return a, b


def _similarity(a: Pixels, b: Pixels, window: Window) -> Pixels:
    """Give the map of equation 13 for ``(H, W, C)`` strips: ``(H - size + 1, W - size + 1, C)``."""
    mean_a, mean_b, square_a, square_b, product = (
        _local_mean(x, window) for x in (a, b, a * a, b * b, a * b)
    )
    samples = window.size ** (3 if window.across == "volume" else 2)
    unbias = samples / (samples - 1) if window.covariance == "sample" else 1.0
    variance = unbias * (square_a - mean_a**2 + square_b - mean_b**2)
    covariance = unbias * (product - mean_a * mean_b)
    c1, c2 = 0.01**2, 0.03**2
    return np.asarray(
        ((2 * mean_a * mean_b + c1) * (2 * covariance + c2))
        / ((mean_a**2 + mean_b**2 + c1) * (variance + c2))
    )


def _local_mean(x: Pixels, window: Window) -> Pixels:
    """Return weighted mean in the window around every position where it fits; separable."""
    weights = window.weights
    rows, columns = (extent - window.size + 1 for extent in x.shape[:2])
    x = sum((w * x[i : i + rows] for i, w in enumerate(weights)), np.zeros(()))
    x = sum((w * x[:, i : i + columns] for i, w in enumerate(weights)), np.zeros(()))
    return x @ _colour_mixing(x.shape[2], weights) if window.across == "volume" else x


def _colour_mixing(colours: int, weights: Pixels) -> Pixels:
    """Return ``(C, C)``: filtering along the colour axis with the outermost colours repeated."""
    radius = len(weights) // 2
    source = np.clip(np.arange(colours)[:, None] + np.arange(-radius, radius + 1), 0, colours - 1)
    mixing = np.zeros((colours, colours))
    np.add.at(mixing, (source, np.arange(colours)[:, None]), weights)
    return mixing
