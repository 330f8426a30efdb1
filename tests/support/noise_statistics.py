"""What noise looks like in numbers: by brightness, in space and between colours."""

from dataclasses import dataclass

import torch
from torch import Tensor

from invdn.errors import InputError

LAGS = 4  # pixels up to which the spatial correlation is measured
_LEAST = 500  # pixels that an interval needs to be measured


@dataclass(frozen=True)
class NoiseStatistics:
    """Statistics of ``noisy - clean``; RGB in [0, 1], colours in the order red, green, blue.

    Attributes:
        brightness: (k,) middle of every interval of the clean value.
        pixels: (3, k) number of pixels whose clean value lies there; where it is below the
            least (500), the other numbers of that interval are NaN.
        bias: (3, k) mean.
        spread: (3, k) standard deviation.
        skewness: (3, k) third standardised moment.
        black: (3, k) share of noisy pixels that are exactly 0.
        horizontal: (3, 4) correlation of pixels 1 to 4 apart in a row.
        vertical: (3, 4) the same in a column.
        diagonal: (3, 4) the same along the diagonal.
        colours: (3, 3) correlation between the colours of a pixel.
        total_spread: (3,) standard deviation over all pixels.
    """

    brightness: Tensor
    pixels: Tensor
    bias: Tensor
    spread: Tensor
    skewness: Tensor
    black: Tensor
    horizontal: Tensor
    vertical: Tensor
    diagonal: Tensor
    colours: Tensor
    total_spread: Tensor


def measure_noise(noisy: Tensor, clean: Tensor, *, intervals: int = 16) -> NoiseStatistics:
    """Measure the noise of a batch of pairs.

    Spatial and colour correlations are taken after removing every image's mean residual.

    Args:
        noisy: (n, 3, H, W), RGB in [0, 1]; height and width of 5 or more.
        clean: the same shape.
        intervals: of brightness between 0 and 1.

    Raises:
        InputError: the shapes differ or are no batch of RGB images.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(1)
        >>> clean = torch.full((1, 3, 64, 64), 0.5)
        >>> noisy = clean + 0.1 * torch.randn(clean.shape, generator=generator)
        >>> [round(float(spread), 1) for spread in measure_noise(noisy, clean).total_spread]
        [0.1, 0.1, 0.1]
    """
    if noisy.shape != clean.shape or noisy.ndim != 4 or noisy.shape[1] != 3:
        raise InputError(
            f"noise needs pairs (n, 3, H, W), not {tuple(noisy.shape)} and {tuple(clean.shape)}"
        )
    if min(noisy.shape[2:]) <= LAGS:
        raise InputError(f"noise is measured on {LAGS + 1}x{LAGS + 1} pixels or more")
    residual = (noisy - clean).double()
    centred = residual - residual.mean((2, 3), keepdim=True)
    variance = centred.square().mean((0, 2, 3))
    flat = centred.transpose(0, 1).flatten(1)
    black, bias, spread, skewness, pixels = _by_brightness(noisy, clean, residual, intervals)
    return NoiseStatistics(
        brightness=(torch.arange(intervals, device=noisy.device) + 0.5) / intervals,
        pixels=pixels,
        bias=bias,
        spread=spread,
        skewness=skewness,
        black=black,
        horizontal=_correlation(centred, 0, 1) / variance.view(3, 1),
        vertical=_correlation(centred, 1, 0) / variance.view(3, 1),
        diagonal=_correlation(centred, 1, 1) / variance.view(3, 1),
        colours=torch.corrcoef(flat),
        total_spread=variance.sqrt(),
    )


def _correlation(centred: Tensor, down: int, along: int) -> Tensor:
    """Return mean product of values 1 to 4 steps apart, (3, 4)."""
    height, width = centred.shape[2:]
    products = []
    for lag in range(1, LAGS + 1):
        here = centred[:, :, : height - lag * down, : width - lag * along]
        there = centred[:, :, lag * down :, lag * along :]
        products.append((here * there).mean((0, 2, 3)))
    return torch.stack(products, 1)


def _by_brightness(
    noisy: Tensor, clean: Tensor, residual: Tensor, intervals: int
) -> tuple[Tensor, ...]:
    """Give share of black, mean, standard deviation, skewness and number of pixels, each (3, k)."""
    interval = (clean * intervals).long().clamp(0, intervals - 1)
    colour = torch.arange(3, device=clean.device).view(1, 3, 1, 1)
    index = (interval + colour * intervals).flatten()

    def total(values: Tensor) -> Tensor:
        empty = torch.zeros(3 * intervals, dtype=torch.float64, device=clean.device)
        return empty.index_add(0, index, values.double().flatten()).view(3, intervals)

    pixels = total(torch.ones_like(residual))
    count = torch.where(pixels < _LEAST, torch.nan, pixels)
    mean = total(residual) / count
    second = total(residual**2) / count - mean**2
    third = total(residual**3) / count - 3 * mean * second - mean**3
    return total(noisy == 0) / count, mean, second.sqrt(), third / second**1.5, pixels
