"""The paper's own way to make noise: disturb the latent of a noisy photograph and invert."""

import math
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError


class InvertibleNetwork(Protocol):
    """What is needed of a network; ``InvDN`` has it."""

    def encode(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Noisy images to their low-resolution clean images and latents."""
        ...

    def decode(self, low: Tensor, latent: Tensor) -> Tensor:
        """The inverse of ``encode``."""
        ...


@torch.no_grad()
def perturb_latent(
    network: InvertibleNetwork, noisy: Tensor, scale: float, generator: torch.Generator
) -> Tensor:
    """Another noisy photograph of the same scene, by disturbing the latent of a given one.

    Args:
        network: a trained network on the device of ``noisy``.
        noisy: (n, 3, H, W), RGB in [0, 1]; sizes divisible by the network's scale.
        scale: standard deviation of the disturbance; the latent's own is about 1, and 0 gives
            ``noisy`` back.
        generator: source of the disturbance, on the same device.

    Returns:
        (n, 3, H, W), clipped to [0, 1].

    Raises:
        InputError: ``scale`` is negative or not finite.

    Reference:
        Liu et al., Invertible Denoising Network, CVPR 2021, section on noise generation.

    Example:
        >>> import torch
        >>> from invdn.network import InvDN
        >>> noisy = torch.rand(1, 3, 8, 8)
        >>> again = perturb_latent(InvDN(), noisy, 0.0, torch.Generator())
        >>> torch.allclose(noisy, again, atol=1e-4)
        True
    """
    if not 0 <= scale < math.inf:
        raise InputError(f"a disturbance of {scale} is impossible; give 0 or a positive number")
    low, latent = network.encode(noisy)
    disturbance = torch.randn(latent.shape, generator=generator, device=latent.device)
    return network.decode(low, latent + scale * disturbance).clamp(0, 1)
