"""Runs a tiny recipe; a program of its own, so that tests can kill it or start it twice.

``python tiny_run.py DATA FOLDER [KEY=VALUE ...]``: ``smoke`` on the data set ``DATA``, resuming
whatever is in ``FOLDER``. Without arguments of its own it changes nothing random.

``TINY_RUN_KILLS=RANK:WHAT:FILE`` in the environment kills the process of that rank (``WHAT`` is
``process``), or its launcher too (``node``), after step 6; once, as the file then tells.
"""

import os
import signal
import sys
from pathlib import Path

import torch

from invdn.training.callbacks import StepStats
from invdn.training.loop import train
from invdn.training.plan import Plan
from invdn.training.recipe import Recipe
from invdn.training.recipe_files import load_recipe
from invdn.training.validation import Score

TINY = (
    'data.pairs=["pairs"]',
    'data.clean=["pairs/GT"]',
    'validation.pairs=["pairs"]',
    'validation.photographs=["2"]',
    "validation.crop=32",
    "phases.0.steps=40",
    "phases.0.crop=16",
    "phases.0.warm_up=5",
    "phases.0.decay=10",
    "phases.0.learning_rate=1e-3",
    "log.every=2",
    "log.checkpoint_every=2",
    "validation.every=10",
    "hardware.device=cpu",
    "hardware.threads=1",
)


def tiny_recipe(data: Path, *overrides: str) -> Recipe:
    """One block of eight features per level; ``data`` holds ``pairs/``."""
    return load_recipe("smoke", [*TINY, f"data.root={str(data)!r}", *overrides])


class Recorder:
    """Remembers what it is told; asks to stop after a step."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.plans: list[Plan] = []
        self.messages: list[str] = []
        self.verified: list[tuple[int, int]] = []
        self.rows: list[StepStats] = []
        self.scores: list[tuple[int, dict[str, Score]]] = []
        self.stop_after = stop_after
        self.asked = 0

    def planned(self, plan: Plan) -> None:
        self.plans.append(plan)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def verifying(self, done: int, total: int) -> None:
        self.verified.append((done, total))

    def measured(self, measured: StepStats) -> None:
        self.rows.append(measured)

    def validated(self, step: int, scores: dict[str, Score]) -> None:
        self.scores.append((step, scores))

    def wants_stop(self) -> bool:
        self.asked += 1
        return self.asked == self.stop_after


class Killer(Recorder):
    """Kills the process after step 6, as a machine without power would."""

    def wants_stop(self) -> bool:
        rank, what, marker = os.environ["TINY_RUN_KILLS"].split(":", 2)
        self.asked += 1
        chosen = os.environ["RANK"] == rank and not Path(marker).exists()
        if chosen and self.asked == 3:  # several processes ask at every second step
            Path(marker).touch()
            if what == "node":
                os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        return False


if __name__ == "__main__":
    torch.set_num_threads(1)
    data, folder, *rest = sys.argv[1:]
    watcher = Killer() if "TINY_RUN_KILLS" in os.environ else Recorder()
    train(tiny_recipe(Path(data), *rest), Path(folder), watcher, resume=True)
