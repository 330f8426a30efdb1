"""The ``.dtmodel``: as darktable's own kit sees it, and as darktable would run it."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from invdn.architecture import Architecture
from invdn.errors import InputError, OutputError
from invdn.network import InvDN
from invdn.weights.dtmodel import FILE_NAME, export_darktable
from invdn.weights.network import load_network
from support.darktable_host import FROM_SRGB, TO_SRGB, Model, decode_srgb, encode_srgb, restore


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model for darktable."""
    folder = tmp_path_factory.mktemp("darktable")
    comparisons = export_darktable(load_network("default"), folder, licence="Apache-2.0")
    assert max(comparison.steps for comparison in comparisons) < 0.05
    return folder / FILE_NAME


def test_the_archive(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["denoise-invdn/config.json", "denoise-invdn/model.onnx"]
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_DEFLATED}
        config = json.loads(archive.read("denoise-invdn/config.json"))
    assert config["id"] == package.stem == "denoise-invdn"
    assert (config["task"], config["backend"], config["tiling"]) == ("denoise", "onnx", True)
    assert isinstance(config["version"], str)
    assert config["model_card"]["license"] == "Apache-2.0"
    assert all(config["model_card"].values())


def test_darktable_s_own_kit_accepts_it(package: Path, tmp_path: Path, capsys: Any) -> None:
    kit = pytest.importorskip("dt_ai_sdk.validate", reason="needs darktable-ai-sdk")
    config = pytest.importorskip("dt_ai_sdk.config")
    with zipfile.ZipFile(package) as archive:
        archive.extractall(tmp_path / "output")
    facts = json.loads((tmp_path / "output" / "denoise-invdn" / "config.json").read_text())
    model = config.ModelConfig(
        id=facts["id"],
        name=facts["name"],
        description=facts["description"],
        task=facts["task"],
        root_dir=tmp_path,
    )
    kit.run_validation(model)  # exits with 1 where it finds a fault
    assert "Result: PASS" in capsys.readouterr().out


def test_equal_models_give_equal_files(tmp_path: Path) -> None:
    network = InvDN(Architecture(blocks=(1, 1), features=4))
    for name in ("a", "b"):
        export_darktable(network, tmp_path / name, licence="CC0")
    assert (tmp_path / "a" / FILE_NAME).read_bytes() == (tmp_path / "b" / FILE_NAME).read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        export_darktable(network, tmp_path / "a", licence="CC0")


def test_what_may_not_be_passed_on_is_refused(tmp_path: Path) -> None:
    network = InvDN(Architecture(blocks=(1, 1), features=4))
    with pytest.raises(InputError, match="--licence"):
        export_darktable(network, tmp_path / "x", metadata={"provenance": "found somewhere"})
    with pytest.raises(InputError, match="3 colours"):
        export_darktable(InvDN(Architecture((1,), 4, channels=1)), tmp_path / "x", licence="CC0")
    assert not (tmp_path / "x").exists()


def test_the_imitated_host_changes_nothing_by_itself() -> None:
    """Tiles, mirrors and colours there and back are exact, or the next test would measure them."""
    linear = np.random.default_rng(0).random((300, 170, 3), np.float32) * 0.9
    linear = (linear @ FROM_SRGB.T).astype(np.float32)
    for boost in (False, True):
        same = restore(lambda tile: tile, linear, tile=256, shadow_boost=boost)
        assert np.abs(same - linear).max() < 1e-5


@pytest.mark.slow
def test_dark_16_bit_photographs_keep_shadows_and_colours_and_show_no_seams(package: Path) -> None:
    """Two and four stops under, as a raw developer pushes them afterwards."""
    model = Model(package)
    generator = np.random.default_rng(1)
    rows, columns = np.mgrid[0:200, 0:300] / 300
    picture = np.stack([0.25 + 0.5 * rows, 0.45 - 0.3 * rows, 0.2 + 0.4 * columns], -1)
    picture[60:120, 90:210] *= 0.3  # an edge, and a dark part
    for stops in (2, 4):
        clean = picture * 2.0**-stops
        noisy = clean + generator.normal(size=clean.shape) * np.sqrt(5e-4 * clean + 1e-6)
        noisy = np.round(np.clip(noisy, 0, 1) * 65535) / 65535
        working = (noisy @ FROM_SRGB.T).astype(np.float32)
        boost = bool(model.config["attributes"]["shadow_boost"])
        tiled = restore(model, working, tile=256, shadow_boost=boost) @ TO_SRGB.T
        whole = restore(model, working, tile=448, shadow_boost=boost) @ TO_SRGB.T
        shown = encode_srgb(np.clip(tiled * 2.0**stops, 0, 1))
        wanted = encode_srgb(np.clip(clean * 2.0**stops, 0, 1))
        before = encode_srgb(np.clip(noisy * 2.0**stops, 0, 1))
        inside = (slice(4, -4), slice(4, -4))
        error = np.mean((shown - wanted)[inside] ** 2)
        assert error < 0.5 * np.mean((before - wanted)[inside] ** 2), "less noise after the push"
        dark = (slice(64, 116), slice(94, 206))
        means = tiled[dark].mean((0, 1)) / clean[dark].mean((0, 1))
        assert np.all(np.abs(means - 1) < 0.15), f"no colour of the shadows is crushed: {means}"
        seams = np.abs(encode_srgb(tiled) - encode_srgb(whole)).max()
        assert seams < 2 / 255, "no seam between tiles"
    assert np.abs(decode_srgb(encode_srgb(picture)) - picture).max() < 1e-6


def test_the_network_stays_as_it_was(tmp_path: Path) -> None:
    network = InvDN(Architecture(blocks=(1, 1), features=4))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    export_darktable(network, tmp_path, licence="CC0", half=True)
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
