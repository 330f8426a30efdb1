"""Haar downsampling: one level of the wavelet transform that gives the network its scales."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pixel_shuffle

from ..errors import InputError
from .coupling import Invertible


def _butterfly(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four 2x2 Haar kernels: average, vertical and horizontal edge, diagonal."""
    top, bottom = a + b, c + d
    top_edge, bottom_edge = a - b, c - d
    return top + bottom, top_edge + bottom_edge, top - bottom, top_edge - bottom_edge


class HaarDownsampling(Invertible):
    r"""Halves height and width and quadruples the channels, without loss.

    Each 2x2 cell ``[[a, b], [c, d]]`` of each colour becomes four bands. Output channels are
    ordered band first, colour second. The analysis is divided by 4 and the synthesis is unscaled,
    so the pair is exactly inverse but not orthonormal.

    Shapes: ``(B, C, H, W) <-> (B, 4C, H/2, W/2)``, H and W even.

    References:
        Liu et al., Invertible Denoising Network, CVPR 2021, section 3.2 (arXiv 2104.10546).
        Haar, Zur Theorie der orthogonalen Funktionensysteme, 1910.

    Example:
        >>> import torch
        >>> haar = HaarDownsampling()
        >>> bands = haar(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
        >>> bands.flatten().tolist()
        [2.5, -0.5, -1.0, 0.0]
        >>> haar.inverse(bands).flatten().tolist()
        [1.0, 2.0, 3.0, 4.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Analyse ``(B, C, H, W)`` into ``(B, 4C, H/2, W/2)``.

        Raises:
            InputError: a side is odd.
        """
        if x.shape[-1] % 2 or x.shape[-2] % 2:
            raise InputError(
                f"height and width must be even at every level, not {x.shape[-2]} x {x.shape[-1]}"
            )
        top, bottom = x[..., 0::2, :], x[..., 1::2, :]
        corners = top[..., 0::2], top[..., 1::2], bottom[..., 0::2], bottom[..., 1::2]
        return torch.cat(_butterfly(*corners), dim=1) / 4

    def inverse(self, y: Tensor) -> Tensor:
        """Synthesise ``(B, C, H, W)`` from ``(B, 4C, H/2, W/2)``."""
        corners = torch.stack(_butterfly(*y.chunk(4, dim=1)), dim=2)  # (B, C, 4, H/2, W/2)
        return pixel_shuffle(corners.flatten(1, 2), 2)

    def log_determinant(self, x: Tensor) -> Tensor:
        """Log of the absolute Jacobian determinant of ``forward`` at ``x``, per image: ``(B,)``.

        The 4x4 Haar matrix has determinant 16; divided by 4 per row it is 16 / 4**4 = 1/16 a cell.
        """
        cells = x[0].numel() // 4
        return x.new_full((x.shape[0],), -math.log(16) * cells)
