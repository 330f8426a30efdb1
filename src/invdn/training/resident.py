"""Crops from pixels that live on the device: no worker, no copy of pixels in a step."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ..data.crops import SCALE, CropDataset, CropPlace, Sample
from ..data.images import ImageSource
from ..errors import RecipeError


class ResidentImages:
    """All pixels of a training on its device, uint8, one image after the other.

    Args:
        sources: whose images to read; each is decoded once.
        device: where they shall be.

    Raises:
        RecipeError: the GPU has too little memory for them.
        DataError: an image cannot be read.
    """

    def __init__(self, sources: Sequence[ImageSource], device: torch.device) -> None:
        self.device = device
        size = sum(3 * int(source.sizes.prod(axis=1).sum()) for source in sources)
        if device.type == "cuda" and size > 0.8 * torch.cuda.mem_get_info(device)[0]:
            raise RecipeError(
                f"the training data are {size / 2**30:.1f} GiB, too much for the GPU beside the "
                "training: leave out hardware.resident"
            )
        self._pixels = torch.empty(size, dtype=torch.uint8, device=device)
        self._starts: dict[int, list[int]] = {}
        start = 0
        for source in sources:
            starts = self._starts[id(source)] = []
            for index, (height, width) in enumerate(source.sizes.tolist()):
                image = source.crop(index, 0, 0, height, width)
                flat = torch.from_numpy(np.ascontiguousarray(image).reshape(-1).copy())
                self._pixels[start : start + len(flat)] = flat.to(device)
                starts.append(start)
                start += len(flat)
        self._sources = tuple(sources)  # keeps the identities that are looked up

    def window(self, source: ImageSource, index: int, top: int, left: int) -> tuple[int, int]:
        """Return where a window's first number lies, and the width of its image."""
        width = int(source.sizes[index][1])
        return self._starts[id(source)][index] + 3 * (top * width + left), width

    def cut(self, windows: Tensor, turns: Tensor, size: int) -> Tensor:
        """Return the windows, turned: (n, 3, size, size) uint8.

        Args:
            windows: (n, 2) int64 on the device: first number and width of the image.
            turns: (n, 3) int64 on the device: see ``CropPlace``.
            size: of the windows.
        """
        first, width = windows.view(-1, 2, 1, 1).unbind(1)  # (n, 1, 1)
        columns, rows, transpose = turns.bool().view(-1, 3, 1, 1).unbind(1)
        along = torch.arange(size, device=self.device)
        down, across = along.view(1, -1, 1), along.view(1, 1, -1)
        row, column = torch.where(transpose, across, down), torch.where(transpose, down, across)
        row = torch.where(rows, size - 1 - row, row)
        column = torch.where(columns, size - 1 - column, column)
        places = first + 3 * (row * width + column)  # (n, size, size)
        colours = torch.arange(3, device=self.device).view(1, 3, 1, 1)
        return self._pixels[places[:, None] + colours]


class ResidentSamples:
    """The samples of a :class:`CropDataset`, equal to the last bit, cut on the device.

    Args:
        dataset: which draws the places, on the host.
        images: the pixels of all its sources.
        steps: the numbers of the samples of each step.
    """

    def __init__(
        self, dataset: CropDataset, images: ResidentImages, steps: Iterable[list[int]]
    ) -> None:
        self._dataset, self._images, self._steps = dataset, images, steps

    def __iter__(self) -> Iterator[Sample]:
        for numbers in self._steps:
            yield self.batch(numbers)

    def batch(self, numbers: Sequence[int]) -> Sample:
        """Return a batch; ``number`` and ``paired`` stay on the host, where they are read."""
        places = [self._dataset.place(number) for number in numbers]
        crop, device = self._dataset.options.crop, self._images.device
        turns = self._sent([place.turn for place in places])
        clean = self._images.cut(self._chosen(places, turns), turns, crop)
        noisy = torch.zeros_like(clean)
        low_size = crop // SCALE
        low = torch.zeros(len(places), 3, low_size, low_size, dtype=torch.uint8, device=device)
        has_low = [False] * len(places)
        pairs = [index for index, place in enumerate(places) if place.paired]
        if pairs:
            noisy = self._filled(noisy, places, turns, pairs, "noisy")
            with_low = [n for n in pairs if self._dataset.pairs[places[n].windows[0][0]].low]
            if with_low:
                low = self._filled(low, places, turns, with_low, "low", SCALE)
            has_low = [index in with_low for index in range(len(places))]
        return Sample(
            noisy,
            clean,
            low,
            torch.tensor([place.paired for place in places]),
            torch.tensor(has_low),
            torch.tensor([place.zoom for place in places]),
            torch.tensor([place.number for place in places]),
        )

    def _chosen(self, places: Sequence[CropPlace], turns: Tensor) -> Tensor:
        """Return the window (n, 2) of each sample: of several the smoothest."""
        count = max(len(place.windows) for place in places)
        found: list[list[tuple[int, int]]] = []
        for place in places:
            own = []
            for which, index, top, left in place.windows:
                pairs, photographs = self._dataset.pairs, self._dataset.photographs
                source = pairs[which].clean if place.paired else photographs[which]
                own.append(self._images.window(source, index, top, left))
            found.append(own + own[:1] * (count - len(own)))
        windows = self._sent(found)  # (n, count, 2)
        if count == 1:
            return windows[:, 0]
        crop = self._dataset.options.crop
        unturned = torch.zeros_like(turns).repeat_interleave(count, dim=0)
        green = self._images.cut(windows.flatten(0, 1), unturned, crop)[:, 1].flatten(1).long()
        # the variance, in whole numbers: exactly the order that the host finds
        spread = crop**2 * green.square().sum(dim=1) - green.sum(dim=1).square()
        least = spread.view(-1, count).argmin(dim=1)
        return windows[torch.arange(len(windows), device=windows.device), least]

    def _filled(
        self,
        images: Tensor,
        places: Sequence[CropPlace],
        turns: Tensor,
        which: Sequence[int],
        plane: str,
        scale: int = 1,
    ) -> Tensor:
        """Return ``images`` with those of one plane of the pairs in their places."""
        windows = []
        for number in which:
            pair, index, top, left = places[number].windows[0]
            source = getattr(self._dataset.pairs[pair], plane)
            windows.append(self._images.window(source, index, top // scale, left // scale))
        chosen = self._sent(which)
        cut = self._images.cut(self._sent(windows), turns[chosen], images.shape[-1])
        return images.index_copy(0, chosen, cut)

    def _sent(self, numbers: object) -> Tensor:
        values = torch.from_numpy(np.asarray(numbers, np.int64))
        if self._images.device.type == "cuda":
            values = values.pin_memory()
        return values.to(self._images.device, non_blocking=True)


def all_sources(datasets: Sequence[CropDataset]) -> list[ImageSource]:
    """Return every source that the datasets draw from, once."""
    found: dict[int, ImageSource] = {}
    for dataset in datasets:
        for pair in dataset.pairs:
            for source in (pair.noisy, pair.clean, pair.low):
                if source is not None:
                    found[id(source)] = source
        found |= {id(source): source for source in dataset.photographs}
    return list(found.values())
