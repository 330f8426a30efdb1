"""InvDN removes real noise from photographs with the Invertible Denoising Network (CVPR 2021).

>>> import numpy as np
>>> from invdn import Denoiser
>>> noisy = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
>>> clean = Denoiser().denoise(noisy)
>>> clean.shape, clean.dtype
((40, 50, 3), dtype('uint8'))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .architecture import Architecture
    from .denoiser import Denoiser
    from .engines import open_engine
    from .errors import InvDNError
    from .inference import DenoiseOptions, Engine, FileResult, Region
    from .network import DenoisingModule, InvDN
    from .weights.network import load_network

# Each public name and the module it comes from; loaded on first use, so that
# `import invdn` costs nothing and torch is imported only by what needs it.
_HOMES = {
    "Architecture": ".architecture",
    "DenoiseOptions": ".inference",
    "Denoiser": ".denoiser",
    "DenoisingModule": ".network",
    "Engine": ".inference",
    "FileResult": ".inference",
    "InvDN": ".network",
    "InvDNError": ".errors",
    "Region": ".inference",
    "load_network": ".weights.network",
    "open_engine": ".engines",
}

__all__ = [
    "Architecture",
    "DenoiseOptions",
    "Denoiser",
    "DenoisingModule",
    "Engine",
    "FileResult",
    "InvDN",
    "InvDNError",
    "Region",
    "load_network",
    "open_engine",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'invdn' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*globals(), *_HOMES))
