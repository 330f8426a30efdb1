"""What training minimises: both passes through the network and every term of the loss."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..network import InvDN
from ..network.coupling import AffineCoupling
from .losses import (
    cauchy,
    charbonnier,
    dssim_loss,
    low_frequency_loss,
    sobel_loss,
    sse_loss,
)
from .recipe import LossSettings
from .reversible import ReversibleBackprop


class Objective(nn.Module):
    """The network and its losses as one module, so that a distributed wrapper sees one ``forward``.

    ::

        noisy ── encode ── low ────────┬── squared error to the target
                                       │
        latent ~ N(0, 1) ── decode ────┴── image ── Charbonnier (areas, gradient, SSIM) to clean

    With a weight of ``log_scales`` the mean square of the couplings' log-scales joins the loss,
    times the values of an image: what they scale by on the way there, the inverse scales by back.

    Convolutions run in ``precision``; targets and losses stay float32.

    Args:
        network: the network to train.
        settings: weights of the terms.
        precision: type of the convolutions; None for the parameters' own.
        recompute: rebuild activations in the backward pass instead of keeping them: a third more
            work, and memory that does not grow with the blocks; in float32, whatever ``precision``.
        teacher_share: share of the backward term that is measured against a teacher's images.

    Reference:
        Liu et al., Invertible Denoising Network, CVPR 2021, section 3.3 (arXiv 2104.10546).
    """

    def __init__(
        self,
        network: InvDN,
        settings: LossSettings,
        precision: torch.dtype | None = None,
        *,
        recompute: bool = False,
        teacher_share: float = 0,
        terms: Mapping[str, tuple[float, Callable[[Tensor, Tensor], Tensor]]] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.settings = settings
        self.precision = precision
        self.recompute = recompute
        self.loss = RecipeLoss(settings, teacher_share=teacher_share, terms=terms)

    def forward(
        self,
        noisy: Tensor,
        clean: Tensor,
        target: Tensor,
        latent: Tensor,
        taught: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Average over the batch: the weighted sum as ``loss``, each term before its weight.

        Args:
            noisy: (B, 3, H, W).
            clean: (B, 3, H, W).
            target: the clean image at low resolution, (B, 3, H/4, W/4).
            latent: a sample of N(0, 1), (B, 45, H/4, W/4).
            taught: the teacher's images, (B, 3, H, W), if there is one.
        """
        passes = ReversibleBackprop(self.network) if self.recompute else self.network
        with torch.autocast(noisy.device.type, self.precision, enabled=self.precision is not None):
            with _log_scales(self.network, wanted=self.settings.log_scales > 0) as scales:
                low, _ = passes.encode(noisy)  # (B, 3, H/4, W/4)
            image = passes.decode(low, latent)  # (B, 3, H, W)
        low, image = low.float(), image.float()
        losses: dict[str, Tensor] = self.loss(low, image, target, clean, taught, scales)
        return losses


class RecipeLoss(nn.Module):
    """The loss of a recipe on what the network gives, to be used in any training.

    Args:
        settings: weights of the terms.
        teacher_share: share of the Charbonnier term that is measured to a teacher's images.
        terms: further terms by name: their weights, and functions of the denoised images and the
            clean ones, ``(B, C, H, W)`` each, that give ``(B,)``.

    Example:
        >>> from invdn.training.recipe_files import load_recipe
        >>> loss = RecipeLoss(load_recipe("paper").losses)
        >>> low, image = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 16, 16)
        >>> sorted(loss(low, image, target=torch.zeros_like(low), clean=torch.zeros_like(image)))
        ['backward', 'forward', 'loss']
    """

    def __init__(
        self,
        settings: LossSettings,
        *,
        teacher_share: float = 0,
        terms: Mapping[str, tuple[float, Callable[[Tensor, Tensor], Tensor]]] | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.teacher_share = teacher_share
        self.terms = dict(terms or {})
        functions = {name: function for name, (_, function) in self.terms.items()}
        self.modules_of_terms = nn.ModuleDict(
            {name: f for name, f in functions.items() if isinstance(f, nn.Module)}
        )

    def forward(
        self,
        low: Tensor,
        image: Tensor,
        target: Tensor,
        clean: Tensor,
        taught: Tensor | None = None,
        scales: Sequence[Tensor] = (),
    ) -> dict[str, Tensor]:
        """Average over the batch: the weighted sum as ``loss``, each term before its weight.

        Args:
            low: the encoder's low-resolution images, (B, C, h, w).
            image: the decoder's images, (B, C, H, W).
            target: what ``low`` should be.
            clean: what ``image`` should be.
            taught: the teacher's images, if there is one.
            scales: log-scales of the couplings, (B, C, h, w) each, where they have a weight.
        """
        terms = {
            "forward": sse_loss(low, target),
            "backward": charbonnier(image, clean, self.settings.epsilon),
        }
        if self.settings.areas:
            terms["areas"] = low_frequency_loss(image, clean)
        if self.settings.gradient:
            terms["gradient"] = sobel_loss(image, clean)
        if self.settings.ssim:
            terms["ssim"] = dssim_loss(image, clean)
        weights = {name: getattr(self.settings, name) for name in terms}
        if taught is not None:
            terms["teacher"] = charbonnier(image, taught, self.settings.epsilon)
            weights["teacher"] = self.teacher_share * weights["backward"]
            weights["backward"] *= 1 - self.teacher_share
        for name, (weight, function) in self.terms.items():
            terms[name], weights[name] = function(image, clean), weight
        weighted = [weights[name] * term for name, term in terms.items()]
        loss = torch.stack(weighted).sum(dim=0)  # (B,)
        if self.settings.cauchy:
            loss = self._levelled(loss, image[0].numel())
        if scales:
            squares = torch.stack([scale.square().mean(dim=(1, 2, 3)) for scale in scales])
            terms["log_scales"] = image[0].numel() * squares.mean(dim=0)  # (B,)
            loss = loss + self.settings.log_scales * terms["log_scales"]
        return {name: term.mean() for name, term in {"loss": loss, **terms}.items()}

    def _levelled(self, loss: Tensor, values: int) -> Tensor:
        """Apply ``cauchy`` to what each image's loss (B,) exceeds its least, Charbonnier's of 0."""
        settings = self.settings
        edge = math.sqrt(settings.epsilon)
        least = settings.backward * values * edge
        # sqrt(d^2 + epsilon) - edge is d^2 / (2 edge) for small differences d
        scale = settings.backward * values * settings.cauchy**2 / (2 * edge)
        return least + cauchy((loss - least).clamp(min=0), scale)


@contextmanager
def _log_scales(network: InvDN, *, wanted: bool) -> Iterator[list[Tensor]]:
    """Collect the log-scales (B, C, h, w) of the couplings that run inside; none if not wanted."""
    found: list[Tensor] = []

    def watch(coupling: AffineCoupling) -> torch.utils.hooks.RemovableHandle:
        def keep(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> None:
            found.append(coupling.clamp * torch.tanh(output.float() / 2))

        return coupling.H.register_forward_hook(keep)

    modules = list(network.modules()) if wanted else []
    handles = [watch(module) for module in modules if isinstance(module, AffineCoupling)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
