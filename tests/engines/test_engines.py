"""Engines: equal to each other, light where promised, clear where they cannot serve."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from invdn.architecture import Architecture
from invdn.engines import available_devices, open_engine
from invdn.errors import EngineError, WeightsError
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.network import InvDN
from invdn.photo.read import read_photo
from invdn.weights import read_parameters, write_parameters
from invdn.weights.network import parameters_of

PHOTOGRAPHS = ("real-noisy/Dog.png", "real-noisy/dnd_05.png", "sidd-mini-val/Noisy/0_3.PNG")


@pytest.mark.parametrize("photograph", PHOTOGRAPHS)
def test_engines_agree_on_real_photographs(shared_data: Path, photograph: str) -> None:
    noisy = read_photo(shared_data / photograph).pixels[:128, :160] / np.float32(255)
    options = DenoiseOptions(self_ensemble=False, num_samples=2, seed=3, strength=1)
    light = denoise_pixels(open_engine(backend="onnxruntime"), noisy, options)
    heavy = denoise_pixels(open_engine(backend="torch", device="cpu"), noisy, options)
    assert np.abs(light - heavy).max() < 1e-4


@pytest.mark.parametrize("batch", [1, 3])
def test_a_batch_is_its_images(batch: int) -> None:
    generator = np.random.default_rng(0)
    noisy = generator.random((batch, 3, 24, 36), np.float32)
    latent = generator.standard_normal((batch, 45, 6, 9), np.float32)
    for runtime in ("onnxruntime", "torch"):
        engine = open_engine(backend=runtime, device="cpu")
        low = engine.encode(noisy)
        image = engine.decode(low, latent)
        assert low.shape == (batch, 3, 6, 9)
        assert image.shape == noisy.shape
        assert low.dtype == image.dtype == np.float32
        for index in range(batch):
            one = slice(index, index + 1)
            assert np.allclose(engine.encode(noisy[one]), low[one], atol=1e-5)
            assert np.allclose(engine.decode(low[one], latent[one]), image[one], atol=1e-5)


def test_latents_share_one_low_image() -> None:
    generator = np.random.default_rng(0)
    low = generator.random((1, 3, 6, 9), np.float32)
    latent = generator.standard_normal((3, 45, 6, 9), np.float32)
    for runtime in ("onnxruntime", "torch"):
        engine = open_engine(backend=runtime, device="cpu")
        shared = engine.decode(low, latent)
        assert shared.shape == (3, 3, 24, 36)
        apart = np.abs(shared - engine.decode(np.repeat(low, 3, 0), latent)).max()
        assert apart < 1e-5 * np.abs(shared).max()  # noise of every pixel leads far beyond [0, 1]


def test_any_weights_of_the_published_shape_run_in_onnx_runtime(tmp_path: Path) -> None:
    """The graphs hold no parameters of their own: a converted file decides the result."""
    torch.manual_seed(1)
    file = tmp_path / "mine.pdparams"
    write_parameters(parameters_of(InvDN()), file)
    noisy = np.random.default_rng(0).random((1, 3, 16, 16), np.float32)
    light = open_engine(file, backend="onnxruntime")
    assert "ONNX" in light.description
    expected = open_engine(file, device="cpu", backend="torch").encode(noisy)
    assert np.abs(light.encode(noisy) - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(open_engine().encode(noisy) - expected).max() > 1e-2


def test_another_architecture_runs_in_torch(tmp_path: Path) -> None:
    network = InvDN(Architecture(blocks=(1,), features=4))
    write_parameters(parameters_of(network), tmp_path / "small.safetensors")
    engine = open_engine(tmp_path / "small.safetensors", device="cpu", backend="torch")
    assert "torch" in engine.description
    assert engine.architecture == network.architecture
    with pytest.raises(EngineError, match="invdn export"):
        open_engine(tmp_path / "small.safetensors", backend="onnxruntime")


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="known: default"):
        open_engine("defualt")
    with pytest.raises(EngineError, match="CPU"):
        open_engine(device="cuda", backend="onnxruntime")
    with pytest.raises(EngineError, match="no_such_device"):
        open_engine(device="no_such_device")
    with pytest.raises(EngineError, match="native, onnxruntime, torch"):
        open_engine(backend="tensorflow")  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match=r"weights\.safetensors"):
        open_engine(tmp_path)
    write_parameters(read_parameters("default"), tmp_path / "weights.safetensors")
    with pytest.raises(EngineError, match=r"encode\.onnx"):
        open_engine(tmp_path, backend="onnxruntime")
    (tmp_path / "encode.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match="cannot load"):
        open_engine(tmp_path, backend="onnxruntime")


def test_the_cpu_is_always_there() -> None:
    assert available_devices()[-1] == "cpu"


def test_a_photograph_through_the_light_engine_imports_no_torch(tmp_path: Path) -> None:
    """In a process of its own: the whole road of `invdn denoise`, and what got imported."""
    script = """
import sys
import numpy as np
from click.testing import CliRunner
from invdn.cli import group
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

write_photo(Photo(np.full((20, 30, 3), 90, np.uint8)), "noisy.png")
result = CliRunner().invoke(group, ["denoise", "noisy.png", "--device", "cpu"])
assert result.exit_code == 0, result.output
heavy = {"torch", "onnx", "scipy", "fastapi", "matplotlib", "PIL", "pydantic"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["[]"], done.stdout + done.stderr
    assert (tmp_path / "noisy_denoised.png").exists()
