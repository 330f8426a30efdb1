"""Make training pairs of clean crops: change colours, draw pictures, add noise of every level."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .camera import Cameras, sample_cameras
from .camera_range import MIXED, CameraDistribution
from .colors import ColorOptions, Matrix, draw_color_matrix
from .drawings import Drawing, render, sketch
from .jpeg import mix_channels
from .noise import add_camera_noise, add_display_noise

# Ours: the exponents with which read noise (its variance) and row noise follow shot noise.
_READ, _ROWS = 1.6, 0.8
_VIVID = 3  # times as many drawn and recoloured crops stay without noise; ours
_LEAST = 1e-6  # factor on the shot noise of a picture that stays without any
_FAINTEST = 1e-3  # factor on the shot noise of the faintest noise: far below a level of 255
#: Logarithms of the least and largest standard deviation of added noise: the literature tests up
#: to 75 of 255.
_ADDED = (math.log(1 / 255), math.log(75 / 255))
_KINDS = (
    0.5  # share of the added noise that is grey, as much that follows the brightness, or blurred
)

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class SynthesisOptions:
    """How clean crops become pairs.

    Attributes:
        cameras: ranges with their shares.
        colors: how the colours of photographs are changed.
        drawn_share: share of the crops that a drawn picture replaces.
        full_exposure_share: share of the drawn and recoloured crops whose exposure stays, so that
            the bright corners of the RGB cube come up: a camera's exposure darkens most.
        unchanged_share: share of the photographs' crops without any noise; of the drawn and
            recoloured ones three times as many, for colours fail most where there is no noise.
        faint_share: share of the crops whose camera is up to a thousand times less noisy.
        added_share: share of the crops, of those with noise, whose noise is added to the display
            values instead of being a camera's.
        averaged_share: share of the drawn pictures whose target is the plain average of many
            photographs, which clipping lifts where a channel is dark: the colour that the noisy
            picture has on the average, so that the network learns to keep it on plain areas.
    """

    cameras: Mapping[CameraDistribution, float] = field(default_factory=lambda: dict(MIXED))
    colors: ColorOptions = field(default_factory=ColorOptions)
    drawn_share: float = 0.0
    full_exposure_share: float = 0.0
    unchanged_share: float = 0.0
    faint_share: float = 0.0
    added_share: float = 0.0
    averaged_share: float = 0.0


class SyntheticPair(NamedTuple):
    """Pairs that were made, RGB in [0, 1].

    Attributes:
        noisy: (n, 3, H, W).
        clean: what a perfect denoiser makes of them, (n, 3, H, W).
        drawn: (n,), whether a drawn picture took the photograph's place.
    """

    noisy: Tensor
    clean: Tensor
    drawn: Tensor


def synthesize(
    photographs: Tensor,
    numbers: Sequence[int],
    options: SynthesisOptions,
    seed: int,
    generator: torch.Generator,
) -> SyntheticPair:
    """Turn crops of clean photographs into training pairs.

    What happens to a crop is drawn on the host from ``(seed, number)`` alone; only lists of numbers
    travel to the device, and nothing comes back. The noise is the generator's.

    Args:
        photographs: (n, 3, S, S), RGB in [0, 1].
        numbers: of the samples, which key what happens to them.
        options: how often what happens.
        seed: of the run.
        generator: source of cameras and noise, on the device of the photographs.

    Example:
        >>> import torch
        >>> options = SynthesisOptions(drawn_share=1.0, unchanged_share=1.0)
        >>> generator = torch.Generator().manual_seed(0)
        >>> pair = synthesize(torch.zeros(2, 3, 16, 16), [7, 8], options, 0, generator)
        >>> bool((pair.noisy - pair.clean).abs().max() < 0.6 / 255)
        True
    """
    device = photographs.device
    choices = _choose(numbers, photographs.shape[2], options, seed)
    clean = photographs
    if matrices := choices.matrices:
        place = _sent(list(matrices), device).long()
        changed = mix_channels(clean[place], _sent(list(matrices.values()), device)).clamp(0, 1)
        clean = clean.index_copy(0, place, changed)
    if drawings := choices.drawings:
        pictures = render(list(drawings.values()), clean.shape[2], device)
        clean = clean.index_copy(0, _sent(list(drawings), device).long(), pictures)
    cameras = sample_cameras(len(clean), generator, options.cameras)
    cameras = _quieten(cameras, _sent(choices.noise, device))
    kept, averaged = (_sent(it, device) > 0 for it in (choices.exposed, choices.averaged))
    cameras = replace(
        cameras,
        exposure=torch.where(kept, 1.0, cameras.exposure),
        lift=torch.where(averaged, 1.0, cameras.lift),
        developed_reference=cameras.developed_reference | averaged,
    )
    noisy, target = add_camera_noise(clean, cameras, generator)
    if added := choices.added:
        place = _sent(list(added), device).long()
        drawn = _sent(list(added.values()), device)
        strength, kind = drawn[:, 0], drawn[:, 1:]
        pictures = (clean[place] * 255).round() / 255
        target = target.index_copy(0, place, pictures)
        pictures = add_display_noise(pictures, strength, kind, generator)
        noisy = noisy.index_copy(0, place, pictures)
    as_it_is = (_sent(choices.unchanged, device) > 0).view(-1, 1, 1, 1)
    # rounded where clean, as files are; an untouched picture is its own target
    noisy = torch.where(as_it_is, (target * 255).round() / 255, noisy)
    drawn_ones = [index in drawings for index in range(len(clean))]
    return SyntheticPair(noisy, target, _sent(drawn_ones, device) > 0)


@dataclass(frozen=True)
class _Choices:
    """What happens to n crops; the dictionaries have the index of a crop as their key."""

    drawings: Mapping[int, Drawing]
    matrices: Mapping[int, Matrix]
    added: Mapping[int, tuple[float, float, float, float]]  # strength and kind of noise
    noise: FloatArray  # (n,) factor on the shot noise
    unchanged: BoolArray  # (n,)
    exposed: BoolArray
    averaged: BoolArray


def _choose(numbers: Sequence[int], size: int, options: SynthesisOptions, seed: int) -> _Choices:
    drawings: dict[int, Drawing] = {}
    matrices: dict[int, Matrix] = {}
    added: dict[int, tuple[float, float, float, float]] = {}
    noise = np.ones(len(numbers))
    unchanged, exposed, averaged = np.zeros((3, len(numbers)), bool)
    for index, number in enumerate(numbers):
        random = np.random.default_rng((seed, 3, number))
        kind, level, exposure = random.random(3)
        if kind < options.drawn_share:
            drawings[index] = sketch(size, random)
        elif kind < options.drawn_share + (1 - options.drawn_share) * options.colors.share:
            matrices[index] = draw_color_matrix(options.colors, random)
        else:
            exposure = 1.0
        exposed[index] = exposure < options.full_exposure_share
        vivid = index in drawings or index in matrices
        untouched = options.unchanged_share * (_VIVID if vivid else 1)
        unchanged[index] = level < untouched
        averaged[index] = index in drawings and random.random() < options.averaged_share
        if random.random() < options.added_share and not unchanged[index]:
            shared, bright, blur = random.random(3) * (random.random(3) < _KINDS)
            added[index] = (math.exp(random.uniform(*_ADDED)), shared, bright, blur)
        elif level < untouched + options.faint_share:
            noise[index] = _FAINTEST ** random.random()
    noise[unchanged] = _LEAST
    return _Choices(drawings, matrices, added, noise, unchanged, exposed, averaged)


def _quieten(cameras: Cameras, factor: Tensor) -> Cameras:
    """Return the same cameras with another strength of noise, down to none at all."""
    return replace(
        cameras,
        shot=cameras.shot * factor,
        read=cameras.read * factor**_READ,
        banding=cameras.banding * factor**_ROWS,
        hot=torch.where(factor > _LEAST, cameras.hot, 0.0),
    )


def _sent(values: object, device: torch.device) -> Tensor:
    return torch.as_tensor(np.asarray(values, np.float32)).to(device, non_blocking=True)
