"""Whatever byte of a valid file is lost or changed: a typed error, or a network, nothing else."""

import io
import pickle
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invdn.architecture import Architecture
from invdn.errors import WeightsError
from invdn.weights import Parameters, read_parameters
from invdn.weights.convert import encode_safetensors
from invdn.weights.parameters import tensor_shapes
from invdn.weights.pickle_formats import encode_pdparams

CASES = ["safetensors", "pdparams", "pickle 2", "pickle 5", "zip", "legacy"]


def save_with_torch(tensors: dict[str, Any], **options: Any) -> bytes:
    torch = pytest.importorskip("torch")
    buffer = io.BytesIO()
    torch.save({n: torch.from_numpy(t) for n, t in tensors.items()}, buffer, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module", params=CASES)
def valid(request: pytest.FixtureRequest) -> Iterator[bytes]:
    shapes = tensor_shapes(Architecture(blocks=(1,), features=1, channels=1))
    generator = np.random.default_rng(0)
    tensors = {name: generator.normal(size=shape) for name, shape in shapes.items()}
    parameters = Parameters.from_tensors(tensors, {"licence": "none"})
    official = parameters.official_tensors()
    match request.param:
        case "safetensors":
            yield encode_safetensors(parameters)
        case "pdparams":
            yield encode_pdparams(parameters)
        case "pickle 2":
            yield pickle.dumps({"iter": 3, "state_dict": official}, 2)
        case "pickle 5":
            yield pickle.dumps({name: (name, tensor) for name, tensor in official.items()}, 5)
        case "zip":
            yield save_with_torch(official)
        case "legacy":
            yield save_with_torch(official, _use_new_zipfile_serialization=False)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damage") / "weights"


many = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_undamaged(valid: bytes, path: Path) -> None:
    path.write_bytes(valid)
    assert read_parameters(path).architecture.blocks == (1,)


@many
@given(part=st.floats(0, 1, exclude_max=True))
def test_cut_short(valid: bytes, path: Path, part: float) -> None:
    path.write_bytes(valid[: int(part * len(valid))])
    with pytest.raises(WeightsError):
        read_parameters(path)


def test_the_last_bytes_cut_off(valid: bytes, path: Path) -> None:
    for count in range(1, 130):
        path.write_bytes(valid[:-count])
        with pytest.raises(WeightsError):
            read_parameters(path)


@many
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1)
)
def test_bytes_changed(valid: bytes, path: Path, changes: list[tuple[float, int]]) -> None:
    data = bytearray(valid)
    for part, change in changes:
        data[int(part * len(data))] ^= change
    path.write_bytes(data)
    with suppress(WeightsError):
        assert read_parameters(path).architecture.blocks == (1,)


@many
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"\x80\x02", b"PK\x03\x04"]))
def test_arbitrary_bytes(data: bytes, start: bytes, path: Path) -> None:
    path.write_bytes(start + data)
    with pytest.raises(WeightsError):
        read_parameters(path)
