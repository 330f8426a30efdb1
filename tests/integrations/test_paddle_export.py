"""Paddle Inference on what ``invdn export --format paddle`` writes; runs where Paddle is."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from invdn import Denoiser
from invdn.architecture import Architecture
from invdn.cli import group
from invdn.engines.exported import ExportedModel
from invdn.errors import EngineError, MissingDependencyError
from invdn.network import InvDN
from invdn.weights import paddle_runtime, write_parameters
from invdn.weights.network import parameters_of
from invdn.weights.paddle_export import export_paddle
from invdn.weights.parameters import haar_kernels, haar_matrix


@pytest.fixture(scope="module")
def network() -> InvDN:
    torch.manual_seed(0)
    return InvDN(Architecture(blocks=(1, 1), features=4)).eval()


@pytest.fixture(scope="module")
def weights(network: InvDN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.pdparams"
    write_parameters(parameters_of(network), path)
    return path


def _inputs(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    batch, height, width = shape
    generator = np.random.default_rng(3)
    noisy = generator.random((batch, 3, height, width), np.float32)
    return noisy, generator.standard_normal((batch, 45, height // 4, width // 4), np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("noise_input", [False, True])
def test_paddle_inference_gives_what_torch_gives(
    weights: Path, network: InvDN, tmp_path: Path, noise_input: bool
) -> None:
    """From .pdparams to a folder for Paddle, which a user's own program loads."""
    inference = pytest.importorskip("paddle.inference", reason="needs Paddle")
    folder = tmp_path / "for paddle"
    options = ["--noise-input"] if noise_input else []
    result = CliRunner().invoke(
        group, ["export", str(weights), str(folder), "--format", "paddle", *options]
    )
    assert result.exit_code == 0, (result.output, result.exception)
    files = {"model.json", "model.pdiparams", "invdn.json"}
    assert {path.name for path in folder.iterdir()} == files

    config = inference.Config(str(folder / "model.json"), str(folder / "model.pdiparams"))
    predictor = inference.create_predictor(config)
    noisy, latent = _inputs((2, 12, 20))
    if noise_input:
        noise = np.repeat(np.repeat(latent, 4, axis=2), 4, axis=3)
        inputs = {"noisy_and_noise": np.concatenate([noisy, noise], axis=1)}
    else:
        inputs = {"noisy": noisy, "latent": latent}
    assert predictor.get_input_names() == list(inputs)
    for name, values in inputs.items():
        handle = predictor.get_input_handle(name)
        handle.reshape(values.shape)
        handle.copy_from_cpu(values)
    predictor.run()
    found = predictor.get_output_handle(predictor.get_output_names()[0]).copy_to_cpu()
    with torch.inference_mode():
        low, _ = network.encode(torch.from_numpy(noisy))
        expected = network.decode(low, torch.from_numpy(latent)).numpy()
    assert np.abs(found - expected).max() < 1e-5

    again = CliRunner().invoke(group, ["export", str(weights), str(folder), "--format", "paddle"])
    assert again.exit_code != 0
    assert "exists already" in str(again.exception)


@pytest.mark.slow
def test_every_layout_gives_the_result_of_predict(
    weights: Path, network: InvDN, tmp_path: Path
) -> None:
    """Both of Paddle's and ONNX Runtime's, with the same border, seed and latent."""
    pytest.importorskip("paddle", reason="needs Paddle")
    export_paddle(network, tmp_path / "two inputs")
    export_paddle(network, tmp_path / "joined", noise_input=True)
    noisy = np.random.default_rng(4).random((11, 18, 3), np.float32)
    options = {"hot_pixels": False, "banding": False, "blotches": False, "dtype": "float32"}
    with Denoiser.from_pretrained(weights, **options) as denoiser:
        expected = denoiser.predict(noisy, seed=5, latent_std=1.0).mean
    for name in ("two inputs", "joined"):
        found = ExportedModel(tmp_path / name)(noisy, seed=5, latent_std=1.0)
        assert np.abs(found - expected).max() < 1e-5


@pytest.mark.slow
def test_the_old_kind_of_program_is_written_or_refused(weights: Path, tmp_path: Path) -> None:
    """By Paddle's own flag, which it reads when it is imported; 3.0 can, 3.3 cannot."""
    pytest.importorskip("paddle", reason="needs Paddle")
    command = [sys.executable, "-m", "invdn", "export", str(weights), str(tmp_path / "old")]
    ended = subprocess.run(
        [*command, "--format", "paddle"],
        env={**os.environ, "FLAGS_enable_pir_api": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    if ended.returncode:
        assert "cannot write model.pdmodel" in ended.stderr.splitlines()[-1]
        assert not list((tmp_path / "old").glob("model*"))
    else:
        assert (tmp_path / "old" / "model.pdmodel").is_file()
        assert ExportedModel(tmp_path / "old")(np.zeros((6, 9, 3), np.float32)).shape == (6, 9, 3)


@pytest.mark.slow
def test_other_programs_are_refused(network: InvDN, tmp_path: Path) -> None:
    paddle = pytest.importorskip("paddle", reason="needs Paddle")
    noisy = np.zeros((8, 8, 3), np.float32)
    spec = paddle.static.InputSpec([None, 48, None, None], "float32", "image")
    static = paddle.jit.to_static(paddle.nn.Conv2D(48, 5, 3), input_spec=[spec], full_graph=True)
    paddle.jit.save(static, str(tmp_path / "other" / "model"))
    with pytest.raises(EngineError, match="no InvDN"):
        ExportedModel(tmp_path / "other")(noisy)
    export_paddle(network, tmp_path / "damaged")
    (tmp_path / "damaged" / "invdn.json").write_text("{}")
    with pytest.raises(EngineError, match="damaged"):
        ExportedModel(tmp_path / "damaged")
    (tmp_path / "damaged" / "model.pdiparams").write_bytes(b"nothing")
    with pytest.raises(EngineError, match="cannot load"):
        ExportedModel(tmp_path / "damaged")
    (tmp_path / "damaged" / "model.pdiparams").unlink()
    with pytest.raises(EngineError, match=r"no model\.pdiparams"):
        ExportedModel(tmp_path / "damaged")


def test_the_dense_haar_kernel_is_the_one_of_official_files() -> None:
    """Grouped as in official files against dense, as convolutions of one image."""
    kernels = haar_kernels(Architecture(blocks=(1,), features=4, channels=3))
    (grouped,) = (torch.from_numpy(kernel) for kernel in kernels.values())
    image = torch.rand(1, 3, 6, 8)
    by_colour = torch.nn.functional.conv2d(image, grouped, stride=2, groups=3)
    bands = by_colour.reshape(1, 3, 4, 3, 4).transpose(1, 2).reshape(1, 12, 3, 4)
    dense = torch.nn.functional.conv2d(image, torch.from_numpy(haar_matrix(3)), stride=2)
    assert torch.allclose(bands, dense, atol=1e-6)


@pytest.mark.parametrize(
    ("installed", "message"),
    [({}, "this needs Paddle"), ({"paddlepaddle": "2.6.2"}, r"Paddle 3\.0 or later")],
)
def test_a_missing_or_old_paddle_is_named(
    network: InvDN,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    installed: dict[str, str],
    message: str,
) -> None:
    def version(package: str) -> str:
        if package not in installed:
            raise paddle_runtime.PackageNotFoundError
        return installed[package]

    monkeypatch.setattr(paddle_runtime, "version", version)
    with pytest.raises(MissingDependencyError, match=message):
        export_paddle(network, tmp_path / "x")
    assert not (tmp_path / "x").exists()
