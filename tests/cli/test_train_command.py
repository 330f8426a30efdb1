"""``invdn train``: what it says, what it leaves, what it refuses."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from invdn.cli.train import _Screen, command
from invdn.errors import DataError, RecipeError, WeightsError
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from support.systems import needs_posix

SMALL = [
    'data.pairs=["pairs"]', 'data.clean=["pairs/GT"]', 'validation.pairs=["pairs"]',
    'validation.photographs=["1"]', "validation.crop=32", "phases.0.crop=32",
    "phases.0.steps=8", "phases.0.warm_up=0", "phases.0.decay=4", "log.every=4",
    "log.checkpoint_every=4", "validation.every=4", "hardware.device=cpu",
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for side in ("Noisy", "GT"):
        (tmp_path / "pairs" / side).mkdir(parents=True)
        for name in "01":
            pixels = random.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            write_photo(Photo(pixels), tmp_path / "pairs" / side / f"{name}.png")
    return tmp_path


def run(data: Path, *arguments: str) -> Result:
    settings = [part for setting in SMALL for part in ("--set", setting)]
    output = ("-o", str(data / "run"))
    return CliRunner().invoke(
        command, ["smoke", "--data", str(data), *settings, *output, *arguments]
    )


def test_dry_run_says_everything_and_does_nothing(data: Path) -> None:
    result = run(data, "--dry-run", "--set", "hardware.batch_scale=2")
    assert result.exit_code == 0, result.output
    for said in (
        "21,000 parameters, fp32 on 1 x cpu",
        "2 pairs, 1 clean photographs",
        "2 pairs, 1 medium",
        "linear rule: batch and learning rate x 2, steps / 2",
        "4 steps of 8 crops of 32x32, learning rate 0.004",
        "GiB of memory",
        "MiB of disk",
    ):
        assert said in result.output
    assert not (data / "run").exists()


def test_a_run_and_its_continuation(data: Path) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    result = run(data)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(data / "run" / "weights-ema.safetensors")
    for said in ("4/8  loss", "backward", "images/s", "left", "step 8: pairs", "dB"):
        assert said in result.stderr
    assert signal.getsignal(signal.SIGTERM) is handler
    assert isinstance(run(data).exception, RecipeError)
    longer = run(data, "--resume", "--set", "phases.0.steps=12")
    assert longer.exit_code == 0 and "12/12" in longer.stderr and "4/12" not in longer.stderr


def test_a_dry_run_looks_at_what_the_run_begins_with(data: Path) -> None:
    absent = run(data, "--dry-run", "--from", "nothing.safetensors")
    assert isinstance(absent.exception, WeightsError)
    assert isinstance(run(data, "--dry-run", "--from", "default").exception, RecipeError)
    run(data, "--set", "validation.pairs=[]")
    assert "--resume" in str(run(data, "--dry-run").exception)
    assert run(data, "--dry-run", "--resume").exit_code == 0
    other = run(data, "--dry-run", "--resume", "--set", "network.features=4")
    assert "another network" in str(other.exception)


@needs_posix  # elsewhere os.kill ends the tests
def test_a_broken_off_run_says_so_by_its_exit_code(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(screen: _Screen, _: object) -> None:
        if not screen.stop.requested:  # a second signal would end the tests
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(_Screen, "measured", measured)
    result = run(data)
    assert result.exit_code == 128 + 15 and "go on with --resume" in result.stderr
    monkeypatch.undo()
    result = run(data, "--resume")
    assert result.exit_code == 0 and "going on after step" in result.stderr


def test_any_folder_of_data(data: Path) -> None:
    strange = data / """it's "here" \\ ü"""
    strange.mkdir()
    (data / "pairs").rename(strange / "pairs")
    result = run(strange, "--dry-run")
    assert result.exit_code == 0, result.exception


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("--set", "phases.0.crop=48"), DataError, "smaller than the crop"),
        (("--set", "lr=1"), RecipeError, "lr: unknown key"),
        (("--data", "/nowhere"), DataError, "nowhere"),
        (("--set", "hardware.devices=3"), RecipeError, "shared by 3 processes"),
    ],
)
def test_refusals(data: Path, arguments: tuple[str, ...], error: type, said: str) -> None:
    result = run(data, *arguments, "--dry-run")
    assert isinstance(result.exception, error) and said in str(result.exception)


def test_unknown_recipe() -> None:
    result = CliRunner().invoke(command, ["papre", "--dry-run"])
    assert isinstance(result.exception, RecipeError) and "paper" in str(result.exception)
