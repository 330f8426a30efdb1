"""The record of a run: two CSV files, a text, TensorBoard events, and what it was made with."""

import csv
import io
import json
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import torch
from torch import Tensor

from ..atomic import atomic_output
from .recipe import Recipe
from .validation import Score

RUN, TRAIN, VALIDATION, TEXT = "run.json", "train.csv", "validation.csv", "train.log"
_PACKAGES = ("invdn", "torch", "lightning-fabric", "numpy", "pyvips", "pydantic")


class RunLog:
    """Writes what a run measures; a resumed run continues the files of the one before.

    Rows of steps that the checkpoint does not know are dropped when resuming, since those steps
    will run again.

    Args:
        folder: of the run.
        step: steps done already.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        for name in (TRAIN, VALIDATION):
            _forget_after(folder / name, step)
        self._events = _open_events(folder / "tensorboard", step)

    def train(self, step: int, row: Mapping[str, float]) -> None:
        """Log one interval."""
        _append(self.folder / TRAIN, {"step": step, **row})
        self.text(f"step {step}: " + "  ".join(f"{name} {row[name]:.4g}" for name in row))
        for name, value in row.items():
            self._events.add_scalar(f"train/{name}", value, step)

    def validation(self, step: int, scores: Mapping[str, Score]) -> None:
        """Log one validation."""
        row: dict[str, float] = {"step": step}
        for name, score in scores.items():
            row |= {f"{name}_psnr": score.psnr, f"{name}_ssim": score.ssim}
            self._events.add_scalar(f"psnr/{name}", score.psnr, step)
            self._events.add_scalar(f"ssim/{name}", score.ssim, step)
        _append(self.folder / VALIDATION, row)
        texts = [f"{name} {score.psnr:.2f} dB / {score.ssim:.4f}" for name, score in scores.items()]
        self.text(f"validation after step {step}: " + "  ".join(texts))

    def text(self, line: str) -> None:
        """Append a line with the time (UTC) to ``train.log``, which nothing is ever taken from."""
        now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        with (self.folder / TEXT).open("a", encoding="utf-8") as file:
            file.write(f"{now}  {line}\n")

    def picture(self, step: int, name: str, sides: Sequence[Tensor]) -> None:
        """Log images ``(3, H, W)`` in [0, 1] side by side: noisy, denoised, clean."""
        self._events.add_image(f"samples/{name}", torch.cat(list(sides), dim=2), step)

    def flush(self) -> None:
        """Make TensorBoard's events visible."""
        self._events.flush()

    def close(self) -> None:
        """Finish the files."""
        self._events.close()


class _NoEvents:
    """TensorBoard's writer where it is not installed: the CSV files hold the numbers anyway."""

    def add_scalar(self, *_: object) -> None: ...

    def add_image(self, *_: object) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None: ...


def _open_events(folder: Path, step: int) -> Any:
    """Give TensorBoard's writer, or one that writes nothing where TensorBoard is not installed."""
    if not find_spec("tensorboard"):
        return _NoEvents()
    from torch.utils.tensorboard.writer import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)


def describe_run(recipe: Recipe, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run was made with: recipe, seed, versions, git state, machine."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "seed": recipe.seed,
        "versions": package_versions(),
        "git": git_state(Path(__file__).parent),
        "machine": platform.platform(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **facts,
    }


def append_run(folder: Path, description: Mapping[str, Any]) -> None:
    """Add a start of the run to ``run.json``, a list with one entry for every start."""
    file = folder / RUN
    starts = json.loads(file.read_text(encoding="utf-8")) if file.exists() else []
    with atomic_output(file, overwrite=True) as partial:
        partial.write_text(json.dumps([*starts, description], indent=2), encoding="utf-8")


def git_state(folder: Path) -> dict[str, Any]:
    """Commit and whether the tree is changed; empty outside a repository or without git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "changed": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return {}


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout.strip()


def package_versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that decide what a training makes."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _append(file: Path, row: Mapping[str, float]) -> None:
    """Add a row; where it brings new columns, the file is written anew with them, whole or not."""
    columns: list[str] = []
    rows: list[Mapping[str, Any]] = []
    if file.exists():
        with file.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            columns = list(reader.fieldnames or ())
            if not row.keys() <= set(columns):
                rows = list(reader)
    added = [name for name in row if name not in columns]
    if not added:
        with file.open("a", newline="", encoding="utf-8") as stream:
            _writer(stream, columns).writerow(row)
        return
    with (
        atomic_output(file, overwrite=True) as partial,
        partial.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = _writer(stream, [*columns, *added])
        writer.writeheader()
        writer.writerows([*rows, row])


def _writer(stream: TextIO, columns: Sequence[str]) -> "csv.DictWriter[str]":
    return csv.DictWriter(stream, fieldnames=columns, lineterminator="\n")


def _forget_after(file: Path, step: int) -> None:
    """Drop rows of steps beyond ``step``, and a last row that a kill cut short."""
    if not file.exists():
        return
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = io.StringIO()
    for line in lines:
        first = line.partition(",")[0]
        if line.endswith("\n") and (not first.isdigit() or int(first) <= step):
            kept.write(line)
    with atomic_output(file, overwrite=True) as partial:
        partial.write_text(kept.getvalue(), encoding="utf-8", newline="")
