"""deepinv: a reconstruction by plug and play with InvDN as its prior."""

import pytest
import torch

from invdn.architecture import Architecture
from invdn.network import DenoisingModule, InvDN


@pytest.fixture(scope="module")
def network() -> InvDN:
    torch.manual_seed(0)
    return InvDN(Architecture(blocks=(1, 1), features=4)).eval()


def test_it_denoises_blindly(torchvision: None, network: InvDN) -> None:
    pytest.importorskip("deepinv", reason="needs deepinv")
    from invdn.integrations.deepinv import InvDNDenoiser

    denoiser = InvDNDenoiser(network)
    noisy = torch.rand(2, 3, 9, 14)
    with torch.inference_mode():
        assert torch.equal(denoiser(noisy, 0.1), DenoisingModule(network)(noisy))
        assert torch.equal(denoiser(noisy, 0.1), denoiser(noisy, sigma=torch.tensor([0.5, 0.2])))
        grey = denoiser(noisy[:, :1], 0.1)
    assert grey.shape == (2, 1, 9, 14)
    assert "sigma`` is ignored" in (InvDNDenoiser.forward.__doc__ or "")


@pytest.mark.slow
def test_plug_and_play_runs_as_in_deepinv_s_example(torchvision: None) -> None:
    """Inpainting by proximal gradient descent: nearer to the truth than what was measured."""
    deepinv = pytest.importorskip("deepinv", reason="needs deepinv")
    from deepinv.optim import PGD
    from deepinv.optim.data_fidelity import L2
    from deepinv.optim.prior import PnP

    from invdn.integrations.deepinv import InvDNDenoiser

    torch.manual_seed(0)
    rows, columns = torch.meshgrid(*(torch.linspace(0, 1, 48),) * 2, indexing="ij")
    truth = torch.stack([0.2 + 0.5 * rows, 0.7 - 0.4 * columns, 0.3 + 0.3 * rows])[None]
    physics = deepinv.physics.Inpainting(
        img_size=truth.shape[1:], mask=0.7, noise_model=deepinv.physics.GaussianNoise(0.03)
    )
    measured = physics(truth)
    model = PGD(
        prior=PnP(denoiser=InvDNDenoiser("default")),
        data_fidelity=L2(),
        stepsize=1.0,
        sigma_denoiser=0.05,
        max_iter=8,
    )
    with torch.no_grad():
        found = model(measured, physics)
    error, before = ((image - truth).square().mean() for image in (found, measured))
    assert error < 0.3 * before
