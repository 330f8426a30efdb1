"""The terms of the objective against independent computations."""

from typing import cast

import numpy as np
import pytest
import torch
from scipy.ndimage import sobel, uniform_filter
from torch import nn

from invdn.architecture import Architecture
from invdn.network import InvDN
from invdn.network.coupling import AffineCoupling
from invdn.training.losses import (
    charbonnier,
    dssim_loss,
    low_frequency_loss,
    sobel_loss,
    sse_loss,
)
from invdn.training.objective import Objective
from invdn.training.recipe import LossSettings

RANDOM = np.random.default_rng(0)
A, B = (RANDOM.random((2, 3, 12, 16)) for _ in range(2))
IMAGE, CLEAN = torch.tensor(A), torch.tensor(B)


def test_squared_error_and_charbonnier_are_sums_over_an_image() -> None:
    squares = (A - B) ** 2
    expected = squares.sum(axis=(1, 2, 3))
    assert sse_loss(IMAGE, CLEAN).numpy() == pytest.approx(expected)
    expected = np.sqrt(squares + 1e-3).sum(axis=(1, 2, 3))
    assert charbonnier(IMAGE, CLEAN, 1e-3).numpy() == pytest.approx(expected)


def test_areas_are_squares_of_eight_pixels() -> None:
    """12 rows hold one square, 16 columns two; the rest does not count."""
    means = (A - B)[..., :8, :].reshape(2, 3, 8, 2, 8).mean(axis=(2, 4))
    expected = 64 * (means**2).sum(axis=(1, 2))
    assert low_frequency_loss(IMAGE, CLEAN).numpy() == pytest.approx(expected)


def test_gradients_against_scipy() -> None:
    expected = [
        sum(
            np.mean([np.abs(sobel(plane, axis=axis)[1:-1, 1:-1]) for plane in planes])
            for axis in (0, 1)
        )
        for planes in A - B
    ]
    assert sobel_loss(IMAGE, CLEAN).numpy() == pytest.approx(expected)


def test_ssim_against_scipy() -> None:
    def mean(x: np.ndarray) -> np.ndarray:
        return uniform_filter(x, size=(0, 0, 3, 3), mode="mirror")

    variance_a, variance_b = mean(A * A) - mean(A) ** 2, mean(B * B) - mean(B) ** 2
    covariance = mean(A * B) - mean(A) * mean(B)
    ssim = ((2 * mean(A) * mean(B) + 1e-4) * (2 * covariance + 9e-4)) / (
        (mean(A) ** 2 + mean(B) ** 2 + 1e-4) * (variance_a + variance_b + 9e-4)
    )
    expected = ((1 - ssim) / 2).clip(0, 1).mean(axis=(1, 2, 3))
    assert dssim_loss(IMAGE, CLEAN).numpy() == pytest.approx(expected)


@pytest.mark.parametrize("extra", [0.0, 0.1])
def test_objective_is_the_weighted_sum_of_its_terms(extra: float) -> None:
    network = InvDN(Architecture((1, 1), 4))
    settings = LossSettings(
        forward=16, backward=1, areas=extra, gradient=extra, ssim=extra, epsilon=1e-3
    )
    noisy, clean = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    target, latent = torch.rand(2, 3, 2, 2), torch.randn(2, 45, 2, 2)
    terms = Objective(network, settings)(noisy, clean, target, latent)
    low, _ = network.encode(noisy)
    image = network.decode(low, latent)
    expected = 16 * sse_loss(low, target) + charbonnier(image, clean, 1e-3)
    if extra:
        expected = expected + extra * low_frequency_loss(image, clean)
        expected = expected + extra * sobel_loss(image, clean)
        expected = expected + extra * dssim_loss(image, clean)
    assert terms["loss"].item() == pytest.approx(expected.mean().item(), rel=1e-6)
    assert set(terms) - {"loss", "forward", "backward"} == (
        {"areas", "gradient", "ssim"} if extra else set()
    )


class _Fixed(nn.Module):
    """In the network's place: what it would have made of each image."""

    def __init__(self, images: torch.Tensor, lows: torch.Tensor) -> None:
        super().__init__()
        self.images, self.lows = nn.Parameter(images), lows

    def encode(self, noisy: torch.Tensor) -> tuple[torch.Tensor, None]:
        return self.lows, None

    def decode(self, low: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        return self.images


def test_cauchy_makes_images_count_alike_whatever_their_error() -> None:
    errors = torch.tensor([1e-4, 1e-2, 2e-2])  # root mean squared
    clean = torch.full((3, 3, 8, 8), 0.5)
    signs = torch.where(torch.rand(clean.shape) < 0.5, -1.0, 1.0)
    noisy, low = torch.zeros_like(clean), torch.zeros(3, 3, 2, 2)
    gradients = []
    for scale in (0.0, 1e-3):
        settings = LossSettings(forward=16, backward=1, epsilon=1e-3, cauchy=scale)
        stand_in = _Fixed(clean + errors.view(-1, 1, 1, 1) * signs, low)
        terms = Objective(cast(InvDN, stand_in), settings)(noisy, clean, low, torch.zeros(1))
        terms["loss"].backward()
        assert stand_in.images.grad is not None
        gradients.append(stand_in.images.grad.flatten(1).norm(dim=1))
    weights = gradients[1] / gradients[0]
    # 1 / (1 + e^2 / scale^2), up to what Charbonnier's function is flatter than a square
    assert weights.numpy() == pytest.approx([1 / 1.01, 1 / 101, 1 / 401], rel=0.1)
    assert terms["loss"] < terms["backward"]


def test_cauchy_leaves_the_loss_of_a_perfect_image() -> None:
    settings = LossSettings(forward=16, backward=1, epsilon=1e-3, cauchy=7e-3)
    clean, low = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 2, 2)
    terms = Objective(cast(InvDN, _Fixed(clean, low)), settings)(clean, clean, low, torch.zeros(1))
    assert terms["loss"].item() == pytest.approx(3 * 8 * 8 * 1e-3**0.5)


def test_log_scales_join_the_loss_and_shrink_by_it() -> None:
    torch.manual_seed(0)
    network = InvDN(Architecture(blocks=(2, 1), features=4))
    noisy = torch.rand(2, 3, 16, 16)
    batch = (noisy, torch.rand(2, 3, 16, 16), torch.rand(2, 3, 4, 4), torch.randn(2, 45, 4, 4))
    x, squares = noisy, []
    for step in network.operations:
        if isinstance(step, AffineCoupling):
            x1, x2 = torch.split(x, step.sizes, dim=1)
            squares.append(step.log_scale(x1 + step.F(x2)).square().mean())
        x = step(x)
    expected = float(torch.stack(squares).mean()) * 3 * 16 * 16

    plain = Objective(network, LossSettings(forward=16, backward=1, epsilon=1e-3, cauchy=7e-3))
    settings = plain.settings.model_copy(update={"log_scales": 0.5})
    terms = Objective(network, settings)(*batch)
    assert terms["log_scales"].item() == pytest.approx(expected, rel=1e-4)
    difference = terms["loss"] - plain(*batch)["loss"]
    assert difference.item() == pytest.approx(0.5 * expected, rel=1e-3)
    assert "log_scales" not in plain(*batch)

    optimiser = torch.optim.SGD(network.parameters(), lr=1e-4)
    terms["log_scales"].backward()
    optimiser.step()
    assert Objective(network, settings)(*batch)["log_scales"].item() < expected
    assert not any(step._forward_hooks for step in network.modules())


def test_every_parameter_gets_a_gradient() -> None:
    network = InvDN(Architecture((2, 2), 4))
    settings = LossSettings(forward=16, backward=1, epsilon=1e-3)
    objective = Objective(network, settings, torch.bfloat16)
    terms = objective(
        torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16), torch.rand(1, 3, 4, 4),
        torch.randn(1, 45, 4, 4),
    )  # fmt: skip
    terms["loss"].backward()
    assert terms["loss"].dtype == torch.float32
    gradients = [parameter.grad for parameter in network.parameters()]
    assert all(g is not None and g.dtype == torch.float32 and g.abs().sum() > 0 for g in gradients)
