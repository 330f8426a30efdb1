"""Time and peak memory of one training step, and the share of the device's matrix rate it reaches.

python benchmarks/training_step.py --precision bf16 --steps 3
python benchmarks/training_step.py --set hardware.channels_last=true --set hardware.compile=true
"""

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor

from invdn.training.hardware import autocast_type, memory_format, open_fabric
from invdn.training.memory import step_bytes
from invdn.training.objective import Objective
from invdn.training.recipe_files import load_recipe
from invdn.training.state import follow, initial_state

MACS_PER_PIXEL = 3 * 2 * 363e3  # both passes; backwards costs twice as much as forwards


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="paper")
    parser.add_argument("--precision", default="fp32", choices=("fp32", "tf32", "bf16"))
    parser.add_argument("--steps", type=int, default=3, help="timed, after two to warm up")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()

    recipe = load_recipe(options.recipe, [f"hardware.precision={options.precision}", *options.set])
    fabric = open_fabric(recipe.hardware)
    state = initial_state(recipe, None, fabric.device)
    objective = Objective(state.network, recipe.losses, autocast_type(recipe.hardware))
    compiled = torch.compile(objective) if recipe.hardware.compile else objective
    crop, batch = recipe.phases[0].crop, recipe.phases[0].batch
    shapes = ((3, crop), (3, crop), (3, crop // 4), (45, crop // 4))
    inputs = [torch.rand(batch, c, s, s, device=fabric.device) for c, s in shapes]
    inputs[0] = inputs[0].contiguous(memory_format=memory_format(recipe.hardware))
    before = peak_memory(fabric.device)

    seconds = []
    for _ in range(options.steps + 2):
        synchronise(fabric.device)
        start = time.perf_counter()
        compiled(*inputs)["loss"].backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.optimiser.clip_norm)
        state.optimiser.step()
        state.optimiser.zero_grad()
        follow(state, recipe.optimiser.ema_decay)
        synchronise(fabric.device)
        seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds[2:])
    rate = MACS_PER_PIXEL * batch * crop**2 / median
    matrix = matrix_rate(fabric.device, autocast_type(recipe.hardware) or torch.float32)
    result = {
        "device": str(fabric.device),
        "threads": torch.get_num_threads(),
        "precision": options.precision,
        "crop": crop,
        "batch": batch,
        "seconds_per_step": median,
        "images_per_second": batch / median,
        "peak_bytes_above_start": peak_memory(fabric.device) - before,
        "estimated_bytes": step_bytes(recipe, autocast_type(recipe.hardware), 1),
        "gmac_per_second": rate / 1e9,
        "share_of_matrix_rate": rate / matrix,
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2))


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int = 2048) -> float:
    """Multiply-accumulates per second of a large matrix product."""
    a: Tensor = torch.rand(size, size, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        synchronise(device)
        start = time.perf_counter()
        a @ a
        synchronise(device)
        best = min(best, time.perf_counter() - start)
    return size**3 / best


def peak_memory(device: torch.device) -> int:
    """The largest memory so far, in bytes: of the GPU's allocator, or of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
