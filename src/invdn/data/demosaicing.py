"""From three colours at every pixel to one (the Bayer mosaic) and back."""

import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

# Malvar, He and Cutler, High-quality linear interpolation for demosaicing of Bayer-patterned color
# images, ICASSP 2004, figure 2 (what MATLAB's demosaic does), and bilinear interpolation;
# four 5x5 kernels each: green at red and blue; red at green in a red row (and blue in a blue
# row); red at green in a blue row (and blue in a red row); red at blue (and blue at red).
_MALVAR = (
    ((0, 0, -2, 0, 0), (0, 0, 4, 0, 0), (-2, 4, 8, 4, -2), (0, 0, 4, 0, 0), (0, 0, -2, 0, 0)),
    ((0, 0, 1, 0, 0), (0, -2, 0, -2, 0), (-2, 8, 10, 8, -2), (0, -2, 0, -2, 0), (0, 0, 1, 0, 0)),
    ((0, 0, -2, 0, 0), (0, -2, 8, -2, 0), (1, 0, 10, 0, 1), (0, -2, 8, -2, 0), (0, 0, -2, 0, 0)),
    ((0, 0, -3, 0, 0), (0, 4, 0, 4, 0), (-3, 0, 12, 0, -3), (0, 4, 0, 4, 0), (0, 0, -3, 0, 0)),
)
_BILINEAR = (
    ((0, 0, 0, 0, 0), (0, 0, 4, 0, 0), (0, 4, 0, 4, 0), (0, 0, 4, 0, 0), (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0), (0, 0, 0, 0, 0), (0, 8, 0, 8, 0), (0, 0, 0, 0, 0), (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0), (0, 0, 8, 0, 0), (0, 0, 0, 0, 0), (0, 0, 8, 0, 0), (0, 0, 0, 0, 0)),
    ((0, 0, 0, 0, 0), (0, 4, 0, 4, 0), (0, 0, 0, 0, 0), (0, 4, 0, 4, 0), (0, 0, 0, 0, 0)),
)
# Which of (raw number, four kernels) gives red, green and blue at the four sites.
_SOURCES = ((0, 2, 3, 4), (1, 0, 0, 1), (4, 3, 2, 0))


def bayer_sites(phase: Tensor, height: int, width: int) -> Tensor:
    """Give kind of site of every pixel: 0 red, 1 green in a red row, 2 green in a blue row, 3 blue.

    Args:
        phase: (n, 2) whole numbers, row and column of the first red pixel (0 or 1).
        height: of the photographs.
        width: of the photographs.

    Returns:
        (n, height, width) whole numbers.

    Example:
        >>> import torch
        >>> bayer_sites(torch.tensor([[0, 0]]), 2, 2).tolist()
        [[[0, 1], [2, 3]]]
    """
    rows = (torch.arange(height, device=phase.device) + phase[:, :1]) % 2
    columns = (torch.arange(width, device=phase.device) + phase[:, 1:]) % 2
    return 2 * rows.unsqueeze(2) + columns.unsqueeze(1)


def mosaic(rgb: Tensor, sites: Tensor) -> Tensor:
    """Keep one colour of every pixel: (n, 3, H, W) and (n, H, W) sites to (n, H, W)."""
    colour = torch.tensor((0, 1, 1, 2), device=sites.device)[sites]
    return rgb.gather(1, colour.unsqueeze(1)).squeeze(1)


def demosaic(raw: Tensor, sites: Tensor, bilinear: Tensor) -> Tensor:
    """Interpolate the missing colours linearly.

    Args:
        raw: (n, H, W), any values; height and width of 3 or more.
        sites: (n, H, W), from ``bayer_sites``.
        bilinear: (n,), 0 for Malvar's kernels, 1 for bilinear ones, or any mixture between.

    Returns:
        (n, 3, H, W).

    Example:
        >>> import torch
        >>> sites = bayer_sites(torch.tensor([[0, 1]]), 6, 6)
        >>> grey = demosaic(torch.ones(1, 6, 6), sites, torch.zeros(1))
        >>> bool(torch.allclose(grey, torch.ones(1, 3, 6, 6)))
        True
    """
    kernels = torch.tensor(_MALVAR + _BILINEAR, device=raw.device, dtype=raw.dtype) / 16
    padded = pad(raw.unsqueeze(1), (2, 2, 2, 2), mode="reflect")
    malvar, smooth = conv2d(padded, kernels.unsqueeze(1)).chunk(2, dim=1)
    interpolated = torch.lerp(malvar, smooth, bilinear.to(raw.dtype).view(-1, 1, 1, 1))
    candidates = torch.cat((raw.unsqueeze(1), interpolated), 1)
    sources = torch.tensor(_SOURCES, device=sites.device)[:, sites].transpose(0, 1)
    return candidates.gather(1, sources)
