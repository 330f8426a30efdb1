"""Training with the caller's own parts, and the examples."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from invdn.errors import DataError, InvDNError, RecipeError
from invdn.training.fit import Callback, RecipeLoss, Term, fit
from invdn.training.hooks import CroppedPairs
from invdn.training.objective import Objective
from invdn.training.recipe_files import load_recipe
from invdn.training.state import State, initial_state
from invdn.training.validation import Score

EXAMPLES = Path(__file__).parents[2] / "examples"
SHORT = ("phases.0.steps=12", "phases.0.warm_up=0", "phases.0.decay=0", "phases.0.crop=16",
         "log.every=4", "log.checkpoint_every=4", "validation.every=4")  # fmt: skip


class Pairs:
    """Numbered pairs: the first pixel tells which one it is."""

    def __init__(self, count: int, channels: int = 3, side: int = 24) -> None:
        self.shape = channels, side, side
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        clean = torch.full(self.shape, (index + 1) / 16)
        generator = torch.Generator().manual_seed(index)
        return clean + 0.1 * torch.randn(self.shape, generator=generator), clean


class Witness(Callback):
    def __init__(self, stop_after: int = 10**6) -> None:
        self.calls: list[str] = []
        self.losses: list[dict[str, float]] = []
        self.stop_after = stop_after

    def on_train_start(self, state: State) -> None:
        self.calls.append(f"start {state.step}")

    def on_train_batch_end(self, state: State, losses: Mapping[str, Tensor]) -> None:
        self.losses.append({name: value.item() for name, value in losses.items()})
        self.should_stop = state.step >= self.stop_after

    def on_validation_end(self, state: State, scores: Mapping[str, Score]) -> None:
        self.calls.append(f"validation {state.step} {','.join(scores)}")

    def on_train_end(self, state: State) -> None:
        self.calls.append(f"end {state.step}")

    def on_exception(self, state: State, error: InvDNError) -> None:
        self.calls.append(f"exception {state.step}")


def test_everything_of_ones_own(tmp_path: Path) -> None:
    pairs, witness = Pairs(5), Witness()
    seen: list[tuple[int, ...]] = []

    def term(image: Tensor, clean: Tensor) -> Tensor:
        seen.append(tuple(image.shape))
        return (image - clean).square().sum(dim=(1, 2, 3))

    made: list[torch.optim.Optimizer] = []

    def optimiser(parameters: object) -> torch.optim.Optimizer:
        made.append(torch.optim.SGD(parameters, lr=1))  # type: ignore[arg-type]
        return made[-1]

    weights = fit(
        "smoke", tmp_path / "run", overrides=SHORT, dataset=pairs,
        validation={"mine": [pairs[0]]}, terms={"square": Term(2.0, term)},
        optimiser=optimiser, callbacks=[witness],
    )  # fmt: skip
    assert weights.is_file() and made
    assert witness.calls == [
        "start 0", "validation 4 mine", "validation 8 mine", "validation 12 mine", "end 12"
    ]  # fmt: skip
    assert set(seen) == {(4, 3, 16, 16)} and len(witness.losses) == 12
    parts = witness.losses[0]
    whole = 16 * parts["forward"] + parts["backward"] + 2 * parts["square"]
    assert parts["loss"] == pytest.approx(whole, rel=1e-5)
    assert "square" in (tmp_path / "run" / "train.csv").read_text().splitlines()[0]


def test_stopped_and_resumed_equals_unbroken(tmp_path: Path) -> None:
    def run(folder: str, witness: Witness, **more: object) -> Path:
        return fit(
            "smoke", tmp_path / folder, overrides=SHORT, dataset=Pairs(5), validation={},
            optimiser=torch.optim.AdamW, callbacks=[witness], **more,  # type: ignore[arg-type]
        )  # fmt: skip

    whole = run("a", Witness())
    run("b", Witness(stop_after=5))
    witness = Witness()
    parted = run("b", witness, resume=True)
    assert witness.calls == ["start 5", "end 12"]
    assert whole.read_bytes() == parted.read_bytes()


def test_every_pair_once_in_each_pass() -> None:
    cropped = CroppedPairs(Pairs(7), 16, 3, seed=3)
    passes = [
        [
            round(float(cropped[number].clean[0, 0, 0]) / 255 * 16)
            for number in range(start, start + 7)
        ]
        for start in (0, 7)
    ]
    assert Counter(passes[0]) == Counter(passes[1]) == Counter(range(1, 8))
    assert passes[0] != passes[1]
    assert torch.equal(cropped[9].noisy, cropped[9].noisy)
    assert cropped[0].noisy.shape == (3, 16, 16)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels(tmp_path: Path, channels: int) -> None:
    witness = Witness()
    fit(
        "smoke", tmp_path, overrides=[*SHORT, f"network.channels={channels}"],
        dataset=Pairs(3, channels), validation={"mine": [Pairs(3, channels)[0]]},
        callbacks=[witness],
    )  # fmt: skip
    assert witness.calls[-1] == "end 12"


def test_pairs_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invdn.training.datasets.PAUSES", ())
    for pairs in (Pairs(2, side=12), Pairs(2, channels=2)):
        witness = Witness()
        with pytest.raises(DataError, match="must be two tensors"):
            fit("smoke", tmp_path / str(pairs.shape), overrides=SHORT, dataset=pairs, validation={},
                callbacks=[witness])  # fmt: skip
        assert witness.calls == ["start 0", "exception 0"]
    with pytest.raises(DataError, match="empty"):
        fit("smoke", tmp_path / "c", overrides=SHORT, dataset=Pairs(0), validation={})
    terms = {"backward": Term(1.0, lambda image, clean: image)}
    with pytest.raises(RecipeError, match="new name, not backward"):
        fit("smoke", tmp_path / "d", overrides=SHORT, dataset=Pairs(2), validation={}, terms=terms)
    terms = {"mean": Term(1.0, lambda image, clean: image.mean((1, 2, 3)))}
    with pytest.raises(RecipeError, match="graph records kernels alone"):
        fit("smoke", tmp_path / "e", overrides=(*SHORT, "hardware.graph=true"), dataset=Pairs(2),
            validation={}, terms=terms)  # fmt: skip


def test_the_loss_is_the_objectives() -> None:
    recipe = load_recipe("default")
    network = initial_state(load_recipe("smoke"), None, torch.device("cpu")).network
    noisy, clean = torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)
    target, latent = torch.rand(2, 3, 4, 4), torch.randn(2, 45, 4, 4)
    wanted = Objective(network, recipe.losses)(noisy, clean, target, latent)
    low, _ = network.encode(noisy)
    found = RecipeLoss(recipe.losses)(low, network.decode(low, latent), target, clean)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("own_*.py")))
def test_examples_run(name: str, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout
