"""The residual subnet: the learned function inside every coupling block."""

from torch import Tensor, nn
from torch.nn.functional import conv2d, leaky_relu


class ResidualSubnet(nn.Module):
    """Three 3x3 convolutions; the last one sees the input beside the features.

    ``x -> conv1 -> LeakyReLU -> conv2 -> LeakyReLU -> conv3([x, features])``

    Zero padding 1, biases everywhere, negative slope 0.2. Initialised by PyTorch's default for
    convolutions (Kaiming uniform, a = sqrt(5)), to which the network is sensitive.

    The concatenation is never made: a convolution is linear, so conv3 is that of ``x`` with its
    first input channels and that of the features with the others, added.

    Shapes: ``(B, in_channels, H, W) -> (B, out_channels, H, W)``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        features: channels of the two inner maps.

    Reference:
        Liu et al., Invertible Denoising Network, CVPR 2021, section 3.2 (arXiv 2104.10546).

    Example:
        >>> import torch
        >>> ResidualSubnet(9, 3)(torch.zeros(1, 9, 8, 8)).shape
        torch.Size([1, 3, 8, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, features: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, features, 3, padding=1)
        self.conv2 = nn.Conv2d(features, features, 3, padding=1)
        self.conv3 = nn.Conv2d(in_channels + features, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(B, in_channels, H, W)`` to ``(B, out_channels, H, W)``."""
        # in place: neither a convolution nor this activation needs what it replaces for a gradient
        features = leaky_relu(self.conv1(x), 0.2, inplace=True)
        features = leaky_relu(self.conv2(features), 0.2, inplace=True)
        kernels = torch.split(self.conv3.weight, [x.shape[1], features.shape[1]], dim=1)
        of_features = conv2d(features, kernels[1], self.conv3.bias, padding=1)
        return of_features + conv2d(x, kernels[0], padding=1)
