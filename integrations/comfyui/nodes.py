"""One node for ComfyUI (V3 API): remove the noise of images, as ``invdn denoise`` does."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from comfy_api.latest import ComfyExtension, io

from invdn import Denoiser


class DenoiseInvDN(io.ComfyNode):
    """Images in, images of the same size out; noise is estimated first, so clean ones stay."""

    @classmethod
    def define_schema(cls) -> Any:
        """Say what ComfyUI shows."""
        return io.Schema(
            node_id="InvDNDenoise",
            display_name="Denoise (InvDN)",
            category="image/denoising",
            description="Removes the real noise of phones and cameras: the Invertible Denoising "
            "Network (CVPR 2021). Any size; memory is bounded by tiles.",
            inputs=[
                io.Image.Input("image"),
                io.Boolean.Input(
                    "automatic",
                    default=True,
                    tooltip="Find the strength from the noise of every image.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    tooltip="How much of the change is made, where it is not found by itself.",
                ),
                io.String.Input(
                    "model",
                    default="default",
                    tooltip="A shipped model's name, or a weights file "
                    "(.safetensors, .pth, .pdparams).",
                ),
            ],
            outputs=[io.Image.Output(display_name="image")],
        )

    @classmethod
    def execute(cls, image: torch.Tensor, automatic: bool, strength: float, model: str) -> Any:
        """Denoise (B, H, W, C), float in [0, 1]."""
        denoiser = _open(model)
        chosen = "auto" if automatic else float(strength)
        frames = image.detach().float().cpu().clamp(0, 1).numpy()
        clean = [denoiser(np.ascontiguousarray(frame), strength=chosen) for frame in frames]
        result = np.array(clean, np.float32).reshape(frames.shape)  # of an empty batch, too
        return io.NodeOutput(torch.from_numpy(result).to(image))


class InvDNExtension(ComfyExtension):
    """The nodes of this package."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """Give the nodes."""
        return [DenoiseInvDN]


async def comfy_entrypoint() -> ComfyExtension:
    """Give ComfyUI the extension."""
    return InvDNExtension()


@lru_cache(maxsize=2)
def _open(model: str) -> Denoiser:
    return Denoiser.from_pretrained(model)
