"""ONNX export: what is written, and that it runs alone."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from invdn.architecture import Architecture
from invdn.cli import group
from invdn.engines import open_engine
from invdn.engines.factory import PUBLISHED_GRAPHS
from invdn.errors import EngineError, OutputError
from invdn.network import InvDN
from invdn.weights import checks, write_parameters
from invdn.weights.network import load_network, parameters_of
from invdn.weights.onnx_export import CHECKED_SIZES, PLAIN_SIZES, export_onnx

FILES = {"weights.safetensors", "encode.onnx", "decode.onnx", "denoise.onnx", "plain.onnx"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network() -> InvDN:
    torch.manual_seed(0)
    return InvDN(Architecture(blocks=(1, 1), features=4)).eval()


@pytest.fixture(scope="module")
def exported(network: InvDN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command wrote."""
    base = tmp_path_factory.mktemp("export")
    write_parameters(parameters_of(network, {"licence": "CC0"}), base / "small.safetensors")
    result = CliRunner().invoke(
        group, ["export", str(base / "small.safetensors"), str(base / "onnx")]
    )
    assert result.exit_code == 0, result.output
    assert result.output.count("difference from torch") == 3 * len(CHECKED_SIZES) + len(PLAIN_SIZES)
    assert "largest difference" in result.output
    return base / "onnx"


def test_the_files(exported: Path) -> None:
    assert {path.name for path in exported.iterdir()} == FILES
    for path in exported.glob("*.onnx"):
        model = onnx.load(path, load_external_data=False)
        assert {entry.key: entry.value for entry in model.metadata_props} == {"licence": "CC0"}
        names = {
            axis.dim_param
            for value in model.graph.input
            for axis in value.type.tensor_type.shape.dim
        }
        assert names <= {
            "", "batch", "low_batch", "noisy_batch", "height", "width", "low_height", "low_width",
        }  # fmt: skip
        assert b"site-packages" not in path.read_bytes(), "a path of the exporting machine"
    assert b"noisy" not in (exported / "decode.onnx").read_bytes()
    weights = (exported / "weights.safetensors").stat().st_size
    assert (exported / "denoise.onnx").stat().st_size > weights


def test_the_graphs_run_from_their_files_alone(exported: Path, network: InvDN) -> None:
    """As an engineer's program loads them: paths, external data, sizes never seen before."""
    generator = np.random.default_rng(1)
    noisy = generator.random((2, 3, 44, 28), np.float32)
    latent = generator.standard_normal((2, 45, 11, 7), np.float32)
    encode, decode, denoise = (
        onnxruntime.InferenceSession(exported / f"{name}.onnx")
        for name in ("encode", "decode", "denoise")
    )
    (low,) = encode.run(["low"], {"noisy": noisy})
    (image,) = decode.run(["image"], {"low": low, "latent": latent})
    (direct,) = denoise.run(["image"], {"noisy": noisy, "latent": latent})
    with torch.inference_mode():
        expected_low, _ = network.encode(torch.from_numpy(noisy))
        expected = network.decode(expected_low, torch.from_numpy(latent)).numpy()
    assert np.abs(low - expected_low.numpy()).max() < 1e-5
    assert np.abs(image - expected).max() < 1e-4
    assert np.abs(direct - expected).max() < 1e-4
    (shared,) = decode.run(["image"], {"low": low[:1], "latent": latent})
    assert np.abs(shared[0] - expected[0]).max() < 1e-4, "one low image for both latents"
    with torch.inference_mode():
        other = network.decode(expected_low[:1], torch.from_numpy(latent[1:])).numpy()
    assert np.abs(shared[1] - other[0]).max() < 1e-4


def test_an_exported_folder_is_a_model(exported: Path, network: InvDN) -> None:
    engine = open_engine(exported, backend="onnxruntime")
    assert "ONNX" in engine.description
    assert engine.architecture == network.architecture
    noisy = np.random.default_rng(2).random((1, 3, 16, 16), np.float32)
    with torch.inference_mode():
        expected, _ = network.encode(torch.from_numpy(noisy))
    assert np.abs(engine.encode(noisy) - expected.numpy()).max() < 1e-5


def test_encode_computes_nothing_that_it_drops(exported: Path) -> None:
    """Neither G nor H of the last block is in the graph, and only they are missing."""
    model = onnx.load(exported / "encode.onnx", load_external_data=False)
    subnets = {
        name.rpartition(".conv")[0]
        for name in (tensor.name for tensor in model.graph.initializer)
        if name.startswith("operations.")
    }
    assert subnets == {*(f"operations.1.{s}" for s in "FGH"), "operations.3.F"}


def test_the_shipped_graphs_are_those_of_today(tmp_path: Path) -> None:
    """What the engine runs is what the code writes, byte by byte."""
    export_onnx(load_network("default"), tmp_path)
    for name in ("encode.onnx", "decode.onnx"):
        assert (tmp_path / name).read_bytes() == (PUBLISHED_GRAPHS / name).read_bytes()


def test_nothing_is_overwritten_unasked(exported: Path, network: InvDN) -> None:
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    with pytest.raises(OutputError, match="exists already"):
        export_onnx(network, exported)
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before


def test_a_graph_that_differs_is_not_written(
    network: InvDN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "TOLERANCE", 0.0)
    with pytest.raises(EngineError, match="differs from torch"):
        export_onnx(network, tmp_path / "onnx")
    assert list((tmp_path / "onnx").iterdir()) == []
