"""The terms of the objective (paper, section 3.3; the official training adds the last two).

All take images ``(B, 3, H, W)`` in [0, 1] and give a number for each, ``(B,)``.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))  # Sobel and Feldman, 1968
_AREA = 8  # ours: twice the network's scale, so that all its levels share in the error
_C1, _C2 = 0.01**2, 0.03**2  # Wang et al., IEEE TIP 2004, for a range of 1


def sse_loss(low: Tensor, target: Tensor) -> Tensor:
    """Sum of squared differences.

    Example:
        >>> sse_loss(torch.zeros(2, 3, 4, 4), torch.ones(2, 3, 4, 4))
        tensor([48., 48.])
    """
    return (low - target).square().sum(dim=(1, 2, 3))


def charbonnier(image: Tensor, clean: Tensor, epsilon: float) -> Tensor:
    """Sum of ``sqrt(difference^2 + epsilon)``.

    Reference:
        Charbonnier et al., Two deterministic half-quadratic regularization algorithms for computed
        imaging, ICIP 1994.
    """
    return ((image - clean).square() + epsilon).sqrt().sum(dim=(1, 2, 3))


def low_frequency_loss(image: Tensor, clean: Tensor) -> Tensor:
    """Sum of squared differences of local means, every pixel having that of its square of 8x8.

    It weighs what is too bright, too dark or tinted over an area, and leaves detail alone. Squares
    that the border cuts do not count.

    Example:
        >>> low_frequency_loss(torch.zeros(2, 3, 16, 16), torch.full((2, 3, 16, 16), 0.5))
        tensor([192., 192.])
    """
    return _AREA**2 * avg_pool2d(image - clean, _AREA).square().sum(dim=(1, 2, 3))


def sobel_loss(image: Tensor, clean: Tensor) -> Tensor:
    """Return mean absolute difference of the Sobel responses, both directions together.

    Border pixels, whose 3x3 neighbourhood is incomplete, do not count.
    """
    across = torch.tensor(_SOBEL, dtype=image.dtype, device=image.device)
    kernels = torch.stack((across, across.T))[:, None]  # (2, 1, 3, 3)
    planes = (image - clean).flatten(0, 1)[:, None]  # (3B, 1, H, W); the response is linear
    responses = conv2d(planes, kernels).abs().reshape(len(image), -1)  # both directions
    return 2 * responses.mean(dim=1)  # mean of one direction plus mean of the other


def dssim_loss(image: Tensor, clean: Tensor) -> Tensor:
    """Return mean of ``(1 - SSIM) / 2``, clipped to [0, 1]; 3x3 mean windows, mirrored border.

    Reference:
        Wang et al., Image quality assessment: from error visibility to structural similarity,
        IEEE TIP 2004, equation 13.

    Example:
        >>> image = torch.rand(1, 3, 8, 8)
        >>> dssim_loss(image, image)
        tensor([0.])
    """
    image, clean = (pad(x, (1, 1, 1, 1), mode="reflect") for x in (image, clean))
    mean_a, mean_b = avg_pool2d(image, 3, 1), avg_pool2d(clean, 3, 1)
    variance_a = avg_pool2d(image.square(), 3, 1) - mean_a.square()
    variance_b = avg_pool2d(clean.square(), 3, 1) - mean_b.square()
    covariance = avg_pool2d(image * clean, 3, 1) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)) / (
        (mean_a.square() + mean_b.square() + _C1) * (variance_a + variance_b + _C2)
    )
    return ((1 - similarity) / 2).clamp(0, 1).mean(dim=(1, 2, 3))


def cauchy(error: Tensor, scale: float) -> Tensor:
    """Return ``error`` where it is far below ``scale``, and grows with its logarithm above.

    The gradient of an image is divided by ``1 + error / scale``, so that images count alike that
    would count by their error: a mean of PSNR is won by few decibels on many, not on the worst.

    Example:
        >>> cauchy(torch.tensor([0.0, 1e-3, 1000.0]), 1.0)
        tensor([0.0000e+00, 9.9950e-04, 6.9088e+00])

    Reference:
        Barron, A General and Adaptive Robust Loss Function, CVPR 2019, equation 9 (alpha 0; its
        error is a square).
    """
    return scale * torch.log1p(error / scale)
