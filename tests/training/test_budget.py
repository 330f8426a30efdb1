"""A time budget: the schedule follows the clock, and all is on disk before the limit."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from lightning_fabric import Fabric

from invdn.errors import RecipeError
from invdn.training import loop
from invdn.training.budget import StepProgress, TimeProgress
from invdn.training.loop import train
from invdn.training.recipe import Recipe
from invdn.training.recipe_files import load_recipe
from invdn.training.state import State, initial_state
from invdn.weights import read_parameters
from support.tiny_run import Recorder, tiny_recipe

LIMIT = 1000.0


class Simulation:
    """A training whose step, save and validation take as long as they are told to."""

    def __init__(
        self, *overrides: str, save: float = 5, validation: float = 20, opening: float = 8
    ) -> None:
        self.now = 5e6
        self.recipe: Recipe = load_recipe("smoke", [f"budget={LIMIT}", *overrides])
        self.state: State = initial_state(self.recipe, None, torch.device("cpu"))
        fabric = Fabric(accelerator="cpu", devices=1)
        self.progress = TimeProgress(
            self.recipe, self.state, fabric, self.now, clock=lambda: self.now
        )
        self.now += opening
        with self.progress.timed("save", share=0.5):
            self.now += save / 2
        with self.progress.timed("validation", share=0.1):
            self.now += validation / 10
        self.told = self.progress.check()
        self.rates: list[float] = []
        self.positions: list[float] = []

    @property
    def passed(self) -> float:
        return self.now - 5e6

    def step(self, seconds: float) -> None:
        self.rates.append(self.progress.learning_rate)
        self.positions.append(self.progress.position)
        self.now += seconds
        self.state.step += 1
        self.progress.advance()

    def run(self, seconds: float) -> None:
        while not self.progress.finished:
            self.step(seconds)


@pytest.mark.parametrize("seconds", [0.01, 0.3, 7.0, 40.0])
def test_at_any_speed_the_decay_is_finished_and_the_end_has_its_time(seconds: float) -> None:
    run = Simulation()
    run.run(seconds)
    peak = run.recipe.phases[0].learning_rate
    assert run.passed + 1.25 * 25 <= LIMIT  # save and validation still fit
    assert run.passed + 1.25 * 25 + 2 * seconds > LIMIT - 20  # and no time is wasted
    assert max(run.rates) == pytest.approx(peak, rel=0.01)
    assert min(run.rates[-1:]) <= max(0.011 * peak, peak * seconds / 150)
    assert run.rates[0] < max(0.1 * peak, 10 * peak * seconds / LIMIT)
    assert run.positions == sorted(run.positions)
    assert run.progress.expected_steps == run.state.step
    assert run.progress.has_time_for("validation") and run.progress.has_time_for("save")


def test_phases_take_their_shares_of_the_time() -> None:
    phases = (
        "phases=[{steps=10, crop=32, batch=4, learning_rate=1e-3},"
        "{steps=30, crop=64, batch=2, learning_rate=2e-4}]"
    )
    run = Simulation(phases)
    while run.progress.phase == 0:
        run.step(1.0)
    first = run.passed
    run.run(4.0)
    assert (first - 12) / (run.passed - 12) == pytest.approx(0.25, abs=0.02)


def test_a_clock_that_jumps_is_no_harm() -> None:
    """The machine slept: less time is left, and everything still ends before the limit."""
    run = Simulation()
    for _ in range(20):
        run.step(1.0)
    run.now += 700  # far ahead
    run.step(1.0)
    position = run.progress.position
    run.now -= 300  # back, which no monotonic clock may do
    run.step(1.0)
    assert run.progress.position >= position
    run.run(1.0)
    assert run.passed <= LIMIT and run.rates[-1] < run.rates[10]


def test_the_computers_clock_is_not_looked_at(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(stop_after=8)
    monkeypatch.setattr(time, "time", lambda: -1e9)
    train(tiny_recipe(data, "budget='1h'"), tmp_path / "a", recorder)
    assert recorder.rows[-1].step == 8
    assert recorder.rows[-1].steps > 1000  # an hour is long


def test_a_machine_that_slows_down_loses_the_validation_not_the_weights() -> None:
    run = Simulation(validation=100)
    while run.passed < 860:
        run.step(2.0)
    run.step(100.0)
    assert run.progress.finished
    assert not run.progress.has_time_for("validation") and run.progress.has_time_for("save")


def test_a_validation_that_would_eat_the_budget_is_left_out() -> None:
    run = Simulation(validation=400)
    assert run.told is not None and "left out" in run.told
    run.run(1.0)
    assert run.passed > LIMIT - 20
    assert not run.progress.has_time_for("validation") and run.progress.has_time_for("save")


def test_saves_and_validations_on_the_way_take_a_small_part_of_the_time() -> None:
    run = Simulation()
    spent = {"save": 0.0, "validation": 0.0}
    while not run.progress.finished:
        run.step(0.5)
        for work, seconds in (("save", 5.0), ("validation", 20.0)):
            if run.progress.has_time_for(work) and not run.progress.finished:
                with run.progress.timed(work):
                    run.now += seconds
                spent[work] += seconds
    assert 0.02 * LIMIT < spent["save"] < 0.05 * LIMIT
    assert 0.04 * LIMIT < spent["validation"] < 0.1 * LIMIT


@pytest.mark.parametrize(
    ("opening", "seconds", "save"),
    [(2000, 1.0, 1), (10, 1.0, 900), (10, 97.0, 1), (10, 400.0, 1), (10, 2000.0, 1)],
)
def test_a_budget_too_short_is_refused_with_what_it_takes(
    opening: float, seconds: float, save: float
) -> None:
    with pytest.raises(RecipeError, match=r"too short .* give at least \d") as caught:
        run = Simulation(opening=opening, save=save)
        run.run(seconds)
    needed = str(caught.value).rpartition("at least ")[2]
    assert load_recipe("smoke", [f"budget='{needed}'"]).budget > LIMIT


def test_without_a_budget_steps_count() -> None:
    recipe = load_recipe("smoke")
    state = initial_state(recipe, None, torch.device("cpu"))
    progress = StepProgress(recipe, state)
    state.step = 150
    progress.advance()
    assert (progress.position, progress.phase, progress.steps_of_phase) == (150, 0, 50)
    assert not progress.finished and progress.expected_steps == 200
    state.step = 200
    assert progress.finished


@pytest.mark.slow
def test_a_whole_run_in_real_time(data: Path, tmp_path: Path) -> None:
    """Ends within its time with a finished decay; a second budget begins a new schedule."""
    recorder, budget = Recorder(), 10.0
    recipe = tiny_recipe(data, f"budget={budget}", "log.checkpoint_every=100", "log.every=1",
                         "validation.every=100")  # fmt: skip
    weights = train(recipe, tmp_path / "a", recorder)
    assert (
        "steps, the last ones in a budget of 10s" in read_parameters(weights).metadata["provenance"]
    )
    rates = [row.learning_rate for row in recorder.rows]
    peak = recipe.phases[0].learning_rate
    assert max(rates) > 0.9 * peak and rates[0] < 0.5 * peak and rates[-1] < 0.3 * peak
    assert recorder.rows[-1].step == recorder.rows[-1].steps
    assert [step for step, _ in recorder.scores][-1] == recorder.rows[-1].step
    assert not list((tmp_path / "a").glob(".*"))

    again = Recorder()
    train(recipe, tmp_path / "a", again, resume=True)
    assert again.rows[0].step == recorder.rows[-1].step + 1
    rates = [row.learning_rate for row in again.rows]
    assert max(rates) > 0.9 * peak and rates[0] < 0.5 * peak and rates[-1] < 0.3 * peak


def test_what_is_refused_leaves_the_folder_as_it_was(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="too short"):
        train(tiny_recipe(data, "budget=1"), tmp_path / "a", Recorder())
    assert not list((tmp_path / "a").glob("*.pt")) and not list((tmp_path / "a").glob(".*"))


def test_stopping_saves_without_validating(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(stop_after=5)
    validated: list[int] = []
    monkeypatch.setattr(loop, "_validate", lambda *_: validated.append(1))
    train(tiny_recipe(data, "budget='1h'"), tmp_path / "a", recorder)
    assert torch.load(tmp_path / "a" / "last.pt", weights_only=True)["step"] == 5
    assert not validated and "--resume" in recorder.messages[-1]


@pytest.mark.parametrize("text", ["", "9 min", "-3m", "m", "1m1h", "0", "'0s'", "true"])
def test_durations_that_are_none(text: str) -> None:
    with pytest.raises(RecipeError, match="budget"):
        load_recipe("smoke", [f"budget={text}" if text else "budget=''"])


def test_durations() -> None:
    for text, seconds in {"9m": 540, "'1h 30m'": 5400, "90s": 90, "90": 90, "0.5h": 1800}.items():
        assert load_recipe("smoke", [f"budget={text}"]).budget == seconds
    assert load_recipe("smoke").budget is None
