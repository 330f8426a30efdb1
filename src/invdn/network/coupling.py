"""Affine coupling: the invertible block that the network is made of."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from .subnet import ResidualSubnet


class Invertible(nn.Module, ABC):
    """A bijection between images: ``inverse`` undoes ``forward`` exactly, up to rounding."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Transform a batch of images."""

    @abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """Undo ``forward``."""

    @abstractmethod
    def log_determinant(self, x: Tensor) -> Tensor:
        """Log of the absolute Jacobian determinant of ``forward`` at ``x``, per image: ``(B,)``."""


class AffineCoupling(Invertible):
    r"""One invertible block on ``channels`` channels, split into ``x1`` (first few) and ``x2``.

    ::

        x1 ──────────(+)────────────────── y1          y1 = x1 + F(x2)
                      │F        │H    │G               s  = clamp * (2 sigmoid(H(y1)) - 1)
        x2 ───────────┴────(* e^s)───(+)── y2          y2 = x2 * exp(s) + G(y1)

    Shapes: ``(B, channels, H, W) <-> (B, channels, H, W)``.

    Args:
        channels: channels of input and output.
        split: channels of ``x1``.
        features: channels inside the three subnets.
        clamp: bound of the log-scale ``s``.

    References:
        Liu et al., Invertible Denoising Network, CVPR 2021, equations 2 and 3 (arXiv 2104.10546).
        Dinh et al., Density estimation using Real NVP, ICLR 2017 (arXiv 1605.08803).

    Example:
        >>> import torch
        >>> block, x = AffineCoupling(12), torch.rand(1, 12, 4, 4)
        >>> torch.allclose(block.inverse(block(x)), x, atol=1e-6)
        True
    """

    def __init__(
        self, channels: int, split: int = 3, features: int = 64, clamp: float = 1.0
    ) -> None:
        super().__init__()
        rest = channels - split
        self.sizes = [split, rest]
        self.clamp = clamp
        self.F = ResidualSubnet(rest, split, features)
        self.G = ResidualSubnet(split, rest, features)
        self.H = ResidualSubnet(split, rest, features)

    def log_scale(self, y1: Tensor) -> Tensor:
        """Return ``s`` of the drawing; ``2 sigmoid(h) - 1`` is ``tanh(h / 2)``."""
        return self.clamp * torch.tanh(self.H(y1) / 2)

    def forward(self, x: Tensor) -> Tensor:
        """Couple ``(B, channels, H, W)``."""
        x1, x2 = torch.split(x, self.sizes, dim=1)
        y1 = x1 + self.F(x2)
        y2 = x2 * torch.exp(self.log_scale(y1)) + self.G(y1)
        return torch.cat((y1, y2), dim=1)

    def inverse(self, y: Tensor) -> Tensor:
        """Undo ``forward`` exactly (up to rounding)."""
        return self.inverse_split(*torch.split(y, self.sizes, dim=1))

    def inverse_split(self, y1: Tensor, y2: Tensor) -> Tensor:
        """Do ``inverse`` of ``y`` in its two parts, whose batches are equal or one of them is 1.

        Where many ``y2`` share one ``y1``, G and H, which see ``y1`` alone, run once for all.
        """
        x2 = (y2 - self.G(y1)) * torch.exp(-self.log_scale(y1))
        x1 = y1 - self.F(x2)
        return torch.cat((x1, x2), dim=1)

    def log_determinant(self, x: Tensor) -> Tensor:
        """Log of the absolute Jacobian determinant of ``forward`` at ``x``, per image: ``(B,)``.

        Only ``exp(s)`` scales volume, so it is the sum of ``s`` over an image.
        """
        x1, x2 = torch.split(x, self.sizes, dim=1)
        return self.log_scale(x1 + self.F(x2)).sum(dim=(1, 2, 3))
