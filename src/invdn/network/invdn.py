"""The Invertible Denoising Network."""

import os
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from ..architecture import Architecture
from ..errors import InputError
from .coupling import AffineCoupling, Invertible
from .haar import HaarDownsampling


class InvDN(Invertible):
    r"""Splits a noisy image into a clean low-resolution image and a latent, and inverts that.

    ::

        noisy ── Haar ── coupling x n1 ── Haar ── coupling x n2 ─┬─ low      (clean, 1/4 size)
                                                                └─ latent   (detail and noise)

    To denoise, keep ``low``, replace ``latent`` by a sample of N(0, 1), and decode.

    Shapes (published network): ``(B, 3, H, W) <-> (B, 48, H/4, W/4)``; H and W divisible by
    ``architecture.scale``. Values: RGB in [0, 1].

    Args:
        architecture: hyper-parameters; the default is the published network (2,640,960 parameters).

    Reference:
        Liu et al., Invertible Denoising Network: A Light Solution for Real Noise Removal,
        CVPR 2021 (arXiv 2104.10546), section 3.

    Example:
        >>> import torch
        >>> network, noisy = InvDN(), torch.rand(1, 3, 8, 12)
        >>> low, latent = network.encode(noisy)
        >>> low.shape, latent.shape
        (torch.Size([1, 3, 2, 3]), torch.Size([1, 45, 2, 3]))
        >>> network.decode(low, torch.randn_like(latent)).shape
        torch.Size([1, 3, 8, 12])
        >>> sum(p.numel() for p in network.parameters())
        2640960
    """

    def __init__(self, architecture: Architecture = Architecture()) -> None:
        super().__init__()
        self.architecture = architecture
        self.operations = nn.ModuleList()
        channels = architecture.channels
        for blocks in architecture.blocks:
            self.operations.append(HaarDownsampling())
            channels *= 4
            for _ in range(blocks):
                self.operations.append(
                    AffineCoupling(channels, architecture.channels, architecture.features)
                )

    def _steps(self) -> list[Invertible]:
        return cast("list[Invertible]", list(self.operations))

    def forward(self, x: Tensor) -> Tensor:
        """Transform ``(B, 3, H, W)`` to ``(B, 3 scale^2, H/scale, W/scale)``."""
        for operation in self._steps():
            x = operation(x)
        return x

    def inverse(self, y: Tensor) -> Tensor:
        """Undo ``forward``: ``(B, 3 scale^2, H/scale, W/scale)`` to ``(B, 3, H, W)``."""
        for operation in reversed(self._steps()):
            y = operation.inverse(y)
        return y

    def encode(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Split ``noisy`` (B, 3, H, W) into ``low`` and ``latent`` (paper, equation 4).

        Raises:
            InputError: not a batch of images of the network's channels, or a side that the scale
                does not divide; :class:`DenoisingModule` takes any size.
        """
        self.check_images(noisy)
        y = self(noisy)
        return y[:, : self.architecture.channels], y[:, self.architecture.channels :]

    def decode(self, low: Tensor, latent: Tensor) -> Tensor:
        """Rebuild (B, 3, H, W) from ``low`` (1 or B, 3, h, w) and ``latent`` (B, 45, h, w).

        One ``low`` serves many samples of the latent; what depends on it alone is computed once.

        Raises:
            InputError: the shapes do not belong together, or to this network.
        """
        self._check_parts(low, latent)
        *earlier, last = self._steps()
        y = cast(AffineCoupling, last).inverse_split(low, latent)
        for operation in reversed(earlier):
            y = operation.inverse(y)
        return y

    def check_images(self, noisy: Tensor) -> None:
        """Check the shape of what is to be encoded.

        Raises:
            InputError: the message says what the network takes.
        """
        channels, scale = self.architecture.channels, self.architecture.scale
        if noisy.dim() != 4 or noisy.shape[1] != channels:
            raise InputError(
                f"this network takes (batch, {channels}, height, width), not {tuple(noisy.shape)}"
            )
        height, width = noisy.shape[2:]
        if height % scale or width % scale:
            raise InputError(
                f"height and width must be divisible by {scale}, not {height} x {width}: pad the "
                "images, or use invdn.network.DenoisingModule, which takes any size"
            )

    def _check_parts(self, low: Tensor, latent: Tensor) -> None:
        channels = self.architecture.channels, self.architecture.latent_channels
        fits = (
            low.dim() == latent.dim() == 4
            and (low.shape[1], latent.shape[1]) == channels
            and low.shape[2:] == latent.shape[2:]
            and (low.shape[0] == 1 or low.shape[0] == latent.shape[0])
        )
        if not fits:
            raise InputError(
                f"this network decodes low (1 or B, {channels[0]}, h, w) and latent "
                f"(B, {channels[1]}, h, w), not {tuple(low.shape)} and {tuple(latent.shape)}"
            )

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike[str], **choices: Any) -> "InvDN":
        """Load a network from a folder or a repository of the Hugging Face hub.

        Args:
            source: a folder that :meth:`save_pretrained` or ``invdn export --format hugging-face``
                wrote, or a repository such as ``"someone/invdn"``. A folder needs no network.
            **choices: as ``PyTorchModelHubMixin.from_pretrained`` takes them: ``revision``,
                ``token``, ``cache_dir``, ``local_files_only``.

        Returns:
            A network in evaluation mode, with ``push_to_hub`` of huggingface_hub.

        Raises:
            MissingDependencyError: huggingface_hub is not installed (``invdn[hub]``).
            WeightsError: the folder is not of this kind, or of another network.
        """
        from .hub import check_folder, hub_class  # late: it needs this class

        made = hub_class()
        if Path(source).is_dir():
            check_folder(Path(source))
        network: InvDN = made.from_pretrained(source, strict=True, **choices)
        return network

    def save_pretrained(self, folder: str | os.PathLike[str], **choices: Any) -> None:
        """Write ``config.json``, ``model.safetensors`` and a model card into a folder.

        Raises:
            MissingDependencyError: huggingface_hub is not installed (``invdn[hub]``).
        """
        from .hub import to_hub_class

        to_hub_class(self).save_pretrained(folder, **choices)

    def push_to_hub(self, repository: str, **choices: Any) -> str:
        """Upload the network to the Hugging Face hub; gives the address of the commit.

        Args:
            repository: such as ``"me/invdn"``.
            **choices: as ``PyTorchModelHubMixin.push_to_hub`` takes them: ``private``, ``token``,
                ``commit_message``, ``model_card_kwargs``.

        Raises:
            MissingDependencyError: huggingface_hub is not installed (``invdn[hub]``).
        """
        from .hub import to_hub_class

        return str(to_hub_class(self).push_to_hub(repository, **choices))

    def log_determinant(self, x: Tensor) -> Tensor:
        """Log of the absolute Jacobian determinant of ``forward`` at ``x``, per image: ``(B,)``."""
        total = x.new_zeros(x.shape[0])
        for operation in self._steps():
            total = total + operation.log_determinant(x)
            x = operation(x)
        return total
