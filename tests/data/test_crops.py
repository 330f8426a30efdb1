"""Random crops: keyed by their number, aligned, in the right places, in the right shares."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from invdn.data.crops import CropDataset, CropOptions, Sample, StepSampler
from invdn.data.images import Pixels
from invdn.data.sources import PairSource, open_images, open_pairs
from invdn.errors import DataError
from support.tiny_sets import SIZES


class Ramps:
    """Images whose pixels tell where they come from: (row, column, image)."""

    def __init__(self, sizes: list[tuple[int, int]], factor: int = 1) -> None:
        self.names = tuple(f"image{i}" for i in range(len(sizes)))
        self.sizes: NDArray[np.int64] = np.array(sizes)
        self.factor = factor

    def crop(self, index: int, top: int, left: int, height: int, width: int) -> Pixels:
        rows, columns = np.mgrid[top : top + height, left : left + width] * self.factor
        return np.stack([rows, columns, np.full_like(rows, index)], axis=2).astype(np.uint8)


def pair_of_ramps(low: bool) -> PairSource:
    sizes = [(64, 80), (96, 48)]
    small = [(height // 4, width // 4) for height, width in sizes]
    return PairSource(Ramps(sizes), Ramps(sizes), Ramps(small, 4) if low else None)


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_do_not_depend_on_workers_or_batches(pair_folder: Path, workers: int) -> None:
    dataset = CropDataset(
        [open_pairs(pair_folder)],
        [open_images(pair_folder / "GT")],
        CropOptions(crop=16, seed=3, pair_fraction=0.5, zoom_share=0.5, zoom_largest=2),
        length=100,
    )
    loader = DataLoader(dataset, batch_sampler=StepSampler(8, 3, 4), num_workers=workers)
    batches = [Sample(*batch) for batch in loader]
    for number in range(8, 20):
        batch, place = divmod(number - 8, 4)
        alone = dataset[number]
        for loaded, field in zip(batches[batch], alone, strict=True):
            assert torch.equal(loaded[place], field)


def test_seeds_and_numbers_differ() -> None:
    first, other = (
        CropDataset([pair_of_ramps(False)], [], CropOptions(16, seed), 50) for seed in (1, 2)
    )
    tensors = [first[n].clean for n in range(20)] + [other[n].clean for n in range(20)]
    assert len({tensor.numpy().tobytes() for tensor in tensors}) > 35


def test_both_sides_show_the_same_place() -> None:
    dataset = CropDataset([pair_of_ramps(True)], [], CropOptions(16, 0), 200)
    places = set()
    for number in range(200):
        sample = dataset[number]
        assert torch.equal(sample.noisy, sample.clean) and bool(sample.paired & sample.has_low)
        # a pixel of the low image is the first one of its square of 4x4, wherever a turn put it
        assert torch.equal(sample.low, -torch.nn.functional.max_pool2d(-sample.clean.float(), 4))
        corners = sample.clean.amin(dim=(1, 2))
        places.add(tuple(corners.tolist()))
    assert len(places) > 80  # of 13 * 17 + 21 * 9 aligned places


def test_all_eight_turns_occur() -> None:
    dataset = CropDataset([pair_of_ramps(False)], [], CropOptions(16, 0), 200)
    turns = set()
    for number in range(200):
        # how row and column of the source change downwards and to the right
        position = dataset[number].clean[:2].int()
        down, right = position[:, 1, 0] - position[:, 0, 0], position[:, 0, 1] - position[:, 0, 0]
        turns.add((*down.tolist(), *right.tolist()))
    assert len(turns) == 8


def test_every_pixel_is_equally_likely() -> None:
    sizes = [(32, 32), (96, 96)]
    dataset = CropDataset([], [Ramps(sizes)], CropOptions(16, 0, pair_fraction=0), 2000)
    drawn = sum(int(dataset[number].clean[2, 0, 0]) for number in range(2000)) / 2000
    assert drawn == pytest.approx(0.9, abs=0.03)  # 9216 of 10240 pixels


def test_held_out_photographs_are_never_drawn() -> None:
    ramps = Ramps([(32, 32)] * 3)
    dataset = CropDataset([], [ramps], CropOptions(16, 0, 0.0), 300, held_out=["image1"])
    assert {int(dataset[number].clean[2, 0, 0]) for number in range(300)} == {0, 2}
    with pytest.raises(DataError, match="held out"):
        CropDataset([], [ramps], CropOptions(16, 0, 0.0), 3, held_out=ramps.names)


@given(st.integers(0, 32), st.integers(1, 20))
def test_pairs_are_spread_evenly(eighths: int, steps: int) -> None:
    fraction = eighths / 32
    options = CropOptions(16, 0, fraction)
    dataset = CropDataset([pair_of_ramps(False)], [Ramps([(32, 32)])], options, 700)
    paired = [bool(dataset[number].paired) for number in range(32 * (steps % 3 + 1))]
    assert sum(paired) == eighths * (steps % 3 + 1)


def test_zoom_shares() -> None:
    options = CropOptions(16, 0, 0.0, zoom_share=0.5, zoom_largest=2.0)
    dataset = CropDataset([], [Ramps([(32, 32)])], options, 1000)
    zooms = [float(dataset[number].zoom) for number in range(1000)]
    enlarged = [zoom for zoom in zooms if zoom > 1]
    assert len(enlarged) == pytest.approx(500, abs=60)
    assert max(enlarged) <= 2 and np.mean(enlarged) == pytest.approx(1.5, abs=0.05)


class Checkers:
    """Grey images whose left half is flat, and whose right half is a chequered board."""

    names = ("board",)
    sizes: NDArray[np.int64] = np.array([(16, 216)])

    def crop(self, index: int, top: int, left: int, height: int, width: int) -> Pixels:
        rows, columns = np.mgrid[top : top + height, left : left + width]
        board = np.where(columns < 108, 128, 255 * ((rows + columns) % 2))
        return np.stack([board] * 3, axis=2).astype(np.uint8)


def test_smooth_places_are_preferred_in_their_share() -> None:
    """Half of all places are flat, and all but one in 16 of those that are the best of four."""
    for share, expected in ((0.0, 0.5), (0.4, 0.675), (1.0, 0.9375)):
        dataset = CropDataset([], [Checkers()], CropOptions(16, 0, 0.0, smooth_share=share), 2000)
        flat = [bool((dataset[number].clean == 128).all()) for number in range(2000)]
        assert np.mean(flat) == pytest.approx(expected, abs=0.05)


@given(
    first=st.integers(0, 1000), steps=st.integers(1, 5), local=st.integers(1, 4),
    processes=st.integers(1, 4),
)  # fmt: skip
def test_processes_share_every_step(first: int, steps: int, local: int, processes: int) -> None:
    batch = local * processes
    parts = [list(StepSampler(first, steps, batch, r, processes)) for r in range(processes)]
    for step in range(steps):
        together = [number for part in parts for number in part[step]]
        assert together == list(range(first + step * batch, first + (step + 1) * batch))


def test_crop_larger_than_an_image(pair_folder: Path) -> None:
    with pytest.raises(DataError, match=r"'1' is 32x64, smaller than the crop of 36"):
        CropDataset([open_pairs(pair_folder)], [], CropOptions(36, 0), 10)
    assert min(min(size) for size in SIZES) == 32


@pytest.mark.parametrize(("fraction", "key"), [(1.0, "data.pairs"), (0.0, "data.clean")])
def test_absent_kinds(fraction: float, key: str) -> None:
    with pytest.raises(DataError, match=key):
        CropDataset([], [], CropOptions(16, 0, fraction), 10)
