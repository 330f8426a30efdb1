"""Paddle: the network as a static graph for ``paddle.inference``, checked against torch."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..errors import MissingDependencyError
from ..network import InvDN
from .checks import Comparison, compare
from .network import parameters_of
from .onnx_export import CHECKED_SIZES, fill_folder

#: What ``paddle.jit.save`` writes for the name ``model``; Paddle 2 has ``.pdmodel`` for ``.json``.
PROGRAM, PARAMETERS = "model.json", "model.pdiparams"

_OLDEST = (3, 0)
_INSTALL = "pip install 'invdn[paddle]'"


def export_paddle(
    network: InvDN, folder: Path, *, noise_input: bool = False, overwrite: bool = False
) -> tuple[Comparison, ...]:
    """Write ``model.json`` and ``model.pdiparams``, as ``paddle.inference`` loads them.

    Batch, height and width are free; height and width must be divisible by the scale. Inputs are
    ``noisy`` (B, 3, H, W), RGB in [0, 1], and ``latent`` (B, 45, H/4, W/4), a sample of N(0, 1).

    Args:
        network: what to export, in float32.
        folder: where; made if absent.
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
        EngineError: the graph differs from torch; nothing is written.
    """
    require_paddle()
    import paddle  # late door: seconds, and not everybody's

    from .paddle_network import PaddleDenoiser, input_specs

    def write(workshop: Path) -> tuple[Comparison, ...]:
        layer = PaddleDenoiser(parameters_of(network), noise_input=noise_input)
        layer.eval()
        specs = input_specs(network.architecture, noise_input=noise_input)
        static = paddle.jit.to_static(layer, input_spec=specs, full_graph=True)
        paddle.jit.save(static, str(workshop / "model"))
        return tuple(_compare(network.cpu().eval(), workshop, noise_input))

    return fill_folder(folder, (PROGRAM, PARAMETERS), write, overwrite=overwrite)


def require_paddle() -> None:
    """Refuse to go on without a Paddle that can be used.

    Raises:
        MissingDependencyError: it is not installed, or too old.
    """
    for package in ("paddlepaddle", "paddlepaddle-gpu"):
        try:
            found = version(package)
        except PackageNotFoundError:
            continue
        numbers = tuple(map(int, re.findall(r"\d+", found)[:2]))
        if numbers < _OLDEST:
            raise MissingDependencyError(
                f"this needs Paddle {_OLDEST[0]}.{_OLDEST[1]} or later, and {package} {found} is "
                f"installed: {_INSTALL}"
            )
        return
    raise MissingDependencyError(f"this needs Paddle: {_INSTALL}, or paddlepaddle-gpu")


def open_predictor(folder: Path, *, gpu: bool = False, threads: int = 0) -> Any:
    """Load an exported folder with Paddle Inference.

    Args:
        folder: with ``model.json`` or ``model.pdmodel``, and ``model.pdiparams``.
        gpu: run on the first GPU.
        threads: of the CPU; 0: as many as Paddle likes.
    """
    from paddle import inference

    program = next(path for path in (folder / PROGRAM, folder / "model.pdmodel") if path.is_file())
    config = inference.Config(str(program), str(folder / PARAMETERS))
    if gpu:
        config.enable_use_gpu(1000, 0)
    else:
        config.disable_gpu()
        if threads:
            config.set_cpu_math_library_num_threads(threads)
    config.disable_glog_info()
    return inference.create_predictor(config)


def run_predictor(predictor: Any, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a predictor on its inputs, in their order."""
    for name, values in zip(predictor.get_input_names(), inputs, strict=True):
        handle = predictor.get_input_handle(name)
        handle.reshape(values.shape)
        handle.copy_from_cpu(np.ascontiguousarray(values))
    predictor.run()
    (name,) = predictor.get_output_names()
    return np.asarray(predictor.get_output_handle(name).copy_to_cpu(), np.float32)


def _compare(network: InvDN, folder: Path, noise_input: bool) -> list[Comparison]:
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
        comparisons.append(compare(PROGRAM, (batch, height, width), found, expected))
    return comparisons
