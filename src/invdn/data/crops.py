"""Random crops keyed by the number of the sample, for torch's DataLoader.

Sample ``n`` of a run is the same crop of the same image whatever the number of workers, processes
or interruptions, because its random numbers come from ``(seed, n)`` alone.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ..errors import DataError
from .images import ImageSource, Pixels
from .sources import PairSource

SCALE = 4  # of the low-resolution target (paper, section 3.1)
_PLACES = 4  # ours: the smoothest of so many vary as SIDD's photographs do (docs/training.md)


class Sample(NamedTuple):
    """One training sample, or a batch of them with a leading axis; pixels are uint8 RGB.

    Attributes:
        noisy: ``(3, crop, crop)``; zeros for a clean photograph, whose noise is still to be made.
        clean: ``(3, crop, crop)``.
        low: ``(3, crop / 4, crop / 4)`` from the data set; zeros where it has none.
        paired: whether ``noisy`` is a real photograph.
        has_low: whether ``low`` comes from the data set.
        zoom: factor of 1 or more by which the middle of a clean photograph is to be enlarged.
        number: the sample's number in the run.
    """

    noisy: Tensor
    clean: Tensor
    low: Tensor
    paired: Tensor
    has_low: Tensor
    zoom: Tensor
    number: Tensor


@dataclass(frozen=True)
class CropOptions:
    """How crops are drawn.

    Attributes:
        crop: height and width in pixels, divisible by 4.
        seed: of the whole run.
        pair_fraction: share of the samples that come from real pairs, in [0, 1].
        zoom_share: share of the clean photographs' crops that are enlarged.
        zoom_largest: the largest factor, drawn uniformly from 1 upwards.
        smooth_share: share of the clean photographs' crops that are the smoothest of four places.
    """

    crop: int
    seed: int
    pair_fraction: float = 1.0
    zoom_share: float = 0.0
    zoom_largest: float = 1.0
    smooth_share: float = 0.0


@dataclass(frozen=True)
class CropPlace:
    """Where a sample comes from.

    Attributes:
        number: of the sample.
        paired: whether it is one of real pairs.
        windows: source, image, top and left; of several the one of least contrast is taken.
        turn: flip of the columns, flip of the rows, transpose: 0 or 1 each.
        zoom: factor by which the middle is to be enlarged.
    """

    number: int
    paired: bool
    windows: tuple[tuple[int, int, int, int], ...]
    turn: NDArray[np.int64]
    zoom: float


class CropDataset(Dataset[Sample]):
    """Samples by number, from real pairs and from clean photographs.

    An image is drawn by its area, then the place in it, so every pixel of a kind is equally likely,
    unless smooth places are preferred. Flips and transposes are drawn for each sample.

    Args:
        pairs: sources of real pairs.
        photographs: sources of clean photographs.
        options: how crops are drawn.
        length: samples of the whole run, the bound of the numbers.
        held_out: names of photographs never to be drawn.

    Raises:
        DataError: the fraction asks for a kind that is absent, or an image is smaller than the
            crop; the message names it.
    """

    def __init__(
        self,
        pairs: Sequence[PairSource],
        photographs: Sequence[ImageSource],
        options: CropOptions,
        length: int,
        held_out: Collection[str] = (),
    ) -> None:
        if options.crop < SCALE or options.crop % SCALE:
            raise DataError(f"a crop of {options.crop} is not a positive multiple of {SCALE}")
        if options.pair_fraction > 0 and not pairs:
            raise DataError("the recipe asks for real pairs but names none: see data.pairs")
        if options.pair_fraction < 1 and not photographs:
            raise DataError("the recipe asks for clean photographs but names none: see data.clean")
        self.pairs = tuple(pairs)
        self.photographs = tuple(photographs)
        self.options = options
        self.length = length
        self._pair_areas = _areas([pair.clean for pair in pairs], options.crop, ())
        self._photograph_areas = _areas(self.photographs, options.crop, held_out)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, number: int) -> Sample:
        place = self.place(number)
        return self._pair(place) if place.paired else self._photograph(place)

    def place(self, number: int) -> CropPlace:
        """Draw where a sample is cut and how it is turned; no pixel is read."""
        random = np.random.default_rng((self.options.seed, number))
        if _is_pair(number, self.options.pair_fraction):
            which, index = _draw(self._pair_areas, random)
            source = self.pairs[which]
            step = SCALE if source.low else 1
            top, left = (
                step * int(random.integers((size - self.options.crop) // step + 1))
                for size in source.clean.sizes[index]
            )
            turn = random.integers(2, size=3)
            return CropPlace(number, True, ((which, index, top, left),), turn, 1.0)
        count = _PLACES if random.random() < self.options.smooth_share else 1
        windows = tuple(self._window(random) for _ in range(count))
        turn = random.integers(2, size=3)
        enlarged = random.random() < self.options.zoom_share
        zoom = random.uniform(1, self.options.zoom_largest) if enlarged else 1.0
        return CropPlace(number, False, windows, turn, zoom)

    def _window(self, random: np.random.Generator) -> tuple[int, int, int, int]:
        which, index = _draw(self._photograph_areas, random)
        top, left = (
            int(random.integers(size - self.options.crop + 1))
            for size in self.photographs[which].sizes[index]
        )
        return which, index, top, left

    def _pair(self, place: CropPlace) -> Sample:
        crop = self.options.crop
        ((which, index, top, left),) = place.windows
        source = self.pairs[which]
        noisy = source.noisy.crop(index, top, left, crop, crop)
        clean = source.clean.crop(index, top, left, crop, crop)
        low = np.zeros((crop // SCALE, crop // SCALE, 3), np.uint8)
        if source.low:
            low = source.low.crop(index, top // SCALE, left // SCALE, *low.shape[:2])
        return Sample(
            _to_tensor(noisy, place.turn),
            _to_tensor(clean, place.turn),
            _to_tensor(low, place.turn),
            torch.tensor(True),
            torch.tensor(source.low is not None),
            torch.tensor(1.0),
            torch.tensor(place.number),
        )

    def _photograph(self, place: CropPlace) -> Sample:
        crop = self.options.crop
        windows = (
            self.photographs[which].crop(index, top, left, crop, crop)
            for which, index, top, left in place.windows
        )
        return Sample(
            torch.zeros(3, crop, crop, dtype=torch.uint8),
            _to_tensor(min(windows, key=_contrast), place.turn),
            torch.zeros(3, crop // SCALE, crop // SCALE, dtype=torch.uint8),
            torch.tensor(False),
            torch.tensor(False),
            torch.tensor(place.zoom),
            torch.tensor(place.number),
        )


class StepSampler(Sampler[list[int]]):
    """The numbers of the samples of each step, for one of several processes.

    Step ``s`` of a run takes ``batch`` consecutive numbers from ``first + s * batch`` on; each
    process takes an equal, contiguous part of them.

    Args:
        first: number of the first sample.
        steps: how many batches to give.
        batch: samples of all processes together; divisible by ``processes``.
        rank: number of this process.
        processes: how many there are.

    Example:
        >>> list(StepSampler(100, steps=2, batch=4, rank=1, processes=2))
        [[102, 103], [106, 107]]
    """

    def __init__(
        self, first: int, steps: int, batch: int, rank: int = 0, processes: int = 1
    ) -> None:
        self.first, self.steps, self.batch = first, steps, batch
        self.rank, self.local = rank, batch // processes

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.steps):
            start = self.first + step * self.batch + self.rank * self.local
            yield list(range(start, start + self.local))


@dataclass(frozen=True)
class _Areas:
    source: NDArray[np.int64]
    index: NDArray[np.int64]
    cumulative: NDArray[np.int64]


def _areas(sources: Sequence[ImageSource], crop: int, held_out: Collection[str]) -> _Areas:
    which, indices, areas = [], [], []
    for number, source in enumerate(sources):
        for index, (name, (height, width)) in enumerate(
            zip(source.names, source.sizes.tolist(), strict=True)
        ):
            if min(height, width) < crop:
                raise DataError(
                    f"{name!r} is {width}x{height}, smaller than the crop of {crop}: remove it or "
                    "choose a smaller crop"
                )
            if name not in held_out:
                which.append(number)
                indices.append(index)
                areas.append(height * width)
    if sources and not areas:
        raise DataError("every photograph is held out for validation: none is left to train on")
    return _Areas(np.array(which), np.array(indices), np.cumsum(np.array(areas, np.int64)))


def _draw(areas: _Areas, random: np.random.Generator) -> tuple[int, int]:
    place = np.searchsorted(areas.cumulative, random.integers(areas.cumulative[-1]), side="right")
    return int(areas.source[place]), int(areas.index[place])


def _contrast(pixels: Pixels) -> float:
    return float(pixels[:, :, 1].std())


def _is_pair(number: int, fraction: float) -> bool:
    """Spread the pairs evenly: every ``1 / fraction``-th sample is one, in every batch."""
    return int((number + 1) * fraction) > int(number * fraction)


def _to_tensor(pixels: Pixels, turn: NDArray[np.int64]) -> Tensor:
    """Return ``(H, W, 3)`` to ``(3, H, W)``, flipped and transposed as ``turn`` (3 bits) says."""
    planes = pixels.transpose(2, 0, 1)
    if turn[0]:
        planes = planes[:, :, ::-1]
    if turn[1]:
        planes = planes[:, ::-1]
    if turn[2]:
        planes = planes.transpose(0, 2, 1)
    return torch.from_numpy(planes.copy())
