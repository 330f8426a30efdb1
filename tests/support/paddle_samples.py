"""Files that Paddle wrote or read, kept so that the tests do not need Paddle.

``python -m support.paddle_samples`` in ``tests/``, with Paddle and ``invdn`` installed, makes
``tests/samples/paddle.tar.xz`` anew: the small network of :func:`parameters`, saved by Paddle in
every wrapper, pickle protocol and number format, and as this project writes it, which Paddle then
loads into layers and finds equal.
"""

import io
import tarfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from invdn.architecture import Architecture
from invdn.weights import Parameters
from invdn.weights.parameters import tensor_shapes
from invdn.weights.pickle_formats import encode_pdparams

ARCHIVE = Path(__file__).parents[1] / "samples" / "paddle.tar.xz"
WRITTEN = "written-by-us.pdparams"  # loaded by Paddle when the archive was made
PROTOCOLS = (2, 3, 4)
DTYPES = ("float32", "float64", "float16", "bfloat16")

Wrap = Callable[[dict[str, Any]], dict[str, Any]]
WRAPPERS: dict[str, Wrap] = {
    "plain": lambda state: state,
    "named": lambda state: state | {"StructuredToParameterName@@": dict.fromkeys(state, "x_0.w_0")},
    "training": lambda state: {
        "iter": 7,
        "state_dict": state,
        "optimizer": {"a_moment1_0": np.ones(2)},
    },
    "gan": lambda state: {"generator": state},
}


def parameters() -> Parameters:
    """Return a network of one block with two features: 1,518 random numbers."""
    generator = np.random.default_rng(0)
    shapes = tensor_shapes(Architecture(blocks=(1,), features=2))
    tensors = {name: generator.normal(0, 0.1, shape) for name, shape in shapes.items()}
    return Parameters.from_tensors(tensors, {})


def name_of(wrapper: str, protocol: int, dtype: str) -> str:
    """Return the name of a file in the archive."""
    return f"{wrapper}-{protocol}-{dtype}.pdparams"


@cache
def _files() -> dict[str, bytes]:
    with tarfile.open(ARCHIVE) as archive:
        members = ((member, archive.extractfile(member)) for member in archive)
        return {member.name: file.read() for member, file in members if file}


def sample(name: str) -> bytes:
    """Return a file of the archive."""
    return _files()[name]


def _saved() -> Iterator[tuple[str, bytes]]:
    import paddle

    for dtype in DTYPES:
        state = {
            name: paddle.to_tensor(tensor).astype(dtype)
            for name, tensor in parameters().official_tensors().items()
        }
        for wrapper, wrap in WRAPPERS.items():
            for protocol in PROTOCOLS:
                with TemporaryDirectory() as folder:
                    path = Path(folder) / "model.pdparams"
                    paddle.save(wrap(state), str(path), protocol=protocol)
                    yield name_of(wrapper, protocol, dtype), path.read_bytes()


def _check(written: bytes) -> None:
    """Load our file into layers of Paddle's that have the official names."""
    import paddle

    tensors = parameters().official_tensors()
    model = paddle.nn.Layer()
    for name, tensor in tensors.items():
        layer = model
        *path, last = name.split(".")
        for part in path:
            if part not in layer._sub_layers:
                layer.add_sublayer(part, paddle.nn.Layer())
            layer = layer._sub_layers[part]
        layer.add_parameter(last, layer.create_parameter(tensor.shape))
    loaded = paddle.load(io.BytesIO(written))
    if model.set_state_dict(loaded) != ([], []):
        raise SystemExit("Paddle misses a name")
    for name, tensor in tensors.items():
        if loaded[name].dtype != paddle.float32 or not np.array_equal(loaded[name].numpy(), tensor):
            raise SystemExit(f"Paddle reads other values of {name}")


def main() -> None:
    """Make the archive anew."""
    written = encode_pdparams(parameters())
    _check(written)
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        for name, content in [*_saved(), (WRITTEN, written)]:
            member = tarfile.TarInfo(name)  # no user, no time: the same bytes each time
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


if __name__ == "__main__":
    main()
