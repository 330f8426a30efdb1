"""PyTorch files: everything that torch writes is read as torch reads it, and the way back."""

import io
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from invdn.errors import MissingDependencyError, WeightsError
from invdn.weights import Parameters
from invdn.weights.pickle_formats import decode_legacy, decode_zip, encode_pth

torch = pytest.importorskip("torch")

Save = Callable[[Any], bytes]


def save_zip(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def save_legacy(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def decode(data: bytes) -> dict[str, Any]:
    return decode_zip(data) if data.startswith(b"PK") else decode_legacy(data)


def rezip(data: bytes, change: Callable[[dict[str, bytes]], None], **options: Any) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def state(parameters: Parameters) -> dict[str, Any]:
    return {name: torch.from_numpy(t) for name, t in parameters.official_tensors().items()}


formats = pytest.mark.parametrize("save", [save_zip, save_legacy])


@formats
@pytest.mark.parametrize(
    "convert",
    [
        lambda tensor: tensor,
        lambda tensor: tensor.half(),
        lambda tensor: tensor.bfloat16(),
        lambda tensor: tensor.double(),
        lambda tensor: torch.nn.Parameter(tensor),
        lambda tensor: tensor.to(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor,
        lambda tensor: tensor.transpose(0, -1).contiguous().transpose(0, -1),
        lambda tensor: torch.cat((tensor, tensor))[: len(tensor)],
        lambda tensor: torch.stack((tensor, tensor), -1)[..., 1],
    ],
    ids=[
        "plain",
        "half",
        "bfloat16",
        "double",
        "parameter",
        "channels-last",
        "transposed",
        "slice",
        "strided",
    ],
)
def test_every_kind_of_tensor_reads_as_torch_reads_it(
    state: dict[str, Any], save: Save, convert: Callable[[Any], Any]
) -> None:
    stored = OrderedDict((name, convert(tensor)) for name, tensor in state.items())
    read = decode(save(stored))
    assert list(read) == list(stored)
    for name, tensor in stored.items():
        if tensor.dtype == torch.bfloat16:
            tensor = tensor.view(torch.uint16)
        assert np.array_equal(read[name], tensor.detach().numpy())


@formats
def test_views_of_one_storage(save: Save) -> None:
    whole = torch.arange(24.0)
    stored = {"operations.0.a": whole[:12].view(3, 4).T, "operations.0.b": whole[12:][::2]}
    read = decode(save(stored))
    assert all(np.array_equal(read[name], tensor.numpy()) for name, tensor in stored.items())


@formats
@pytest.mark.parametrize("wrapper", ["state_dict", "params", "params_ema", "generator", "model"])
def test_wrappers_are_opened(state: dict[str, Any], save: Save, wrapper: str) -> None:
    checkpoint = {"epoch": 3, wrapper: {f"module.{n}": t for n, t in state.items()}, "best": 39.3}
    assert Parameters.from_tensors(decode(save(checkpoint))).count == sum(
        t.numel() for name, t in state.items() if "haar" not in name
    )


def test_the_averaged_weights_are_preferred(state: dict[str, Any]) -> None:
    averaged = {name: tensor + 1 for name, tensor in state.items()}
    read = decode(save_zip({"params": state, "params_ema": averaged}))
    name = "operations.1.F.conv1.bias"
    assert np.array_equal(read[name], averaged[name].numpy())


def test_a_whole_training_checkpoint(state: dict[str, Any]) -> None:
    model = torch.nn.Linear(3, 3)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    checkpoint = {"state_dict": state, "optimizer": optimizer.state_dict(), "psnr": np.float64(39)}
    assert decode(save_zip(checkpoint)).keys() == state.keys()


def test_module_state_with_torch_metadata() -> None:
    from invdn.architecture import Architecture
    from invdn.network import InvDN

    network = InvDN(Architecture(blocks=(1,), features=2))
    read = Parameters.from_tensors(decode(save_zip(network.state_dict())))
    assert read.architecture == network.architecture


def test_what_we_write_torch_loads_into_the_official_layout(parameters: Parameters) -> None:
    data = encode_pth(parameters)
    loaded = torch.load(io.BytesIO(data), weights_only=True)
    assert isinstance(loaded, OrderedDict)
    assert list(loaded)[:2] == ["operations.0.haar_weights", "operations.1.F.conv1.weight"]
    for name, tensor in parameters.official_tensors().items():
        assert loaded[name].dtype == torch.float32
        assert np.array_equal(loaded[name].numpy(), tensor)
    assert encode_pth(parameters) == data


def test_writing_without_torch_names_the_remedy(
    parameters: Parameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'invdn\[torch\]'"):
        encode_pth(parameters)


def test_big_endian_archive(parameters: Parameters) -> None:
    def swap(members: dict[str, bytes]) -> None:
        for name in members:
            if "/data/" in name:
                members[name] = np.frombuffer(members[name], "<f4").astype(">f4").tobytes()
        members["archive/byteorder"] = b"big"

    read = Parameters.from_tensors(decode(rezip(encode_pth(parameters), swap)))
    assert all(np.array_equal(read.tensors[n], t) for n, t in parameters.tensors.items())


def shorten(members: dict[str, bytes]) -> None:
    members["archive/data/3"] = members["archive/data/3"][:-4]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda members: None, {"compression": zipfile.ZIP_DEFLATED}, "compressed"),
        (lambda members: members.pop("archive/data.pkl"), {}, "not one that torch.save wrote"),
        (lambda members: members.update({"b/data.pkl": b""}), {}, "not one that torch.save wrote"),
        (lambda members: members.pop("archive/data/3"), {}, "storage 3 is missing"),
        (shorten, {}, "storage 3 is missing or cut short"),
        (lambda m: m.update({"archive/data.pkl": m["archive/data.pkl"] + b"x"}), {}, "follows"),
    ],
)
def test_tampered_archives(
    parameters: Parameters, change: Callable[..., None], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsError, match=message):
        decode(rezip(encode_pth(parameters), change, **options))


@formats
@pytest.mark.parametrize("garbage", [b"x", bytes(30), b"PK\x05\x06"])
def test_trailing_garbage(state: dict[str, Any], save: Save, garbage: bytes) -> None:
    with pytest.raises(WeightsError, match="follows its end"):
        decode(save(state) + garbage)


def test_an_expanded_tensor_is_refused() -> None:
    with pytest.raises(WeightsError, match="beyond its storage"):
        decode(save_zip({"operations.0.a": torch.zeros(1).expand(1 << 40)}))


def test_overlapping_tensors_are_refused() -> None:
    big = torch.zeros(1000)
    with pytest.raises(WeightsError, match="overlap"):
        decode(save_zip({f"operations.{index}.a": big for index in range(100)}))


@pytest.mark.parametrize("value", [3, [torch.zeros(2)], {"weight": torch.zeros(2)}, {}, {1: 2}])
def test_checkpoints_of_something_else(value: Any) -> None:
    with pytest.raises(WeightsError, match="no parameters of an InvDN"):
        decode(save_zip(value))
