"""How far a training is: by its steps, or by the share of a time budget that has passed."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from lightning_fabric import Fabric

from ..errors import RecipeError
from .recipe import Recipe, format_duration
from .schedule import learning_rate
from .state import State

_FEWEST = 10  # steps; fewer are no training, and too few for any warm-up
_PACED = 3  # steps until the pace is known: the first ones also allocate, tune and compile
_AHEAD = 4  # steps that a GPU may still have to do
_MARGIN = 2.0  # seconds for what nothing here sees: Python's start and end
_SAFETY = 1.3  # times what the last save and validation took before
_VALIDATION_SHARE = 0.25  # of a budget at most for the last validation; a dearer one is left out
_BETWEEN = {"save": 20.0, "validation": 10.0}  # times its own duration, until the next one

Work = Literal["save", "validation"]


class StepProgress:
    """By the number of steps, as the recipe has them; there is time for everything.

    Args:
        recipe: after the linear rule.
        state: of the training; read, never changed.
    """

    def __init__(self, recipe: Recipe, state: State) -> None:
        self._recipe, self._state = recipe, state

    @property
    def position(self) -> float:
        """Steps of the recipe done so far; a budget counts in fractions of them."""
        return self._state.step

    @property
    def finished(self) -> bool:
        """Whether the last step has been done."""
        return self._state.step >= self._recipe.steps

    @property
    def expected_steps(self) -> int:
        """How many steps there will have been at the end, as far as is known."""
        return self._recipe.steps

    @property
    def phase(self) -> int:
        """The number of the phase that the next step belongs to."""
        return self._recipe.locate(self.position)[0]

    @property
    def steps_of_phase(self) -> int:
        """How many steps the phase has left, or more than will be done."""
        number, done = self._recipe.locate(self._state.step)
        return self._recipe.phases[number].steps - int(done)

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        return learning_rate(self._recipe, self.position)

    def advance(self) -> None:
        """Take note of a step that has been done."""

    def has_time_for(self, work: Work) -> bool:
        """Return whether to save or to validate now, where it is due by the number of steps."""
        return True

    @contextmanager
    def timed(self, work: Work, share: float = 1) -> Iterator[None]:
        """Measure what the block takes, which does a ``share`` of the work."""
        yield


class TimeProgress(StepProgress):
    """By the share of the budget that has passed: warm-up, phases and decay alike.

    The share is that of the time until the last validation and the last save have to begin, which
    are measured. The clock is monotonic: setting the computer's clock changes nothing.

    Args:
        recipe: after the linear rule; its budget is in seconds.
        state: of the training. A resumed one begins a new schedule here, from the state it has.
        fabric: the processes; all follow the clock of the first.
        started: ``time.monotonic()`` when the program began.
        clock: monotonic, in seconds.
    """

    def __init__(
        self,
        recipe: Recipe,
        state: State,
        fabric: Fabric,
        started: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(recipe, state)
        if recipe.budget is None:
            raise ValueError("the recipe has no budget")
        self._budget = recipe.budget
        self._fabric, self._started, self._clock = fabric, started, clock
        self._first = state.step
        self._seconds: dict[Work, float] = {"save": 0.0, "validation": 0.0}
        self._ended: dict[Work, float] = {}
        self._pace = 0.0  # seconds a step
        self._ahead: deque[torch.cuda.Event] = deque()
        self._passed = 0.0
        self._last_step = self._begun = self._look()

    def check(self) -> str | None:
        """Refuse a budget that is too short, when what it takes has been measured.

        Returns:
            What the user should know, if anything.

        Raises:
            RecipeError: what is left for training is less than a few steps.
        """
        self._begun = self._last_step = self._look()
        for work in self._seconds:
            self._ended[work] = self._passed
        words = None
        if self._reserve("validation") > _VALIDATION_SHARE * self._budget:
            words = (
                f"the last validation would take about {self._seconds['validation']:.0f} s of a "
                f"budget of {format_duration(self._budget)}: it is left out"
            )
            self._seconds["validation"] = float("inf")
        self._refuse_if_short()
        return words

    @property
    def position(self) -> float:
        """Steps of the recipe by the share of the time."""
        time_for_steps = max(self._end - self._begun, 1e-9)
        # a step counts as in its middle: the first one is not at 0, the last one not at the end
        passed = self._passed + self._pace / 2 - self._begun
        return min(max(passed / time_for_steps, 0), 1) * self._recipe.steps

    @property
    def finished(self) -> bool:
        """Whether another step would end too late."""
        return self._passed + self._pace > self._end

    @property
    def expected_steps(self) -> int:
        """The steps so far and those that fit into the time left, at the pace so far."""
        if self.finished or not self._pace:
            return self._state.step
        return self._state.step + int((self._end - self._passed) / self._pace)

    @property
    def steps_of_phase(self) -> int:
        """More than there can be; the loop looks at ``phase`` after each."""
        return 2**62

    def advance(self) -> None:
        """Read the clock, which stands still until the next call."""
        if self._fabric.device.type == "cuda":
            self._keep_up()
        now = self._look()
        duration = now - self._last_step
        # quick to slow down, slow to quicken: a step too many is worse than one too few
        self._pace = duration if not self._pace else max(duration, 0.8 * self._pace)
        self._last_step = now
        done = self._state.step - self._first
        if done == _PACED or (done < _FEWEST and self.finished):
            self._refuse_if_short(ended=self.finished)

    def has_time_for(self, work: Work) -> bool:
        """Return whether enough time has passed since the last, and enough is left."""
        needed = self._reserve(work)
        if self.finished:  # the last ones have their time set aside
            return self._passed + needed <= self._budget - _MARGIN / 2
        waited = self._passed - self._ended.get(work, 0.0)
        return waited >= _BETWEEN[work] * needed and self._passed + needed < self._end

    @contextmanager
    def timed(self, work: Work, share: float = 1) -> Iterator[None]:
        """Measure what the block takes, which does a ``share`` of the work."""
        start = self._look()
        yield
        self._last_step = self._ended[work] = self._look()
        self._seconds[work] = (self._passed - start) / share

    def _keep_up(self) -> None:
        """Let the host be a few steps ahead of the GPU, not more: the clock is read on the host."""
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        self._ahead.append(event)
        if len(self._ahead) > _AHEAD:
            self._ahead.popleft().synchronize()

    @property
    def _end(self) -> float:
        """When the last step has to be done, in seconds from the start."""
        reserve = self._reserve("save")
        if self._seconds["validation"] < float("inf"):
            reserve += self._reserve("validation")
        return self._budget - _MARGIN - reserve

    def _reserve(self, work: Work) -> float:
        return _SAFETY * self._seconds[work]

    def _look(self) -> float:
        """Return seconds since the start, the same in all processes; never less than before."""
        passed = self._clock() - self._started
        if self._fabric.world_size > 1:
            passed = self._fabric.broadcast(passed)
        self._passed = max(passed, self._passed)
        return self._passed

    def _refuse_if_short(self, *, ended: bool = False) -> None:
        left, needed = self._end - self._begun, _FEWEST * self._pace
        if left > needed and self._end > self._passed and not ended:
            return
        least = self._budget - left + max(needed, 1)
        raise RecipeError(
            f"a budget of {format_duration(self._budget)} is too short for a warm-up and a "
            f"checkpoint: opening took {self._begun:.1f} s, the last validation and save take "
            f"about {self._budget - self._end:.1f} s, {_FEWEST} steps {needed:.1f} s; give at "
            f"least {format_duration(1.1 * least)}"
        )
