"""The one door between weights files and parameters: every format in, three formats out."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..atomic import atomic_output, ensure_output
from ..errors import InputError, WeightsError
from .parameters import Parameters
from .pdparams import PICKLE_START, decode_pdparams, encode_pdparams
from .pth import LEGACY_START, ZIP_START, decode_legacy, decode_zip, encode_pth
from .safetensors_file import decode_safetensors, encode_safetensors, is_safetensors

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
