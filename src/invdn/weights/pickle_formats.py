"""PyTorch's ``.pth``: the archive of today and the row of pickles before it; read without torch."""

import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from io import BytesIO
from typing import Any

from numpy.typing import NDArray

from ..errors import MissingDependencyError, WeightsError
from .parameters import Parameters
from .pickle_tree import Call, expect_end, parse_pickle
from .pickled_tensors import ALLOWED, StorageReference, Storages, read_tensor

#: How a zip archive begins, and where its end record begins when no comment follows.
ZIP_START, _ZIP_END, _ZIP_END_SIZE = b"PK\x03\x04", b"PK\x05\x06", 22
#: How torch's older files begin: protocol 2, then its magic number as a pickled integer.
LEGACY_START = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
_LEGACY_PICKLES = 5  # magic number, version, machine, object, keys of the storages
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, struct.error, ValueError, KeyError, IndexError, EOFError,
    NotImplementedError, RuntimeError, OverflowError, OSError,
)  # fmt: skip
#: How a pickle of protocol 2 or later begins; Paddle writes nothing older.
PICKLE_START = b"\x80"
#: Where checkpoints keep the state dict, the better one first (an average of weights).
#: ``ema`` and ``network`` are those of our own trainings.
_WRAPPERS = (
    "params_ema", "ema", "params", "state_dict", "model_state_dict", "generator", "model",
    "network", "net",
)  # fmt: skip
_DEEPEST = 4  # wrappers around wrappers


def decode_zip(data: bytes) -> dict[str, NDArray[Any]]:
    """Return tensors of a ``.pth`` written by torch 1.6 or later.

    Raises:
        WeightsError: it is damaged, unsafe, or holds no InvDN.
    """
    try:
        members = _read_archive(data)
    except _DAMAGED as error:
        raise WeightsError(f"damaged archive: {error}") from error
    pickles = [name for name in members if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise WeightsError("it is a zip archive, but not one that torch.save wrote")
    (pickle_name,) = pickles
    folder = pickle_name.removesuffix("data.pkl")
    stream = BytesIO(members[pickle_name])
    tree = parse_pickle(stream, ALLOWED)
    expect_end(stream)
    chunks = {name.removeprefix(f"{folder}data/"): chunk for name, chunk in members.items()}
    big_endian = members.get(f"{folder}byteorder") == b"big"
    return read_state_dict(tree.root, len(data), Storages(chunks, big_endian))


def decode_legacy(data: bytes) -> dict[str, NDArray[Any]]:
    """Return tensors of a ``.pth`` written by torch before 1.6, or with the older format chosen.

    Raises:
        WeightsError: it is damaged, unsafe, or holds no InvDN.
    """
    stream = BytesIO(data)
    *_, checkpoint, keys = (parse_pickle(stream, ALLOWED) for _ in range(_LEGACY_PICKLES))
    references = map(StorageReference.parse, checkpoint.persistent_ids)
    storages = {reference.key: reference for reference in references}
    chunks: dict[str, bytes] = {}
    for key in keys.root if isinstance(keys.root, list) else ():
        reference = storages.get(key) if isinstance(key, str) else None
        if reference is None or stream.read(8) != struct.pack("<Q", reference.count):
            raise WeightsError("damaged file: its storages are not those that its tensors name")
        chunks[reference.key] = stream.read(reference.count * reference.dtype.itemsize)
    expect_end(stream)
    return read_state_dict(checkpoint.root, len(data), Storages(chunks))


def encode_pth(parameters: Parameters) -> bytes:
    """Return the official layout as torch saves it: an ordered dictionary with the Haar kernels.

    Raises:
        MissingDependencyError: torch is not installed.
    """
    try:
        import torch  # late: only those who write for torch need it
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "writing a .pth needs torch: pip install 'invdn[torch]'"
        ) from error
    tensors = parameters.official_tensors().items()
    buffer = BytesIO()
    torch.save(OrderedDict((name, torch.from_numpy(tensor)) for name, tensor in tensors), buffer)
    return buffer.getvalue()


def _read_archive(data: bytes) -> dict[str, bytes]:
    """Give members of a zip archive that is as torch writes it: uncompressed, without a comment."""
    if data[-_ZIP_END_SIZE:][:4] != _ZIP_END:
        raise ValueError("it is cut short, or something follows its end")
    with zipfile.ZipFile(BytesIO(data)) as archive:
        infos = archive.infolist()
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise ValueError("it is compressed, which torch never does")
        if sum(info.file_size for info in infos) > len(data):
            raise ValueError("its members overlap")
        return {info.filename: archive.read(info) for info in infos}


def decode_pdparams(data: bytes) -> dict[str, NDArray[Any]]:
    """Return tensors of a Paddle state dict, training checkpoint or PaddleGAN file.

    Raises:
        WeightsError: it is damaged, unsafe, or holds no InvDN.
    """
    stream = BytesIO(data)
    tree = parse_pickle(stream, ALLOWED)
    expect_end(stream)
    return read_state_dict(tree.root, len(data), Storages())


def encode_pdparams(parameters: Parameters) -> bytes:
    """Return a state dict of numpy arrays with the Haar kernels, as ``paddle.load`` takes it."""
    pickled = pickle.dumps(parameters.official_tensors(), protocol=3)
    # numpy 2 names its new home, numpy 1 does not know it; both know the old one. The first
    # array imports it, before any data; the others refer back to it.
    return pickled.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n", 1)


def read_state_dict(root: object, size: int, storages: Storages) -> dict[str, NDArray[Any]]:
    """Find the state dict in a checkpoint and read its tensors.

    Args:
        root: what the pickle holds.
        size: bytes of the file, which no set of true tensors exceeds.
        storages: what lies beside a torch pickle.

    Returns:
        Read-only arrays under the names of the file; bfloat16 as uint16.

    Raises:
        WeightsError: there is no InvDN inside, or a tensor is damaged.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for name, node in _state_dict(root).items():
        if isinstance(name, str) and isinstance(node, Call | tuple):
            try:
                tensors[name] = read_tensor(node, storages)
            except ValueError as error:
                raise WeightsError(f"damaged tensor {name}: {error}") from error
    if sum(tensor.nbytes for tensor in tensors.values()) > size:
        raise WeightsError("its tensors overlap: together they are larger than the file")
    return tensors


def _state_dict(root: object) -> dict[Any, object]:
    tree = root
    for _ in range(_DEEPEST):
        if not isinstance(tree, dict):
            break
        if any("operations." in name for name in tree if isinstance(name, str)):
            return tree
        tree = next((tree[name] for name in _WRAPPERS if isinstance(tree.get(name), dict)), None)
    names = [name for name in root if isinstance(name, str)] if isinstance(root, dict) else []
    found = ", ".join(names[:3]) or f"a {type(root).__name__} without names"
    raise WeightsError(f"it holds no parameters of an InvDN, but {found}")
