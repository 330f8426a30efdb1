"""Parameters are complete, float32 and finite, whatever they were made from."""

import numpy as np
import pytest

from invdn.errors import WeightsError
from invdn.weights import Parameters
from invdn.weights.parameters import haar_kernels


def test_prefix_and_kernels_are_dropped(parameters: Parameters) -> None:
    tensors = {f"module.{n}": t for n, t in parameters.official_tensors().items()}
    again = Parameters.from_tensors(tensors)
    assert list(again.tensors) == list(parameters.tensors)
    assert all(np.array_equal(again.tensors[n], t) for n, t in parameters.tensors.items())


def test_a_name_with_and_without_prefix_is_refused(parameters: Parameters) -> None:
    tensors = {f"module.{n}": t for n, t in parameters.tensors.items()} | parameters.tensors
    with pytest.raises(WeightsError, match=r"with and without the prefix module\."):
        Parameters.from_tensors(tensors)


def test_foreign_haar_kernels_are_refused(parameters: Parameters) -> None:
    kernels = haar_kernels(parameters.architecture)
    kernels["operations.2.haar_weights"] = kernels["operations.2.haar_weights"] / 2
    with pytest.raises(WeightsError, match=r"operations\.2\.haar_weights is not the Haar"):
        Parameters.from_tensors({**parameters.tensors, **kernels})


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_other_floats_become_float32(parameters: Parameters, dtype: str) -> None:
    stored = {name: tensor.astype(dtype) for name, tensor in parameters.tensors.items()}
    for name, tensor in Parameters.from_tensors(stored).tensors.items():
        assert tensor.dtype == np.float32
        assert np.array_equal(tensor, stored[name].astype("float32"))


def test_uint16_is_bfloat16(parameters: Parameters) -> None:
    stored = {name: np.full(t.shape, 0x3FC0, "uint16") for name, t in parameters.tensors.items()}
    values = Parameters.from_tensors(stored).tensors.values()
    assert all((tensor == 1.5).all() for tensor in values)


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (np.nan, "f4", "NaN or infinity"),
        (np.inf, "f2", "NaN or infinity"),
        (1e300, "f8", "NaN or infinity"),
        (0x7FC0, "u2", "NaN or infinity"),
        (1, "i4", "int32 instead of floating-point"),
    ],
)
def test_unusable_numbers_are_refused(
    parameters: Parameters, value: float, dtype: str, message: str
) -> None:
    name = next(iter(parameters.tensors))
    bad = np.full(parameters.tensors[name].shape, value, dtype)
    with pytest.raises(WeightsError, match=f"{name} holds {message}"):
        Parameters.from_tensors({**parameters.tensors, name: bad})


def test_a_wrong_claim_of_architecture_is_refused(parameters: Parameters) -> None:
    claim = {"architecture": '{"blocks": [8, 8], "features": 64, "channels": 3}'}
    with pytest.raises(WeightsError, match="claims the architecture"):
        Parameters.from_tensors(parameters.tensors, claim)


def test_parameters_own_their_memory(parameters: Parameters) -> None:
    name, tensor = next(iter(parameters.tensors.items()))
    again = Parameters.from_tensors(parameters.tensors)
    again.tensors[name][:] = 7
    assert not (tensor == 7).any()
