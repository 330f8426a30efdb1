"""ONNX: the network as graphs for any runtime, checked against torch before they are trusted."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from ..atomic import ensure_folder, ensure_output
from ..errors import InputError, OutputError
from ..network import DenoisingModule, InvDN
from .checks import Comparison, compare
from .convert import write_parameters
from .network import parameters_of
from .onnx_graph import decode_graph, denoise_graph, encode_graph, hold_parameters, plain_graph
from .parameters import Parameters

Shape = tuple[int, int, int]

WEIGHTS_FILE = "weights.safetensors"
#: Sizes at which the graphs are compared with torch: (batch, height, width) of the low image. In
#: a batch of 3 the latents share one image.
CHECKED_SIZES = ((1, 1, 1), (1, 16, 16), (2, 7, 19), (3, 24, 5))
#: Sizes of the image at which a plain graph is compared with torch where its own is not fixed.
PLAIN_SIZES = ((1, 1, 1), (1, 64, 64), (2, 37, 50), (3, 23, 8))

_SHARING_BATCH = 3
#: A fixed size is run once to be checked, whole: beyond this a graph is of no use to anybody.
_LARGEST_SIDE = 8192


@dataclass(frozen=True)
class _Graph:
    """One file of the export: how it is made, what torch computes for it, and what goes in."""

    name: str
    make: Callable[[Architecture], onnx.ModelProto]
    expected: Callable[..., Tensor]
    inputs: tuple[str, ...]
    self_contained: bool = False
    sizes: tuple[Shape, ...] = ()
    half: bool = False


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


def export_onnx(
    network: InvDN,
    folder: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    size: tuple[int, int] | None = None,
    half: bool = False,
    overwrite: bool = False,
) -> tuple[Comparison, ...]:
    """Write the network as ONNX graphs with dynamic batch, height and width.

    ::

        weights.safetensors   one copy of the parameters, which the next two name as external data
        encode.onnx           noisy (B,3,H,W)                      -> low (B,3,h,w)
        decode.onnx           low (B,3,h,w), latent (B,45,h,w)     -> image (B,3,H,W)
        denoise.onnx          noisy, latent -> image, self-contained
        plain.onnx            input (B,3,H,W) -> output (B,3,H,W), self-contained, any H and W

    H and W are ``scale`` times h and w but in the plain graph, which pads inside. Images are RGB
    in [0, 1]; the latent is a sample of N(0, 1), and 0 in the plain graph. With two graphs N draws
    cost one encode and N decodes; a batch of latents may share one ``low`` (or ``noisy``) of batch
    1, and what depends on it alone is then computed once.

    Args:
        network: what to export, in float32.
        folder: where; made if absent.
        metadata: provenance and licence, kept in every file.
        size: (height, width) to fix in the plain graph, which is then called ``plain-HxW.onnx``.
        half: let the plain graph convolve in float16; its name then ends in ``-float16``.
        overwrite: replace files of these names.

    Returns:
        The largest difference between ONNX Runtime and torch, for every graph and size tried.

    Raises:
        InputError: the size is none that a graph can have.
        OutputError: a file exists, or cannot be written.
        EngineError: a graph differs from torch by more than ``TOLERANCE``; nothing is written.
    """
    graphs = (*_GRAPHS, _plain(size, half))
    names = (WEIGHTS_FILE, *(graph.name for graph in graphs))

    def write(workshop: Path) -> tuple[Comparison, ...]:
        parameters = parameters_of(network, metadata or {})
        write_parameters(parameters, workshop / WEIGHTS_FILE)
        for graph in graphs:
            _write_graph(graph, parameters, workshop, metadata or {})
        return tuple(_compare(network, workshop, graphs))

    return fill_folder(folder, names, write, overwrite=overwrite)


def write_plain_graph(
    network: InvDN,
    path: Path,
    *,
    metadata: Mapping[str, str],
    half: bool = False,
) -> tuple[Comparison, ...]:
    """Write the plain graph alone, under any name, and compare it with torch.

    Raises:
        EngineError: the graph differs from torch.
    """
    graph = _plain(None, half, path.name)
    _write_graph(graph, parameters_of(network), path.parent, metadata)
    return tuple(_compare(network, path.parent, (graph,)))


def fill_folder(
    folder: Path,
    names: Sequence[str],
    write: Callable[[Path], tuple[Comparison, ...]],
    *,
    overwrite: bool,
) -> tuple[Comparison, ...]:
    """Put files into a folder, all or none: made whole beside their place, then moved there.

    Args:
        folder: where; made if absent.
        names: of the files that ``write`` makes.
        write: makes the files in the folder that it is given, and checks them.
        overwrite: replace files of these names.

    Raises:
        OutputError: a file exists, or cannot be written.
    """
    ensure_folder(folder)
    for name in names:
        ensure_output(folder / name, overwrite)
    try:
        with TemporaryDirectory(dir=folder, prefix=".export-") as name:
            comparisons = write(Path(name))
            for file_name in names:
                (Path(name) / file_name).replace(folder / file_name)
    except OSError as error:
        raise OutputError(f"cannot write to {folder}: {error.strerror}") from error
    return comparisons


def _plain(size: tuple[int, int] | None, half: bool, name: str = "") -> _Graph:
    """Return the plain graph of a size and precision, which its name tells."""
    if size and not all(1 <= edge <= _LARGEST_SIDE for edge in size):
        raise InputError(f"the sides of a fixed size must be 1 to {_LARGEST_SIDE}, not {size}")
    fixed = f"-{size[0]}x{size[1]}" if size else ""
    return _Graph(
        name or f"plain{fixed}{'-float16' if half else ''}.onnx",
        lambda architecture: plain_graph(architecture, size=size, half=half),
        lambda net, image: DenoisingModule(net)(image),
        ("input",),
        self_contained=True,
        sizes=((1, *size),) if size else PLAIN_SIZES,
        half=half,
    )


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


def _compare(network: InvDN, folder: Path, graphs: Sequence[_Graph]) -> Iterator[Comparison]:
    network = network.cpu().eval()
    scale = network.architecture.scale
    sizes = tuple((batch, height * scale, width * scale) for batch, height, width in CHECKED_SIZES)
    for graph in graphs:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # a session for each file; its warnings are not ours to give
        session = onnxruntime.InferenceSession(
            folder / graph.name, options, providers=["CPUExecutionProvider"]
        )
        for shape in graph.sizes or sizes:
            example = _example(network.architecture, shape)
            inputs = {name: example[name] for name in graph.inputs}
            if shape[0] == _SHARING_BATCH and "latent" in inputs:
                inputs[graph.inputs[0]] = inputs[graph.inputs[0]][:1]
            (found,) = session.run(None, inputs)
            with torch.inference_mode():
                tensors = (torch.from_numpy(value) for value in inputs.values())
                expected = graph.expected(network, *tensors).numpy()
            yield compare(graph.name, shape, found, expected, half=graph.half)


def _example(
    architecture: Architecture, shape: Shape
) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Make every input that a graph may have, for a ``shape`` (batch, height, width)."""
    generator = np.random.default_rng(0)
    batch, height, width = shape
    colours = architecture.channels
    small = (height // architecture.scale, width // architecture.scale)
    image = generator.random((batch, colours, height, width), np.float32)
    return {
        "noisy": image,
        "input": image,
        "low": generator.random((batch, colours, *small), np.float32),
        "latent": generator.standard_normal(
            (batch, architecture.latent_channels, *small), np.float32
        ),
    }
