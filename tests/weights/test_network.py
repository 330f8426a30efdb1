"""Networks from files compute what the originals computed, and go back into files unchanged."""

from pathlib import Path

import numpy as np
import pytest

from invdn.errors import WeightsError
from invdn.weights import Parameters, write_parameters

torch = pytest.importorskip("torch")

from invdn.weights.network import build_network, load_network, parameters_of  # noqa: E402


@pytest.mark.parametrize("name", ["official.pth", "plain.pdparams", "training.pdparams"])
def test_parity_with_the_originals(parity_files: Path, name: str) -> None:
    with np.load(parity_files / "expected.npz") as file:
        expected = dict(file)
    network = load_network(parity_files / name)
    with torch.inference_mode():
        low, latent = network.encode(torch.from_numpy(expected["noisy"]))
        denoised = network.decode(low, torch.from_numpy(expected["z"]))
    for key, value in (("low", low), ("latent", latent), ("denoised", denoised)):
        difference = np.abs(value.numpy() - expected[key]).max()
        assert difference <= 1e-5 * np.abs(expected[key]).max(), key


def test_all_original_files_hold_the_same_network(parity_files: Path) -> None:
    networks = [
        load_network(parity_files / name).state_dict()
        for name in ("official.pth", "plain.pdparams", "training.pdparams")
    ]
    for name, tensor in networks[0].items():
        assert all(torch.equal(network[name], tensor) for network in networks[1:])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth", ".pdparams"])
def test_round_trip_through_a_file(parameters: Parameters, tmp_path: Path, suffix: str) -> None:
    network = build_network(parameters)
    path = tmp_path / f"network{suffix}"
    write_parameters(parameters_of(network, {"licence": "none"}), path)
    again = load_network(str(path))
    assert again.architecture == parameters.architecture
    assert not again.training
    noisy = torch.rand(2, 3, 8, 12)
    with torch.inference_mode():
        assert torch.equal(again(noisy), network(noisy))


def test_a_built_network_trains_and_owns_its_parameters(parameters: Parameters) -> None:
    network = build_network(parameters)
    assert all(p.requires_grad and p.device.type == "cpu" for p in network.parameters())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(7)
    assert not any((tensor == 7).any() for tensor in parameters.tensors.values())


def test_building_draws_no_random_numbers(parameters: Parameters) -> None:
    before = torch.get_rng_state()
    build_network(parameters)
    assert torch.equal(torch.get_rng_state(), before)


def test_half_precision_networks_become_float32(parameters: Parameters) -> None:
    for kind in (torch.float16, torch.bfloat16):
        read = parameters_of(build_network(parameters).to(kind))
        for name, tensor in read.tensors.items():
            expected = torch.from_numpy(parameters.tensors[name]).to(kind).float().numpy()
            assert np.array_equal(tensor, expected)


def test_a_failed_training_is_not_kept(parameters: Parameters) -> None:
    network = build_network(parameters)
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(WeightsError, match="NaN"):
        parameters_of(network)
