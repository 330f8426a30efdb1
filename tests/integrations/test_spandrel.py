"""spandrel, chaiNNer's and ComfyUI's loader, with InvDN in its registry."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invdn.architecture import Architecture
from invdn.errors import WeightsError
from invdn.network import DenoisingModule, InvDN
from invdn.weights import write_parameters
from invdn.weights.network import parameters_of


@pytest.fixture
def loader(torchvision: None) -> Any:
    spandrel = pytest.importorskip("spandrel", reason="needs spandrel")
    from invdn.integrations.spandrel import install

    install()
    install()  # a second time does nothing
    return spandrel.ModelLoader()


@pytest.fixture(scope="module")
def network() -> InvDN:
    torch.manual_seed(0)
    return InvDN(Architecture(blocks=(1, 2), features=8)).eval()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_of_both_kinds_are_found_out_and_run(
    loader: Any, network: InvDN, tmp_path: Path, suffix: str
) -> None:
    """Official weights, with their Haar kernels, and ours."""
    path = tmp_path / f"some weights{suffix}"
    write_parameters(parameters_of(network), path)
    model = loader.load_from_file(path)
    assert model.architecture.id == "InvDN"
    assert (model.purpose, model.scale, model.tiling.name) == ("Restoration", 1, "SUPPORTED")
    assert (model.input_channels, model.output_channels) == (3, 3)
    assert model.size_requirements.multiple_of == 4
    assert model.tags == ["8nf", "x4"]
    assert not model.supports_half
    whole = torch.rand(1, 3, 16, 20)
    odd = torch.rand(1, 3, 13, 18)
    with torch.inference_mode():
        assert model(odd).shape == odd.shape  # spandrel pads it to what the model asks for
        assert torch.allclose(model(whole), DenoisingModule(network)(whole).clamp(0, 1), atol=1e-5)


def test_other_networks_stay_what_they_are(loader: Any) -> None:
    import spandrel

    with pytest.raises(spandrel.UnsupportedModelError):
        loader.load_from_state_dict({"operations.1.F.conv1.weight": torch.zeros(1)})


def test_damaged_weights_are_named(loader: Any, network: InvDN) -> None:
    state = network.state_dict()
    del state["operations.1.F.conv2.bias"]
    with pytest.raises(WeightsError, match="conv2"):
        loader.load_from_state_dict(state)


def test_the_published_size_is_detected(loader: Any) -> None:
    model = loader.load_from_state_dict(InvDN().state_dict())
    assert model.tags == ["64nf", "x4"]
    assert sum(np.prod(p.shape) for p in model.model.parameters()) == 2_640_960
