"""Noise for whole photographs: any size, depth and number of colours, in bounded memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..image.dct import LUMA
from ..image.dtype import from_float, to_float
from ..photo.photo import Photo
from .camera import Cameras, sample_cameras
from .camera_range import MIXED, CameraDistribution
from .latent_noise import InvertibleNetwork, perturb_latent
from .noise import add_camera_noise

Progress = Callable[[int, int], None]  # rows done, rows in all

# Strips start on the grid of JPEG's largest blocks, which is a whole period of the Bayer pattern.
_GRID = 16
# Rows above and below a strip that are computed and dropped. The camera's kernels reach 14 rows and
# a block of JPEG 16 more; 99.9 % of what a pixel of the network depends on lies within 32 rows.
_CAMERA_CONTEXT = 2 * _GRID
_NETWORK_CONTEXT = 4 * _GRID
_STRIP_PIXELS = 1_000_000  # for about a gigabyte at the widest photographs


@dataclass(frozen=True)
class NoisyPhotograph:
    """A photograph with noise, and the camera that it was taken with."""

    photo: Photo
    camera: Cameras


def add_noise(
    photo: Photo,
    ranges: CameraDistribution | Mapping[CameraDistribution, float] = MIXED,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> NoisyPhotograph:
    """Add a drawn camera's noise to a clean photograph; its brightness stays.

    16-bit and float photographs are taken to come from a raw converter: their noise is neither
    rounded to 8 bits nor compressed as JPEG.

    Args:
        photo: any photograph; its values are read as sRGB, whatever its profile says.
        ranges: from what the camera is drawn; ``PHONE.at_iso(1600)``, say.
        seed: same photograph, ranges and seed, same noise.
        progress: called after every strip.

    Raises:
        InputError: the ranges or the seed are impossible.

    Example:
        >>> import numpy as np
        >>> from invdn.data.camera_range import PHONE
        >>> grey = Photo(np.full((8, 8, 3), 128, np.uint8))
        >>> noisy = add_noise(grey, PHONE.at_iso(3200), seed=1).photo
        >>> noisy.pixels.dtype, bool(noisy.pixels.std() > 1)
        (dtype('uint8'), True)
    """
    shares = {ranges: 1.0} if isinstance(ranges, CameraDistribution) else ranges
    generator = _generator(seed)
    kept = {_for_photograph(given, photo): share for given, share in shares.items()}
    camera = sample_cameras(1, generator, kept)
    camera = replace(camera, jpeg_offset=torch.zeros_like(camera.jpeg_offset))

    def transform(strip: Tensor) -> Tensor:
        return add_camera_noise(strip, camera, generator).noisy

    return NoisyPhotograph(_transform(photo, transform, _CAMERA_CONTEXT, progress), camera)


def resample_noise(
    photo: Photo,
    network: InvertibleNetwork,
    *,
    scale: float,
    seed: int = 0,
    progress: Progress | None = None,
) -> Photo:
    """Give a noisy photograph new noise of its own kind; see ``perturb_latent``.

    Args:
        photo: a noisy photograph.
        network: a trained network on the CPU whose scale is 16 or a divisor of it.
        scale: strength of the new noise: 0 for none, 1 for that of the photograph's own.
        seed: same photograph, network, scale and seed, same noise.
        progress: called after every strip.

    Raises:
        InputError: the scale or the seed are impossible.
    """
    generator = _generator(seed)

    def transform(strip: Tensor) -> Tensor:
        return perturb_latent(network, strip, scale, generator)

    return _transform(photo, transform, _NETWORK_CONTEXT, progress)


def _for_photograph(ranges: CameraDistribution, photo: Photo) -> CameraDistribution:
    """Return the same cameras, with the photograph's own brightness and depth."""
    exposed = replace(ranges, exposure=(1.0, 1.0))
    if photo.pixels.dtype == np.uint8:
        return exposed
    return replace(exposed, output_bits=16, jpeg_share=0.0)


def _generator(seed: int) -> torch.Generator:
    if not 0 <= seed < 2**63:
        raise InputError(f"the seed must be a whole number from 0 to 2**63 - 1, not {seed}")
    return torch.Generator().manual_seed(seed)


def _transform(
    photo: Photo,
    transform: Callable[[Tensor], Tensor],
    context: int,
    progress: Progress | None,
) -> Photo:
    """Send a photograph through ``transform`` in strips (1, 3, h, w), h and w on the grid."""
    height, width = photo.height, photo.width
    result = np.empty_like(photo.pixels)
    rows = max(_GRID, _STRIP_PIXELS // width // _GRID * _GRID)
    for top in range(0, height, rows):
        start, stop = max(0, top - context), min(height, top + rows + context)
        values = to_float(photo.pixels[start:stop]).clip(0, 1)
        colours = values if values.ndim == 3 else np.stack((values,) * 3, axis=2)
        margin = (-(stop - start) % _GRID, -width % _GRID)
        padded = np.pad(colours, ((0, margin[0]), (0, margin[1]), (0, 0)), mode="edge")
        strip = torch.from_numpy(np.ascontiguousarray(padded.transpose(2, 0, 1))).unsqueeze(0)
        changed = transform(strip)[0].permute(1, 2, 0).numpy()[top - start : stop - start, :width]
        changed = changed[:rows] if values.ndim == 3 else changed[:rows] @ LUMA
        result[top : top + rows] = from_float(changed, result.dtype)
        if progress:
            progress(min(height, top + rows), height)
    return replace(photo, pixels=result)
