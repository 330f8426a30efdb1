"""The training itself, from top to bottom."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import torch
from filelock import FileLock
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..data.crops import CropDataset, StepSampler
from ..errors import InvDNError, RecipeError
from ..weights import write_parameters
from ..weights.network import parameters_of
from .agreement import check_agreement, shared_state, together
from .batches import prepare_beside
from .budget import StepProgress, TimeProgress
from .callbacks import Callback, Interval, StepStats
from .channels import to_picture
from .checkpoint import BEST, LAST, open_state, save_checkpoint, save_last
from .datasets import RetryingDataset, TrainingData, synthesis_options
from .distillation import Teacher, begin_pruned
from .failures import saved_on_failure, synchronized_start, translate_errors
from .graphed import GraphedGradient
from .hardware import autocast_type, launch, memory_format, open_fabric
from .hooks import Hooks, check_hooks
from .log import RunLog, append_run, describe_run
from .objective import Objective
from .plan import Plan, make_plan
from .recipe import Recipe, format_duration
from .resident import ResidentImages, ResidentSamples, all_sources
from .schedule import apply_linear_scaling
from .state import State, update_ema
from .validation import ValidationSets, denoise, validate

WEIGHTS, BEST_WEIGHTS = "weights-ema.safetensors", "weights-best.safetensors"
_TRIAL = ".trial.part"  # a checkpoint written to measure how long it takes
_LOCK = "run.lock"  # held by the operating system, so a killed run leaves it free
_DIVERGED = 10.0  # times the lowest mean loss: ordinary batches stay within a factor of 3


def train(
    recipe: Recipe,
    folder: Path,
    watcher: Callback,
    *,
    resume: bool = False,
    start: str | Path | None = None,
    started: float | None = None,
    allow_change: bool = False,
    hooks: Hooks | None = None,
) -> Path:
    """Run a recipe to its end, or go on with a run that was broken off.

    With a budget, phases, warm-up and decay go by the share of the time that has passed, and the
    run ends in time for the last save. Resuming then begins a new schedule from the last state.

    Args:
        recipe: what to do; ``hardware.batch_scale`` is applied here.
        folder: of the run: checkpoints, logs, weights.
        watcher: called at every event.
        resume: continue from the folder's last checkpoint, where it has one.
        start: weights to begin with (a shipped model's name or a file), instead of random ones.
        hooks: the caller's own parts; :func:`invdn.training.fit.fit` makes them.
        allow_change: resume although the recipe has changed in what decides the outcome.
        started: ``time.monotonic()`` when the recipe's budget began; None for now.

    Returns:
        The weights file of the running mean.

    Raises:
        RecipeError: recipe, checkpoint or device do not fit; the folder is another run's that is
            still going on; the budget is too short; or the training diverged.
        DataError: the data are missing, damaged or too small.
        OutputError: the disk is full or not writable.
        WeightsError: ``start`` cannot be read.
    """
    started = time.monotonic() if started is None else started
    asked, recipe = recipe, apply_linear_scaling(recipe)
    hooks = hooks or Hooks()
    check_hooks(hooks, recipe)
    fabric = open_fabric(recipe.hardware)
    launch(fabric)
    changes: list[str] = []

    def open_first() -> State:
        return open_state(
            recipe,
            folder,
            fabric.device,
            resume=resume,
            start=start,
            allow_change=allow_change,
            tell=changes.append,
            make_optimiser=hooks.optimiser,
        )

    log, lock = None, FileLock(folder / _LOCK)
    try:
        with translate_errors(folder):
            state = shared_state(fabric, recipe, open_first, hooks.optimiser)
            material = together(fabric, lambda: hooks.open_material(recipe))
            sets = together(fabric, lambda: hooks.open_validation(recipe, material))
            if recipe.distillation and recipe.distillation.prune and not (start or state.step):
                synthesis = synthesis_options(recipe.data)
                begin_pruned(
                    state, recipe.distillation, material.samples[0], synthesis, recipe.seed
                )
            plan = together(fabric, lambda: make_plan(asked, folder, fabric, material, sets))
            check_agreement(fabric, recipe, state, material, sets)
            with synchronized_start(fabric):
                if fabric.is_global_zero:
                    log = _begin(folder, lock, watcher, plan, material, state, start, changes)
            progress = _open_progress(recipe, folder, watcher, fabric, state, sets, started)
            for callback in hooks.callbacks:
                callback.on_train_start(state)
            with saved_on_failure(lambda: _save(folder, state, recipe, improved=False), log):
                _run(recipe, folder, watcher, fabric, state, material, sets, log, progress, hooks)
            for callback in hooks.callbacks:
                callback.on_train_end(state)
    except InvDNError as error:
        if log:
            log.text(f"ended after step {state.step}: {error}")
            for callback in hooks.callbacks:
                callback.on_exception(state, error)
        raise
    finally:
        if log:
            log.close()
        lock.release()
    return folder / WEIGHTS


def _begin(
    folder: Path,
    lock: FileLock,
    watcher: Callback,
    plan: Plan,
    material: TrainingData,
    state: State,
    start: str | Path | None,
    changes: Sequence[str],
) -> RunLog:
    """Do what the first process does first: tell, check, take the folder, note."""
    watcher.planned(plan)
    messages = [*changes, f"going on after step {state.step}"] if state.step else changes
    for text in messages:
        watcher.message(text)
    if not state.step:
        material.verify(watcher.verifying)
    folder.mkdir(parents=True, exist_ok=True)
    lock.acquire(blocking=False)
    for leftover in folder.glob(".*.part*"):  # of a checkpoint that a kill cut short
        leftover.unlink()
    facts = {"device": plan.device, "processes": plan.processes, "from": str(start)}
    append_run(folder, describe_run(plan.recipe, {**facts, "first_step": state.step}))
    log = RunLog(folder, state.step)
    log.text(
        f"begin: {plan.recipe.title}; {plan.parameters:,} parameters, {plan.processes} x "
        f"{plan.device}, weights from {start or 'the seed'}"
    )
    for text in messages:
        log.text(text)
    return log


def _open_progress(
    recipe: Recipe,
    folder: Path,
    watcher: Callback,
    fabric: Fabric,
    state: State,
    sets: ValidationSets,
    started: float,
) -> StepProgress:
    """Count by steps; or, with a budget, by the time, after measuring what the end will take."""
    if recipe.budget is None:
        return StepProgress(recipe, state)
    progress = TimeProgress(recipe, state, fabric, started)
    # last, best and weights; a checkpoint has four copies of the parameters, weights have one
    with progress.timed("save", share=4 / 9):
        if fabric.is_global_zero:
            save_checkpoint(folder / _TRIAL, state, "")
            (folder / _TRIAL).unlink()
        fabric.barrier()
    images = sum(len(pairs) + min(len(pairs), recipe.log.pictures) for pairs in sets.values())
    if images:
        with progress.timed("validation", share=min(1, len(sets) * fabric.world_size / images)):
            validate(state.ema, {name: pairs[:1] for name, pairs in sets.items()}, fabric)
    words = progress.check()
    if words and fabric.is_global_zero:
        watcher.message(words)
    return progress


def _run(
    recipe: Recipe,
    folder: Path,
    watcher: Callback,
    fabric: Fabric,
    state: State,
    material: TrainingData,
    sets: ValidationSets,
    log: RunLog | None,
    progress: StepProgress,
    hooks: Hooks,
) -> None:
    hardware, settings = recipe.hardware, recipe.optimiser
    distillation = recipe.distillation
    objective = Objective(
        state.network,
        recipe.losses,
        autocast_type(hardware),
        recompute=hardware.recompute,
        teacher_share=distillation.share if distillation else 0,
        terms={name: (term.weight, term.function) for name, term in hooks.terms.items()},
    )
    teacher = None
    kept = distillation is not None and distillation.keep
    if distillation and (distillation.share or kept):
        teacher = Teacher(distillation, hardware, fabric.device)
    compiled = torch.compile(objective) if hardware.compile else objective
    model, optimiser = fabric.setup(cast(nn.Module, compiled), state.optimiser)
    synthesis = synthesis_options(recipe.data)
    architecture = state.network.architecture
    interval = Interval(fabric, architecture)

    def gradient(*batch: Tensor | None) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = model(*batch)  # scalars
        fabric.backward(terms["loss"])
        return terms

    compute = GraphedGradient(gradient, model) if hardware.graph else gradient
    images = None
    # the caller's own pairs are tensors already
    datasets = [set_ for set_ in material.samples if isinstance(set_, CropDataset)]
    if hardware.resident and datasets:
        images = ResidentImages(all_sources(datasets), fabric.device)

    while not progress.finished:
        number = progress.phase
        phase = recipe.phases[number]
        sampler = StepSampler(
            state.samples,
            progress.steps_of_phase,
            phase.batch,
            fabric.global_rank,
            fabric.world_size,
        )
        loader: Iterable[Sequence[Tensor]]
        if images is None:
            loader = DataLoader(
                RetryingDataset(material.samples[number]),
                batch_sampler=sampler,
                num_workers=hardware.workers,
                pin_memory=fabric.device.type == "cuda",
                generator=torch.Generator().manual_seed(recipe.seed),  # leaves the global one alone
            )
        else:
            loader = ResidentSamples(datasets[number], images, sampler)
        for batch in prepare_beside(loader, synthesis, recipe.seed, fabric.device, architecture):
            if teacher and kept:
                batch = teacher.keep(batch)
            noisy = batch.noisy.contiguous(memory_format=memory_format(hardware))  # (B, 3, H, W)
            rate = progress.learning_rate
            for group in optimiser.param_groups:
                group["lr"] = rate
            taught = teacher(batch) if teacher and not kept else None  # (B, 3, H, W)
            terms = compute(noisy, batch.clean, batch.target, batch.latent, taught)
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip_norm)
            optimiser.step()
            if not hardware.graph:  # a recorded step writes over its gradients
                optimiser.zero_grad()
            update_ema(state, settings.ema_decay)
            state.step += 1
            state.samples += phase.batch
            interval.add(terms, norm, phase.batch, phase.crop)
            progress.advance()
            for callback in hooks.callbacks:
                callback.on_train_batch_end(state, terms)

            last = progress.finished
            stop = _wants_stop(fabric, watcher, state.step % recipe.log.every == 0)
            if state.step % recipe.log.every == 0 or last or stop:
                measured = interval.close(state.step, progress.expected_steps, rate)
                _check_progress(measured, state, folder, number)
                if log:
                    log.train(state.step, measured.row)
                    watcher.measured(measured)
            due = state.step % recipe.log.checkpoint_every == 0 and progress.has_time_for("save")
            if due or last or stop:
                if recipe.budget and last:  # before a validation that might be cut short
                    _save_timed(folder, state, recipe, fabric, log, progress)
                due = state.step % recipe.validation.every == 0 or last
                improved = False
                if recipe.budget and stop and not last:
                    due = False  # whoever stops a run that is short of time waits for nothing
                if due and progress.has_time_for("validation"):
                    with progress.timed("validation"):
                        improved = _validate(
                            recipe.log.pictures, fabric, state, sets, log, watcher, hooks
                        )
                _save_timed(folder, state, recipe, fabric, log, progress, improved=improved)
                interval.restart()
            if stop and not last:
                if log:
                    words = f"stopped after step {state.step}: go on with --resume"
                    watcher.message(words)
                    log.text(words)
                return
            if last or progress.phase != number:
                break


def _wants_stop(fabric: Fabric, watcher: Callback, together: bool) -> bool:
    """Return whether to save and end; several processes agree on it only every now and then."""
    if fabric.world_size == 1:
        return watcher.wants_stop()
    if not together:
        return False
    votes = fabric.all_reduce(torch.tensor(float(watcher.wants_stop())), reduce_op="sum")
    return bool(votes)


def _check_progress(measured: StepStats, state: State, folder: Path, phase: int) -> None:
    """Stop before a checkpoint could be written over a good one.

    Raises:
        RecipeError: a loss is not finite, or far above the lowest one so far.
    """
    loss = measured.losses["loss"]
    numbers = torch.tensor([*measured.losses.values(), measured.gradient_norm])
    finite = bool(torch.isfinite(numbers).all())
    if not finite or loss > _DIVERGED * state.lowest:
        what = "is not finite" if not finite else f"rose to {loss:.4g} from {state.lowest:.4g}"
        change = f"--set phases.{phase}.learning_rate=..."
        remedy = (
            f"The last good state is kept in {folder / LAST}: resume with a lower learning rate "
            f"(--resume {change})"
            if (folder / LAST).exists()
            else f"No state was saved before: begin anew with a lower learning rate ({change}), or "
            "a longer warm_up"
        )
        raise RecipeError(f"the training diverged: its loss {what} by step {state.step}. {remedy}")
    state.lowest = min(state.lowest, loss)


def _validate(
    pictures: int,
    fabric: Fabric,
    state: State,
    sets: ValidationSets,
    log: RunLog | None,
    watcher: Callback,
    hooks: Hooks,
) -> bool:
    """Measure the running mean; True where its mean PSNR over the sets is the best so far."""
    if not sets:
        return False
    scores = validate(state.ema, sets, fabric)
    mean = sum(score.psnr for score in scores.values()) / len(scores)
    improved = mean > state.best
    state.best = max(mean, state.best)
    if log:
        log.validation(state.step, scores)
        for name, pairs in sets.items():
            for index, pair in enumerate(pairs[:pictures]):
                image = denoise(state.ema, pair.noisy, index, fabric.device)
                sides = [to_picture(side) for side in (pair.noisy, image, pair.clean)]
                log.picture(state.step, f"{name}_{index}", sides)
        watcher.validated(state.step, scores)
        for callback in hooks.callbacks:
            callback.on_validation_end(state, scores)
    return improved


def _save_timed(
    folder: Path,
    state: State,
    recipe: Recipe,
    fabric: Fabric,
    log: RunLog | None,
    progress: StepProgress,
    *,
    improved: bool = False,
) -> None:
    """Save on the first process, and wait for it in all."""
    with progress.timed("save"):
        if log:
            _save(folder, state, recipe, improved)
            log.flush()
        fabric.barrier()


def _save(folder: Path, state: State, recipe: Recipe, improved: bool) -> None:
    """Write the files of a checkpoint; the last state comes last, so a kill loses none of them."""
    text = recipe.model_dump_json()
    done = (
        f"{state.step} of {recipe.steps} steps"
        if recipe.budget is None
        else f"{state.step} steps, the last ones in a budget of {format_duration(recipe.budget)}"
    )
    provenance = f"{recipe.title}; {done}; running mean of the weights"
    public = recipe.model_dump_json(exclude={"data": {"root"}})  # no path of this machine
    parameters = parameters_of(state.ema, {"provenance": provenance, "recipe": public})
    if improved:
        save_checkpoint(folder / BEST, state, text)
        write_parameters(parameters, folder / BEST_WEIGHTS, overwrite=True)
    write_parameters(parameters, folder / WEIGHTS, overwrite=True)
    save_last(folder, state, text)
