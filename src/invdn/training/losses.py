"""The terms of the objective (paper, section 3.3; the official training adds the last two).

All take images ``(B, 3, H, W)`` in [0, 1] and give a scalar.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))  # Sobel and Feldman, 1968
_C1, _C2 = 0.01**2, 0.03**2  # Wang et al., IEEE TIP 2004, for a range of 1


def squared_error(low: Tensor, target: Tensor) -> Tensor:
    """Sum of squared differences over an image, mean over the batch.

    Example:
        >>> squared_error(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4)).item()
        48.0
    """
    return (low - target).square().sum() / len(low)


def charbonnier(image: Tensor, clean: Tensor, epsilon: float) -> Tensor:
    """Sum of ``sqrt(difference^2 + epsilon)`` over an image, mean over the batch.

    Reference:
        Charbonnier et al., Two deterministic half-quadratic regularization algorithms for computed
        imaging, ICIP 1994.
    """
    return ((image - clean).square() + epsilon).sqrt().sum() / len(image)


def gradient_difference(image: Tensor, clean: Tensor) -> Tensor:
    """Mean absolute difference of the Sobel responses, both directions together.

    Border pixels, whose 3x3 neighbourhood is incomplete, do not count.
    """
    across = torch.tensor(_SOBEL, dtype=image.dtype, device=image.device)
    kernels = torch.stack((across, across.T))[:, None]  # (2, 1, 3, 3)
    planes = (image - clean).flatten(0, 1)[:, None]  # (3B, 1, H, W); the response is linear
    return 2 * conv2d(planes, kernels).abs().mean()  # mean of one direction plus mean of the other


def structural_dissimilarity(image: Tensor, clean: Tensor) -> Tensor:
    """Mean of ``(1 - SSIM) / 2``, clipped to [0, 1]; 3x3 mean windows, mirrored border.

    Reference:
        Wang et al., Image quality assessment: from error visibility to structural similarity,
        IEEE TIP 2004, equation 13.

    Example:
        >>> image = torch.rand(1, 3, 8, 8)
        >>> structural_dissimilarity(image, image).item()
        0.0
    """
    image, clean = (pad(x, (1, 1, 1, 1), mode="reflect") for x in (image, clean))
    mean_a, mean_b = avg_pool2d(image, 3, 1), avg_pool2d(clean, 3, 1)
    variance_a = avg_pool2d(image.square(), 3, 1) - mean_a.square()
    variance_b = avg_pool2d(clean.square(), 3, 1) - mean_b.square()
    covariance = avg_pool2d(image * clean, 3, 1) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)) / (
        (mean_a.square() + mean_b.square() + _C1) * (variance_a + variance_b + _C2)
    )
    return ((1 - similarity) / 2).clamp(0, 1).mean()
