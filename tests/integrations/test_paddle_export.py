"""Paddle Inference on what ``invdn export --format paddle`` writes; runs where Paddle is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from invdn.architecture import Architecture
from invdn.cli import group
from invdn.errors import MissingDependencyError
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
