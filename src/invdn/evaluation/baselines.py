"""Classical denoisers, to stand beside a network: whoever has them installed can ask for them."""

from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import InputError, MissingDependencyError
from .methods import Floats, Method, Restoration, unit_floats
from .samples import Sample

_BLOCK = 8


def noise_level(image: Floats) -> float:
    """Return standard deviation of the noise, from the flat parts of an image.

    The deviation inside each 8x8 block is taken, and of all blocks the lower quartile. Unlike
    estimates from the finest wavelet band, this sees noise that demosaicing has smoothed.

    Args:
        image: ``(H, W)`` or ``(H, W, C)`` in [0, 1].

    Returns:
        In units of the full range; the deviation of the whole image if it is smaller than a block.

    Example:
        >>> import numpy as np
        >>> noise = np.random.default_rng(0).normal(0.5, 0.1, (64, 64, 3)).astype(np.float32)
        >>> 0.09 < noise_level(noise) < 0.1
        True
    """
    wide = np.atleast_3d(image)
    rows, columns = wide.shape[0] // _BLOCK, wide.shape[1] // _BLOCK
    if rows == 0 or columns == 0:
        return float(wide.std())
    blocks = wide[: rows * _BLOCK, : columns * _BLOCK].reshape(
        rows, _BLOCK, columns, _BLOCK, wide.shape[2]
    )
    return float(np.quantile(blocks.std(axis=(1, 3)).mean(axis=-1), 0.25))


def baseline(name: str, strength: float | None = None) -> Method:
    """Return a classical method by name.

    Args:
        name: one of ``BASELINES``.
        strength: smoothing as a multiple of the noise level estimated in each image; by default
            what serves the method well on SIDD's blocks.

    Raises:
        InputError: there is no such method, or the strength is not positive.
        MissingDependencyError: its package is not installed.
    """
    if name not in BASELINES:
        raise InputError(f"there is no baseline {name!r}; choose from {', '.join(BASELINES)}")
    package, install, default, make = BASELINES[name]
    factor = default if strength is None else strength
    if not factor > 0:
        raise InputError(f"the strength of {name} must be positive, not {strength}")
    try:
        run = make(import_module(package))
    except ImportError as error:
        raise MissingDependencyError(f"{name} needs {error.name}: pip install {install}") from error

    def restore(sample: Sample) -> Restoration:
        noisy = unit_floats(sample.noisy)
        sigma = max(noise_level(noisy) * factor, 1e-4)
        return Restoration(np.clip(run(noisy, sigma), 0, 1).astype(np.float32))

    shown = f"{name} (strength {factor:g})" if strength is not None else name
    return Method(shown, restore)


Run = Callable[[Floats, float], Any]


def _non_local_means(cv2: Any) -> Run:
    def run(noisy: Floats, sigma: float) -> Any:
        eight, strength = np.round(noisy * 255).astype(np.uint8), sigma * 255
        if noisy.ndim == 2:
            return cv2.fastNlMeansDenoising(eight, None, strength) / 255
        return cv2.fastNlMeansDenoisingColored(eight, None, strength, strength) / 255

    return run


def _wavelet(restoration: Any) -> Run:
    import_module("pywt")  # scikit-image would look for it only at the first image

    def run(noisy: Floats, sigma: float) -> Any:
        colour = noisy.ndim == 3
        return restoration.denoise_wavelet(
            noisy,
            sigma=sigma,
            method="VisuShrink",
            channel_axis=2 if colour else None,
            convert2ycbcr=colour,
            rescale_sigma=True,
        )

    return run


def _total_variation(restoration: Any) -> Run:
    def run(noisy: Floats, sigma: float) -> Any:
        axis = 2 if noisy.ndim == 3 else None
        return restoration.denoise_tv_chambolle(noisy, weight=sigma, channel_axis=axis)

    return run


def _bm3d(bm3d: Any) -> Run:
    def run(noisy: Floats, sigma: float) -> Any:
        return (bm3d.bm3d_rgb if noisy.ndim == 3 else bm3d.bm3d)(noisy, sigma)

    return run


#: Name -> module, what to install, default strength, and how it is run.
BASELINES: MappingProxyType[str, tuple[str, str, float, Callable[[Any], Run]]] = MappingProxyType(
    {
        "nlm": ("cv2", "'invdn[baselines]'", 1.5, _non_local_means),
        "wavelet": ("skimage.restoration", "'invdn[baselines]'", 1.0, _wavelet),
        "tv": ("skimage.restoration", "'invdn[baselines]'", 4.0, _total_variation),
        "bm3d": ("bm3d", "bm3d (its licence allows no commercial use)", 1.0, _bm3d),
    }
)
