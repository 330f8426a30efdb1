"""Paddle files, read and written without Paddle; what it wrote and took is stored."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invdn.errors import WeightsError
from invdn.weights import Parameters
from invdn.weights.pickle_formats import decode_pdparams, encode_pdparams
from support import paddle_samples

wrappers = pytest.mark.parametrize("wrapper", paddle_samples.WRAPPERS)


def assert_equal(read: Parameters, expected: Parameters) -> None:
    assert list(read.tensors) == list(expected.tensors)
    assert all(np.array_equal(read.tensors[n], t) for n, t in expected.tensors.items())


@wrappers
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_and_wrapper(parameters: Parameters, wrapper: str, protocol: int) -> None:
    wrap = paddle_samples.WRAPPERS[wrapper]
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
@pytest.mark.parametrize("protocol", paddle_samples.PROTOCOLS)
@pytest.mark.parametrize("dtype", paddle_samples.DTYPES)
def test_what_paddle_writes(wrapper: str, protocol: int, dtype: str) -> None:
    data = paddle_samples.sample(paddle_samples.name_of(wrapper, protocol, dtype))
    read = Parameters.from_tensors(decode_pdparams(data))
    expected = paddle_samples.parameters().official_tensors()
    assert list(read.official_tensors()) == list(expected)
    for name, tensor in read.official_tensors().items():
        rounded = torch.from_numpy(expected[name].copy()).to(getattr(torch, dtype)).float()
        assert np.array_equal(tensor, rounded.numpy()), name


def test_what_we_write_paddle_loads() -> None:
    """The same bytes that Paddle took into its layers when they were stored."""
    written = encode_pdparams(paddle_samples.parameters())
    assert written == paddle_samples.sample(paddle_samples.WRITTEN)
