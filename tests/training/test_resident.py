"""Crops cut on the device are those of the host, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from invdn.data.crops import CropDataset, CropOptions, Sample, StepSampler
from invdn.data.images import Pixels
from invdn.data.sources import PairSource
from invdn.errors import RecipeError
from invdn.training.loop import train
from invdn.training.resident import ResidentImages, ResidentSamples, all_sources
from invdn.weights import read_parameters
from support.tiny_run import Recorder, tiny_recipe

CPU = torch.device("cpu")


class Pictures:
    """Random pixels, smooth in places, of several sizes."""

    def __init__(self, sizes: list[tuple[int, int]], seed: int) -> None:
        random = np.random.default_rng(seed)
        self.names = tuple(f"{seed}-{number}" for number in range(len(sizes)))
        self.sizes = np.array(sizes, np.int64)
        self.images = []
        for height, width in sizes:
            amplitude = np.linspace(0, 127, width)[None, :, None]
            image = 128 + amplitude * random.uniform(-1, 1, (height, width, 3))
            self.images.append(image.astype(np.uint8))

    def crop(self, index: int, top: int, left: int, height: int, width: int) -> Pixels:
        return self.images[index][top : top + height, left : left + width]


SIZES = [(64, 80), (96, 48)]
SMALL = [(height // 4, width // 4) for height, width in SIZES]


@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0])
def test_every_field_of_every_sample(low: bool, fraction: float) -> None:
    small = Pictures(SMALL, 3) if low else None
    pairs = [PairSource(Pictures(SIZES, 0), Pictures(SIZES, 1), small)]
    pairs.append(PairSource(Pictures(SIZES[1:], 4), Pictures(SIZES[1:], 5), None))
    options = CropOptions(
        16, 7, pair_fraction=fraction, zoom_share=0.5, zoom_largest=3, smooth_share=0.5
    )
    photographs = [Pictures([(40, 50)], 6), Pictures([(33, 90), (70, 70)], 8)]
    dataset = CropDataset(pairs, photographs, options, 1000)
    images = ResidentImages(all_sources([dataset]), CPU)
    batches = list(ResidentSamples(dataset, images, StepSampler(100, 10, 8)))
    assert len(batches) == 10
    for step, found in enumerate(batches):
        numbers = range(100 + 8 * step, 108 + 8 * step)
        expected = Sample(*default_collate([dataset[number] for number in numbers]))
        for name in Sample._fields:
            a, b = getattr(expected, name), getattr(found, name)
            assert torch.equal(a.float(), b.float()), name


def test_a_run_ends_with_the_same_weights(data: Path, tmp_path: Path) -> None:
    settings = ("phases.0.steps=6", "phases.0.warm_up=0", "phases.0.decay=0")
    learned = [
        read_parameters(
            train(tiny_recipe(data, *settings, *more), tmp_path / str(number), Recorder())
        ).tensors
        for number, more in enumerate(((), ("hardware.resident=true",)))
    ]
    for name, values in learned[0].items():
        assert np.array_equal(values, learned[1][name]), name


def test_a_gpu_too_small_for_the_data_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 2000))
    with pytest.raises(RecipeError, match=r"leave out hardware\.resident"):
        ResidentImages([Pictures(SIZES, 0)], torch.device("cuda"))
