"""The Bayer mosaic and its interpolation."""

import pytest
import torch

from invdn.data.demosaicing import bayer_sites, demosaic, mosaic
from support.cameras import batch


@pytest.mark.parametrize("phase", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("bilinear", [0.0, 0.4, 1.0])
def test_linear_grey_ramps_are_kept(phase: tuple[int, int], bilinear: float) -> None:
    ramp = torch.arange(12.0).view(1, 1, 1, -1) + 2 * torch.arange(10.0).view(1, 1, -1, 1)
    rgb = ramp.expand(1, 3, 10, 12)
    sites = bayer_sites(torch.tensor([phase]), 10, 12)
    again = demosaic(mosaic(rgb, sites), sites, torch.tensor([bilinear]))
    assert torch.allclose(again[..., 2:-2, 2:-2], rgb[..., 2:-2, 2:-2], atol=1e-4)


@pytest.mark.parametrize("bilinear", [0.0, 1.0])
def test_flat_colours_are_kept(bilinear: float) -> None:
    rgb = torch.tensor([0.7, 0.2, 0.4]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
    sites = bayer_sites(torch.tensor([[1, 0]]), 8, 8)
    again = demosaic(mosaic(rgb, sites), sites, torch.tensor([bilinear]))
    assert torch.allclose(again, rgb, atol=1e-5)


def test_measured_colours_pass_unchanged() -> None:
    rgb = batch(2, 9)
    sites = bayer_sites(torch.tensor([[0, 0], [1, 1]]), 9, 9)
    raw = mosaic(rgb, sites)
    again = mosaic(demosaic(raw, sites, torch.tensor([0.0, 1.0])), sites)
    assert torch.equal(raw, again)


def test_phases_of_a_batch_are_independent() -> None:
    phases = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])
    rgb, bilinear = batch(), torch.tensor([0.0, 1.0, 0.5, 0.0])
    sites = bayer_sites(phases, 32, 32)
    together = demosaic(mosaic(rgb, sites), sites, bilinear)
    for i in range(4):
        alone = demosaic(
            mosaic(rgb[i : i + 1], sites[i : i + 1]), sites[i : i + 1], bilinear[i : i + 1]
        )
        assert torch.allclose(together[i : i + 1], alone, atol=1e-6)
