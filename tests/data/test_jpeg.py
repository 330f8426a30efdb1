"""JPEG's losses against libjpeg's."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from invdn.data.jpeg import jpeg_round_trip
from support.cameras import batch


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [30, 75, 95])
def test_agrees_with_libjpeg(quality: int, subsampling: int) -> None:
    ramp = np.linspace(0, 200, 75 * 90).reshape(75, 90)
    colours = (ramp, ramp.T.reshape(75, 90), 255 - ramp)
    spots = np.random.default_rng(1).normal(0, 12, (75, 90, 3))
    pixels = np.clip(np.stack(colours, 2) + spots, 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    expected = np.asarray(Image.open(file)).astype(float)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255
    offset = torch.zeros(1, 2, dtype=torch.long)
    made = jpeg_round_trip(
        image, torch.tensor([float(quality)]), torch.tensor([subsampling]), offset
    )
    error = made[0].permute(1, 2, 0).numpy() * 255 - expected
    loss = np.sqrt(np.mean((expected - pixels) ** 2))
    assert np.sqrt(np.mean(error**2)) < 0.4 * loss  # libjpeg computes in whole numbers
    assert abs(error.mean()) < 0.2


def test_quality_zero_changes_nothing() -> None:
    image = batch(2)
    none, kind = torch.zeros(2), torch.tensor([0, 2])
    assert torch.equal(jpeg_round_trip(image, none, kind, torch.zeros(2, 2).long()), image)


@pytest.mark.parametrize("offset", [(0, 0), (3, 5)])
def test_offset_moves_the_blocks(offset: tuple[int, int]) -> None:
    image = batch(1, 40)
    made = jpeg_round_trip(image, torch.tensor([5.0]), torch.tensor([0]), torch.tensor([offset]))
    steps = made.diff(dim=3).abs().mean((0, 1, 2))
    strongest = steps.view(-1)[: 39 // 8 * 8].view(-1, 8).mean(0).argmax()
    assert (int(strongest) + 1) % 8 == offset[1]
