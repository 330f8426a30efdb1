"""Paddle files, read and written without Paddle; with it where it is installed."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from invdn.errors import WeightsError
from invdn.weights import Parameters
from invdn.weights.pdparams import decode_pdparams, encode_pdparams

wrappers = pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: state | {"StructuredToParameterName@@": dict.fromkeys(state, "x_0.w_0")},
        lambda state: {"iter": 7, "state_dict": state, "optimizer": {"a_moment1_0": np.ones(2)}},
        lambda state: {"generator": state},
    ],
    ids=["plain", "named", "training", "gan"],
)
Wrap = Callable[[dict[str, Any]], dict[str, Any]]


def assert_equal(read: Parameters, expected: Parameters) -> None:
    assert list(read.tensors) == list(expected.tensors)
    assert all(np.array_equal(read.tensors[n], t) for n, t in expected.tensors.items())


@wrappers
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_and_wrapper(parameters: Parameters, wrap: Wrap, protocol: int) -> None:
    data = pickle.dumps(wrap(dict(parameters.official_tensors())), protocol)
    assert_equal(Parameters.from_tensors(decode_pdparams(data)), parameters)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pairs_of_name_and_array(parameters: Parameters, protocol: int) -> None:
    state = {name: (f"w_{name}", tensor) for name, tensor in parameters.official_tensors().items()}
    assert_equal(
        Parameters.from_tensors(decode_pdparams(pickle.dumps(state, protocol))), parameters
    )


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        np.arange(12, dtype=">f8").reshape(3, 4),
        np.arange(24, dtype="f2").reshape(4, 6)[::2, ::-1],
        np.array(3, "f4"),
        np.array([1, -2]),
        np.array([True, False]),
    ],
    ids=["fortran", "big-endian", "view", "scalar", "integers", "truths"],
)
def test_every_kind_of_array(array: Any, protocol: int) -> None:
    read = decode_pdparams(pickle.dumps({"operations.0.x": array}, protocol))["operations.0.x"]
    assert read.shape == array.shape
    assert np.array_equal(read, array)


def test_pickles_of_python_2() -> None:
    # {"operations.0.x": numpy.array([1.5, -2.0], "f4")}, as Python 2 and its numpy wrote it
    data = (
        b"\x80\x02}U\x0eoperations.0.xcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n"
        b"K\x00\x85U\x01b\x87R(K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"U\x08\x00\x00\xc0?\x00\x00\x00\xc0tbs."
    )
    assert decode_pdparams(data)["operations.0.x"].tolist() == [1.5, -2.0]


def test_written_files_are_plain_pickles_that_old_numpy_knows(parameters: Parameters) -> None:
    data = encode_pdparams(parameters)
    loaded = pickle.loads(data)
    assert list(loaded) == list(parameters.official_tensors())
    assert all(np.array_equal(loaded[n], t) for n, t in parameters.official_tensors().items())
    assert b"cnumpy.core.multiarray\n" in data
    assert b"numpy._core" not in data
    assert_equal(Parameters.from_tensors(decode_pdparams(data)), parameters)


def test_trailing_garbage(parameters: Parameters) -> None:
    with pytest.raises(WeightsError, match="follows its end"):
        decode_pdparams(encode_pdparams(parameters) + b"x")


@pytest.mark.parametrize("name", ["plain.pdparams", "training.pdparams"])
def test_files_of_the_original(parity_files: Path, name: str) -> None:
    read = Parameters.from_tensors(decode_pdparams((parity_files / name).read_bytes()))
    assert read.architecture.blocks == (1, 1)


@wrappers
@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_what_paddle_writes(
    parameters: Parameters, tmp_path: Path, wrap: Wrap, protocol: int, dtype: str
) -> None:
    paddle = pytest.importorskip("paddle")
    state = {
        name: paddle.to_tensor(tensor).astype(dtype)
        for name, tensor in parameters.official_tensors().items()
    }
    path = tmp_path / "model.pdparams"
    paddle.save(wrap(state), str(path), protocol=protocol)
    read = Parameters.from_tensors(decode_pdparams(path.read_bytes()))
    assert all(
        np.array_equal(tensor, state[name].astype("float32").numpy())
        for name, tensor in read.tensors.items()
    )


def test_what_we_write_paddle_loads(parameters: Parameters, tmp_path: Path) -> None:
    paddle = pytest.importorskip("paddle")
    path = tmp_path / "model.pdparams"
    path.write_bytes(encode_pdparams(parameters))
    loaded = paddle.load(str(path))
    for name, tensor in parameters.official_tensors().items():
        assert loaded[name].dtype == paddle.float32
        assert np.array_equal(loaded[name].numpy(), tensor)
    assert isinstance(paddle.load(io.BytesIO(encode_pdparams(parameters))), dict)


def test_paddle_layers_take_what_we_write(parameters: Parameters, tmp_path: Path) -> None:
    paddle = pytest.importorskip("paddle")
    tensors = parameters.official_tensors()

    class Holder(paddle.nn.Layer):  # type: ignore[misc, name-defined]
        """Parameters of the official names, without the network around them."""

        def __init__(self) -> None:
            super().__init__()
            for name, tensor in tensors.items():
                layer: Any = self
                *path, last = name.split(".")
                for part in path:
                    if part not in layer._sub_layers:
                        layer.add_sublayer(part, paddle.nn.Layer())
                    layer = layer._sub_layers[part]
                layer.add_parameter(last, layer.create_parameter(tensor.shape))

    path = tmp_path / "model.pdparams"
    path.write_bytes(encode_pdparams(parameters))
    holder = Holder()
    assert holder.set_state_dict(paddle.load(str(path))) == ([], [])
    state = holder.state_dict()
    assert all(np.array_equal(state[name].numpy(), tensor) for name, tensor in tensors.items())
