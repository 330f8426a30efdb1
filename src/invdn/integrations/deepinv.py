"""deepinv: InvDN as the denoiser of its plug-and-play and unfolded reconstructions."""

from pathlib import Path

import torch
from torch import Tensor

from ..errors import MissingDependencyError
from ..network import DenoisingModule, InvDN
from ..weights.network import load_network

try:
    from deepinv.models import Denoiser
except ModuleNotFoundError as error:
    raise MissingDependencyError(
        f"this needs deepinv ({error.name} is missing): pip install deepinv"
    ) from error


class InvDNDenoiser(Denoiser):  # type: ignore[misc]
    """Denoise as deepinv asks for it; **blind**: the noise level that it is given is ignored.

    The network finds the noise itself and was trained on that of cameras, not on white Gaussian
    noise of a known level. As a prior it is therefore as strong as the image's own noise asks for.

    Args:
        model: a network, a shipped model's name, or a weights file.
        device: where it runs.
    """

    def __init__(
        self,
        model: InvDN | str | Path = "default",
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        network = model if isinstance(model, InvDN) else load_network(model)
        self.module = DenoisingModule(network)
        self.to(device)

    def forward(self, x: Tensor, sigma: Tensor | float | None = None, **_: object) -> Tensor:
        """Denoise ``(B, C, H, W)``, C = 1 (grey) or 3; ``sigma`` is ignored."""
        channels = self.module.network.architecture.channels
        if x.shape[1] == 1 and channels == 3:
            grey: Tensor = self.module(x.expand(-1, 3, -1, -1)).mean(dim=1, keepdim=True)
            return grey
        clean: Tensor = self.module(x)
        return clean
