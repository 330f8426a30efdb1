"""From the nodes of an inert pickle tree to arrays, as torch and numpy write them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ..errors import WeightsError
from .pickle_tree import Call, Global, PersistentId

Array = NDArray[Any]

#: Element type of each kind of torch storage; bfloat16 is kept as the uint16 of its bits.
_STORAGES = {
    f"torch.{kind}Storage": np.dtype(code)
    for kind, code in (
        ("Float", "<f4"),
        ("Double", "<f8"),
        ("Half", "<f2"),
        ("BFloat16", "<u2"),
        ("Long", "<i8"),
        ("Int", "<i4"),
        ("Short", "<i2"),
        ("Char", "|i1"),
        ("Byte", "|u1"),
        ("Bool", "|b1"),
    )
}
_REBUILD_TENSOR = frozenset({"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"})
_REBUILD_PARAMETER = "torch._utils._rebuild_parameter"
_TUPLE = frozenset({"builtins.tuple", "__builtin__.tuple"})
_RECONSTRUCT, _SCALAR = (
    frozenset(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core"))
    for name in ("_reconstruct", "scalar")
)
_FROM_BUFFER = frozenset({"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"})
_ENCODE, _DTYPE = "_codecs.encode", "numpy.dtype"
_DTYPE_CODES = frozenset("f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1".split())  # noqa: SIM905

#: Every name that a pickle of tensors may import; none of them is imported here.
ALLOWED = frozenset(
    {"collections.OrderedDict", "numpy.ndarray", _DTYPE, _ENCODE, _REBUILD_PARAMETER}
).union(_STORAGES, _REBUILD_TENSOR, _TUPLE, _RECONSTRUCT, _SCALAR, _FROM_BUFFER)

_DEEPEST = 4  # wrappers around a tensor
_MOST_DIMENSIONS = 8


@dataclass(frozen=True)
class Storages:
    """What lies beside a torch pickle: the bytes of every storage, and their byte order."""

    chunks: Mapping[str, bytes] = field(default_factory=dict)
    big_endian: bool = False


@dataclass(frozen=True)
class StorageReference:
    """What a persistent identifier of torch says of a storage."""

    key: str
    dtype: np.dtype[Any]
    count: int

    @classmethod
    def parse(cls, identifier: object) -> "StorageReference":
        """Read ``("storage", type, key, location, count)``; very old files add a view, here None.

        Raises:
            WeightsError: it is something else.
        """
        match identifier:
            case ("storage", Global(kind), str(key), str(), int(count), *view) if (
                kind in _STORAGES and count >= 0 and not any(view)
            ):
                return cls(key, _STORAGES[kind], count)
        raise WeightsError("damaged pickle: it refers to a storage in an unknown way")


def read_tensor(node: object, storages: Storages) -> Array:
    """Return the array that a node describes.

    It is torch's tensor or parameter, numpy's array, or Paddle's pair of name and array.

    Returns:
        A read-only view of the file's bytes; bfloat16 as uint16.

    Raises:
        ValueError: the node is not a tensor, or is damaged.
        WeightsError: its storage is referred to in an unknown way.
    """
    for _ in range(_DEEPEST):
        match node:
            case Call(function, arguments) if function in _REBUILD_TENSOR:
                return _torch_tensor(arguments, storages)
            case Call(function, state=state) if function in _RECONSTRUCT:
                return _numpy_array(state)
            case Call(function, (data, dtype, shape, order)) if function in _FROM_BUFFER:
                return _numpy_array((shape, dtype, order == "F", data))
            case Call(function, (inner, *_)) if function == _REBUILD_PARAMETER:
                node = inner
            case Call(function, ((str(), inner),)) if function in _TUPLE:
                node = inner
            case (str(), inner):
                node = inner
            case _:
                break
    raise ValueError("it is not a tensor")


def _torch_tensor(arguments: tuple[object, ...], storages: Storages) -> Array:
    match arguments:
        case (PersistentId(identifier), int(offset), sizes, strides, *_):
            reference = StorageReference.parse(identifier)
        case _:
            raise ValueError("it is not built as torch builds tensors")
    shape, steps = _integers(sizes), _integers(strides)
    chunk = storages.chunks.get(reference.key)
    if chunk is None or len(chunk) != reference.count * reference.dtype.itemsize:
        raise ValueError(f"storage {reference.key} is missing or cut short")
    if len(shape) != len(steps):
        raise ValueError("it has a stride too many or too few")
    last = offset + sum((size - 1) * step for size, step in zip(shape, steps, strict=True))
    if not 0 <= offset <= last < reference.count or _elements(shape) > reference.count:
        raise ValueError("it reaches beyond its storage")
    dtype = reference.dtype.newbyteorder(">" if storages.big_endian else "<")
    # The stride along a side of 1 means nothing, and may be of any size.
    moves = [
        step * dtype.itemsize if size > 1 else 0 for size, step in zip(shape, steps, strict=True)
    ]
    return as_strided(np.frombuffer(chunk, dtype)[offset:], shape, moves, writeable=False)


def _numpy_array(state: object) -> Array:
    match state:
        case (int(), shape, dtype, fortran, data) | (shape, dtype, fortran, data):
            sides, kind, raw = _integers(shape), _numpy_dtype(dtype), _raw_bytes(data)
        case _:
            raise ValueError("it is not built as numpy builds arrays")
    if len(raw) != _elements(sides) * kind.itemsize:
        raise ValueError(f"{len(raw)} bytes are not an array of shape {sides} and type {kind}")
    return np.frombuffer(raw, kind).reshape(sides, order="F" if fortran else "C")


def _numpy_dtype(node: object) -> np.dtype[Any]:
    match node:
        case Call(function, (str(code), *_), state) if function == _DTYPE and code in _DTYPE_CODES:
            order = state[1] if isinstance(state, tuple) and len(state) > 1 else "<"
            return np.dtype(code).newbyteorder(">" if order == ">" else "<")
    raise ValueError("it does not consist of plain numbers")


def _raw_bytes(node: object) -> bytes:
    match node:
        case bytes() | bytearray():
            return bytes(node)
        case str():  # from Python 2
            return node.encode("latin-1")
        case Call(function, (str(text), "latin1")) if function == _ENCODE:  # protocol 2
            return text.encode("latin-1")
    raise ValueError("its data are not bytes")


def _integers(node: object) -> tuple[int, ...]:
    """Return a shape or strides: a short tuple of non-negative integers."""
    if isinstance(node, tuple) and len(node) <= _MOST_DIMENSIONS:
        numbers = tuple(number for number in node if isinstance(number, int) and number >= 0)
        if len(numbers) == len(node):
            return numbers
    raise ValueError("its shape is none")


def _elements(shape: tuple[int, ...]) -> int:
    """Return number of elements; an empty array is refused, since no network has one."""
    if 0 in shape:
        raise ValueError("it is empty")
    return math.prod(shape)
