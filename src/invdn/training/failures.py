"""Translate memory, disk and worker errors that end a training to one line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import Timeout
from lightning_fabric import Fabric

from ..errors import DataError, ImageError, InvDNError, OutputError, RecipeError


@contextmanager
def translate_errors(folder: Path) -> Iterator[None]:
    """Turn what the system raises while the block runs into errors that say what to do.

    Args:
        folder: of the run.

    Raises:
        RecipeError: a GPU or the machine has too little memory, another run holds the folder, or
            another process of this one ended.
        OutputError: the folder cannot be written.
        InvDNError: what a worker raised, without its traceback.
    """
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise RecipeError(
            "the GPU has too little memory for this step: use hardware.precision=mixed or, with "
            "fp32, hardware.recompute=true, a smaller phases.0.crop or a hardware.batch_scale "
            "below 1, then --resume"
        ) from error
    except Timeout as error:
        raise RecipeError(
            f"another training is writing into {folder}: wait for its end, or choose another folder"
        ) from error
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror or error}; checkpoints written before "
            "are whole: go on with --resume"
        ) from error
    except InvDNError as error:
        if not str(error).startswith("Caught "):
            raise
        raise _of_worker(error) from error
    except RuntimeError as error:  # torch has no types for these
        reason = _reason(error)
        if reason is None:
            raise
        raise RecipeError(reason) from error


_OTHERS = ("gloo/transport", "NCCL", "Connection closed by peer")


@contextmanager
def saved_on_failure(save: Callable[[], None], leads: object) -> Iterator[None]:
    """Save the steps done since the last checkpoint where data or another process fail.

    Both are found between two steps, so the state is whole.

    Args:
        save: writes the state.
        leads: false in processes that write nothing.
    """
    try:
        yield
    except (DataError, ImageError, RuntimeError) as error:
        between = not isinstance(error, RuntimeError) or any(
            mark in str(error) for mark in (*_OTHERS, "DataLoader worker")
        )
        if leads and between:
            with suppress(OutputError):  # the first error is the one to report
                save()
        raise


@contextmanager
def synchronized_start(fabric: Fabric) -> Iterator[None]:
    """Run a block that only the first process fills; where it fails, all processes end.

    Raises:
        RecipeError: in the other processes, that the first one could not begin.
    """
    failed = True
    try:
        yield
        failed = False
    finally:
        failed = fabric.broadcast(failed)
    if failed:
        raise RecipeError("the first process could not begin, and says why")


def _of_worker(error: InvDNError) -> InvDNError:
    """Return the error as a reading process raised it, without torch's story around it.

    Example:
        >>> _of_worker(RecipeError("Caught RecipeError in DataLoader worker.\\nOriginal Traceback:\
\\ninvdn.errors.RecipeError: a: no such file\\n"))
        RecipeError('a: no such file')
    """
    return type(error)(str(error).rstrip().splitlines()[-1].partition(": ")[2])


def _reason(error: RuntimeError) -> str | None:
    """Return what to say of an error of torch, None where it is none of the known ones."""
    text = str(error)
    if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
        return (
            f"hardware.compile does not work on this machine ({text.strip().splitlines()[0]}): "
            "leave it out"
        )
    if "DataLoader worker" in text:
        return (
            "the system ended a process that reads data, perhaps for lack of memory: use fewer "
            "hardware.workers, then --resume"
        )
    if "DefaultCPUAllocator" in text:
        return (
            "the machine has too little memory for this step: use hardware.precision=mixed or, "
            "with fp32, hardware.recompute=true, a smaller crop or a hardware.batch_scale below 1, "
            "then --resume"
        )
    if any(mark in text for mark in _OTHERS):
        return "another process of this training ended: see what it says, then --resume"
    return None
