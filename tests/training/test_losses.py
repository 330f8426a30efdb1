"""The terms of the objective against independent computations."""

import numpy as np
import pytest
import torch
from scipy.ndimage import sobel, uniform_filter

from invdn.architecture import Architecture
from invdn.network import InvDN
from invdn.training.losses import (
    charbonnier,
    gradient_difference,
    squared_error,
    structural_dissimilarity,
)
from invdn.training.objective import Objective
from invdn.training.recipe import LossSettings

RANDOM = np.random.default_rng(0)
A, B = (RANDOM.random((2, 3, 12, 16)) for _ in range(2))
IMAGE, CLEAN = torch.tensor(A), torch.tensor(B)


def test_squared_error_and_charbonnier_are_sums_over_an_image() -> None:
    assert squared_error(IMAGE, CLEAN).item() == pytest.approx(((A - B) ** 2).sum() / 2)
    expected = np.sqrt((A - B) ** 2 + 1e-3).sum() / 2
    assert charbonnier(IMAGE, CLEAN, 1e-3).item() == pytest.approx(expected)


def test_gradients_against_scipy() -> None:
    planes = (A - B).reshape(-1, 12, 16)
    expected = sum(
        np.mean([np.abs(sobel(plane, axis=axis)[1:-1, 1:-1]) for plane in planes])
        for axis in (0, 1)
    )
    assert gradient_difference(IMAGE, CLEAN).item() == pytest.approx(expected)


def test_ssim_against_scipy() -> None:
    def mean(x: np.ndarray) -> np.ndarray:
        return uniform_filter(x, size=(0, 0, 3, 3), mode="mirror")

    variance_a, variance_b = mean(A * A) - mean(A) ** 2, mean(B * B) - mean(B) ** 2
    covariance = mean(A * B) - mean(A) * mean(B)
    ssim = ((2 * mean(A) * mean(B) + 1e-4) * (2 * covariance + 9e-4)) / (
        (mean(A) ** 2 + mean(B) ** 2 + 1e-4) * (variance_a + variance_b + 9e-4)
    )
    expected = ((1 - ssim) / 2).clip(0, 1).mean()
    assert structural_dissimilarity(IMAGE, CLEAN).item() == pytest.approx(expected)


@pytest.mark.parametrize("extra", [0.0, 0.1])
def test_objective_is_the_weighted_sum_of_its_terms(extra: float) -> None:
    network = InvDN(Architecture((1, 1), 4))
    settings = LossSettings(forward=16, backward=1, gradient=extra, ssim=extra, epsilon=1e-3)
    noisy, clean = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    target, latent = torch.rand(2, 3, 2, 2), torch.randn(2, 45, 2, 2)
    terms = Objective(network, settings)(noisy, clean, target, latent)
    low, _ = network.encode(noisy)
    image = network.decode(low, latent)
    expected = 16 * squared_error(low, target) + charbonnier(image, clean, 1e-3)
    if extra:
        expected = expected + extra * gradient_difference(image, clean)
        expected = expected + extra * structural_dissimilarity(image, clean)
    assert terms["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert set(terms) - {"loss", "forward", "backward"} == (
        {"gradient", "ssim"} if extra else set()
    )


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
