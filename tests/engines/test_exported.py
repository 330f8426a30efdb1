"""Exported folders, run by their files alone as ``invdn infer`` runs them."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from onnx import TensorProto, helper

from invdn import Denoiser
from invdn.architecture import Architecture
from invdn.cli import group
from invdn.engines.exported import ExportedModel
from invdn.errors import EngineError, InputError
from invdn.network import InvDN
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from invdn.weights import write_parameters
from invdn.weights.network import parameters_of
from invdn.weights.onnx_export import export_onnx


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small one.safetensors"
    write_parameters(parameters_of(InvDN(Architecture(blocks=(1, 2), features=8))), path)
    return path


@pytest.fixture(scope="module")
def folder(weights: Path) -> Path:
    """A folder whose name has spaces."""
    folder = weights.parent / "an exported model"
    result = CliRunner().invoke(group, ["export", str(weights), str(folder)])
    assert result.exit_code == 0, (result.output, result.exception)
    return folder


def _noisy(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(4).random((height, width, 3), np.float32)


@pytest.mark.parametrize("std", [0.0, 1.0])
@pytest.mark.parametrize("size", [(18, 41), (5, 4), (1, 7)])
def test_the_result_is_that_of_predict(
    folder: Path, weights: Path, std: float, size: tuple[int, int]
) -> None:
    """With the border that predict mirrors around the photograph, and its latent."""
    noisy = _noisy(*size)
    bare = {"hot_pixels": False, "banding": False, "blotches": False}
    with Denoiser.from_pretrained(weights, dtype="float32", **bare) as denoiser:
        expected = denoiser.predict(noisy, seed=3, latent_std=std).mean
    found = ExportedModel(folder)(noisy, seed=3, latent_std=std)
    assert np.abs(found - expected).max() < 1e-5
    edged = ExportedModel(folder, border=0)(noisy, seed=3, latent_std=std)
    assert np.abs(edged - expected).max() > 1e-4, "the border counts"


def test_the_plain_graph_has_its_border_inside(folder: Path, weights: Path, tmp_path: Path) -> None:
    (tmp_path / "plain.onnx").write_bytes((folder / "plain.onnx").read_bytes())
    noisy = _noisy(18, 41)
    both = [ExportedModel(path)(noisy) for path in (tmp_path, folder)]
    assert np.abs(both[0] - both[1]).max() < 1e-5


def test_a_fixed_size_is_told(weights: Path, tmp_path: Path) -> None:
    network = InvDN(Architecture(blocks=(1, 1), features=4))
    export_onnx(network, tmp_path / "all", size=(8, 12))
    (tmp_path / "plain-8x12.onnx").write_bytes((tmp_path / "all" / "plain-8x12.onnx").read_bytes())
    model = ExportedModel(tmp_path)
    assert model(_noisy(8, 12)).shape == (8, 12, 3)
    with pytest.raises(EngineError, match="8x12 only, and this one is 12x8"):
        model(_noisy(12, 8))


def _write_graph(
    path: Path,
    shape: list[int | str],
    *,
    node: str = "Identity",
    result: list[int | str] | None = None,
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("output",),
) -> None:
    """Write a graph of another network: one operator on one input."""
    graph = helper.make_graph(
        [helper.make_node(node, ["input"], [name]) for name in outputs],
        "other",
        [helper.make_tensor_value_info("input", kind, shape)],
        [helper.make_tensor_value_info(name, kind, result or shape) for name in outputs],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(helper.make_model(graph, opset_imports=[opset], ir_version=8), path)


def test_exports_of_other_networks_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.onnx"
    for shape in ([1, 1000], ["n", 1, "h", "w"], ["n", "c", "h", "w"], ["n", 7, "h", "w"]):
        _write_graph(path, shape)
        with pytest.raises(EngineError, match="no InvDN of RGB images"):
            ExportedModel(tmp_path)
    image: list[int | str] = ["n", 3, "h", "w"]
    _write_graph(path, image, kind=TensorProto.FLOAT16)
    with pytest.raises(EngineError, match=r"float32.*output \(tensor\(float16\)\)"):
        ExportedModel(tmp_path)
    _write_graph(path, image, outputs=("boxes", "scores"))
    with pytest.raises(EngineError, match=r"boxes.*scores"):
        ExportedModel(tmp_path)
    _write_graph(path, image, node="GlobalAveragePool", result=["n", 3, 1, 1])
    with pytest.raises(EngineError, match=r"makes \(1, 3, 1, 1\)"):
        ExportedModel(tmp_path)(_noisy(4, 5))
    path.write_bytes(b"no graph")
    with pytest.raises(EngineError, match="cannot load"):
        ExportedModel(tmp_path)


def test_folders_that_are_not_ours_are_told(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(EngineError, match="there is no folder"):
        ExportedModel(tmp_path / "nowhere")
    with pytest.raises(EngineError, match="holds no exported model"):
        ExportedModel(tmp_path)
    with pytest.raises(InputError, match="multiple of 4"):
        ExportedModel(folder, border=6)


def test_the_command_measures_and_writes(folder: Path, tmp_path: Path) -> None:
    for name in ("a b.png", "c.png"):
        for part in ("Noisy", "GT"):
            (tmp_path / part).mkdir(exist_ok=True)
            pixels = np.random.default_rng(len(name)).integers(0, 256, (9, 13, 3), np.uint8)
            write_photo(Photo(pixels), tmp_path / part / name)
    pairs = ["--noisy", str(tmp_path / "Noisy"), "--clean", str(tmp_path / "GT")]
    arguments = ["infer", str(folder), *pairs, "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(group, [*arguments, "--benchmark", "--repeats", "2"])
    assert result.exit_code == 0, (result.output, result.exception)
    lines = result.stdout.splitlines()
    assert [line.partition(", psnr: ")[0] for line in lines[:2]] == [
        f"image_name: {tmp_path / 'Noisy' / name}" for name in ("a b.png", "c.png")
    ]
    assert "runs: 4, preprocess_time(ms):" in result.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a b.png", "c.png"}

    again = CliRunner().invoke(group, arguments)
    assert "exists already" in str(again.exception)
    assert not again.stdout, "nothing was run before"
    log = ["--reprod-log", str(tmp_path / "log.npy")]
    without = CliRunner().invoke(group, ["infer", str(folder), *pairs[:2], *log])
    assert "--clean" in str(without.exception)
    as_json = CliRunner().invoke(group, ["infer", str(folder), *pairs, "--json", *log])
    assert len(json.loads(as_json.stdout)["images"]) == 2
    assert np.load(tmp_path / "log.npy", allow_pickle=True).item()["psnr"].shape == (1,)
