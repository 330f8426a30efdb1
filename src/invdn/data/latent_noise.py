"""The paper's own way to make noise: disturb the latent of a noisy photograph and invert."""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..errors import InputError

_WINDOW = 8  # pixels of the latent: noise is as strong as the photograph's over areas of so many
_AROUND = 5  # pixels of the latent: what differs from the mean of so many is taken for noise
_PROBE = 1e-5  # of the latent's spread: so small that the decoder answers in proportion
_SPECK = 4.0  # times the strength around it: no pixel changes by more
_ROUNDS = 6  # corrections of the disturbance's size
_LARGEST_STEP = 4.0  # factor of all corrections together


class InvertibleNetwork(Protocol):
    """What is needed of a network; ``InvDN`` has it."""

    def encode(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Split noisy images into their low-resolution clean images and latents."""
        ...

    def decode(self, low: Tensor, latent: Tensor) -> Tensor:
        """Undo ``encode``."""
        ...


@torch.no_grad()
def perturb_latent(
    network: InvertibleNetwork, noisy: Tensor, scale: float, generator: torch.Generator
) -> Tensor:
    """Make another noisy photograph of the same scene, by disturbing the latent of a given one.

    A trained decoder amplifies a small change of the latent several hundred times, in some
    directions and places more than in others, so a fixed disturbance would destroy the picture.
    Here the channels are disturbed together as they vary together in the latent itself, and each
    area as much as the decoder's gain there asks for, so that the change is ``scale`` times as
    strong as the photograph's own noise, which is what the network takes away.

    Args:
        network: a trained network on the device of ``noisy``.
        noisy: (n, 3, H, W), RGB in [0, 1]; sizes divisible by the network's scale.
        scale: strength of the change: 0 gives ``noisy`` back, 1 changes it by noise as strong as
            its own; in between it grows with the scale.
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
        >>> torch.equal(noisy, again)
        True
    """
    if not 0 <= scale < math.inf:
        raise InputError(f"a disturbance of {scale} is impossible; give 0 or a positive number")
    # drawn in any case, so that the generator goes on alike
    low, latent = network.encode(noisy)
    fresh, direction = (
        torch.randn(latent.shape, generator=generator, device=latent.device) for _ in range(2)
    )
    if scale == 0:
        return noisy.clamp(0, 1)
    own = _strength(noisy - network.decode(low, fresh).clamp(0, 1), latent)  # (n, 1, h, w)
    wanted = scale * own
    direction = _like(latent, direction)
    # the round trip's own rounding is no noise: changes are added to what was given
    given = network.decode(low, latent)

    def change(size: Tensor) -> Tensor:
        return network.decode(low, latent + size * direction) - given

    gain = _strength(change(torch.full_like(own, _PROBE)), latent) / _PROBE
    first = size = wanted / gain.clamp(min=1e-9)
    # where the decoder is far from linear a few pixels would take all of the strength
    bound = _SPECK * interpolate(wanted, noisy.shape[2:], mode="bilinear")
    best, error = torch.zeros_like(noisy), math.inf
    for _ in range(_ROUNDS):
        made = change(size)
        made = made.clamp(-bound, bound)
        made = (noisy + made).clamp(0, 1) - noisy  # what clipping leaves of it
        found = _strength(made, latent)
        apart = float(((found - wanted).square().mean() / wanted.square().mean()).sqrt())
        if apart < error:
            best, error = made, apart
        step = wanted / found.clamp(min=1e-9)
        # where all is clipped nothing would ever be enough
        size = (size * step).clamp(first / _LARGEST_STEP, first * _LARGEST_STEP)
    return noisy + best


def _like(latent: Tensor, white: Tensor) -> Tensor:
    """Give white noise (n, c, h, w) the covariance between channels that the latent has.

    Each place is compared with its neighbourhood, so that what the picture shows counts less.
    """
    window = min(_AROUND, *(2 * size - 1 for size in latent.shape[2:]))
    around = avg_pool2d(latent, window, 1, window // 2, count_include_pad=False)
    values = (latent - around).flatten(2).double()  # (n, c, h * w)
    covariance = values @ values.transpose(1, 2) / values.shape[2]
    variances, axes = torch.linalg.eigh(covariance)
    root = axes * variances.clamp(min=0).sqrt()[:, None]  # (n, c, c)
    colored: Tensor = root.to(white.dtype) @ white.flatten(2)
    return colored.view_as(white)


def _strength(change: Tensor, latent: Tensor) -> Tensor:
    """Return the RMS of a change (n, 3, H, W) around each place of the latent: (n, 1, h, w)."""
    squares = change.square().mean(dim=1, keepdim=True)
    squares = avg_pool2d(squares, change.shape[-1] // latent.shape[-1])
    window = min(2 * _WINDOW + 1, *(2 * size - 1 for size in squares.shape[2:]))
    around = avg_pool2d(squares, window, 1, window // 2, count_include_pad=False)
    return around.sqrt()
