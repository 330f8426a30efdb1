"""Our own format: what goes in comes out, byte for byte, and others read it too."""

import json
from typing import Any

import numpy as np
import pytest

from invdn.errors import InputError, WeightsError
from invdn.weights import Parameters
from invdn.weights.convert import decode_safetensors, encode_safetensors


def build(header: Any, numbers: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + numbers


def entry(dtype: Any = "F32", shape: Any = (2,), begin: Any = 0, end: Any = 8) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_round_trip(parameters: Parameters) -> None:
    again = Parameters.from_tensors(*decode_safetensors(encode_safetensors(parameters)))
    assert again.metadata == parameters.metadata
    assert again.architecture == parameters.architecture
    assert all(np.array_equal(again.tensors[n], t) for n, t in parameters.tensors.items())


def test_equal_parameters_give_equal_bytes(parameters: Parameters) -> None:
    turned = dict(reversed(parameters.metadata.items()))
    again = Parameters.from_tensors(dict(reversed(parameters.tensors.items())), turned)
    assert encode_safetensors(again) == encode_safetensors(parameters)


def test_the_numbers_are_aligned(parameters: Parameters) -> None:
    length = int.from_bytes(encode_safetensors(parameters)[:8], "little")
    assert (8 + length) % 64 == 0


def test_the_safetensors_package_reads_it(parameters: Parameters) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    loaded = safetensors.load(encode_safetensors(parameters))
    assert loaded.keys() == parameters.tensors.keys()
    assert all(np.array_equal(loaded[n], t) for n, t in parameters.tensors.items())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_it_reads_what_the_safetensors_package_writes(parameters: Parameters, dtype: str) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    stored = {name: tensor.astype(dtype) for name, tensor in parameters.tensors.items()}
    tensors, metadata = decode_safetensors(safetensors.save(stored, {"format": "pt"}))
    assert metadata == {"format": "pt"}
    assert all(
        np.array_equal(tensors[n], t) and tensors[n].dtype == dtype for n, t in stored.items()
    )


def test_it_reads_bfloat16_as_torch_writes_it(parameters: Parameters) -> None:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    stored = {n: torch.from_numpy(t).bfloat16() for n, t in parameters.tensors.items()}
    read = Parameters.from_tensors(*decode_safetensors(safetensors.save(stored)))
    assert all(np.array_equal(read.tensors[n], t.float().numpy()) for n, t in stored.items())


@pytest.mark.parametrize("metadata", [{"architecture": "x"}, {"format_version": "1"}, {"note": 3}])
def test_metadata_that_cannot_be_kept_are_refused(
    parameters: Parameters, metadata: dict[str, Any]
) -> None:
    faulty = Parameters(parameters.tensors, parameters.architecture, metadata)
    with pytest.raises(InputError, match="metadata"):
        encode_safetensors(faulty)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "damaged"),
        (build({}, length=1 << 62), "damaged"),
        (build(b"{"), "damaged"),
        (build(b'{"a": ' + b"[" * 100_000), "damaged"),
        (build(b'{"a": ' + b"9" * 5000 + b"}"), "damaged"),
        (build({"__metadata__": {"a": 1}}), "metadata"),
        (build({"__metadata__": []}), "metadata"),
        (build({"__metadata__": {"format_version": "2"}}), "upgrade"),
        (build({"a": 1}), "unknown way"),
        (build({"a": entry(begin="0")}, bytes(8)), "unknown way"),
        (build({"a": entry(dtype="I32")}, bytes(8)), "holds I32"),
        (build({"a": entry(shape=[-2])}, bytes(8)), "shape"),
        (build({"a": entry(shape=[2.0])}, bytes(8)), "shape"),
        (build({"a": entry(shape=[3])}, bytes(8)), "does not lie"),
        (build({"a": entry(shape=[1 << 62])}, bytes(8)), "does not lie"),
        (build({"a": entry()}, bytes(7)), "cut short"),
        (build({"a": entry()}, bytes(9)), "follows its end"),
        (build({"a": entry(begin=-8, end=0)}, bytes(8)), "does not lie"),
        (build({"a": entry(), "b": entry()}, bytes(8)), "overlap"),
        (build({"a": entry(begin=8, end=16)}, bytes(16)), "gap"),
    ],
)
def test_damage_is_told(data: bytes, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        decode_safetensors(data)
