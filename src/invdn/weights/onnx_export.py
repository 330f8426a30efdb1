"""ONNX: the network as graphs for any runtime, checked against torch before they are trusted."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx.external_data_helper import set_external_data
from torch import Tensor

from ..architecture import Architecture
from ..errors import EngineError, OutputError
from ..network import InvDN
from .convert import write_parameters
from .network import parameters_of
from .onnx_graph import decode_graph, denoise_graph, encode_graph, hold_parameters
from .parameters import Parameters

WEIGHTS_FILE = "weights.safetensors"
#: Sizes at which every graph is compared with torch: (batch, height, width) of the low image. In
#: a batch of 3 the latents share one image.
CHECKED_SIZES = ((1, 1, 1), (1, 16, 16), (2, 7, 19), (3, 24, 5))
#: Largest difference between ONNX Runtime and torch, relative to values of 1, that is accepted.
TOLERANCE = 1e-4

_SHARING_BATCH = 3


@dataclass(frozen=True)
class _Graph:
    """One file of the export: how it is made, what torch computes for it, and what goes in."""

    name: str
    make: Callable[[Architecture], onnx.ModelProto]
    expected: Callable[..., Tensor]
    inputs: tuple[str, ...]
    self_contained: bool = False


_GRAPHS = (
    _Graph("encode.onnx", encode_graph, lambda net, noisy: net.encode(noisy)[0], ("noisy",)),
    _Graph("decode.onnx", decode_graph, InvDN.decode, ("low", "latent")),
    _Graph(
        "denoise.onnx",
        denoise_graph,
        lambda net, noisy, latent: net.decode(net.encode(noisy)[0], latent),
        ("noisy", "latent"),
        self_contained=True,
    ),
)


@dataclass(frozen=True)
class Comparison:
    """One check of a graph against torch.

    Attributes:
        graph: file name of the graph.
        shape: ``(batch, height, width)`` of the image.
        difference: largest absolute difference between ONNX Runtime and torch, divided by the
            largest value where that is above 1.
    """

    graph: str
    shape: tuple[int, int, int]
    difference: float


def export_onnx(
    network: InvDN,
    folder: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> tuple[Comparison, ...]:
    """Write the network as ONNX graphs with dynamic batch, height and width.

    ::

        weights.safetensors   one copy of the parameters, which the next two name as external data
        encode.onnx           noisy (B,3,H,W)                      -> low (B,3,h,w)
        decode.onnx           low (B,3,h,w), latent (B,45,h,w)     -> image (B,3,H,W)
        denoise.onnx          noisy (B,3,H,W), latent (B,45,h,w)   -> image, self-contained

    H and W are ``scale`` times h and w. Images are RGB in [0, 1]; the latent is a sample of
    N(0, 1). With two graphs N draws cost one encode and N decodes; a batch of latents may share
    one ``low`` (or ``noisy``) of batch 1, and what depends on it alone is then computed once.

    Args:
        network: what to export, in float32.
        folder: where; made if absent.
        metadata: provenance and licence, kept in every file.
        overwrite: replace files of these names.

    Returns:
        The largest difference between ONNX Runtime and torch, for every graph and size tried.

    Raises:
        OutputError: a file exists, or cannot be written.
        EngineError: a graph differs from torch by more than ``TOLERANCE``; nothing is written.
    """
    network = network.cpu().eval()
    names = (WEIGHTS_FILE, *(graph.name for graph in _GRAPHS))
    if not overwrite and (present := [name for name in names if (folder / name).exists()]):
        raise OutputError(
            f"{folder} already holds {', '.join(present)}; use --overwrite to replace"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Made whole beside their final place, so that a failure leaves nothing behind.
        with TemporaryDirectory(dir=folder, prefix=".export-") as name:
            workshop = Path(name)
            parameters = parameters_of(network, metadata or {})
            write_parameters(parameters, workshop / WEIGHTS_FILE)
            for graph in _GRAPHS:
                _write_graph(graph, parameters, workshop, metadata or {})
            comparisons = tuple(_compare(network, workshop))
            for file_name in names:
                (workshop / file_name).replace(folder / file_name)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error
    return comparisons


def _write_graph(
    graph: _Graph, parameters: Parameters, folder: Path, metadata: Mapping[str, str]
) -> None:
    model = graph.make(parameters.architecture)
    onnx.helper.set_model_props(model, dict(metadata))
    if graph.self_contained:
        hold_parameters(model, parameters.tensors)
    else:
        _point_to_weights(model, folder / WEIGHTS_FILE)
    path = folder / graph.name
    path.write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(path, full_check=True)


def _point_to_weights(model: onnx.ModelProto, weights: Path) -> None:
    """Let the parameters that the graph names refer into the safetensors file beside it."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    for tensor in model.graph.initializer:
        if tensor.name in header:
            begin, end = header[tensor.name]["data_offsets"]
            tensor.raw_data = b""  # what set_external_data asks for, and then takes away
            set_external_data(tensor, weights.name, offset=8 + length + begin, length=end - begin)
            tensor.ClearField("raw_data")


def _compare(network: InvDN, folder: Path) -> Iterator[Comparison]:
    for graph in _GRAPHS:
        session = onnxruntime.InferenceSession(
            folder / graph.name, providers=["CPUExecutionProvider"]
        )
        for size in CHECKED_SIZES:
            example = _example(network.architecture, size)
            inputs = {name: example[name] for name in graph.inputs}
            if size[0] == _SHARING_BATCH and "latent" in inputs:
                inputs[graph.inputs[0]] = inputs[graph.inputs[0]][:1]
            (found,) = session.run(None, inputs)
            with torch.inference_mode():
                tensors = (torch.from_numpy(value) for value in inputs.values())
                expected = graph.expected(network, *tensors).numpy()
            scale = max(1.0, float(np.abs(expected).max()))
            difference = float(np.abs(found - expected).max()) / scale
            batch, height, width = size
            height, width = (edge * network.architecture.scale for edge in (height, width))
            if not difference <= TOLERANCE:
                raise EngineError(
                    f"{graph.name} differs from torch by {difference:.1e} at "
                    f"{batch}x{height}x{width}, more than {TOLERANCE:.0e}; it was not written"
                )
            yield Comparison(graph.name, (batch, height, width), difference)


def _example(
    architecture: Architecture, size: tuple[int, int, int]
) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Every input that a graph may have, for ``size`` = (batch, height, width) of ``low``."""
    generator = np.random.default_rng(0)
    batch, height, width = size
    colours, scale = architecture.channels, architecture.scale
    return {
        "noisy": generator.random((batch, colours, height * scale, width * scale), np.float32),
        "low": generator.random((batch, colours, height, width), np.float32),
        "latent": generator.standard_normal(
            (batch, architecture.latent_channels, height, width), np.float32
        ),
    }
