"""`invdn train`: from a recipe to weights."""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..atomic import url_in
from ..batch import StopEvent
from ..errors import MissingDependencyError
from ..stores import written_to
from ..training.process_age import process_started
from .options import Command, json_option
from .terminal import report, stopping

if TYPE_CHECKING:
    from ..training.callbacks import StepStats
    from ..training.plan import Plan
    from ..training.validation import Score


_NEEDED = ("torch", "pydantic", "filelock", "lightning_fabric")  # modules


@click.command(
    cls=Command,
    groups={
        "Run": "output resume allow_change budget only_plan",
        "Recipe": "data start overrides",
    },
)
@click.argument("recipe")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the run, or URL: checkpoints, logs, weights. Default: runs/RECIPE.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in the folder, if there is one.")
@click.option(
    "--allow-change",
    is_flag=True,
    help="With --resume: go on although the recipe has changed in what decides the outcome.",
)
@click.option("--from", "start", help="Begin with these weights (a shipped model or a file).")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder or URL of the data; same as --set data.root=...",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change the recipe, such as phases.0.steps=5000; may be repeated.",
)
@click.option(
    "--budget",
    metavar="TIME",
    help="Train for this long (90s, 9m, 1h30m), whatever the machine's speed: warm-up, phases and "
    "decay go by the share of the time, and all is saved before the limit.",
)
@click.option(
    "--dry-run", "only_plan", is_flag=True, help="Only say what the run would do and need."
)
@json_option
def command(
    recipe: str,
    output: Path | None,
    resume: bool,
    allow_change: bool,
    start: str | None,
    data: Path | None,
    overrides: tuple[str, ...],
    budget: str | None,
    only_plan: bool,
    as_json: bool,
) -> None:
    """Train by RECIPE: paper, official, paddle, paddle-4, default, fast, smoke, or a file.

    Everything random follows from the recipe's seed, so a run that was broken off and resumed ends
    with the same weights as an unbroken one. Several GPUs: --set hardware.devices=4, or torchrun.
    """
    started = process_started()
    # Threads that wait by spinning make a step ten times slower where other programs want the
    # processors too; read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    missing = [name for name in _NEEDED if not find_spec(name)]
    if missing:
        raise MissingDependencyError(
            f"training needs {', '.join(missing)}, not installed here: pip install 'invdn[train]'"
        )
    from ..training.loop import train
    from ..training.plan import dry_run
    from ..training.recipe_files import load_recipe

    # as JSON, which is TOML too: any path survives
    root = [f"data.root={json.dumps(str(data), ensure_ascii=False)}"] if data else []
    limit = [f"budget={json.dumps(budget)}"] if budget else []
    settings = load_recipe(recipe, [*root, *limit, *overrides])
    folder = output or Path("runs") / Path(recipe).stem
    screen = _Screen()
    if only_plan:
        plan = dry_run(settings, folder, resume=resume, start=start, allow_change=allow_change)
        if as_json:
            click.echo(json.dumps({**vars(plan), "recipe": plan.recipe.model_dump(mode="json")}))
        else:
            screen.planned(plan)
        return
    with ExitStack() as stack:
        if url := url_in(folder):
            folder = stack.enter_context(written_to(url, resume=resume))
        stack.enter_context(screen)
        interrupts = stack.enter_context(stopping(screen.stop, screen.message))
        weights = train(
            settings,
            folder,
            screen,
            resume=resume,
            start=start,
            started=started,
            allow_change=allow_change,
        )
    if screen.leads:
        made = f"{url}/{weights.name}" if url else str(weights)
        facts = {"weights": made, "steps": screen.step, "finished": screen.finished}
        report(as_json, facts, made)
        if interrupts.exit_code and not screen.finished:
            raise SystemExit(interrupts.exit_code)


def _describe(plan: Plan) -> list[str]:
    from ..training.recipe import format_duration

    recipe = plan.recipe
    lines = [
        f"{recipe.title}: {plan.parameters:,} parameters, {recipe.hardware.precision} on "
        f"{plan.processes} x {plan.device}",
        f"data: {plan.pairs} pairs, {plan.photographs} clean photographs, "
        f"{plan.megapixels:.0f} megapixels; validation: "
        + (", ".join(f"{n} {name}" for name, n in plan.validation.items()) or "none"),
    ]
    if plan.batch_scale != 1:
        scale = f"{plan.batch_scale:g}"
        lines.append(f"linear rule: batch and learning rate x {scale}, steps / {scale}")
    if recipe.budget is not None:
        lines.append(
            f"budget: {format_duration(recipe.budget)}; steps below are shares of that time"
        )
    for number, phase in enumerate(recipe.phases):
        lines.append(
            f"phase {number}: {phase.steps:,} steps of {phase.batch} crops of {phase.crop}x"
            f"{phase.crop}, learning rate {phase.learning_rate:g}"
        )
    memory = f" of {plan.free_memory / 2**30:.1f} free" if plan.free_memory else ""
    lines.append(
        f"needs: about {plan.step_bytes / 2**30:.2f} GiB of memory{memory} in each process, "
        f"{plan.disk_bytes / 2**20:.0f} of {plan.free_disk / 2**20:,.0f} MiB of disk"
    )
    return lines


class _Screen:
    """Shows a training on standard error: a live line on a terminal, plain lines elsewhere."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        self._console = Console(stderr=True, highlight=False)
        self._bars = Progress(
            BarColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._bar = self._bars.add_task("starting", total=None)
        self._quality = ""
        self.stop = StopEvent()
        self.step = 0
        self.finished = False
        self.leads = False  # only the first of several processes reports anything

    def __enter__(self) -> None:
        self._bars.start()

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def planned(self, plan: Plan) -> None:
        self.leads = True
        for line in _describe(plan):
            self.message(line)

    def message(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def verifying(self, done: int, total: int) -> None:
        text = f"reading every image once: {done}/{total}"
        self._bars.update(self._bar, completed=done, total=total, description=text)

    def measured(self, measured: StepStats) -> None:
        self.step = measured.step
        self.finished = measured.step == measured.steps
        losses = "  ".join(f"{name} {value:.4f}" for name, value in measured.losses.items())
        left = time.strftime("%H:%M:%S", time.gmtime(measured.seconds_left % 86400))
        days = f"{int(measured.seconds_left // 86400)}d " if measured.seconds_left >= 86400 else ""
        text = (
            f"{measured.step}/{measured.steps}  {losses}{self._quality}  "
            f"lr {measured.learning_rate:.2e}  {measured.images_per_second:.1f} images/s  "
            f"{days}{left} left"
        )
        self._bars.update(
            self._bar, description=text, completed=measured.step, total=measured.steps
        )
        if not self._console.is_terminal:
            self.message(text)

    def validated(self, step: int, scores: dict[str, Score]) -> None:
        texts = [f"{name} {score.psnr:.2f} dB / {score.ssim:.4f}" for name, score in scores.items()]
        self.message(f"step {step}: " + "  ".join(texts))
        mean = sum(score.psnr for score in scores.values()) / len(scores)
        self._quality = f"  PSNR {mean:.2f}"

    def wants_stop(self) -> bool:
        return self.stop.requested
