"""Finds the state dict in a checkpoint: alone, or inside what trainings wrap around it."""

from typing import Any

from numpy.typing import NDArray

from ..errors import WeightsError
from .pickle_tree import Call
from .pickled_tensors import Storages, read_tensor

#: Where checkpoints keep the state dict, the better one first (an average of weights).
#: ``ema`` and ``network`` are those of our own trainings.
_WRAPPERS = (
    "params_ema", "ema", "params", "state_dict", "model_state_dict", "generator", "model",
    "network", "net",
)  # fmt: skip
_DEEPEST = 4  # wrappers around wrappers


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
