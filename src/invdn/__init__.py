"""InvDN removes real noise from photographs with the Invertible Denoising Network (CVPR 2021).

>>> import numpy as np
>>> from invdn import Denoiser
>>> noisy = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
>>> clean = Denoiser()(noisy, strength=0.8)
>>> clean.shape, clean.dtype
((40, 50, 3), dtype('uint8'))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .architecture import Architecture as Architecture
    from .bursts import denoise_burst as denoise_burst
    from .denoiser import Denoiser as Denoiser
    from .denoiser import denoise_invdn as denoise_invdn
    from .engines import open_engine as open_engine
    from .errors import InvDNError as InvDNError
    from .image.noise_estimation import NoiseEstimate as NoiseEstimate
    from .image.noise_estimation import estimate_noise as estimate_noise
    from .inference import Engine as Engine
    from .inference import FileOptions as FileOptions
    from .inference import FileResult as FileResult
    from .inference import Prediction as Prediction
    from .inference import Progress as Progress
    from .inference import Region as Region
    from .inference import expected_error as expected_error
    from .network import DenoisingModule as DenoisingModule
    from .network import InvDN as InvDN
    from .options import DenoiseOptions as DenoiseOptions
    from .options import Overrides as Overrides
    from .photo.photo import Photo as Photo
    from .photo.photo import WriteOptions as WriteOptions
    from .photo.read import read_photo as read_photo
    from .photo.write import write_photo as write_photo
    from .video import denoise_video as denoise_video
    from .weights.network import load_network as load_network

# Each public name and the module it comes from; loaded on first use, so that
# `import invdn` costs nothing and torch is imported only by what needs it.
_HOMES = {
    "Architecture": ".architecture",
    "DenoiseOptions": ".options",
    "Denoiser": ".denoiser",
    "DenoisingModule": ".network",
    "Engine": ".inference",
    "FileOptions": ".inference",
    "FileResult": ".inference",
    "InvDN": ".network",
    "InvDNError": ".errors",
    "NoiseEstimate": ".image.noise_estimation",
    "Overrides": ".options",
    "Photo": ".photo.photo",
    "Prediction": ".inference",
    "Progress": ".inference",
    "Region": ".inference",
    "WriteOptions": ".photo.photo",
    "denoise_burst": ".bursts",
    "denoise_invdn": ".denoiser",
    "denoise_video": ".video",
    "estimate_noise": ".image.noise_estimation",
    "expected_error": ".inference",
    "load_network": ".weights.network",
    "open_engine": ".engines",
    "read_photo": ".photo.read",
    "write_photo": ".photo.write",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'invdn' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*globals(), *_HOMES))
