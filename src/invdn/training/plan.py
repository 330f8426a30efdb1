"""What a run would do and need, worked out without doing it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric

from ..errors import OutputError, RecipeError
from .checkpoint import open_state
from .datasets import TrainingData, check_processes, open_datasets
from .hardware import autocast_type, count_processes, open_fabric
from .memory import parameter_count, step_bytes
from .recipe import Recipe
from .schedule import apply_linear_scaling
from .validation import ValidationSets, open_validation


@dataclass(frozen=True)
class Plan:
    """A run in numbers.

    Attributes:
        recipe: after the linear rule.
        batch_scale: the factor of that rule.
        device: where it would run.
        processes: how many would share a batch.
        pairs: real pairs to train on.
        photographs: clean photographs to train on, those held out not counted.
        megapixels: of both together.
        validation: images by set.
        parameters: learned numbers of the network.
        step_bytes: estimated peak memory of a step in one process.
        free_memory: bytes free on a GPU; None on other devices.
        disk_bytes: what checkpoints and logs take.
        free_disk: bytes free where the run would be kept.
    """

    recipe: Recipe
    batch_scale: float
    device: str
    processes: int
    pairs: int
    photographs: int
    megapixels: float
    validation: dict[str, int]
    parameters: int
    step_bytes: int
    free_memory: int | None
    disk_bytes: int
    free_disk: int


def dry_run(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    start: str | Path | None = None,
    allow_change: bool = False,
) -> Plan:
    """Open everything that a run would open, and stop there; the arguments are those of ``train``.

    Raises:
        RecipeError: the recipe does not fit the device or its memory, the folder's checkpoint or
            ``start``; or the folder holds another run.
        DataError: data are missing, of the wrong kind, or smaller than a crop.
        OutputError: the disk cannot hold the run.
        WeightsError: ``start`` cannot be read.
    """
    scaled = apply_linear_scaling(recipe)
    fabric = open_fabric(scaled.hardware)
    cpu = torch.device("cpu")
    open_state(scaled, folder, cpu, resume=resume, start=start, allow_change=allow_change)
    material = open_datasets(scaled)
    sets = open_validation(scaled, material.photographs)
    return make_plan(recipe, folder, fabric, material, sets)


def make_plan(
    recipe: Recipe, folder: Path, fabric: Fabric, material: TrainingData, sets: ValidationSets
) -> Plan:
    """Work out what a run takes, and refuse what cannot work.

    Args:
        recipe: as the user wrote it, before the linear rule.
        folder: of the run.
        fabric: the device and processes.
        material: training data.
        sets: validation data.

    Raises:
        RecipeError: a batch cannot be shared, or the GPU is too small.
        OutputError: the disk cannot hold the run.
    """
    scaled = apply_linear_scaling(recipe)
    processes = count_processes(recipe.hardware)
    check_processes(scaled.phases, processes)
    images = [*(pair.clean for pair in material.pairs), *material.photographs]
    photographs = sum(len(source.names) for source in material.photographs)
    parameters = parameter_count(recipe.network.architecture)
    free_memory = None
    if fabric.device.type == "cuda":
        free_memory = torch.cuda.mem_get_info(fabric.device)[0]
    plan = Plan(
        recipe=scaled,
        batch_scale=recipe.hardware.batch_scale,
        device=str(fabric.device),
        processes=processes,
        pairs=sum(len(pair.clean.names) for pair in material.pairs),
        photographs=photographs - len(recipe.validation.photographs),
        megapixels=sum(float(source.sizes.prod(axis=1).sum()) for source in images) / 1e6,
        validation={name: len(pairs) for name, pairs in sets.items()},
        parameters=parameters,
        step_bytes=step_bytes(scaled, autocast_type(scaled.hardware), processes),
        free_memory=free_memory,
        # network, running mean and two moments; last, the one before, best and one being written;
        # weights of the mean, of the best and one being written; logs
        disk_bytes=4 * 4 * 4 * parameters + 3 * 4 * parameters + 200_000_000,
        free_disk=shutil.disk_usage(_nearest(folder)).free,
    )
    _check(plan)
    return plan


def _nearest(folder: Path) -> Path:
    """Return the folder itself, or the first parent that exists."""
    folder = folder.resolve()
    return next(place for place in (folder, *folder.parents) if place.exists())


def _check(plan: Plan) -> None:
    if plan.free_memory is not None and plan.step_bytes > plan.free_memory:
        raise RecipeError(
            f"a step takes about {plan.step_bytes / 2**30:.1f} GiB, the GPU has "
            f"{plan.free_memory / 2**30:.1f} free: use hardware.precision=mixed or, with "
            "fp32, hardware.recompute=true, a smaller crop or hardware.batch_scale below 1"
        )
    if plan.disk_bytes > plan.free_disk:
        raise OutputError(
            f"the run takes about {plan.disk_bytes / 2**20:.0f} MiB of disk, "
            f"{plan.free_disk / 2**20:.0f} are free: choose another --output"
        )
