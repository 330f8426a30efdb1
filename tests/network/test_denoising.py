"""The plain module: any size, the result of the engines, gradients, and torch's own wrappers."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from invdn import Denoiser
from invdn.architecture import Architecture
from invdn.errors import InputError
from invdn.network import DenoisingModule, HaarDownsampling, InvDN
from invdn.network.denoising import mirrored
from invdn.weights.network import load_network


@pytest.fixture
def module() -> DenoisingModule:
    torch.manual_seed(0)
    return DenoisingModule(InvDN(Architecture(blocks=(1, 1), features=4)))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (16, 16), (33, 50)])
def test_any_size_gives_the_same_size(module: DenoisingModule, size: tuple[int, int]) -> None:
    noisy = torch.rand(2, 3, *size)
    clean = module(noisy)
    assert clean.shape == noisy.shape and clean.isfinite().all()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("border", [0, 8])
def test_the_mirror_is_numpys(size: int, border: int) -> None:
    row = torch.arange(size)[None]
    padding = border, border + -size % 8
    wanted = np.pad(row.numpy()[0], padding, mode="reflect" if size > 1 else "edge")
    found = mirrored(row, 8, border)
    assert (found.numpy() == wanted).all()


def test_it_is_what_the_engine_makes() -> None:
    noisy = np.random.default_rng(0).random((37, 46, 3), np.float32)
    wanted = Denoiser(strength=1).denoise(noisy)
    with torch.no_grad():
        tensor = torch.from_numpy(noisy).permute(2, 0, 1)[None]
        found = DenoisingModule(load_network("default"))(tensor)[0].permute(1, 2, 0)
    assert np.abs(found.clamp(0, 1).numpy() - wanted).max() < 1e-4


def test_samples_are_averaged_and_repeatable(module: DenoisingModule) -> None:
    noisy = torch.rand(2, 3, 10, 6)

    def run(scale: float, samples: int, seed: int) -> Tensor:
        result: Tensor = module(noisy, scale, samples, torch.Generator().manual_seed(seed))
        return result

    assert torch.equal(run(1, 3, 5), run(1, 3, 5))
    assert not torch.equal(run(1, 3, 5), run(1, 3, 6))
    one = torch.stack([run(0.5, 1, seed) for seed in range(60)])
    deviation = (one.mean(dim=0) - run(0.5, 60, 1)).abs() / one.std(dim=0)
    assert deviation.max() < 6 * (2 / 60) ** 0.5
    # the mean of n samples varies less, by the square root of n
    many = torch.stack([run(0.5, 16, seed) for seed in range(30)])
    ratio = many.std(dim=0).mean() / one.std(dim=0).mean()
    assert ratio.item() == pytest.approx(1 / 4, rel=0.3)


def test_gradients_reach_the_image_and_every_parameter(module: DenoisingModule) -> None:
    module.double()
    noisy = torch.rand(1, 3, 5, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, noisy)
    module(noisy, 1.0, 2).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_exported_for_any_size_saved_and_loaded(module: DenoisingModule) -> None:
    axes = {0: torch.export.Dim("batch"), 2: torch.export.Dim("height", min=5),
            3: torch.export.Dim("width", min=5)}  # fmt: skip
    program = torch.export.export(
        module, (torch.rand(2, 3, 21, 38),), dynamic_shapes={"noisy": axes}
    )
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    loaded = torch.export.load(file).module()
    for shape in ((1, 3, 16, 12), (3, 3, 7, 5)):
        noisy = torch.rand(shape)
        assert torch.allclose(loaded(noisy), module(noisy), atol=1e-6)


@pytest.mark.slow
def test_compiled_and_under_autocast(module: DenoisingModule) -> None:
    noisy = torch.rand(1, 3, 18, 22)
    wanted = module(noisy)
    compiled = torch.compile(module, backend="aot_eager", dynamic=True)
    assert torch.allclose(compiled(noisy), wanted, atol=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        half = module(noisy)
    assert 0 < (half.float() - wanted).abs().max() < 0.1


@pytest.fixture
def process_group(tmp_path: Path) -> object:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("wrapper", ["ddp", "fsdp"])
def test_distributed_wrappers(module: DenoisingModule, process_group: object, wrapper: str) -> None:
    noisy = torch.rand(2, 3, 9, 14)
    module(noisy).square().sum().backward()
    wanted = [p.grad.clone() for p in module.parameters() if p.grad is not None]
    module.zero_grad()
    wrapped: nn.Module = (
        DistributedDataParallel(module)
        if wrapper == "ddp"
        else fully_shard(module, mesh=init_device_mesh("cpu", (1,)))
    )
    wrapped(noisy).square().sum().backward()
    grads = [p.grad for p in module.parameters()]
    found = [g.full_tensor() if hasattr(g, "full_tensor") else g for g in grads if g is not None]
    assert len(found) == len(wanted) > 0
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(channels: int) -> None:
    module = DenoisingModule(InvDN(Architecture((1, 1, 1), 3, channels)), samples=2, latent_scale=1)
    assert module(torch.rand(1, channels, 9, 20)).shape == (1, channels, 9, 20)
    with pytest.raises(InputError, match=f"batch, {channels}, height"):
        module(torch.rand(1, 3, 8, 8))


def test_wrong_sizes_are_told() -> None:
    network = InvDN(Architecture(blocks=(1, 1), features=2))
    with pytest.raises(InputError, match=r"divisible by 4, not 10 x 12.*DenoisingModule"):
        network.encode(torch.rand(1, 3, 10, 12))
    with pytest.raises(InputError, match="batch, 3, height, width"):
        network.encode(torch.rand(1, 1, 8, 8))
    with pytest.raises(InputError, match="even at every level, not 5 x 4"):
        network(torch.rand(1, 3, 10, 8))
    with pytest.raises(InputError, match="even"):
        HaarDownsampling()(torch.rand(1, 3, 4, 5))
    with pytest.raises(InputError, match="latent"):
        network.decode(torch.rand(1, 3, 2, 2), torch.rand(1, 45, 2, 3))
    with pytest.raises(InputError, match="samples"):
        DenoisingModule(network, samples=0)
    with pytest.raises(InputError, match="latent_scale"):
        DenoisingModule(network)(torch.rand(1, 3, 8, 8), -1.0)


def test_without_a_spread_one_sample_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    network = InvDN(Architecture((1,), 4))
    decoded: list[Tensor] = []
    decode = network.decode

    def counted(low: Tensor, latent: Tensor) -> Tensor:
        decoded.append(latent)
        return decode(low, latent)

    monkeypatch.setattr(network, "decode", counted)
    module = DenoisingModule(network, samples=3, latent_scale=0)
    noisy = torch.rand(1, 3, 12, 12)
    module(noisy)
    assert len(decoded) == 1
    module(noisy, latent_scale=1)
    assert len(decoded) == 4
