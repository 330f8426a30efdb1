"""Devices, processes and number formats: where the recipe meets the machine."""

import os
import threading
from typing import Any, Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.strategies.parallel import ParallelStrategy

from ..errors import RecipeError
from .recipe import HardwareSettings


def open_fabric(settings: HardwareSettings) -> Fabric:
    """Return the processes and devices asked for; under ``torchrun`` the processes it started.

    Raises:
        RecipeError: the device is not there or cannot do what is asked of it, or the other nodes
            are not known.
    """
    device = _pick_device(settings.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    devices, nodes = _count_devices(settings)
    if settings.graph and (device != "cuda" or devices * nodes > 1):
        where = f"{devices * nodes} processes" if devices * nodes > 1 else f"the device {device!r}"
        raise RecipeError(
            f"hardware.graph records the step of one NVIDIA GPU, and this run has {where}: leave "
            "it out (--set hardware.graph=false)"
        )
    if device == "cuda" and devices > torch.cuda.device_count():
        raise RecipeError(
            f"hardware.devices is {devices}, but this machine has {torch.cuda.device_count()} GPUs"
        )
    # "highest": float32 throughout; "high": TensorFloat-32 where the device has it
    exact = settings.precision == "fp32"
    torch.set_float32_matmul_precision("highest" if exact else "high")
    torch.backends.cudnn.allow_tf32 = not exact
    torch.backends.cudnn.benchmark = True  # crops keep their size, so the search pays
    # Autocast stands inside the objective: Fabric's own would also round the targets to bf16.
    fabric = Fabric(
        accelerator=device,
        devices=devices,
        num_nodes=nodes,
        strategy="ddp" if devices * nodes > 1 else "auto",
        precision="32-true",
    )
    if nodes > 1 and "MASTER_ADDR" not in os.environ and _launches_itself(fabric):
        raise RecipeError(
            f"hardware.nodes is {nodes}, but nothing says where the others are: start every node "
            "by torchrun, or set MASTER_ADDR, MASTER_PORT and NODE_RANK on each"
        )
    return fabric


def launch(fabric: Fabric) -> None:
    """Start the processes of a run.

    Lightning kills all of them within five seconds of the end of the first that fails. On CPUs
    that is taken back: gloo ends what waits for a process that is gone, and so the first process
    can save the last state and say why it ends, however long that takes.
    """
    fabric.launch()
    if fabric.device.type == "cpu":
        for thread in threading.enumerate():
            if thread.name == "child-process-observer":
                observer: Any = thread
                observer._child_processes = []


def _launches_itself(fabric: Fabric) -> bool:
    """Return whether no launcher or job scheduler has introduced the processes to each other."""
    strategy = fabric.strategy
    return isinstance(strategy, ParallelStrategy) and isinstance(
        strategy.cluster_environment, LightningEnvironment
    )


def count_processes(settings: HardwareSettings) -> int:
    """Return how many processes share a batch."""
    devices, nodes = _count_devices(settings)
    return devices * nodes


def autocast_type(settings: HardwareSettings) -> torch.dtype | None:
    """Return the type of autocast; None for float32, TF32 and mixed, which need none."""
    return torch.bfloat16 if settings.precision == "bf16" else None


def memory_format(settings: HardwareSettings) -> torch.memory_format:
    """Return the order of the axes in memory."""
    return torch.channels_last if settings.channels_last else torch.contiguous_format


def _count_devices(settings: HardwareSettings) -> tuple[int, int]:
    """Give devices of each node, and nodes; ``torchrun`` decides where it started this process."""
    if "TORCHELASTIC_RUN_ID" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
        return devices, int(os.environ["WORLD_SIZE"]) // devices
    return settings.devices, settings.nodes


def _pick_device(wanted: Literal["auto", "cpu", "cuda", "mps"]) -> str:
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        return next(name for name, there in present.items() if there)
    if not present[wanted]:
        raise RecipeError(
            f"hardware.device is {wanted!r}, which torch does not see here: use 'auto' or 'cpu'"
        )
    return wanted
