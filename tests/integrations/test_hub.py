"""Hugging Face: networks in folders of the hub's form, and model cards that its parser takes."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import invdn
from invdn.architecture import Architecture
from invdn.cli import group
from invdn.errors import WeightsError
from invdn.network import DenoisingModule, InvDN
from invdn.weights import read_parameters, write_parameters
from invdn.weights.network import parameters_of

CARD = Path(invdn.__file__).parent / "weights" / "models" / "MODEL_CARD.md"


@pytest.fixture(scope="module")
def network() -> InvDN:
    torch.manual_seed(0)
    return InvDN(Architecture(blocks=(1, 2), features=4)).eval()


@pytest.fixture
def hub() -> Any:
    return pytest.importorskip("huggingface_hub", reason="needs huggingface_hub")


def _same(one: InvDN, other: InvDN) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_there_and_back_through_a_folder(hub: Any, network: InvDN, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path / "mine")
    found = InvDN.from_pretrained(tmp_path / "mine")
    assert isinstance(found, InvDN)
    assert isinstance(found, hub.PyTorchModelHubMixin)
    assert not found.training
    assert found.architecture == network.architecture
    assert _same(found, network)
    assert read_parameters(tmp_path / "mine" / "model.safetensors").architecture.blocks == (1, 2)


def test_a_folder_of_the_hub_is_a_model_like_any(hub: Any, network: InvDN, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path / "mine")
    noisy = torch.rand(16, 20, 3).numpy()
    with invdn.Denoiser.from_pretrained(tmp_path / "mine", dtype="float32") as denoiser:
        found = denoiser.predict(noisy, strength=1, hot_pixels=False).mean
    with torch.inference_mode():
        image = torch.from_numpy(noisy).permute(2, 0, 1)[None]
        expected = DenoisingModule(network)(image)[0].permute(1, 2, 0).numpy()
    assert abs(found - expected).max() < 1e-5
    (tmp_path / "mine" / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"neither weights\.safetensors nor"):
        invdn.Denoiser.from_pretrained(tmp_path / "mine")


def test_folders_that_are_not_ours_are_refused(hub: Any, network: InvDN, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no config\.json"):
        InvDN.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match=r"no model\.safetensors"):
        InvDN.from_pretrained(tmp_path)
    network.save_pretrained(tmp_path / "mine")
    (tmp_path / "mine" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(WeightsError, match="describes no InvDN"):
        InvDN.from_pretrained(tmp_path / "mine")


def test_what_is_pushed_is_the_folder(
    hub: Any, network: InvDN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload itself is the hub's; what is handed to it is looked at."""
    seen: dict[str, Any] = {}

    class Api:
        def __init__(self, **_: Any) -> None: ...

        def create_repo(self, repo_id: str, **_: Any) -> Any:
            return type("Repo", (), {"repo_id": repo_id})

        def upload_folder(self, *, repo_id: str, folder_path: Path, **_: Any) -> str:
            seen.update({path.name: path.read_bytes() for path in Path(folder_path).iterdir()})
            return f"https://huggingface.co/{repo_id}/commit/1"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", Api)
    address = network.push_to_hub("me/invdn", model_card_kwargs={"license": "mit"})
    assert "me/invdn" in str(address)
    assert {"config.json", "model.safetensors", "README.md"} <= seen.keys()
    assert json.loads(seen["config.json"])["architecture"]["blocks"] == [1, 2]


def test_the_exported_folder_is_one_of_the_hub(hub: Any, network: InvDN, tmp_path: Path) -> None:
    write_parameters(
        parameters_of(network, {"licence": "Apache-2.0", "provenance": "a test"}),
        tmp_path / "small.safetensors",
    )
    folder = tmp_path / "for the hub"
    arguments = ["export", str(tmp_path / "small.safetensors"), str(folder)]
    arguments += ["--format", "hugging-face", "--dataset", "SIDD", "--result", "SIDD:psnr=39.28"]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    assert _same(InvDN.from_pretrained(folder), network)
    card = hub.ModelCard.load(folder / "README.md")
    _check(card.data)
    assert card.data.datasets == ["SIDD"]
    (found,) = card.data.eval_results
    assert (found.dataset_name, found.metric_type, found.metric_value) == ("SIDD", "psnr", 39.28)
    assert "a test" in card.text


def test_the_shipped_model_card(hub: Any) -> None:
    data = hub.ModelCard.load(CARD).data
    _check(data)
    assert data.datasets
    assert data.eval_results, "a model-index with figures"


def _check(data: Any) -> None:
    assert data.pipeline_tag == "image-to-image"
    assert data.to_dict()["library_name"] == "invdn"
    assert data.license == "apache-2.0"


def test_weights_without_a_licence_are_not_passed_on(network: InvDN, tmp_path: Path) -> None:
    write_parameters(parameters_of(network), tmp_path / "small.pdparams")
    arguments = ["export", str(tmp_path / "small.pdparams"), str(tmp_path / "x")]
    result = CliRunner().invoke(group, [*arguments, "--format", "hugging-face"])
    assert result.exit_code != 0
    assert "--licence" in str(result.exception)
    assert not (tmp_path / "x").exists()
