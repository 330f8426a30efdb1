"""The parameters of a network, whatever file they come from: numpy only, no torch.

The official layout gives name and shape of every tensor, and the network that a set of them forms.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..architecture import Architecture
from ..errors import WeightsError

Shape = tuple[int, ...]

_KERNELS = [[[1, 1], [1, 1]], [[1, -1], [1, -1]], [[1, 1], [-1, -1]], [[1, -1], [-1, 1]]]
_BLOCK = re.compile(r"operations\.([0-9]{1,4})\.[FGH]\.conv[123]\.(?:weight|bias)")
_HAAR = re.compile(r"operations\.([0-9]{1,4})\.haar_weights")
_NAMED = 3  # items that an error message spells out
_MOST_LEVELS = 8  # a photograph shrunk 256 times; the published network has 2


def tensor_shapes(architecture: Architecture) -> dict[str, Shape]:
    """Return official name and shape of every learned tensor, in the official order.

    Layers are numbered through; a Haar layer takes a number of its own at the start of each level.

    Example:
        >>> shapes = tensor_shapes(Architecture())
        >>> shapes["operations.1.F.conv1.weight"], shapes["operations.17.H.conv3.bias"]
        ((64, 9, 3, 3), (45,))
    """
    shapes: dict[str, Shape] = {}
    image, features = architecture.channels, architecture.features
    width = image
    for haar, blocks in zip(_haar_numbers(architecture), architecture.blocks, strict=True):
        width *= 4
        rest = width - image
        for number in range(haar + 1, haar + 1 + blocks):
            for subnet, inputs, outputs in (
                ("F", rest, image),
                ("G", image, rest),
                ("H", image, rest),
            ):
                convolutions = (
                    ("conv1", inputs, features),
                    ("conv2", features, features),
                    ("conv3", inputs + features, outputs),
                )
                for convolution, into, out in convolutions:
                    name = f"operations.{number}.{subnet}.{convolution}"
                    shapes[f"{name}.weight"] = (out, into, 3, 3)
                    shapes[f"{name}.bias"] = (out,)
    return shapes


def haar_matrix(channels: int) -> NDArray[np.float32]:
    """Return the Haar transform of a layer as one dense kernel, (4C, C, 2, 2).

    Its outputs are ordered band first and colour second. As kernel of a convolution of stride 2 it
    gives 4 times the forward transform; as that of a transposed one, the inverse.

    Example:
        >>> haar_matrix(3)[4, :, 0].tolist()  # the second band of the second colour, upper row
        [[0.0, 0.0], [1.0, -1.0], [0.0, 0.0]]
    """
    bands = np.array(_KERNELS, np.float32)
    colours = np.eye(channels, dtype=np.float32)
    kernels = np.einsum("bij,oc->bocij", bands, colours).reshape(4 * channels, channels, 2, 2)
    return np.asarray(kernels, np.float32)


def haar_kernels(architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    """Return the fixed kernels that official files carry beside the learned tensors.

    Each is ``(4C, 1, 2, 2)`` for a Haar layer of C channels: the four kernels, once a channel.

    Example:
        >>> {name: kernel.shape for name, kernel in haar_kernels(Architecture()).items()}
        {'operations.0.haar_weights': (12, 1, 2, 2), 'operations.9.haar_weights': (48, 1, 2, 2)}
    """
    kernels = np.array(_KERNELS, np.float32)[:, None]
    return {
        f"operations.{number}.haar_weights": np.tile(
            kernels, (architecture.channels * 4**level, 1, 1, 1)
        )
        for level, number in enumerate(_haar_numbers(architecture))
    }


def official_order(names: Iterable[str]) -> list[str]:
    """Return names by the number of their layer; within a layer as they come."""
    return sorted(names, key=lambda name: int(name.split(".")[1]))


def infer_architecture(shapes: Mapping[str, Shape]) -> Architecture:
    """Return the network that tensors of these official names and shapes form.

    Haar kernels may be among them or not: a Haar layer is also known by its gap in the numbering
    where the channels grow.

    Raises:
        WeightsError: they are not the tensors of an InvDN; the message names what is missing,
            unexpected or of another shape.

    Example:
        >>> infer_architecture(tensor_shapes(Architecture(blocks=(1, 2), features=16)))
        Architecture(blocks=(1, 2), features=16, channels=3)
    """
    architecture = _outline(shapes)
    expected = tensor_shapes(architecture)
    kernels = {f"operations.{n}.haar_weights" for n in _haar_numbers(architecture)}
    missing = [name for name in expected if name not in shapes]
    unexpected = [name for name in shapes if name not in expected and name not in kernels]
    other = [
        f"{name} {shapes[name]} instead of {shape}"
        for name, shape in expected.items()
        if name in shapes and shapes[name] != shape
    ]
    faults = [
        f"{len(names)} {fault}: {_list(names)}"
        for fault, names in (
            ("missing", missing),
            ("unexpected", unexpected),
            ("of another shape", other),
        )
        if names
    ]
    if faults:
        raise WeightsError(
            f"it resembles an InvDN of {architecture}, but of its tensors {'; '.join(faults)}"
        )
    return architecture


def _haar_numbers(architecture: Architecture) -> list[int]:
    """Return layer numbers of the Haar layers: 0 and 9 for blocks (8, 8)."""
    blocks = architecture.blocks
    return [sum(blocks[:level]) + level for level in range(len(blocks))]


def _outline(shapes: Mapping[str, Shape]) -> Architecture:
    """Return the architecture that the numbering and the first layer suggest; not yet checked."""
    numbers = sorted({int(match[1]) for name in shapes if (match := _BLOCK.fullmatch(name))})
    first = shapes.get(f"operations.{numbers[0]}.G.conv1.weight", ()) if numbers else ()
    if len(first) != 4:
        examples = _list([f"{name} {shape}" for name, shape in shapes.items()])
        raise WeightsError(f"it is another network: {len(shapes)} tensors ({examples})")
    named = sorted(int(match[1]) for name in shapes if (match := _HAAR.fullmatch(name)))
    starts = named or [0, *_growth(shapes, numbers)]
    blocks = tuple(b - a - 1 for a, b in pairwise([*starts, numbers[-1] + 1]))
    # Every level has a block, so that a sound numbering never exceeds twice the blocks.
    sparse = numbers[-1] > 2 * len(numbers)
    if starts[0] != 0 or min(blocks) < 1 or len(blocks) > _MOST_LEVELS or sparse:
        raise WeightsError(
            "the layers are not numbered as in an InvDN: "
            f"Haar layers at {_list(starts)}, blocks at {_list(numbers)}"
        )
    features, channels = first[:2]
    if min(features, channels) < 1:
        raise WeightsError(f"operations.{numbers[0]}.G.conv1.weight has the shape {first}")
    return Architecture(blocks, features, channels)


def _growth(shapes: Mapping[str, Shape], numbers: list[int]) -> list[int]:
    """Return numbers just before a block that works on more channels than the block before it."""
    widths = {number: shapes.get(f"operations.{number}.F.conv1.weight", ()) for number in numbers}
    return [
        after - 1
        for before, after in pairwise(numbers)
        if after > before + 1 and widths[before] != widths[after]
    ]


def _list(items: Iterable[object]) -> str:
    """Return the first few items, for a message."""
    texts = [str(item) for item in items]
    return ", ".join(texts[:_NAMED]) + (", ..." if len(texts) > _NAMED else "")


@dataclass(frozen=True, eq=False)
class Parameters:
    """Every learned tensor of an InvDN, checked: complete, of the right shape, and finite.

    Attributes:
        tensors: float32 arrays by official name (``operations.1.F.conv1.weight``), in the official
            order, without the Haar kernels, which are constants.
        architecture: the network that they belong to.
        metadata: what the file says of itself: ``provenance``, ``licence`` and the like.

    Example:
        >>> shapes = tensor_shapes(Architecture(blocks=(1,), features=2))
        >>> parameters = Parameters.from_tensors({n: np.zeros(s) for n, s in shapes.items()})
        >>> parameters.architecture, parameters.count
        (Architecture(blocks=(1,), features=2, channels=3), 1518)
    """

    tensors: dict[str, NDArray[np.float32]]
    architecture: Architecture
    metadata: dict[str, str]

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
    ) -> "Parameters":
        """Check and convert the tensors of a file or a network.

        Args:
            tensors: arrays of a floating-point type, or of uint16 holding bfloat16 (numpy has no
                such type; Paddle does the same). Names may share a prefix such as ``module.``. Haar
                kernels may be among them, and must then be the true ones.
            metadata: kept as it is, but for ``architecture`` (JSON), which is compared with the
                tensors and then left out.

        Raises:
            WeightsError: the tensors are not those of an InvDN, or not finite.
        """
        named = _without_prefix(tensors)
        architecture = infer_architecture({name: tensor.shape for name, tensor in named.items()})
        kept = dict(metadata or {})
        _check_declared(kept.pop("architecture", None), architecture)
        values = {name: _as_float32(name, tensor) for name, tensor in named.items()}
        for name, kernel in haar_kernels(architecture).items():
            if not np.array_equal(values.get(name, kernel), kernel):
                raise WeightsError(f"{name} is not the Haar transform")
        return cls({name: values[name] for name in tensor_shapes(architecture)}, architecture, kept)

    @property
    def count(self) -> int:
        """Number of learned values."""
        return sum(tensor.size for tensor in self.tensors.values())

    def official_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return the tensors and the Haar kernels, named and ordered as the originals do."""
        every = {**haar_kernels(self.architecture), **self.tensors}
        return {name: every[name] for name in official_order(every)}


def architecture_as_json(architecture: Architecture) -> str:
    """Return the text under ``architecture`` in a file's metadata.

    Example:
        >>> architecture_as_json(Architecture())
        '{"blocks": [8, 8], "features": 64, "channels": 3}'
    """
    return json.dumps(asdict(architecture))


def _check_declared(declared: str | None, architecture: Architecture) -> None:
    if declared is not None and declared != architecture_as_json(architecture):
        raise WeightsError(f"it claims the architecture {declared[:200]} but holds {architecture}")


def _without_prefix(tensors: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """Drop what stands before ``operations.`` in the first such name from all that share it."""
    first = next((name for name in tensors if "operations." in name), "")
    prefix = first.partition("operations.")[0]
    named = {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    if len(named) != len(tensors):
        raise WeightsError(f"it holds tensors both with and without the prefix {prefix}")
    return named


def _as_float32(name: str, tensor: NDArray[Any]) -> NDArray[np.float32]:
    if tensor.dtype == np.uint16:  # bfloat16: the upper half of a float32
        values = (tensor.astype(np.uint32) << 16).view(np.float32)
    elif tensor.dtype.kind == "f":
        with np.errstate(over="ignore"):  # becomes infinite, and is refused below
            values = np.array(tensor, np.float32, order="C")
    else:
        raise WeightsError(f"{name} holds {tensor.dtype} instead of floating-point numbers")
    if not np.isfinite(values).all():
        raise WeightsError(f"{name} holds NaN or infinity (or what float32 cannot hold)")
    return values
