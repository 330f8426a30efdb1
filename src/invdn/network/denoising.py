"""Denoising as one plain module: images in, images of the same size out."""

import torch
from torch import Tensor, nn

from ..errors import InputError
from .invdn import InvDN


class DenoisingModule(nn.Module):
    r"""Denoise batches of images of any size with an :class:`InvDN`.

    ::

        noisy ── mirror ── encode ── low ─┬─ decode ── mean ── crop
           N(0, latent_scale^2), samples ─┘

    The network sees the image with a mirrored border (``network.architecture.border``), up to a
    multiple of its scale, which is cut off again. A plain module with one ``forward``:
    differentiable, and fit for ``torch.export``, ``torch.compile``, autocast,
    ``DistributedDataParallel`` and FSDP's ``fully_shard``. An export with dynamic sizes takes every
    side above the scale (``torch.export.Dim("height", min=5)``). The same network as
    :class:`invdn.Denoiser` at ``strength=1``, for tensors in place of photographs.

    Shapes: ``(B, C, H, W) -> (B, C, H, W)``, C as in ``network.architecture.channels``, H and W
    any size of 1 or more. Values: RGB (grey, or raw planes) in [0, 1]; the result is not clipped.

    Args:
        network: its encoder and decoder, shared and not copied.
        latent_scale: standard deviation of the latent, 0 or more, where ``forward`` is given none.
            0 takes the middle of the distribution: no randomness.
        samples: decoded latents that are averaged, where ``forward`` is given no number.

    Raises:
        InputError: ``latent_scale`` is below 0, or ``samples`` below 1.

    Example:
        >>> module = DenoisingModule(InvDN())
        >>> noisy = torch.rand(2, 3, 33, 50, requires_grad=True)
        >>> clean = module(noisy, latent_scale=1.0, samples=4)
        >>> clean.shape, clean.requires_grad
        (torch.Size([2, 3, 33, 50]), True)
    """

    def __init__(self, network: InvDN, *, latent_scale: float = 0.0, samples: int = 1) -> None:
        super().__init__()
        _check(latent_scale, samples)
        self.network = network
        self.latent_scale = latent_scale
        self.samples = samples

    def forward(
        self,
        noisy: Tensor,
        latent_scale: float | None = None,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Denoise ``(B, C, H, W)``, values in [0, 1].

        Args:
            noisy: the images.
            latent_scale: standard deviation of the latent; None for the module's.
            samples: latents that are decoded one after the other and averaged; None for the
                module's. Without effect where the scale is 0, since all would be alike.
            generator: of the latents, on the device of ``noisy``; None for torch's own.

        Returns:
            The same shape, not clipped.

        Raises:
            InputError: ``noisy`` is no batch of images of the network's channels, or a number is
                outside its range.
        """
        scale = self.latent_scale if latent_scale is None else latent_scale
        number = self.samples if samples is None else samples
        _check(scale, number)
        architecture = self.network.architecture
        if noisy.dim() != 4 or noisy.shape[1] != architecture.channels:
            raise InputError(
                f"this network takes (batch, {architecture.channels}, height, width), "
                f"not {tuple(noisy.shape)}"
            )
        low, latent = self.network.encode(mirrored(noisy, architecture.scale, architecture.border))
        if scale == 0:
            return self._cropped(self.network.decode(low, torch.zeros_like(latent)), noisy)
        total = torch.zeros_like(noisy)
        for _ in range(number):
            draw = torch.empty_like(latent).normal_(generator=generator) * scale
            total = total + self._cropped(self.network.decode(low, draw), noisy)
        return total / number

    def _cropped(self, images: Tensor, like: Tensor) -> Tensor:
        """Cut what was mirrored; by index, since a slice would bind an export to some sizes."""
        border = self.network.architecture.border
        for dim in (-2, -1):
            kept = torch.arange(like.shape[dim], device=images.device) + border
            images = images.index_select(dim, kept)
        return images


def mirrored(images: Tensor, multiple: int, border: int = 0) -> Tensor:
    """Extend ``(..., H, W)`` until both sides are divisible, and by a border all around.

    The mirror does not repeat the edge pixel (numpy's ``reflect``), as in the rest of the package;
    a single row or column is repeated.

    Example:
        >>> mirrored(torch.tensor([[0, 1, 2]]), 4)[0]
        tensor([0, 1, 2, 1])
    """
    for dim in (-2, -1):
        size = images.shape[dim]
        full = (size + multiple - 1) // multiple * multiple + border
        period = 2 * size - 2 + (size == 1)  # of the endless mirror; 1 where there is one pixel
        place = torch.arange(-border, full, device=images.device) % period
        images = images.index_select(dim, torch.minimum(place, period - place))
    return images


def _check(latent_scale: float, samples: int) -> None:
    if not 0 <= latent_scale < float("inf"):
        raise InputError(f"latent_scale must be a finite number from 0 up, not {latent_scale}")
    if samples < 1:
        raise InputError(f"samples must be 1 or more, not {samples}")
