"""What JPEG does to a photograph: chroma subsampling and quantised 8x8 cosine transforms."""

import math

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..image.dct import YCBCR

# ITU-T T.81 (1992), annex K, tables K.1 and K.2.
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)
# Rows and columns that share one chroma sample: 4:4:4, 4:2:2, 4:2:0.
_SUBSAMPLING = ((1, 1), (1, 2), (2, 2))


def mix_channels(image: Tensor, matrix: Tensor) -> Tensor:
    """Apply a (3, 3) matrix, or one for every image (n, 3, 3), to the channels of (n, 3, H, W)."""
    return (matrix @ image.flatten(2)).view_as(image)


def _cosines(like: Tensor) -> Tensor:
    """Return the orthonormal 8-point discrete cosine transform, (8, 8), frequency first."""
    frequency = torch.arange(8.0, device=like.device, dtype=like.dtype).view(8, 1)
    position = torch.arange(8.0, device=like.device, dtype=like.dtype).view(1, 8)
    basis = torch.cos((2 * position + 1) * frequency * (math.pi / 16)) / 2
    basis[0] /= math.sqrt(2)
    return basis


def _quantise(plane: Tensor, table: Tensor) -> Tensor:
    """Round the 8x8 transforms of (n, c, H, W), sizes divisible by 8, to multiples of (n, 8, 8)."""
    n, c, height, width = plane.shape
    basis = _cosines(plane)
    blocks = plane.view(n, c, height // 8, 8, width // 8, 8).transpose(3, 4)
    step = table.view(n, 1, 1, 1, 8, 8)
    coefficients = ((basis @ blocks @ basis.T) / step).round() * step
    return (basis.T @ coefficients @ basis).transpose(3, 4).reshape(plane.shape)


def _tables(quality: Tensor) -> Tensor:
    """Return quantisation tables (n, 2, 8, 8), luma first, scaled as libjpeg scales them."""
    base = torch.tensor((_LUMA, _CHROMA), device=quality.device, dtype=torch.float32)
    scale = torch.where(quality < 50, 5000 / quality.clamp(min=1), 200 - 2 * quality)
    return ((base * scale.view(-1, 1, 1, 1) + 50) / 100).floor().clamp(1, 255)


def _compress(rgb: Tensor, tables: Tensor, subsampling: tuple[int, int]) -> Tensor:
    """Return one way of subsampling for the whole batch; sizes divisible by 16; values 0 to 255."""
    matrix = torch.as_tensor(YCBCR, device=rgb.device, dtype=rgb.dtype)
    ycbcr = mix_channels(rgb, matrix).round()
    luma, chroma = ycbcr[:, :1] - 128, ycbcr[:, 1:]
    small = avg_pool2d(chroma, subsampling).round()
    luma = _quantise(luma, tables[:, 0]).round() + 128
    small = _quantise(small, tables[:, 1]).round()
    if subsampling != (1, 1):
        small = interpolate(small, size=rgb.shape[-2:], mode="bilinear", align_corners=False)
    return mix_channels(torch.cat((luma, small), 1), torch.linalg.inv(matrix))


def jpeg_round_trip(image: Tensor, quality: Tensor, subsampling: Tensor, offset: Tensor) -> Tensor:
    """Compress and decompress every photograph of a batch in its own way.

    Entropy coding is lossless and left out; the rest follows ITU-T T.81 and libjpeg's tables.

    Args:
        image: (n, 3, H, W), RGB in [0, 1], height and width of 1 or more.
        quality: (n,), 1 to 100; 0 leaves a photograph as it is.
        subsampling: (n,) whole numbers: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0.
        offset: (n, 2) whole numbers from 0 to 7, row and column of the first whole block, as in a
            crop of a larger photograph.

    Returns:
        (n, 3, H, W) in [0, 1], multiples of 1/255 where compressed.

    Example:
        >>> import torch
        >>> grey = torch.full((1, 3, 10, 10), 0.5)
        >>> quality, subsampling = torch.tensor([90.0]), torch.tensor([2])
        >>> out = jpeg_round_trip(grey, quality, subsampling, torch.zeros(1, 2).long())
        >>> bool((out - grey).abs().max() < 2 / 255)
        True
    """
    height, width = image.shape[-2:]
    result = image.clone()
    for kind, factors in enumerate(_SUBSAMPLING):
        chosen = ((quality > 0) & (subsampling == kind)).nonzero().squeeze(1)
        if not len(chosen):
            continue
        above, left = ((8 - offset[chosen]) % 8).unbind(1)
        rows = torch.arange(-(-(height + 7) // 16) * 16, device=image.device) - above.view(-1, 1)
        columns = torch.arange(-(-(width + 7) // 16) * 16, device=image.device) - left.view(-1, 1)
        photograph = chosen.view(-1, 1, 1, 1)
        channel = torch.arange(3, device=image.device).view(1, 3, 1, 1)
        placed = (image * 255).round()[
            photograph,
            channel,
            rows.clamp(0, height - 1).view(len(chosen), 1, -1, 1),
            columns.clamp(0, width - 1).view(len(chosen), 1, 1, -1),
        ]
        decoded = _compress(placed, _tables(quality[chosen]), factors)
        here = torch.arange(len(chosen), device=image.device).view(-1, 1, 1, 1)
        down = torch.arange(height, device=image.device) + above.view(-1, 1)
        along = torch.arange(width, device=image.device) + left.view(-1, 1)
        cut = decoded[
            here, channel, down.view(len(chosen), 1, -1, 1), along.view(len(chosen), 1, 1, -1)
        ]
        result[chosen] = cut.round().clamp(0, 255) / 255
    return result
