"""Every module of the network: exact inverse, Jacobian, gradients, and the originals' numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from invdn.architecture import Architecture
from invdn.errors import InputError
from invdn.network import AffineCoupling, HaarDownsampling, InvDN
from invdn.weights.network import load_network

MODULES = {
    "haar": (HaarDownsampling, 3),
    "coupling": (lambda: AffineCoupling(12, features=8), 12),
    "one level": (lambda: InvDN(Architecture(blocks=(2,), features=8)), 3),
    "two levels": (lambda: InvDN(Architecture(blocks=(1, 2), features=8)), 3),
    "three levels": (lambda: InvDN(Architecture(blocks=(1, 1, 1), features=4)), 3),
    "grey": (lambda: InvDN(Architecture(blocks=(1, 1), features=4, channels=1)), 1),
}


@pytest.fixture(params=MODULES, ids=MODULES)
def module_and_channels(request: pytest.FixtureRequest) -> tuple[nn.Module, int]:
    torch.manual_seed(0)
    make, channels = MODULES[request.param]
    return make().double(), channels


def _input(channels: int, batch: int = 2, height: int = 8, width: int = 16) -> Tensor:
    return torch.rand(batch, channels, height, width, dtype=torch.float64)


def test_inverse_undoes_forward(module_and_channels: tuple[nn.Module, int]) -> None:
    module, channels = module_and_channels
    x = _input(channels)
    assert torch.allclose(module.inverse(module(x)), x, rtol=0, atol=1e-12)


def test_forward_undoes_inverse(module_and_channels: tuple[nn.Module, int]) -> None:
    module, channels = module_and_channels
    y = torch.randn_like(module(_input(channels)))
    assert torch.allclose(module(module.inverse(y)), y, rtol=0, atol=1e-12)


def test_log_determinant_is_that_of_the_jacobian(
    module_and_channels: tuple[nn.Module, int],
) -> None:
    module, channels = module_and_channels
    x = _input(channels, height=8, width=8)
    found = module.log_determinant(x)
    assert found.shape == (2,)
    for index in range(2):
        image = x[index : index + 1]
        jacobian = torch.autograd.functional.jacobian(module, image)
        matrix = jacobian.reshape(image.numel(), image.numel())
        assert found[index].item() == pytest.approx(
            torch.linalg.slogdet(matrix).logabsdet.item(), abs=1e-9
        )


def test_gradients_are_those_of_finite_differences() -> None:
    torch.manual_seed(0)
    network = InvDN(Architecture(blocks=(1,), features=3)).double()
    x = _input(3, batch=1, height=4, width=4).requires_grad_()
    assert torch.autograd.gradcheck(network, x)
    assert torch.autograd.gradcheck(network.inverse, network(x).detach().requires_grad_())


def test_every_parameter_takes_part() -> None:
    network = InvDN(Architecture(blocks=(2, 2), features=4))
    low, latent = network.encode(torch.rand(1, 3, 16, 16))
    image = network.decode(low, torch.randn_like(latent))
    (low.square().sum() + image.square().sum()).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


@settings(max_examples=25)
@given(
    blocks=st.lists(st.integers(1, 2), min_size=1, max_size=3),
    batch=st.integers(1, 3),
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
def test_any_size_and_batch_inverts_and_equals_its_images(
    blocks: list[int], batch: int, rows: int, columns: int, seed: int
) -> None:
    torch.manual_seed(seed)
    network = InvDN(Architecture(blocks=tuple(blocks), features=4))
    scale = network.architecture.scale
    x = torch.rand(batch, 3, rows * scale, columns * scale)
    with torch.no_grad():
        low, latent = network.encode(x)
        assert low.shape == (batch, 3, rows, columns)
        assert latent.shape == (batch, network.architecture.latent_channels, rows, columns)
        assert torch.allclose(network.decode(low, latent), x, rtol=0, atol=1e-4)
        for index in range(batch):
            single, _ = network.encode(x[index : index + 1])
            assert torch.allclose(single[0], low[index], rtol=0, atol=1e-5)


def test_haar_is_the_correlation_with_the_four_kernels() -> None:
    """Against the definition: stride 2, divided by 4, band first and colour second."""
    kernels = torch.tensor(
        [[[1, 1], [1, 1]], [[1, -1], [1, -1]], [[1, 1], [-1, -1]], [[1, -1], [-1, 1]]]
    )
    x = torch.rand(2, 3, 6, 10)
    bands = [
        nn.functional.conv2d(x[:, colour : colour + 1], kernel[None, None].float(), stride=2) / 4
        for kernel in kernels
        for colour in range(3)
    ]
    assert torch.allclose(HaarDownsampling()(x), torch.cat(bands, dim=1), atol=1e-6)


@pytest.mark.parametrize("name", ["official.pth", "plain.pdparams", "training.pdparams"])
def test_the_originals_numbers(real_data: Path, name: str) -> None:
    """Low, latent and denoised of both originals, to 1e-5 relative."""
    folder = real_data / "parity-small"
    expected = {
        key: torch.from_numpy(value) for key, value in np.load(folder / "expected.npz").items()
    }
    network = load_network(folder / name)
    with torch.no_grad():
        low, latent = network.encode(expected["noisy"])
        denoised = network.decode(low, expected["z"])
    for found, key in ((low, "low"), (latent, "latent"), (denoised, "denoised")):
        difference = (found - expected[key]).abs().max() / expected[key].abs().max()
        assert difference.item() < 1e-5, key


def test_one_low_serves_a_batch_of_latents_and_no_other_number_does() -> None:
    torch.manual_seed(0)
    network = InvDN(Architecture(blocks=(1,), features=4)).double()
    low = torch.rand(1, 3, 4, 5, dtype=torch.float64)
    latent = torch.rand(3, network.architecture.latent_channels, 4, 5, dtype=torch.float64)
    together = network.decode(low, latent)
    for image, one in zip(together, latent, strict=True):
        assert torch.allclose(image, network.decode(low, one[None])[0], rtol=0, atol=1e-12)
    with pytest.raises(InputError, match=r"low \(1 or B"):
        network.decode(low.repeat(2, 1, 1, 1), latent)
