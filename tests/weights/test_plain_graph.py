"""The plain graph: an image in, an image out, for programs that know nothing of the network."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from invdn.architecture import Architecture
from invdn.cli import group
from invdn.errors import EngineError, InputError
from invdn.network import DenoisingModule, InvDN
from invdn.weights import write_parameters
from invdn.weights.checks import compare
from invdn.weights.network import parameters_of
from invdn.weights.onnx_export import export_onnx


@pytest.fixture(scope="module")
def network() -> InvDN:
    torch.manual_seed(0)
    return InvDN(Architecture(blocks=(1, 1), features=4)).eval()


@pytest.fixture(scope="module")
def folder(network: InvDN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a space in its name, and every kind of plain graph."""
    folder = tmp_path_factory.mktemp("export") / "for other programs"
    export_onnx(network, folder, metadata={"licence": "CC0"})
    export_onnx(network, folder, size=(10, 7), half=True, overwrite=True)
    export_onnx(network, folder, size=(8, 12), overwrite=True)
    return folder


def _run(path: Path, image: np.ndarray) -> np.ndarray:
    (output,) = onnxruntime.InferenceSession(path).run(["output"], {"input": image})
    return np.asarray(output)


def test_the_interface_is_what_other_programs_ask_for(folder: Path) -> None:
    model = onnx.load(folder / "plain.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [17]
    for value, name in ((model.graph.input, "input"), (model.graph.output, "output")):
        (value,) = value
        assert value.name == name
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        axes = [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        assert axes == ["batch", 3, "height", "width"]
    fixed = onnx.load(folder / "plain-8x12.onnx")
    (value,) = fixed.graph.input
    assert [axis.dim_value for axis in value.type.tensor_type.shape.dim] == [1, 3, 8, 12]
    assert {entry.key for entry in model.metadata_props} == {"licence"}


@pytest.mark.parametrize("shape", [(1, 3, 1, 2), (2, 3, 9, 31), (1, 3, 16, 8)])
def test_every_size_gives_what_the_parts_give(
    folder: Path, network: InvDN, shape: tuple[int, ...]
) -> None:
    """Against encode and decode with a latent of zeros and numpy's mirror."""
    image = np.random.default_rng(1).random(shape, np.float32)
    edges = [(8, 8 + -side % 4) for side in shape[2:]]  # the border
    padded = torch.from_numpy(np.pad(image, [(0, 0), (0, 0), *edges], mode="reflect"))
    with torch.inference_mode():
        low, latent = network.encode(padded)
        expected = network.decode(low, torch.zeros_like(latent))
        module = DenoisingModule(network)(torch.from_numpy(image)).numpy()
    cut = expected[..., 8 : 8 + shape[2], 8 : 8 + shape[3]].numpy()
    assert np.abs(_run(folder / "plain.onnx", image) - cut).max() < 1e-5
    assert np.abs(module - cut).max() < 1e-6


def test_fixed_sizes_and_half_precision(folder: Path, network: InvDN) -> None:
    for name, size, tolerance in (
        ("plain-8x12.onnx", (8, 12), 1e-5),
        ("plain-10x7-float16.onnx", (10, 7), 2e-3),
    ):
        image = np.random.default_rng(2).random((1, 3, *size), np.float32)
        with torch.inference_mode():
            expected = DenoisingModule(network)(torch.from_numpy(image)).numpy()
        difference = np.abs(_run(folder / name, image) - expected).max()
        assert difference < tolerance
        assert difference > 0 or "float16" not in name, "float16 rounds"


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    network = InvDN(Architecture(blocks=(1,), features=64))
    export_onnx(network, tmp_path)
    export_onnx(network, tmp_path, half=True, overwrite=True)
    sizes = [(tmp_path / f"plain{kind}.onnx").stat().st_size for kind in ("", "-float16")]
    assert 0.45 < sizes[1] / sizes[0] < 0.6


def test_a_comparison_says_how_far_and_refuses_what_is_wrong() -> None:
    expected = np.full((1, 3, 4, 4), 0.5, np.float32)
    found = expected.copy()
    found[0, 0, 0, 0] += 1 / 255 / 100
    comparison = compare("x.onnx", (1, 4, 4), found, expected)
    assert comparison.steps == pytest.approx(0.01, rel=1e-2)
    assert comparison.decibels == pytest.approx(20 * np.log10(25500 * 48**0.5), abs=0.1)
    with pytest.raises(EngineError, match=r"differs from torch by 1\.0e-02 at 1x4x4"):
        compare("x.onnx", (1, 4, 4), expected + 0.01, expected)
    with pytest.raises(EngineError, match="differs"):
        compare("x.onnx", (1, 4, 4), expected * np.nan, expected, half=True)
    with pytest.raises(EngineError, match="gives"):
        compare("x.onnx", (1, 4, 4), expected[..., :3], expected)


def test_what_cannot_be_is_refused(network: InvDN, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 to"):
        export_onnx(network, tmp_path / "x", size=(0, 4))
    write_parameters(parameters_of(network), tmp_path / "small.safetensors")
    for options, message in (
        (["--size", "tall"], "write HEIGHTxWIDTH"),
        (["--format", "darktable", "--size", "8x8"], "--size means nothing"),
        (["--licence", "CC0"], "--licence means nothing to the format onnx"),
    ):
        arguments = ["export", str(tmp_path / "small.safetensors"), str(tmp_path / "x"), *options]
        result = CliRunner().invoke(group, arguments)
        assert result.exit_code != 0
        assert message in result.output + str(result.exception)
    assert not (tmp_path / "x").exists()
