"""Whole runs on a tiny network: they learn, log, stop in time, and refuse what cannot work."""

import csv
import errno
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch._dynamo.exc

from invdn.errors import DataError, ImageError, OutputError, RecipeError, WeightsError
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from invdn.training import checkpoint, loop
from invdn.training.callbacks import StepStats
from invdn.training.log import _append as append_row
from invdn.training.loop import train
from invdn.training.recipe_files import load_recipe
from invdn.weights import open_weights, read_parameters
from support.tiny_run import Recorder, tiny_recipe


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorder]:
    """A whole run of 40 steps."""
    folder, recorder = tmp_path_factory.mktemp("runs") / "run", Recorder()
    train(tiny_recipe(data), folder, recorder)
    return folder, recorder


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_it_learns(run: tuple[Path, Recorder]) -> None:
    losses = [row.losses["loss"] for row in run[1].rows]
    assert len(losses) == 20 and losses[-1] < losses[0] / 2


def test_what_a_run_leaves(run: tuple[Path, Recorder]) -> None:
    folder, recorder = run
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "last.pt", "last-previous.pt", "best.pt", "weights-ema.safetensors",
        "weights-best.safetensors", "run.json", "train.csv", "train.log", "validation.csv",
        "tensorboard", "run.lock",
    }  # fmt: skip
    weights = open_weights(folder / "weights-ema.safetensors")
    assert weights.parameters.architecture.features == 8
    assert "40 of 40 steps" in weights.parameters.metadata["provenance"]
    ema = torch.load(folder / "last.pt", weights_only=True)["ema"]
    for name, tensor in weights.parameters.tensors.items():
        assert np.array_equal(tensor, ema[name].numpy())
    (start,) = json.loads((folder / "run.json").read_text())
    assert start["seed"] == 0 and "torch" in start["versions"] and "git" in start
    assert load_recipe("smoke").losses.model_dump() == start["recipe"]["losses"]
    assert recorder.verified[-1] == (3, 3)
    assert list((folder / "tensorboard").iterdir())


def test_logs(run: tuple[Path, Recorder]) -> None:
    folder, recorder = run
    train_rows, validation_rows = rows(folder / "train.csv"), rows(folder / "validation.csv")
    assert [int(row["step"]) for row in train_rows] == list(range(2, 41, 2))
    assert [int(row["step"]) for row in validation_rows] == [10, 20, 30, 40]
    assert {"loss", "forward", "backward", "learning_rate", "gradient_norm"} <= train_rows[0].keys()
    last = recorder.scores[-1][1]
    assert set(last) == {"pairs", "medium"}
    assert float(validation_rows[-1]["pairs_psnr"]) == pytest.approx(last["pairs"].psnr)
    assert recorder.rows[-1].seconds_left == 0 and recorder.rows[0].images_per_second > 0


def test_best_is_the_best(run: tuple[Path, Recorder]) -> None:
    folder, recorder = run
    means = {step: np.mean([s.psnr for s in scores.values()]) for step, scores in recorder.scores}
    best = torch.load(folder / "best.pt", weights_only=True)
    assert best["step"] == max(means, key=lambda step: means[step])
    assert best["best"] == pytest.approx(max(means.values()))


def test_a_finished_run_is_not_overwritten(run: tuple[Path, Recorder], data: Path) -> None:
    before = (run[0] / "last.pt").read_bytes()
    with pytest.raises(RecipeError, match="--resume"):
        train(tiny_recipe(data), run[0], Recorder())
    recorder = Recorder()
    train(tiny_recipe(data), run[0], recorder, resume=True)
    assert recorder.rows == [] and (run[0] / "last.pt").read_bytes() == before


def test_resuming_after_a_stop_equals_an_unbroken_run(
    run: tuple[Path, Recorder], data: Path, tmp_path: Path
) -> None:
    stopped = Recorder(stop_after=13)  # in the middle of an interval
    train(tiny_recipe(data), tmp_path / "a", stopped)
    assert torch.load(tmp_path / "a" / "last.pt", weights_only=True)["step"] == 13
    assert "--resume" in stopped.messages[-1]
    train(tiny_recipe(data), tmp_path / "a", Recorder(), resume=True)
    assert_same_state(tmp_path / "a" / "last.pt", run[0] / "last.pt")
    assert len(json.loads((tmp_path / "a" / "run.json").read_text())) == 2


def assert_same_state(first: Path, second: Path) -> None:
    """Network, running mean and optimiser, bit for bit."""
    a, b = (torch.load(path, weights_only=True) for path in (first, second))
    assert a["step"] == b["step"] and a["samples"] == b["samples"]
    for part in ("network", "ema"):
        for name, tensor in a[part].items():
            assert torch.equal(tensor, b[part][name]), name
    for index, moments in a["optimiser"]["state"].items():
        for name, tensor in moments.items():
            assert torch.equal(tensor, b["optimiser"]["state"][index][name]), (index, name)


def test_what_a_kill_left_behind_is_dropped(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    train(tiny_recipe(data), folder, Recorder(stop_after=10))
    with (folder / "train.csv").open("a") as file:
        (folder / ".invdn-1.part").touch()
        file.write("12,1,1,1,1,1,1\n14,0.")  # steps after the checkpoint, the last cut short
    train(tiny_recipe(data), folder, Recorder(stop_after=10), resume=True)
    assert [int(row["step"]) for row in rows(folder / "train.csv")] == list(range(2, 21, 2))
    assert not list(folder.glob(".*"))


def test_a_kill_between_the_files_of_a_checkpoint_loses_none(
    run: tuple[Path, Recorder], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a"
    train(tiny_recipe(data), folder, Recorder(stop_after=38))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "write_parameters", killed)
        train(tiny_recipe(data), folder, Recorder(), resume=True)
    train(tiny_recipe(data), folder, Recorder(), resume=True)
    for name in ("last.pt", "best.pt"):
        assert_same_state(folder / name, run[0] / name)
    name = "weights-ema.safetensors"
    assert (folder / name).read_bytes() == (run[0] / name).read_bytes()


def test_an_image_that_vanishes_while_training_is_named_in_one_line(
    data: Path, tmp_path: Path
) -> None:
    shutil.copytree(data / "pairs", tmp_path / "pairs")

    class Remover(Recorder):
        def measured(self, measured: StepStats) -> None:
            (tmp_path / "pairs" / "GT" / "1.png").unlink(missing_ok=True)

    recipe = tiny_recipe(tmp_path, "hardware.workers=1", "phases.0.steps=200")
    with pytest.raises(ImageError) as raised:
        train(recipe, tmp_path / "a", Remover())
    assert "GT/1.png" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DataLoader worker (pid 7) is killed by signal: Killed. ", r"hardware\.workers"),
        ("[enforce fail] DefaultCPUAllocator: can't allocate memory", "too little memory"),
        ("[gloo/transport/tcp/pair.cc:553] Connection closed by peer", "another process"),
    ],
)
def test_what_the_system_does_is_told_in_one_line(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    def failing(*_: object) -> None:
        raise RuntimeError(text)

    monkeypatch.setattr(loop, "prepare_beside", failing)
    with pytest.raises(RecipeError, match=said):
        train(tiny_recipe(data), tmp_path / "a", Recorder())


def test_a_machine_that_cannot_compile(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise torch._dynamo.exc.TorchDynamoException("No working C++ compiler found\nand more")

    monkeypatch.setattr(loop, "prepare_beside", failing)
    with pytest.raises(RecipeError, match=r"hardware\.compile .*No working C.. compiler found\)"):
        train(tiny_recipe(data), tmp_path / "a", Recorder())


def test_the_log_survives_new_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    append_row(file, {"step": 1, "loss": 2.0})
    append_row(file, {"step": 2, "loss": 1.0, "ssim": 0.5})
    assert file.read_bytes() == b"step,loss,ssim\n1,2.0,\n2,1.0,0.5\n"
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(csv.DictWriter, "writerows", full)
    with pytest.raises(OutputError, match="full"):
        append_row(file, {"step": 3, "gradient": 1.0})
    assert file.read_bytes() == before


def test_nodes_that_nothing_knows_of(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="torchrun"):
        train(tiny_recipe(data, "hardware.nodes=2"), tmp_path / "a", Recorder())


def test_fine_tuning(run: tuple[Path, Recorder], data: Path, tmp_path: Path) -> None:
    weights = run[0] / "weights-ema.safetensors"
    gentle = tiny_recipe(data, "phases.0.steps=20", "phases.0.learning_rate=1e-9")
    train(gentle, tmp_path / "a", Recorder(), start=weights)
    before, after = (read_parameters(w).tensors for w in (weights, tmp_path / "a" / weights.name))
    assert all(np.allclose(after[name], before[name], atol=1e-6) for name in before)
    with pytest.raises(RecipeError, match="the recipe wants"):
        train(tiny_recipe(data, "network.features=4"), tmp_path / "b", Recorder(), start=weights)
    with pytest.raises(WeightsError):
        train(gentle, tmp_path / "c", Recorder(), start="nothing.safetensors")


def test_a_diverging_run_stops_with_its_last_good_state(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a"
    train(tiny_recipe(data), folder, Recorder(stop_after=10))
    before = (folder / "last.pt").read_bytes()
    wild = tiny_recipe(data, "phases.0.learning_rate=1e4", "phases.0.steps=100")
    with pytest.raises(RecipeError, match=r"diverged.*last\.pt.*lower learning rate"):
        train(wild, folder, Recorder(), resume=True)
    assert (folder / "last.pt").read_bytes() == before
    train(tiny_recipe(data), folder, Recorder(), resume=True)


def test_nan_is_found_in_any_term(data: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(data)
    network = checkpoint.initial_state(recipe, None, torch.device("cpu")).network
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))

    def poisoned(*arguments: object) -> object:
        state = original(*arguments)
        state.network.load_state_dict(network.state_dict())
        return state

    original = checkpoint.initial_state
    checkpoint.initial_state = poisoned
    try:
        with pytest.raises(RecipeError, match=r"not finite by step 2\. No state was saved"):
            train(recipe, tmp_path / "a", Recorder())
    finally:
        checkpoint.initial_state = original
    assert not (tmp_path / "a" / "last.pt").exists()


def test_a_disk_that_fills_up(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a"
    train(tiny_recipe(data), folder, Recorder(stop_after=10))
    before = (folder / "last.pt").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="disk is full"):
        train(tiny_recipe(data), folder, Recorder(), resume=True)
    assert (folder / "last.pt").read_bytes() == before


def test_a_small_disk_is_refused_before(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(OutputError, match="disk"):
        train(tiny_recipe(data), tmp_path / "a", Recorder())
    assert not (tmp_path / "a").exists()


def test_a_gpu_without_memory(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop, "prepare_beside", exhausted)
    with pytest.raises(RecipeError, match="precision=mixed"):
        train(tiny_recipe(data), tmp_path / "a", Recorder())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_recorded_step_learns_as_any_other(data: Path, tmp_path: Path) -> None:
    losses = []
    for name, graph in (("plain", "false"), ("recorded", "true")):
        recorder = Recorder()
        settings = ("hardware.device=cuda", "hardware.resident=true", f"hardware.graph={graph}")
        train(tiny_recipe(data, *settings), tmp_path / name, recorder)
        losses.append([row.losses["loss"] for row in recorder.rows])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_an_absent_gpu(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"hardware\.device"):
        train(tiny_recipe(data, "hardware.device=cuda"), tmp_path / "a", Recorder())


@pytest.mark.parametrize(
    ("launched", "said"), [({}, "the device 'cpu'"), ({"LOCAL_WORLD_SIZE": "2"}, "2 processes")]
)
def test_a_step_is_recorded_on_one_gpu_or_refused(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, launched: dict[str, str], said: str
) -> None:
    if launched:  # as torchrun says it to the processes that it starts
        launched = {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2", **launched}
    for name, value in launched.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RecipeError, match=rf"hardware\.graph .* {said}"):
        train(tiny_recipe(data, "hardware.graph=true"), tmp_path / "a", Recorder())
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("overrides", "error", "said"),
    [
        (["phases.0.crop=44"], DataError, "smaller than the crop of 44"),
        (['data.pairs=["nowhere"]'], DataError, "nowhere is not a folder"),
        (['validation.photographs=["elsewhere"]'], DataError, "names 'elsewhere'"),
        (["validation.crop=64"], DataError, "smaller than validation.crop"),
        (["data.clean=[]", "validation.noise={}", "validation.photographs=[]"], DataError,
         "data.clean"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_the_first_step(
    data: Path, tmp_path: Path, overrides: list[str], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        train(tiny_recipe(data, *overrides), tmp_path / "a", Recorder())
    assert not (tmp_path / "a").exists()


def test_a_truncated_image_is_found_before_the_first_step(tmp_path: Path) -> None:
    for folder in ("Noisy", "GT"):
        for index in range(3):
            file = tmp_path / "pairs" / folder / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            noise = np.random.default_rng(index).integers(0, 256, (40, 40, 3), dtype=np.uint8)
            write_photo(Photo(noise), file)
    file.write_bytes(file.read_bytes()[:-2000])
    recorder = Recorder()
    with pytest.raises(ImageError, match=r"GT/2\.png"):
        train(tiny_recipe(tmp_path), tmp_path / "a", recorder)
    assert recorder.rows == []


def test_phases_change_crop_and_batch(data: Path, tmp_path: Path) -> None:
    phases = (
        "phases=[{steps=4, crop=16, batch=4, learning_rate=1e-3}, "
        "{steps=6, crop=32, batch=2, learning_rate=5e-4}]"
    )
    recorder = Recorder()
    train(tiny_recipe(data, phases), tmp_path / "a", recorder)
    state = torch.load(tmp_path / "a" / "last.pt", weights_only=True)
    assert state["step"] == 10 and state["samples"] == 4 * 4 + 6 * 2
    assert [row.learning_rate for row in recorder.rows] == [1e-3, 1e-3, 5e-4, 5e-4, 5e-4]
