"""Adapting to a camera: what is measured, what is refused, and that no harm is done."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.ndimage import gaussian_filter
from torch.nn import functional

from invdn.cli.adapt import command
from invdn.errors import InputError, OutputError
from invdn.network import DenoisingModule, InvDN
from invdn.photo.containers.ifd import Directory, Entry, serialise
from invdn.photo.demo_photo import demo_photo
from invdn.photo.photo import Metadata, Photo
from invdn.photo.write import write_photo
from invdn.training import adaptation
from invdn.training.adaptation import CROP, CameraNoise, adapt, camera_of, read_shoot
from invdn.weights import read_parameters, write_parameters
from invdn.weights.network import build_network, load_network, parameters_of


def exif(camera: str, iso: int) -> bytes:
    own = Directory({34855: Entry(3, iso.to_bytes(2, "little"))})
    tags = {272: Entry(2, camera.encode() + b"\0"), 34665: Entry(4, bytes(4))}
    return serialise(Directory(tags, {34665: own}))


def photograph(
    path: Path,
    seed: int,
    *,
    sigma: float = 12.0,
    width: float = 0.6,
    size: int = 300,
    camera: str = "Model A",
    iso: int = 1600,
) -> Path:
    random = np.random.default_rng(seed)
    clean = demo_photo(size, seed=seed).astype(float)
    noise = gaussian_filter(random.normal(0, 1, clean.shape), (width, width, 0))
    noisy = clean + sigma * noise / noise.std()
    pixels = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    write_photo(Photo(pixels, metadata=Metadata(exif=exif(camera, iso)), format="jpeg"), path)
    return path


def test_camera_and_sensitivity_are_read() -> None:
    assert camera_of(exif("Model A", 1600)) == ("Model A", 1600.0)
    assert camera_of(None) == camera_of(b"nothing") == (None, None)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"camera": "Model B"}, "Model A"),
        ({"iso": 25600}, "ISO"),
        ({"sigma": 45.0}, "noise"),
        ({"width": 1.8}, "correlate"),
        ({"size": 700}, "long side"),
        ({"size": 200}, "256x256"),
    ],
)
def test_photographs_that_do_not_fit_together_are_refused(
    tmp_path: Path, other: dict[str, float], what: str
) -> None:
    paths = [photograph(tmp_path / "a.png", 1), photograph(tmp_path / "b.png", 2, **other)]
    with pytest.raises(InputError, match=what):
        read_shoot(paths)


def test_a_grey_photograph_is_refused(tmp_path: Path) -> None:
    write_photo(Photo(np.full((300, 300), 90, np.uint8)), tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png is 300x300 pixels, grey"):
        read_shoot([tmp_path / "a.png"])


def test_those_that_do_are_cut_into_crops(tmp_path: Path) -> None:
    paths = [photograph(tmp_path / f"{n}.png", n, sigma=12 + n) for n in range(3)]
    shoot = read_shoot(paths)
    assert shoot.crops.shape == (24, 3, 256, 256)
    assert shoot.photograph == (0,) * 8 + (1,) * 8 + (2,) * 8
    with pytest.raises(InputError, match="at least one"):
        read_shoot([])


def test_noise_is_drawn_as_it_was_measured() -> None:
    """Strength from dark to light, correlation of neighbours and of colours."""
    random = np.random.default_rng(0)
    shades = np.linspace(0.15, 0.85, 8).repeat(32).astype(np.float32)
    clean = np.broadcast_to(shades, (6, 3, 256, 256))
    mixing = np.array([[1, 0.5, 0.2], [0, 1, 0.5], [0, 0, 1]])
    noise = gaussian_filter(random.normal(0, 1, clean.shape), (0, 0, 0.8, 0.8))
    noise = np.einsum("ab,nbhw->nahw", mixing, noise / noise.std())
    noisy = clean + noise * 0.02 * (0.5 + clean)
    images = (torch.from_numpy(np.ascontiguousarray(x, np.float32)) for x in (noisy, clean))
    measured = CameraNoise(*images, side=96)
    flat = torch.full((8, 3, 96, 96), 0.25)
    drawn = (measured.add(flat, torch.Generator().manual_seed(0)) - 0.25).numpy()
    there = (noise * 0.02 * 0.75)[:, :, :, :96]
    assert drawn.std((0, 2, 3)) == pytest.approx(there.std((0, 2, 3)), rel=0.2)
    for lag in (1, 2):
        found, wanted = (
            float((x[..., lag:] * x[..., :-lag]).mean() / (x * x).mean()) for x in (drawn, noise)
        )
        assert found == pytest.approx(wanted, abs=0.08)
    found, wanted = (np.corrcoef(x[:, 0].ravel(), x[:, 1].ravel())[0, 1] for x in (drawn, noise))
    assert found == pytest.approx(wanted, abs=0.1)
    dark, light = measured.spread[0].mean(), measured.spread[-1].mean()
    assert float(light / dark) == pytest.approx(1.35 / 0.65, rel=0.25)


def test_textures_alone_are_refused() -> None:
    bright = torch.ones(2, 3, 256, 256)
    with pytest.raises(InputError, match="flat"):
        CameraNoise(bright, bright)


def test_a_network_that_is_not_helped_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that are far too large: whatever training does, the result is never worse."""
    shoot = read_shoot([photograph(tmp_path / "a.png", 1), photograph(tmp_path / "b.png", 2)])
    monkeypatch.setattr(adaptation, "_RATE", 0.5)
    monkeypatch.setattr(adaptation, "_WARM_UP", 1)
    monkeypatch.setattr(adaptation, "_CROPS", 4)
    network = load_network("fast")
    found = adapt(network, shoot, seconds=0.5)
    assert (found.share, found.gain) == (0, 0) and found.steps > 0
    before, after = (parameters_of(n).tensors for n in (network, found.network))
    assert all(np.array_equal(before[name], after[name]) for name in before)


def spoilt_network() -> InvDN:
    """A network that gains can mend: the last convolutions of its subnets are too weak."""
    whole = parameters_of(load_network("fast"))
    tensors = {
        name: values * np.float32(0.93 if name.endswith("conv3.weight") else 1)
        for name, values in whole.tensors.items()
    }
    return build_network(type(whole).from_tensors(tensors, {}))


@pytest.mark.slow
def test_gains_are_trained_and_the_network_gets_better(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network whose gains were spoilt is mended; the one that was handed in stays as it was."""
    monkeypatch.setattr(adaptation, "_CROPS", 8)
    network = spoilt_network()
    tensors = parameters_of(network).tensors
    shoot = read_shoot([photograph(tmp_path / f"{n}.png", n) for n in range(2)])
    found = adapt(network, shoot, steps=30)
    assert found.gain > 0.1 and found.share in (0.5, 1)
    assert np.array_equal(
        parameters_of(network).tensors["operations.1.F.conv3.weight"],
        tensors["operations.1.F.conv3.weight"],
    )


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation, "_CROPS", 4)
    model = tmp_path / "mine.safetensors"
    write_parameters(parameters_of(load_network("fast"), {"licence": "CC0"}), model)
    photos = [str(photograph(tmp_path / f"{n}.png", n)) for n in range(2)]
    arguments = [*photos, "-m", str(model), "--minutes", "0.01", "--quiet"]
    target = tmp_path / "camera.safetensors"
    done = CliRunner().invoke(command, [*arguments, "-o", str(target), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["steps"] > 0 and facts["adapted"] == (facts["gain_db"] > 0)
    assert min(facts["noise_of_255"]) > 1
    written = read_parameters(target)
    assert written.metadata["licence"] == "CC0"
    assert ("adapted" in written.metadata) == facts["adapted"]
    again = CliRunner().invoke(command, [*arguments, "-o", str(target)])
    assert "exists" in str(again.exception)
    other = CliRunner().invoke(command, [*arguments, "-o", str(tmp_path / "camera.pth")])
    assert isinstance(other.exception, InputError) and "safetensors" in str(other.exception)


@pytest.mark.parametrize("read", ["photograph", "model"])
def test_the_command_never_replaces_what_it_reads(tmp_path: Path, read: str) -> None:
    """A photograph may have any name, so one that ends as weights do is spared too."""
    photo = photograph(tmp_path / "photo.png", 1).rename(tmp_path / "photo.safetensors")
    model = tmp_path / "mine.safetensors"
    write_parameters(read_parameters("fast"), model)
    target = {"photograph": photo, "model": model}[read]
    before = target.read_bytes()
    arguments = [str(photo), "-m", str(model), "-o", str(target), "--overwrite", "--quiet"]
    done = CliRunner().invoke(command, [*arguments, "--minutes", "0.01"])
    assert isinstance(done.exception, OutputError)
    assert "which is read here" in str(done.exception)
    assert target.read_bytes() == before


def test_the_gain_is_that_of_photographs_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured once more: the last of two photographs, at both sizes, with noise drawn anew."""
    monkeypatch.setattr(adaptation, "_CROPS", 4)
    monkeypatch.setattr(adaptation, "_WARM_UP", 1)
    monkeypatch.setattr(adaptation, "_RATE", 5e-3)
    network = spoilt_network()
    shoot = read_shoot([photograph(tmp_path / f"{n}.png", n) for n in range(2)])
    found = adapt(network, shoot, steps=6, seed=5)
    results = torch.cat([denoised(network, image) for image in shoot.crops])
    noise = CameraNoise(shoot.crops, results)
    generator = torch.Generator().manual_seed(6)
    scores: dict[str, list[float]] = {"before": [], "after": []}
    last = results[[number == 1 for number in shoot.photograph]]
    for clean in (last, functional.avg_pool2d(last, 2)):
        clean = clean[:, :, :CROP, :CROP]
        noisy = noise.add(clean, generator)
        for name, tried in (("before", network), ("after", found.network)):
            for image, true in zip(noisy, clean, strict=True):
                error = (denoised(tried, image)[0] - true).square().mean()
                scores[name].append(-10 * float(torch.log10(error)))
    gain = float(np.mean(scores["after"]) - np.mean(scores["before"]))
    assert found.gain == pytest.approx(gain, abs=1e-3) and found.gain > 0.02
    assert found.steps == 6 and found.share in (0.5, 1)
    spread = noise.spread.square().mean(1).sqrt() * 255
    assert found.noise == pytest.approx(spread.tolist())


def denoised(network: InvDN, image: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return DenoisingModule(network)(image[None]).clamp(0, 1)
