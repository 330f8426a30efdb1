"""Measure what a network does to plain colours: flat patches, ramps and edges over the RGB cube.

Photographs hold few saturated colours, so a network may fail on them without any photograph's score
saying so. Clipping at black and white moves the mean of a noisy patch away from its true colour;
which of the two a denoiser gives back, or anything between, is no error.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise, product
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from invdn.data.camera import sample_cameras
from invdn.data.camera_range import PHONE
from invdn.data.noise import add_camera_noise
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.inference.engine import Engine
from support.cameras import UNPROCESSED

Pixels = NDArray[np.uint8]


class Noise(NamedTuple):
    """Noise of a patch.

    Attributes:
        spread: standard deviation, of 255, in the channel where the noise is strongest. With a
            phone's it differs tenfold between colours at one sensitivity: dark channels beside
            bright ones have most.
        bar: largest error of the patch's mean, of 255, that is borne.
        added: Gaussian, alike in every channel, added to the patch; else a phone's.
    """

    spread: float
    bar: float
    added: bool = False


NOISE: Mapping[str, Noise] = MappingProxyType(
    {
        "none": Noise(0.0, 2.0),
        "light": Noise(4.0, 2.0),
        "medium": Noise(12.0, 4.0),
        "heavy": Noise(30.0, 4.0),
        "added light": Noise(4.0, 2.0, added=True),
        "added medium": Noise(12.0, 4.0, added=True),
        "added heavy": Noise(30.0, 4.0, added=True),
    }
)
#: Largest error of any pixel of a patch without noise, of 255, that is borne.
LARGEST_BAR = 12.0
_WHOLE = DenoiseOptions(strength=1, latent_std=0).of_the_network()
_SEARCHES = 4  # of the sensitivity
_BANDS = 8  # parts of a ramp whose means are compared
_MARGIN = 8  # pixels on either side of an edge that its sides leave out, and along the border

CORNERS: tuple[tuple[int, ...], ...] = tuple(product((0, 255), repeat=3))
"""The corners of the RGB cube, black first."""


@dataclass(frozen=True)
class PatchError:
    """What came out wrong of one patch, of 255, in the channel where it is most.

    Attributes:
        name: the patch's colour or colours.
        mean: distance of the mean from the true colour and the noisy mean, and all between them.
        largest: the same of the pixel that is farthest off.
        inside: the same without the 8 pixels along the border, beyond which the network sees black.
        spread: standard deviation around the mean.
    """

    name: str
    mean: float
    largest: float
    inside: float
    spread: float

    def fails(self, noise: str) -> bool:
        """Whether it is beyond the bar for this level of noise, a key of ``NOISE``."""
        return self.mean > NOISE[noise].bar or (noise == "none" and self.largest > LARGEST_BAR)


def color_grid(levels: int) -> list[tuple[int, ...]]:
    """Colours evenly over the RGB cube: its corners, edges, faces and inside.

    Example:
        >>> len(color_grid(10)), color_grid(2)[-1]
        (1000, (255, 255, 255))
    """
    steps = [round(255 * step / (levels - 1)) for step in range(levels)]
    return list(product(steps, repeat=3))


def flat_patches(colors: Sequence[tuple[int, ...]], size: int) -> Iterator[tuple[str, Pixels]]:
    """Give a name and a picture (size, size, 3) for each colour."""
    for color in colors:
        yield _name(color), np.full((size, size, 3), color, np.uint8)


def ramps(size: int) -> Iterator[tuple[str, Pixels]]:
    """Give ramps, from left to right, between every two corners of the cube."""
    position = np.linspace(0, 1, size)[None, :, None]
    for first, second in combinations(CORNERS, 2):
        row = (1 - position) * np.array(first) + position * np.array(second)
        picture = np.repeat(row.round().astype(np.uint8), size, axis=0)
        yield f"{_name(first)} to {_name(second)}", picture


def edges(size: int) -> Iterator[tuple[str, Pixels]]:
    """Give upright edges in the middle between every two corners of the cube."""
    for first, second in combinations(CORNERS, 2):
        picture = np.empty((size, size, 3), np.uint8)
        picture[:, : size // 2], picture[:, size // 2 :] = first, second
        yield f"{_name(first)} beside {_name(second)}", picture


def measure_flat(
    engine: Engine, patches: Iterator[tuple[str, Pixels]], noise: str
) -> list[PatchError]:
    """Denoise flat patches at full strength, each by itself, and measure them."""
    return [
        compare_patch(name, clean, noisy, result, [np.s_[:, :]])
        for name, clean, noisy, result in _denoised(engine, patches, noise)
    ]


def measure_ramps(
    engine: Engine, patches: Iterator[tuple[str, Pixels]], noise: str
) -> list[PatchError]:
    """Denoise ramps and measure the means of eight upright bands, the worst of them."""
    return [
        compare_patch(name, clean, noisy, result, _bands(clean.shape[1]))
        for name, clean, noisy, result in _denoised(engine, patches, noise)
    ]


def measure_edges(
    engine: Engine, patches: Iterator[tuple[str, Pixels]], noise: str
) -> list[PatchError]:
    """Denoise edges and measure both sides, but for 8 pixels beside the edge."""
    errors = []
    for name, clean, noisy, result in _denoised(engine, patches, noise):
        middle = clean.shape[1] // 2
        sides = [np.s_[:, : middle - _MARGIN], np.s_[:, middle + _MARGIN :]]
        errors.append(compare_patch(name, clean, noisy, result, sides))
    return errors


def with_noise(clean: Pixels, noise: Noise, seed: int) -> Pixels:
    """Add noise to (H, W, 3), or photograph it with a phone at its own exposure.

    Balance, colour matrix and Bayer phase are drawn by the seed; what would change the colours or
    add to the noise of the sensor (tone curve, JPEG, defects) is left out. The sensitivity is
    searched until the noisiest channel of the middle has the noise's standard deviation, or the
    phone cannot go higher.
    """
    if not noise.spread:
        return clean
    if noise.added:
        values = np.random.default_rng(seed).normal(clean, noise.spread)
        return values.round().clip(0, 255).astype(np.uint8)
    middle = tuple(np.s_[size // 2 - 16 : size // 2 + 16] for size in clean.shape[:2])
    shot, most = 1e-4, PHONE.shot[1]
    for _ in range(_SEARCHES):
        found = _with_phone(clean[middle], shot, seed).astype(np.float64)
        deviation = float((found - clean[middle]).std((0, 1)).max())
        shot = min(shot * min((noise.spread / max(deviation, 0.1)) ** 2, 100), most)
    return _with_phone(clean, shot, seed)


def _with_phone(clean: Pixels, shot: float, seed: int) -> Pixels:
    plain = replace(UNPROCESSED, shot=(shot, shot), hot_share=0.0)
    generator = torch.Generator().manual_seed(seed)
    picture = torch.from_numpy(np.ascontiguousarray(clean)).permute(2, 0, 1)[None].float() / 255
    noisy = add_camera_noise(picture, sample_cameras(1, generator, plain), generator).noisy
    return (noisy[0].permute(1, 2, 0) * 255).round().byte().numpy()


def _name(color: tuple[int, ...]) -> str:
    return " ".join(str(value) for value in color)


def _denoised(
    engine: Engine, patches: Iterator[tuple[str, Pixels]], noise: str
) -> Iterator[tuple[str, Pixels, Pixels, Pixels]]:
    for index, (name, clean) in enumerate(patches):
        noisy = with_noise(clean, NOISE[noise], index)
        result = denoise_pixels(engine, noisy, _WHOLE)
        yield name, clean, noisy, result.astype(np.uint8, copy=False)


def _bands(width: int) -> list[tuple[slice, slice]]:
    ends = np.linspace(0, width, _BANDS + 1).round().astype(int).tolist()
    return [np.s_[:, start:stop] for start, stop in pairwise(ends)]


def compare_patch(
    name: str, clean: Pixels, noisy: Pixels, result: Pixels, parts: list[tuple[slice, slice]]
) -> PatchError:
    """Compare a result with what is right in each part, where colours are nearly constant.

    Args:
        name: of the patch.
        clean: the true colours, (H, W, 3).
        noisy: what was denoised.
        result: what came out.
        parts: rows and columns of the parts; the worst of them counts.
    """
    height, width = clean.shape[:2]
    border = np.ones((height, width, 1), bool)
    border[_MARGIN : height - _MARGIN, _MARGIN : width - _MARGIN] = False
    means, largest, insides, spreads = [], [], [], []
    for part in parts:
        true, given, got = (side[part].astype(np.float64) for side in (clean, noisy, result))
        shift = (given - true).mean((0, 1))  # (3,): by clipping, and by the patch's own noise
        error = got - true
        means.append(_beyond(error.mean((0, 1)), shift).max())
        beyond = _beyond(error, shift)
        largest.append(beyond.max())
        insides.append(np.where(border[part], 0, beyond).max())
        spreads.append(error.std((0, 1)).max())
    return PatchError(name, *(float(max(it)) for it in (means, largest, insides, spreads)))


def _beyond(error: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the interval between 0 and the shift."""
    low, high = np.minimum(shift, 0), np.maximum(shift, 0)
    return np.maximum(np.maximum(low - error, error - high), 0)
