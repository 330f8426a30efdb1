"""PaddlePaddle's ``.pdparams``: a pickle of numpy arrays, read and written without Paddle."""

import pickle
from io import BytesIO
from typing import Any

from numpy.typing import NDArray

from .checkpoint import read_state_dict
from .parameters import Parameters
from .pickle_tree import expect_end, parse_pickle
from .pickled_tensors import ALLOWED, Storages

#: How a pickle of protocol 2 or later begins; Paddle writes nothing older.
PICKLE_START = b"\x80"


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
