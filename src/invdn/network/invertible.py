"""What every step of the network can do."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


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
