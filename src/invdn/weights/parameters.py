"""The parameters of a network, whatever file they come from: numpy only, no torch."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..architecture import Architecture
from ..errors import WeightsError
from .layout import haar_kernels, infer_architecture, official_order, tensor_shapes


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
        """The tensors with the Haar kernels among them, named and ordered as the originals do."""
        every = {**haar_kernels(self.architecture), **self.tensors}
        return {name: every[name] for name in official_order(every)}


def architecture_as_json(architecture: Architecture) -> str:
    """The text under ``architecture`` in a file's metadata.

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
