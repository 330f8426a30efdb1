"""Our own format, ``.safetensors``: a JSON header that says what lies where, then plain numbers.

Described at https://huggingface.co/docs/safetensors. Written here rather than through the package
of that name, so that equal parameters give equal bytes and the light install stays light.
"""

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, WeightsError
from .parameters import Parameters, architecture_as_json

#: Written into every file; a reader refuses versions that it does not know.
FORMAT_VERSION = "1"

_LENGTH = 8  # bytes of the header's length, little-endian
_ALIGNMENT = 64  # bytes; the numbers start at a multiple of it
#: bfloat16 is kept as the uint16 of its bits.
_TYPES = {
    name: np.dtype(code)
    for name, code in (("F32", "<f4"), ("F64", "<f8"), ("F16", "<f2"), ("BF16", "<u2"))
}
_RESERVED = frozenset({"architecture", "format_version"})


def is_safetensors(data: bytes) -> bool:
    """Return whether the file begins as a ``.safetensors`` does."""
    return data[_LENGTH : _LENGTH + 1] == b"{"


def encode_safetensors(parameters: Parameters) -> bytes:
    """Return the parameters with their architecture and metadata; equal input gives equal bytes.

    Raises:
        InputError: the metadata use a name that the format needs, or are not texts.
    """
    metadata = parameters.metadata
    if _RESERVED & metadata.keys() or not all(isinstance(text, str) for text in metadata.values()):
        raise InputError(f"metadata must be texts, and not named {' or '.join(sorted(_RESERVED))}")
    own = {
        "architecture": architecture_as_json(parameters.architecture),
        "format_version": FORMAT_VERSION,
    }
    header: dict[str, Any] = {"__metadata__": dict(sorted({**metadata, **own}.items()))}
    end = 0
    for name, tensor in parameters.tensors.items():
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": (begin, end)}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(_LENGTH + len(text)) % _ALIGNMENT)
    numbers = (tensor.astype("<f4").tobytes() for tensor in parameters.tensors.values())
    return b"".join((len(text).to_bytes(_LENGTH, "little"), text, *numbers))


def decode_safetensors(data: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Give tensors and metadata; the metadata may hold ``architecture``, which is not yet checked.

    Raises:
        WeightsError: it is damaged, of a newer version, or holds a type that no network has.
    """
    begin = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
    if begin > len(data):
        raise WeightsError("damaged .safetensors: the header is cut short")
    try:
        header = json.loads(data[_LENGTH:begin].decode())
        metadata = _texts(header.pop("__metadata__", {}))
        tensors = _tensors(header, data[begin:])
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"damaged .safetensors: {error}") from error
    version = metadata.pop("format_version", FORMAT_VERSION)
    if version != FORMAT_VERSION:
        raise WeightsError(f"it has the format version {version[:20]!r}; upgrade invdn to read it")
    return tensors, metadata


def _texts(metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise ValueError("the metadata are not texts")
    return metadata


def _tensors(header: dict[str, object], numbers: bytes) -> dict[str, NDArray[Any]]:
    """Return read-only views; together they must cover the numbers without gap or overlap."""
    tensors: dict[str, NDArray[Any]] = {}
    spans: list[tuple[int, int]] = []
    for name, entry in header.items():
        match entry:
            case {"dtype": str(kind), "shape": list(shape), "data_offsets": [int(begin), int(end)]}:
                spans.append((begin, end))
            case _:
                raise ValueError(f"the header describes {name} in an unknown way")
        if kind not in _TYPES:
            raise ValueError(f"{name} holds {kind[:20]}; a network holds {', '.join(_TYPES)}")
        if not all(isinstance(side, int) and side > 0 for side in shape):
            raise ValueError(f"{name} has no shape")
        dtype = _TYPES[kind]
        if not 0 <= begin < end <= len(numbers) or math.prod(shape) * dtype.itemsize != end - begin:
            raise ValueError(f"{name} does not lie where the header says: is the file cut short?")
        tensors[name] = np.frombuffer(numbers[begin:end], dtype).reshape(shape)
    position = 0
    for begin, end in sorted(spans):
        if begin != position:
            raise ValueError("its tensors overlap or leave a gap")
        position = end
    if position != len(numbers):
        raise ValueError("something follows its end")
    return tensors
