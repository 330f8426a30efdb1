"""What a training tells while it runs, and to whom."""

import time
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor

from ..architecture import Architecture
from .plan import Plan
from .validation import Score


@dataclass(frozen=True)
class StepStats:
    """One logging interval.

    Attributes:
        step: steps done.
        steps: of the whole recipe.
        losses: means per sample and pixel, by term; ``loss`` is their weighted sum.
        learning_rate: of the last step.
        gradient_norm: mean, before clipping.
        images_per_second: of all processes together.
        seconds_left: to the end of the recipe at this pace.
    """

    step: int
    steps: int
    losses: dict[str, float]
    learning_rate: float
    gradient_norm: float
    images_per_second: float
    seconds_left: float

    @property
    def row(self) -> dict[str, float]:
        """The columns of the log."""
        return {
            **self.losses,
            "learning_rate": self.learning_rate,
            "gradient_norm": self.gradient_norm,
            "images_per_second": self.images_per_second,
        }


class Callback(Protocol):
    """Callbacks of the first process, called at every event."""

    def planned(self, plan: Plan) -> None:
        """Tell that everything is open and checked, and the training begins."""

    def message(self, text: str) -> None:
        """Tell something worth a line."""

    def verifying(self, done: int, total: int) -> None:
        """Tell how many image files were decoded once."""

    def measured(self, measured: StepStats) -> None:
        """Take the figures of a logging interval."""

    def validated(self, step: int, scores: dict[str, Score]) -> None:
        """Take the scores of a validation."""

    def wants_stop(self) -> bool:
        """Return asked after every step (every logging interval where processes share the work)."""
        ...


class Interval:
    """Sums over the steps between two log lines; kept on the device, so no step waits."""

    def __init__(self, fabric: Fabric, architecture: Architecture) -> None:
        self._fabric = fabric
        # values of an image for each pixel of a crop; a filter array has one
        self._values = 3 if architecture.channels == 3 else 1
        self._scale = architecture.scale
        self.restart()

    def restart(self) -> None:
        """Forget what was added, and start the clock."""
        self._sums: dict[str, Tensor] = {}
        self._steps = self._samples = 0
        self._start = time.perf_counter()

    def add(self, terms: dict[str, Tensor], norm: Tensor, batch: int, crop: int) -> None:
        """Add one step; sums over pixels become means per pixel and colour."""
        whole = self._values * crop**2
        low = whole / self._scale**2
        scale = {"loss": whole, "forward": low, "backward": whole, "areas": whole}
        scale["teacher"] = whole
        for name, value in {**terms, "gradient_norm": norm}.items():
            part = value.detach() / scale.get(name, 1)
            self._sums[name] = self._sums.get(name, 0) + part
        self._steps += 1
        self._samples += batch

    def close(self, step: int, steps: int, rate: float) -> StepStats:
        """Return the means since the start, over all processes; the next interval begins."""
        names = list(self._sums)
        means = torch.stack([self._sums[name] for name in names]) / self._steps
        means = cast(Tensor, self._fabric.all_reduce(means, reduce_op="mean"))
        values = dict(zip(names, means.tolist(), strict=True))
        seconds = time.perf_counter() - self._start
        norm = values.pop("gradient_norm")
        pace = seconds / self._steps
        measured = StepStats(
            step, steps, values, rate, norm, self._samples / seconds, pace * (steps - step)
        )
        self.restart()
        return measured
