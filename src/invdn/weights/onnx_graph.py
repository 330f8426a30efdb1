"""The network written down as ONNX graphs, in the form that runtimes run fastest.

Node by node instead of through torch's exporter: the graphs are small and the same on every
machine, and they hold what a tracer cannot know:

- the concatenation before conv3 is two convolutions added, so that the features stay in the
  runtime's own blocked layout;
- ``2 sigmoid(h) - 1`` is ``tanh(h / 2)``, and the inverse multiplies by ``exp(-s)``;
- ``encode`` ends with ``y1`` of its last block: its G, H and the latent are not computed;
- ``decode`` takes one ``low`` for a batch of latents, and its first block computes H(low) and
  G(low) once, since they do not depend on the latent;
- a Haar transform is a reshuffle of pixels and a butterfly of sums.

What each of them saves is in docs/speed.md. Parameters keep their official names; where a graph
needs a part of one, a ``Split`` cuts it out, which runtimes do once when they load the graph.

Beside the graphs of the network's two directions there is a plain one for programs that know
nothing of it: an image in, an image out, of any size (:func:`plain_graph`).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..architecture import Architecture
from .parameters import tensor_shapes

_OPSET = 18
_IR_VERSION = 9  # of that opset's time
#: Of the plain graph, which serves runtimes as old as TensorRT 8.5 and ONNX Runtime 1.12.
_PLAIN_OPSET = 17
_PLAIN_IR_VERSION = 8
_SLOPE = 0.2  # of the LeakyReLU; paper, section 3.2

_ZERO = ""  # in place of the name of a latent that is 0 everywhere

Parts = tuple[str, str]  # names of the two parts of a coupling block's input or output


def encode_graph(architecture: Architecture) -> onnx.ModelProto:
    """Return ``noisy`` (B, 3, H, W) to ``low`` (B, 3, h, w).

    The parameters are named and described, not held: see :func:`hold_parameters`.

    Example:
        >>> model = encode_graph(Architecture(blocks=(1,), features=2))
        >>> [value.name for value in (*model.graph.input, *model.graph.output)]
        ['noisy', 'low']
    """
    graph = _Graph(architecture)
    return graph.model({"noisy": "batch"}, {"low": graph.encode("noisy")})


def decode_graph(architecture: Architecture) -> onnx.ModelProto:
    """Return ``low`` (1 or B, 3, h, w) and ``latent`` (B, 45, h, w) to ``image`` (B, 3, H, W)."""
    graph = _Graph(architecture)
    image = graph.decode("low", "latent")
    return graph.model({"low": "low_batch", "latent": "batch"}, {"image": image})


def denoise_graph(architecture: Architecture) -> onnx.ModelProto:
    """Return ``noisy`` (1 or B, 3, H, W) and ``latent`` (B, 45, h, w) to ``image`` (B, 3, H, W)."""
    graph = _Graph(architecture)
    image = graph.decode(graph.encode("noisy"), "latent")
    return graph.model({"noisy": "noisy_batch", "latent": "batch"}, {"image": image})


def plain_graph(
    architecture: Architecture, *, size: tuple[int, int] | None = None, half: bool = False
) -> onnx.ModelProto:
    """Build the graph from ``input`` (B, 3, H, W) to ``output`` (B, 3, H, W), at latent 0.

    The image is mirrored, by the architecture's border and up to a multiple of the scale, and cut
    off again: every size will do, and nothing errs beside the edges of the image.

    Args:
        architecture: of the network.
        size: (height, width), where the graph shall take no other, and one image at a time:
            browsers and TensorRT run such a graph faster, or no other. None: any size.
        half: convolve in float16, with parameters of half the size. Input, output and couplings
            stay in float32: the inverse amplifies what is rounded there.

    Example:
        >>> model = plain_graph(Architecture(blocks=(1,), features=2), size=(6, 8))
        >>> [value.name for value in (*model.graph.input, *model.graph.output)]
        ['input', 'output']
    """
    graph = _Graph(architecture, half=half)
    padded, extent = graph.mirror("input", size)
    image = graph.decode(graph.encode(padded), None)
    axes = size or ("height", "width")
    return graph.model(
        {"input": 1 if size else "batch"},
        {"output": graph.crop(image, extent)},
        axes=axes,
        versions=(_PLAIN_OPSET, _PLAIN_IR_VERSION),
    )


def hold_parameters(model: onnx.ModelProto, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Put the values of the parameters that a graph names into it, in the type that it declares."""
    for tensor in model.graph.initializer:
        if tensor.name in tensors:
            kind = helper.tensor_dtype_to_np_dtype(tensor.data_type)
            values = tensors[tensor.name].astype(kind)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


class _Graph:
    """A graph that grows by one operation of the network at a time; values go by their names."""

    def __init__(self, architecture: Architecture, *, half: bool = False) -> None:
        self._architecture = architecture
        self._convolution_type = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        self._shapes = tensor_shapes(architecture)
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}
        self._kernels: dict[str, list[str]] = {}
        # Every level: the number of its Haar layer, and its channels after that
        self._levels: list[tuple[int, int]] = []
        number, channels = 0, architecture.channels
        for blocks in architecture.blocks:
            channels *= 4
            self._levels.append((number, channels))
            number += 1 + blocks

    def encode(self, noisy: str) -> str:
        """Return all levels forwards, but for what makes the latent of the last block."""
        whole, last = noisy, self._levels[-1]
        for level, blocks in zip(self._levels, self._architecture.blocks, strict=True):
            number, channels = level
            whole = self._haar(whole, channels // 4)
            x1, x2 = self._split(whole, channels)
            for block in range(number + 1, number + blocks):
                x1, x2 = self._couple(block, x1, x2)
            block = number + blocks
            if level == last:
                return self._add(x1, self._subnet(f"operations.{block}.F", x2))
            whole = self._concatenate(*self._couple(block, x1, x2))
        raise AssertionError("an architecture has a level")

    def decode(self, low: str, latent: str | None) -> str:
        """Return all levels backwards; without a latent, as with one that is 0 everywhere."""
        y1, y2 = low, latent or _ZERO
        whole = ""
        for (number, channels), blocks in zip(
            reversed(self._levels), reversed(self._architecture.blocks), strict=True
        ):
            if whole:
                y1, y2 = self._split(whole, channels)
            for block in range(number + blocks, number, -1):
                y1, y2 = self._uncouple(block, y1, y2)
            whole = self._inverse_haar(self._concatenate(y1, y2), channels // 4)
        return whole

    def mirror(self, image: str, size: tuple[int, int] | None) -> tuple[str, str]:
        """Mirror the image to a multiple of the scale and all around; return it and its size.

        As ``network/denoising.py``: the edge pixel is not repeated, a single one is.
        """
        scale = self._architecture.scale
        border = self._constant("border", np.array(self._architecture.border, np.int64))
        before = self._constant("before", np.array(-self._architecture.border, np.int64))
        one = self._constant("one", np.array(1, np.int64))
        for axis in (2, 3):
            if size:
                extent = self._constant(f"extent_{axis}", np.array(size[axis - 2], np.int64))
            else:
                extent = self._op("Squeeze", self._op("Shape", image, start=axis, end=axis + 1))
            whole = self._constant("scale", np.array(scale, np.int64))
            missing = self._op("Mod", self._op("Neg", extent), whole)
            full = self._add(self._add(extent, missing), border)
            last = self._op("Sub", extent, one)
            # The endless mirror repeats itself after this many pixels; a single pixel after one.
            period = self._op("Max", self._add(last, last), one)
            place = self._op("Mod", self._op("Range", before, full, one), period)
            place = self._op("Min", place, self._op("Sub", period, place))
            image = self._op("Gather", image, place, axis=axis)
        return image, self._op("Shape", "input", start=2)

    def crop(self, image: str, extent: str) -> str:
        """Return rows and columns of an image within its border, as many as ``extent`` says."""
        starts = self._constant("starts", np.full(2, self._architecture.border, np.int64))
        axes = self._constant("axes", np.array([2, 3], np.int64))
        return self._op("Slice", image, starts, self._add(extent, starts), axes)

    def model(
        self,
        inputs: Mapping[str, str | int],
        outputs: Mapping[str, str],
        *,
        axes: tuple[str | int, str | int] | None = None,
        versions: tuple[int, int] = (_OPSET, _IR_VERSION),
    ) -> onnx.ModelProto:
        """Return the finished graph.

        Args:
            inputs: what the inputs are called, and the name (or number) of the size of their batch.
            outputs: what the outputs shall be called, and the values that they are.
            axes: height and width, by name or number, of all of these. None: as their names say.
            versions: of the operator set, and of the format.
        """
        for name, value in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        batch = next(reversed(list(inputs.values())))
        graph = helper.make_graph(
            self._nodes,
            "InvDN",
            [self._interface(name, batch, axes) for name, batch in inputs.items()],
            [self._interface(name, batch, axes) for name in outputs],
            list(self._initializers.values()),
        )
        opset, ir_version = versions
        return helper.make_model(
            graph,
            producer_name="invdn",
            ir_version=ir_version,
            opset_imports=[helper.make_opsetid("", opset)],
        )

    def _couple(self, block: int, x1: str, x2: str) -> Parts:
        """Return ``AffineCoupling.forward`` on the two parts."""
        y1 = self._add(x1, self._subnet(f"operations.{block}.F", x2))
        shift = self._subnet(f"operations.{block}.G", y1)
        return y1, self._add(self._op("Mul", x2, self._scale(block, y1, 0.5)), shift)

    def _uncouple(self, block: int, y1: str, y2: str) -> Parts:
        """Return ``AffineCoupling.inverse`` on the two parts; ``y1`` may serve many ``y2``."""
        shift = self._subnet(f"operations.{block}.G", y1)
        difference = self._op("Neg", shift) if y2 == _ZERO else self._op("Sub", y2, shift)
        x2 = self._op("Mul", difference, self._scale(block, y1, -0.5))
        return self._op("Sub", y1, self._subnet(f"operations.{block}.F", x2)), x2

    def _scale(self, block: int, y1: str, half: float) -> str:
        """Return ``exp(s)`` for ``half`` = 0.5, ``exp(-s)`` for -0.5."""
        h = self._subnet(f"operations.{block}.H", y1)
        halved = self._op("Mul", h, self._constant(f"half_{half}", np.float32(half)))
        return self._op("Exp", self._op("Tanh", halved))

    def _subnet(self, name: str, x: str) -> str:
        """Return ``ResidualSubnet.forward``."""
        x = self._cast(x, self._convolution_type)
        features = x
        for layer in ("conv1", "conv2"):
            weight, bias = (
                self._parameter(name, layer, "weight"),
                self._parameter(name, layer, "bias"),
            )
            features = self._convolve(features, weight, bias)
            features = self._op("LeakyRelu", features, alpha=_SLOPE)
        for_input, for_features = self._cut_kernels(name)
        of_features = self._convolve(features, for_features, self._parameter(name, "conv3", "bias"))
        return self._cast(self._add(of_features, self._convolve(x, for_input)), TensorProto.FLOAT)

    def _cast(self, value: str, kind: int) -> str:
        """Convert a value's type; the whole graph is in float32 but for half convolutions."""
        if self._convolution_type == TensorProto.FLOAT:
            return value
        return self._op("Cast", value, to=kind)

    def _cut_kernels(self, name: str) -> list[str]:
        """Return the kernels of conv3 for the subnet's input, and those for its features."""
        if name not in self._kernels:
            weight = self._parameter(name, "conv3", "weight")
            features = self._architecture.features
            inputs = self._shapes[weight][1] - features
            self._kernels[name] = self._split_channels(weight, [inputs, features])
        return self._kernels[name]

    def _haar(self, image: str, channels: int) -> str:
        corners = self._op("SpaceToDepth", image, blocksize=2)
        bands = self._butterfly(self._split_channels(corners, [channels] * 4))
        quarter = self._constant("quarter", np.float32(0.25))
        return self._op("Mul", self._concatenate(*bands), quarter)

    def _inverse_haar(self, bands: str, channels: int) -> str:
        corners = self._butterfly(self._split_channels(bands, [channels] * 4))
        return self._op("DepthToSpace", self._concatenate(*corners), blocksize=2, mode="DCR")

    def _butterfly(self, parts: list[str]) -> tuple[str, str, str, str]:
        """Do what network/haar.py does."""
        a, b, c, d = parts
        top, bottom = self._add(a, b), self._add(c, d)
        top_edge, bottom_edge = self._op("Sub", a, b), self._op("Sub", c, d)
        return (
            self._add(top, bottom),
            self._add(top_edge, bottom_edge),
            self._op("Sub", top, bottom),
            self._op("Sub", top_edge, bottom_edge),
        )

    def _split(self, whole: str, channels: int) -> Parts:
        first = self._architecture.channels
        x1, x2 = self._split_channels(whole, [first, channels - first])
        return x1, x2

    def _split_channels(self, value: str, sizes: list[int]) -> list[str]:
        lengths = self._constant(f"sizes_{'_'.join(map(str, sizes))}", np.array(sizes, np.int64))
        names = [f"{value}/{part}" for part in range(len(sizes))]
        self._nodes.append(helper.make_node("Split", [value, lengths], names, axis=1))
        return names

    def _concatenate(self, *values: str) -> str:
        return self._op("Concat", *values, axis=1)

    def _add(self, a: str, b: str) -> str:
        return self._op("Add", a, b)

    def _convolve(self, x: str, *weight_and_bias: str) -> str:
        return self._op("Conv", x, *weight_and_bias, kernel_shape=[3, 3], pads=[1, 1, 1, 1])

    def _op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Return one more node; gives the name of its result."""
        name = f"{kind}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def _constant(self, name: str, value: NDArray[np.generic] | np.generic) -> str:
        self._initializers[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def _parameter(self, subnet: str, layer: str, kind: str) -> str:
        name = f"{subnet}.{layer}.{kind}"
        self._initializers[name] = TensorProto(
            name=name, data_type=self._convolution_type, dims=self._shapes[name]
        )
        return name

    def _interface(
        self, name: str, batch: str | int, axes: tuple[str | int, str | int] | None
    ) -> onnx.ValueInfoProto:
        colours = self._architecture.channels
        channels = self._architecture.latent_channels if name == "latent" else colours
        prefix = "" if name in ("noisy", "image") else "low_"
        height, width = axes or (f"{prefix}height", f"{prefix}width")
        return helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [batch, channels, height, width]
        )
