"""Paddle: the network as a static graph for ``paddle.inference``, checked against torch."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from ..errors import EngineError
from ..network import InvDN
from .checks import Comparison, compare
from .network import parameters_of
from .onnx_export import CHECKED_SIZES, fill_folder
from .paddle_runtime import (
    MANIFEST,
    OLD_PROGRAM,
    PARAMETERS,
    PROGRAM,
    open_predictor,
    require_paddle,
    run_predictor,
)


def export_paddle(
    network: InvDN,
    folder: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    noise_input: bool = False,
    overwrite: bool = False,
) -> tuple[Comparison, ...]:
    """Write ``model.json`` and ``model.pdiparams``, as ``paddle.inference`` loads them.

    Where the environment has ``FLAGS_enable_pir_api=0``, ``model.pdmodel`` in place of the first.

    Batch, height and width are free; height and width must be divisible by the scale. Inputs are
    ``noisy`` (B, 3, H, W), RGB in [0, 1], and ``latent`` (B, 45, H/4, W/4), a sample of N(0, 1).

    Args:
        network: what to export, in float32.
        folder: where; made if absent.
        metadata: provenance and licence, kept in ``invdn.json`` beside the two.
        noise_input: one input ``noisy_and_noise`` (B, 48, H, W) instead, as the reproduction has
            it: noise of the image's size is joined to the image, and averaged inside over squares
            of the scale. Noise of standard deviation 1 becomes a latent of 1/4: to have one of 1,
            multiply it by the scale.
        overwrite: replace files of these names.

    Returns:
        The largest difference between Paddle Inference and torch, for every size tried.

    Raises:
        MissingDependencyError: Paddle is not installed, or too old.
        OutputError: a file exists, or cannot be written.
        EngineError: the graph differs from torch, or this Paddle cannot write such a program;
            nothing is written.
    """
    installed = require_paddle()
    import paddle  # late: seconds, and not everybody's

    flag = "FLAGS_enable_pir_api"  # Paddle's own: 0 asks for the programs of Paddle 2
    program = PROGRAM if paddle.get_flags(flag)[flag] else OLD_PROGRAM
    from .paddle_network import PaddleDenoiser, input_specs

    def write(workshop: Path) -> tuple[Comparison, ...]:
        layer = PaddleDenoiser(parameters_of(network), noise_input=noise_input)
        layer.eval()
        specs = input_specs(network.architecture, noise_input=noise_input)
        static = paddle.jit.to_static(layer, input_spec=specs, full_graph=True)
        try:
            paddle.jit.save(static, str(workshop / "model"))
        except (TypeError, ValueError) as error:
            if program == PROGRAM:
                raise
            raise EngineError(
                f"Paddle {installed} cannot write {OLD_PROGRAM}, which {flag}=0 asks for: unset it "
                "for model.json, or take Paddle 3.0"
            ) from error
        inputs = {spec.name: spec.shape[1] for spec in specs}
        manifest = {"inputs": inputs, "metadata": dict(metadata or {})}
        (workshop / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
        return tuple(_compare(network.cpu().eval(), workshop, program, noise_input))

    return fill_folder(folder, (program, PARAMETERS, MANIFEST), write, overwrite=overwrite)


def _compare(network: InvDN, folder: Path, program: str, noise_input: bool) -> list[Comparison]:
    generator = np.random.default_rng(0)
    architecture = network.architecture
    scale, channels = architecture.scale, architecture.latent_channels
    predictor = open_predictor(folder)
    comparisons = []
    for batch, *low in CHECKED_SIZES:
        height, width = (edge * scale for edge in low)
        noisy = generator.random((batch, architecture.channels, height, width), np.float32)
        noise_size = (height, width) if noise_input else tuple(low)
        noise = generator.standard_normal((batch, channels, *noise_size), np.float32)
        latent = torch.from_numpy(noise)
        if noise_input:
            latent = functional.avg_pool2d(latent, scale)
            found = run_predictor(predictor, np.concatenate([noisy, noise], axis=1))
        else:
            found = run_predictor(predictor, noisy, noise)
        with torch.inference_mode():
            encoded, _ = network.encode(torch.from_numpy(noisy))
            expected = network.decode(encoded, latent).numpy()
        comparisons.append(compare(program, (batch, height, width), found, expected))
    return comparisons
