"""The torch engine: any architecture, on a GPU or on the CPU."""

from contextlib import AbstractContextManager

import numpy as np
import torch

from ..architecture import Architecture
from ..denoise.engine import Array
from ..errors import EngineError
from ..network import InvDN


class TorchEngine:
    """Runs a network with torch in float32.

    Args:
        network: the network; it is moved to the device and put in evaluation mode.
        device: as torch names it: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Raises:
        EngineError: the device is not there.
    """

    # From: benchmarks/memory.py, on the CPU.
    process_bytes = 300_000_000
    bytes_per_pixel = 1200

    def __init__(self, network: InvDN, device: str = "cpu") -> None:
        try:
            self._device = torch.device(device)
            self._network = network.to(self._device).eval()
        except (RuntimeError, AssertionError) as error:
            raise EngineError(f"torch cannot use the device {device!r}: {error}") from error
        self.architecture: Architecture = network.architecture
        self.description = f"torch {torch.__version__} on {self._device}"

    @torch.inference_mode()
    def encode(self, noisy: Array) -> Array:
        """``(B, 3, H, W)`` to ``(B, 3, h, w)``."""
        with _full_precision():
            low, _ = self._network.encode(self._tensor(noisy))
        return _array(low)

    @torch.inference_mode()
    def decode(self, low: Array, latent: Array) -> Array:
        """``(1 or B, 3, h, w)`` and ``(B, 45, h, w)`` to ``(B, 3, H, W)``."""
        with _full_precision():
            image = self._network.decode(self._tensor(low), self._tensor(latent))
        return _array(image)

    def _tensor(self, array: Array) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)


def _full_precision() -> AbstractContextManager[None]:
    """Convolutions in float32 on NVIDIA GPUs as well, where torch would round to TF32."""
    return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)


def _array(tensor: torch.Tensor) -> Array:
    return np.asarray(tensor.cpu().numpy(), np.float32)
