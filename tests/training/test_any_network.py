"""Networks of other scales and channels: trained by a recipe, exported, run by every engine."""

from pathlib import Path

import numpy as np
import pytest
import torch

from invdn import DenoiseOptions, Denoiser
from invdn.architecture import Architecture
from invdn.data.crops import Sample
from invdn.data.synthesis import SynthesisOptions
from invdn.engines import open_engine, why_native_unavailable
from invdn.errors import InputError, RecipeError
from invdn.image.resize import downscaling_matrix
from invdn.inference import denoise_pixels
from invdn.training.batches import prepare
from invdn.training.channels import to_network, to_picture
from invdn.training.loop import train
from invdn.weights import read_parameters
from invdn.weights.network import load_network
from invdn.weights.onnx_export import export_onnx
from support.tiny_run import Recorder, tiny_recipe

NETWORKS = {
    "x2": ("network.blocks=[2]",),
    "x8": ("network.blocks=[1,2,1]", "network.features=5"),
    "x16": ("network.blocks=[1,1,1,1]", "phases.0.crop=32"),
    "grey": ("network.channels=1",),
    "raw": ("network.channels=4", "phases.0.crop=32"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_trained_exported_and_run_by_every_engine(name: str, data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        data, *NETWORKS[name], "phases.0.steps=20", "phases.0.decay=0", "validation.every=20"
    )
    recorder = Recorder()
    weights = train(recipe, tmp_path / "run", recorder)
    architecture = read_parameters(weights).architecture
    assert architecture == recipe.network.architecture
    (score,) = {step for step, _ in recorder.scores}
    assert score == 20 and len(recorder.scores[-1][1]) == 2
    losses = [row.losses["loss"] for row in recorder.rows]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])

    export_onnx(load_network(weights), tmp_path / "export")
    edge = 3 * architecture.scale
    random = np.random.default_rng(0)
    noisy = random.random((2, architecture.channels, edge, 2 * edge), np.float32)
    runtimes = ["torch", "onnxruntime", *(["native"] if why_native_unavailable() is None else [])]
    images = []
    for runtime in runtimes:
        engine = open_engine(tmp_path / "export", "cpu", runtime, "float32")  # type: ignore[arg-type]
        low = engine.encode(noisy)
        assert low.shape == (2, architecture.channels, 3, 6)
        latent = np.full((2, architecture.latent_channels, 3, 6), 0.5, np.float32)
        images.append(engine.decode(low, latent))
    for image in images[1:]:
        assert np.abs(image - images[0]).max() < 1e-5 * max(1, np.abs(images[0]).max())


def test_a_grey_network_takes_grey_photographs_alone(data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(data, "network.channels=1", "phases.0.steps=2", *SHORT)
    weights = train(recipe, tmp_path / "run", Recorder())
    noisy = np.random.default_rng(0).random((30, 41), np.float32)
    for runtime in ("torch", "native"):
        engine = open_engine(weights, "cpu", runtime, "float32")  # type: ignore[arg-type]
        for tile in (None, 64):
            options = DenoiseOptions(strength=1, tile_size=tile, num_samples=2)
            clean = denoise_pixels(engine, noisy, options)
            assert clean.shape == noisy.shape and np.abs(clean - noisy).max() > 0
    denoiser = Denoiser(weights)
    with_alpha = np.stack([noisy, noisy], axis=2)
    assert denoiser.denoise(with_alpha).shape == with_alpha.shape
    with pytest.raises(InputError, match="grey photographs, and this one has colours"):
        denoiser.denoise(np.zeros((8, 8, 3), np.uint8))


def test_a_network_of_raw_planes_refuses_photographs(data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(data, *NETWORKS["raw"], "phases.0.steps=2", *SHORT)
    weights = train(recipe, tmp_path / "run", Recorder())
    for channels in (1, 3, 4):
        with pytest.raises(InputError, match="4 planes"):
            Denoiser(weights).denoise(np.zeros((16, 16, channels), np.uint8))


SHORT = ("phases.0.warm_up=0", "phases.0.decay=0", "validation.every=2")


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (("network.blocks=[1,1,1,1]", "phases.0.crop=24"), r"phases\.0\.crop.*16"),
        (("network.channels=4", "phases.0.crop=20"), r"phases\.0\.crop.*8"),
        (("network.blocks=[1,1,1]", "validation.crop=36"), r"validation\.crop.*8"),
        (("network.channels=2",), "network.channels"),
        (("network.blocks=[1,1,1,1,1]",), "network.blocks"),
    ],
)
def test_recipes_that_do_not_fit(settings: tuple[str, ...], place: str) -> None:
    with pytest.raises(RecipeError, match=place):
        tiny_recipe(Path(), *settings)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_the_target_follows_the_scale(levels: int) -> None:
    architecture = Architecture((1,) * levels, 2)
    clean = torch.randint(256, (2, 3, 32, 48), dtype=torch.uint8)
    low = torch.full((2, 3, 8, 12), 7, dtype=torch.uint8)  # an LQ folder's, of a quarter
    yes, no = torch.tensor([True, True]), torch.tensor([False, True])
    sample = Sample(clean, clean, low, yes, no, torch.ones(2), torch.tensor([0, 1]))
    batch = prepare(sample, SynthesisOptions(), 0, torch.device("cpu"), architecture)
    scale = architecture.scale
    assert batch.latent.shape == (2, architecture.latent_channels, 32 // scale, 48 // scale)
    rows, columns = (torch.tensor(downscaling_matrix(side, scale)) for side in (32, 48))
    wanted = rows @ (clean / 255) @ columns.T
    assert torch.allclose(batch.target[0], wanted[0], atol=1e-6)
    assert torch.allclose(batch.target[1], wanted[1], atol=1e-6) == (levels != 2)
    assert (batch.target[1] == 7 / 255).all() == (levels == 2)


def test_channels() -> None:
    image = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4).float()
    planes = to_network(image, 4)
    assert torch.equal(planes[:, 0], image[:, 0, ::2, ::2])
    assert torch.equal(planes[:, 1], image[:, 1, ::2, 1::2])
    assert torch.equal(planes[:, 2], image[:, 1, 1::2, ::2])
    assert torch.equal(planes[:, 3], image[:, 2, 1::2, 1::2])
    assert torch.allclose(to_network(torch.ones(3, 2, 2), 1), torch.ones(1, 2, 2))
    assert to_network(image, 3) is image
    assert to_picture(planes).shape == (2, 3, 2, 2)
