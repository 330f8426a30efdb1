"""Going on: what may change, what damage does, and that checkpoints are weights."""

import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from invdn.data.crops import CropDataset, Sample
from invdn.errors import ImageError, RecipeError
from invdn.network import InvDN
from invdn.training import datasets
from invdn.training.callbacks import StepStats
from invdn.training.checkpoint import LAST, PREVIOUS, read_checkpoint
from invdn.training.datasets import RetryingDataset
from invdn.training.loop import train
from invdn.training.resuming import check_changes
from invdn.weights import open_weights, read_parameters
from invdn.weights.network import parameters_of
from support.tiny_run import Recorder, tiny_recipe

SHORT = ("phases.0.steps=12", "phases.0.decay=0", "validation.every=4", "log.checkpoint_every=4")


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train(tiny_recipe(data, *SHORT), folder, Recorder())
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["last.pt", "best.pt", "last-previous.pt"])
def test_checkpoints_are_weights(finished: Path, name: str) -> None:
    content = torch.load(finished / name, weights_only=True)
    network = InvDN(tiny_recipe(Path()).network.architecture)
    network.load_state_dict(content["ema"])
    found = read_parameters(finished / name).tensors
    wanted = parameters_of(network).tensors
    assert all(np.array_equal(found[key], wanted[key]) for key in wanted)
    assert open_weights(finished / name).parameters.architecture == network.architecture


def test_the_best_weights_are_those_of_the_best_state(finished: Path) -> None:
    best = read_parameters(finished / "weights-best.safetensors")
    state = read_parameters(finished / "best.pt").tensors
    assert all(np.array_equal(best.tensors[key], state[key]) for key in state)
    step = torch.load(finished / "best.pt", weights_only=True)["step"]
    assert f"{step} of 12 steps" in best.metadata["provenance"]


def test_two_generations(finished: Path) -> None:
    steps = [read_checkpoint(finished / name)["step"] for name in (LAST, PREVIOUS)]
    assert steps == [12, 8]


@pytest.mark.parametrize("part", ["of the weights", "of the directory's names"])
def test_a_damaged_state_falls_back_to_the_one_before(folder: Path, data: Path, part: str) -> None:
    content = bytearray((folder / LAST).read_bytes())
    names = content.rindex(b"/data.pkl") - 4
    place = len(content) // 2 if part == "of the weights" else names
    content[place] ^= 1 if part == "of the weights" else 0x80  # one bit; there, no letter any more
    (folder / LAST).write_bytes(content)
    recorder = Recorder()
    train(tiny_recipe(data, *SHORT), folder, recorder, resume=True)
    (told,) = [text for text in recorder.messages if "damaged" in text]
    assert LAST in told and "step 8" in told
    assert ("checksum" in told) == (part == "of the weights")
    assert [row.step for row in recorder.rows] == [10, 12]
    assert "damaged" in (folder / "train.log").read_text()
    # the damaged one did not take the place of the good one
    assert [read_checkpoint(folder / name)["step"] for name in (LAST, PREVIOUS)] == [12, 8]


@pytest.mark.parametrize("place", [0.02, 0.3, 0.7, 0.98])
def test_every_flipped_byte_is_found(folder: Path, place: float) -> None:
    whole = (folder / LAST).read_bytes()
    state = read_checkpoint(folder / LAST)
    content = bytearray(whole)
    content[int(place * len(content))] ^= 0x10
    (folder / LAST).write_bytes(content)
    try:
        found = read_checkpoint(folder / LAST)
    except RecipeError:
        return
    # what no checksum covers is no part of the state
    for part in ("network", "ema"):
        assert all(torch.equal(found[part][key], value) for key, value in state[part].items())


def test_both_damaged(folder: Path, data: Path) -> None:
    for name in (LAST, PREVIOUS):
        (folder / name).write_bytes(b"PK")
    with pytest.raises(RecipeError, match=r"last\.pt is damaged.*last-previous\.pt.*best\.pt"):
        train(tiny_recipe(data, *SHORT), folder, Recorder(), resume=True)


def test_a_lost_state_is_found_in_the_one_before(folder: Path, data: Path) -> None:
    (folder / LAST).unlink()
    with pytest.raises(RecipeError, match="--resume"):
        train(tiny_recipe(data, *SHORT), folder, Recorder())
    recorder = Recorder()
    train(tiny_recipe(data, *SHORT), folder, recorder, resume=True)
    assert recorder.rows[0].step == 10


@pytest.mark.parametrize(
    "change",
    ["seed=7", "losses.forward=8", "phases.0.batch=2", "optimiser.betas=[0.5,0.9]",
     "data.pair_fraction=0.25", "phases.0.crop=24"],
)  # fmt: skip
def test_what_would_make_another_run_is_refused(folder: Path, data: Path, change: str) -> None:
    recipe = tiny_recipe(data, *SHORT, "phases.0.steps=16", change)
    key = change.partition("=")[0].replace(".", r"\.")
    with pytest.raises(RecipeError, match=rf"{key} was .* and is .*--allow-change"):
        train(recipe, folder, Recorder(), resume=True)
    recorder = Recorder()
    train(recipe, folder, recorder, resume=True, allow_change=True)
    assert any(change.partition("=")[0] in text for text in recorder.messages)
    assert recorder.rows[-1].step == 16


def test_free_changes_are_told(folder: Path, data: Path) -> None:
    recipe = tiny_recipe(data, *SHORT, "phases.0.steps=16", "phases.0.learning_rate=5e-4")
    recorder = Recorder()
    train(recipe, folder, recorder, resume=True)
    assert "the recipe changed: phases.0.steps: 12 -> 16" in recorder.messages
    assert "the recipe changed: phases.0.learning_rate: 0.001 -> 0.0005" in recorder.messages


def test_fewer_steps_than_done(folder: Path, data: Path) -> None:
    with pytest.raises(RecipeError, match="12 steps are done already, the recipe has 10"):
        train(tiny_recipe(data, *SHORT, "phases.0.steps=10"), folder, Recorder(), resume=True)


def test_a_further_phase_is_a_change() -> None:
    recipe = tiny_recipe(Path())
    before = recipe.model_copy(update={"phases": recipe.phases * 2}).model_dump_json()
    with pytest.raises(RecipeError, match=r"phases\.1\.crop was 16 and is none"):
        check_changes(before, recipe, 0, allow_change=False)
    assert check_changes("{}", recipe, 0, allow_change=False) == []


def test_a_readable_log(finished: Path) -> None:
    lines = (finished / "train.log").read_text().splitlines()
    assert "begin: InvDN smoke test" in lines[0]
    assert any("step 12: loss " in line for line in lines)
    assert any("validation after step 4: pairs " in line and " dB / " in line for line in lines)


def test_the_state_is_saved_when_data_vanish(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(data / "pairs", tmp_path / "pairs")
    monkeypatch.setattr(datasets, "PAUSES", ())

    class Remover(Recorder):
        def measured(self, measured: StepStats) -> None:
            if measured.step == 6:
                (tmp_path / "pairs" / "GT" / "1.png").unlink()

    recipe = tiny_recipe(
        tmp_path, "phases.0.steps=200", "log.checkpoint_every=100", "validation.every=100"
    )
    with pytest.raises(ImageError, match=r"1\.png"):
        train(recipe, tmp_path / "run", Remover())
    step = read_checkpoint(tmp_path / "run" / LAST)["step"]
    assert 6 <= step < 100
    assert f"ended after step {step}: " in (tmp_path / "run" / "train.log").read_text()


def test_a_drive_that_comes_back_stops_nothing(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "pairs", tmp_path / "pairs")
    place, away = tmp_path / "pairs" / "GT", tmp_path / "away"

    class Unplugger(Recorder):
        def measured(self, measured: StepStats) -> None:
            if measured.step == 4:
                place.rename(away)
                threading.Timer(1.5, lambda: away.rename(place)).start()

    train(tiny_recipe(tmp_path, *SHORT), tmp_path / "run", Unplugger())
    assert read_checkpoint(tmp_path / "run" / LAST)["step"] == 12


def test_retries_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(CropDataset):
        def __init__(self, failures: int) -> None:
            self.failures = failures

        def __getitem__(self, number: int) -> Sample:
            self.failures -= 1
            if self.failures >= 0:
                raise OSError("stale file handle")
            return number  # type: ignore[return-value]

    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    assert RetryingDataset(Failing(2), (1, 2))[5] == 5
    assert slept == [1, 2]
    with pytest.raises(OSError, match="stale"):
        RetryingDataset(Failing(3), (1, 2))[5]
