"""The one door between weights files and parameters: every format in, three formats out."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..atomic import atomic_output, ensure_output
from ..errors import InputError, WeightsError
from .parameters import Parameters, architecture_as_json
from .pickle_formats import (
    LEGACY_START,
    PICKLE_START,
    ZIP_START,
    decode_legacy,
    decode_pdparams,
    decode_zip,
    encode_pdparams,
    encode_pth,
)

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


#: Where they lie: one ``.safetensors`` each, beside its model card.
MODELS = Path(__file__).parent / "models"


def shipped_models() -> tuple[str, ...]:
    """Return names of the shipped models, such as ``default``."""
    return tuple(sorted(path.stem for path in MODELS.glob("*.safetensors")))


def shipped_model(name: str) -> Path:
    """Return the weights file of a shipped model.

    Raises:
        WeightsError: no model of this name is shipped.
    """
    if name not in shipped_models():
        known = ", ".join(shipped_models()) or "none"
        raise WeightsError(f"no model named {name!r} is shipped; known: {known}")
    return MODELS / f"{name}.safetensors"


#: A training checkpoint of the published network has 32 MB; anything larger than this is a mistake.
LARGEST_FILE = 1 << 30

_LONGEST_MESSAGE = 1000  # characters

_WRITERS: Mapping[str, Callable[[Parameters], bytes]] = {
    ".safetensors": encode_safetensors,
    ".pth": encode_pth,
    ".pdparams": encode_pdparams,
}
#: What people hand over by mistake, by how it begins.
_STRANGERS = {
    b"version https://git-lfs": "a pointer of Git LFS; fetch the file itself with 'git lfs pull'",
    b"<": "a web page, probably saved in place of the file",
    b"\x89HDF": "an HDF5 file",
    b"\x08": "an ONNX graph, which holds more than weights",
}


@dataclass(frozen=True)
class WeightsFile:
    """A weights file that has been read.

    Attributes:
        path: where it lies.
        format: what it is, for people.
        size: bytes.
        sha256: its digest, in hexadecimal digits.
        stored_types: element types of its tensors; all are float32 in ``parameters``.
        parameters: what it holds.
    """

    path: Path
    format: str
    size: int
    sha256: str
    stored_types: tuple[str, ...]
    parameters: Parameters


def open_weights(source: str | Path) -> WeightsFile:
    """Read a weights file of any known format, whatever its suffix; nothing in it is executed.

    Args:
        source: a shipped model's name (which goes before a file of that name), or a
            ``.safetensors``, official ``.pth`` or Paddle ``.pdparams`` file.

    Raises:
        WeightsError: the file is missing, damaged, unsafe, or belongs to another network.
    """
    path = shipped_model(str(source)) if str(source) in shipped_models() else Path(source)
    data = _read(path)
    try:
        file_format, tensors, metadata = _decode(data)
        parameters = Parameters.from_tensors(tensors, metadata)
    except WeightsError as error:
        raise WeightsError(f"{path}: {_printable(str(error))}") from error
    types = sorted({_type_name(tensor) for tensor in tensors.values()})
    digest = hashlib.sha256(data).hexdigest()
    return WeightsFile(path, file_format, len(data), digest, tuple(types), parameters)


def read_parameters(source: str | Path) -> Parameters:
    """Return the parameters in a weights file, or of a shipped model; see :func:`open_weights`."""
    return open_weights(source).parameters


def write_parameters(
    parameters: Parameters, target: str | Path, *, overwrite: bool = False
) -> None:
    """Write a weights file, whole or not at all.

    Args:
        parameters: what to write.
        target: the file; its suffix chooses ``.safetensors`` (ours, with metadata), ``.pth`` (for
            the official code; needs torch) or ``.pdparams`` (for Paddle). The last two hold
            tensors only.
        overwrite: replace the file if it exists.

    Raises:
        InputError: the suffix is none of these.
        OutputError: the file exists, or cannot be written.
        MissingDependencyError: a ``.pth`` is wanted and torch is not installed.
    """
    path = Path(target)
    encode = _writer(path, overwrite)
    data = encode(parameters)
    with atomic_output(path, overwrite) as temporary:
        temporary.write_bytes(data)


def convert(source: str | Path, target: str | Path, *, overwrite: bool = False) -> WeightsFile:
    """Read a weights file and write it in another format; see the two functions that it joins.

    A file without ``provenance`` in its metadata gets one: the source's name, format and digest.

    Returns:
        What was read.
    """
    _writer(Path(target), overwrite)  # before the work of reading
    read = open_weights(source)
    origin = f"converted from {read.path.name} ({read.format}, SHA-256 {read.sha256})"
    metadata = {"provenance": origin, **read.parameters.metadata}
    write_parameters(replace(read.parameters, metadata=metadata), target, overwrite=overwrite)
    return read


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            known = ", ".join(shipped_models()) or "none"
            raise WeightsError(f"{path} is neither a file nor a shipped model (known: {known})")
        if path.stat().st_size > LARGEST_FILE:
            raise WeightsError(
                f"{path} is larger than {LARGEST_FILE >> 20} MiB: not a weights file"
            )
        return path.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}") from error


def _decode(data: bytes) -> tuple[str, Mapping[str, NDArray[Any]], Mapping[str, str]]:
    """Return format, tensors and metadata, by what the file begins with."""
    if data.startswith(ZIP_START):
        return "PyTorch archive", decode_zip(data), {}
    if data.startswith(LEGACY_START):
        return "PyTorch pickles (before 1.6)", decode_legacy(data), {}
    if data.startswith(PICKLE_START):
        return "Paddle pickle", decode_pdparams(data), {}
    if is_safetensors(data):
        return "safetensors", *decode_safetensors(data)
    strangers = (text for start, text in _STRANGERS.items() if data.startswith(start))
    seen = next(strangers, "something else") if data else "an empty file"
    raise WeightsError(f"it is no weights file (.safetensors, .pth, .pdparams) but {seen}")


def _writer(path: Path, overwrite: bool) -> Callable[[Parameters], bytes]:
    encode = _WRITERS.get(path.suffix.lower())
    if encode is None:
        raise InputError(f"{path}: the suffix must be one of {', '.join(_WRITERS)}")
    ensure_output(path, overwrite)
    return encode


def _printable(text: str) -> str:
    """Shorten a message that may quote a hostile file, without what a terminal would obey."""
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_MESSAGE])


def _type_name(tensor: NDArray[Any]) -> str:
    """Return the element type as people know it; uint16 is how bfloat16 is held."""
    return "bfloat16" if tensor.dtype == "uint16" else tensor.dtype.name
