"""ONNX: the network as graphs for any runtime, checked against torch before they are trusted."""

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx.external_data_helper import set_external_data
from torch import Tensor, nn
from torch.export import Dim

from ..architecture import Architecture
from ..errors import EngineError, OutputError
from ..network import InvDN
from .convert import write_parameters
from .network import parameters_of

WEIGHTS_FILE = "weights.safetensors"
#: Sizes at which every graph is compared with torch: (batch, height, width) of the low image.
CHECKED_SIZES = ((1, 1, 1), (1, 16, 16), (2, 7, 19), (3, 24, 5))
#: Largest difference between ONNX Runtime and torch, relative to values of 1, that is accepted.
TOLERANCE = 1e-4

_OPSET = 18  # the oldest that torch's exporter writes without converting


class _Encode(nn.Module):
    def __init__(self, network: InvDN) -> None:
        super().__init__()
        self.network = network

    def forward(self, noisy: Tensor) -> Tensor:
        return self.network.encode(noisy)[0]


class _Decode(nn.Module):
    def __init__(self, network: InvDN) -> None:
        super().__init__()
        self.network = network

    def forward(self, low: Tensor, latent: Tensor) -> Tensor:
        return self.network.decode(low, latent)


class _Denoise(nn.Module):
    def __init__(self, network: InvDN) -> None:
        super().__init__()
        self.network = network

    def forward(self, noisy: Tensor, latent: Tensor) -> Tensor:
        return self.network.decode(self.network.encode(noisy)[0], latent)


@dataclass(frozen=True)
class _Graph:
    """One file of the export: what it runs, and the names of what goes in and comes out."""

    name: str
    wrap: Callable[[InvDN], nn.Module]
    inputs: tuple[str, ...]
    output: str
    self_contained: bool = False


_GRAPHS = (
    _Graph("encode.onnx", _Encode, ("noisy",), "low"),
    _Graph("decode.onnx", _Decode, ("low", "latent"), "image"),
    _Graph("denoise.onnx", _Denoise, ("noisy", "latent"), "image", self_contained=True),
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
    N(0, 1). With two graphs N draws cost one encode and N decodes.

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
            write_parameters(parameters_of(network, metadata or {}), workshop / WEIGHTS_FILE)
            for graph in _GRAPHS:
                _write_graph(graph, network, workshop, metadata or {})
            comparisons = tuple(_compare(network, workshop))
            for file_name in names:
                (workshop / file_name).replace(folder / file_name)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error
    return comparisons


def _write_graph(graph: _Graph, network: InvDN, folder: Path, metadata: Mapping[str, str]) -> None:
    batch, h, w = Dim("batch"), Dim("h"), Dim("w")
    scale = network.architecture.scale
    axes = {
        "noisy": {0: batch, 2: scale * h, 3: scale * w},
        "low": {0: batch, 2: h, 3: w},
        "latent": {0: batch, 2: h, 3: w},
    }
    example = _example(network.architecture, (2, 3, 5))
    with _quiet():
        program = torch.onnx.export(
            graph.wrap(network),
            tuple(torch.from_numpy(example[name]) for name in graph.inputs),
            input_names=list(graph.inputs),
            output_names=[graph.output],
            dynamic_shapes=tuple(axes[name] for name in graph.inputs),
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise EngineError("torch exported nothing")
    model = program.model_proto
    _clean(model, graph)
    onnx.helper.set_model_props(model, dict(metadata))
    if not graph.self_contained:
        _point_to_weights(model, folder / WEIGHTS_FILE)
    path = folder / graph.name
    path.write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(path)


def _clean(model: onnx.ModelProto, graph: _Graph) -> None:
    """Official parameter names, plain axis names, and no traces of the exporting machine."""
    model.producer_name, model.producer_version = "invdn", ""
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
        node.input[:] = [name.removeprefix("network.") for name in node.input]
    for tensor in model.graph.initializer:
        tensor.name = tensor.name.removeprefix("network.")
        tensor.ClearField("metadata_props")
        tensor.ClearField("doc_string")
    model.graph.ClearField("value_info")
    model.graph.ClearField("metadata_props")
    for value in (*model.graph.input, *model.graph.output):
        value.ClearField("metadata_props")
        prefix = "" if value.name in ("noisy", "image") else "low_"
        axes = value.type.tensor_type.shape.dim
        for axis, name in zip(
            (0, 2, 3), ("batch", f"{prefix}height", f"{prefix}width"), strict=True
        ):
            axes[axis].dim_param = name


def _point_to_weights(model: onnx.ModelProto, weights: Path) -> None:
    """Replace the parameters in the graph by references into the safetensors file beside it."""
    with weights.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header: dict[str, Any] = json.loads(file.read(length))
    for tensor in model.graph.initializer:
        if tensor.name in header:
            begin, end = header[tensor.name]["data_offsets"]
            set_external_data(tensor, weights.name, offset=8 + length + begin, length=end - begin)
            tensor.ClearField("raw_data")


def _compare(network: InvDN, folder: Path) -> Iterator[Comparison]:
    for graph in _GRAPHS:
        session = onnxruntime.InferenceSession(
            folder / graph.name, providers=["CPUExecutionProvider"]
        )
        module = graph.wrap(network)
        for size in CHECKED_SIZES:
            example = _example(network.architecture, size)
            inputs = {name: example[name] for name in graph.inputs}
            (found,) = session.run(None, inputs)
            with torch.inference_mode():
                expected = module(*(torch.from_numpy(value) for value in inputs.values())).numpy()
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own internals away from the user."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
