"""Time and memory of a training step: by how it is computed, and by the depth of the network.

    python benchmarks/training_step.py > benchmarks/results/training-step.json
    python benchmarks/training_step.py --compile --crop 144 --batch 2 --steps 9
    python benchmarks/training_step.py --one --crop 144 --batch 14 --set hardware.precision=bf16 \\
        --set hardware.channels_last=true > benchmarks/results/training-step-144-bf16.json
    python benchmarks/training_step.py --one --set hardware.device=cuda

Without ``--one`` two tables. The first compares ways to compute the step of the published network
with the plain one, as the originals write it (Haar as a convolution, concatenations made, float32,
eager), all in one process and turn about. The second gives time and peak memory for 4, 8, 16 and
32 blocks a level, with activations kept and rebuilt, each in a new process. ``--one`` measures the
step of a recipe, and the share of the device's matrix rate that it reaches.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, leaky_relu

from invdn.evaluation import profiling
from invdn.evaluation.machine import describe_machine
from invdn.network import HaarDownsampling, InvDN, ResidualSubnet
from invdn.training.graphed import GraphedGradient
from invdn.training.hardware import autocast_type, memory_format, open_fabric
from invdn.training.memory import activation_bytes, step_bytes
from invdn.training.objective import Objective
from invdn.training.recipe import Recipe
from invdn.training.recipe_files import load_recipe
from invdn.training.state import initial_state, update_ema

MACS_PER_PIXEL = 3 * 2 * 363e3  # both passes; backwards costs twice as much as forwards
DEPTHS = (4, 8, 16, 32)
WAYS = {
    "as written here": (),
    "channels last": ("hardware.channels_last=true",),
    "recompute": ("hardware.recompute=true",),
    "bf16": ("hardware.precision=bf16",),
    "bf16, channels last": ("hardware.precision=bf16", "hardware.channels_last=true"),
    "mixed, channels last": ("hardware.precision=mixed", "hardware.channels_last=true"),
}  # fmt: skip
COMPILED = {
    "compiled": ("hardware.compile=true",),
    "compiled, bf16, channels last": (
        "hardware.precision=bf16", "hardware.channels_last=true", "hardware.compile=true",
    ),
}  # fmt: skip


class PlainSubnet(nn.Module):
    """The residual subnet with its concatenation made, on the parameters of another."""

    def __init__(self, subnet: ResidualSubnet) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = subnet.conv1, subnet.conv2, subnet.conv3

    def forward(self, x: Tensor) -> Tensor:
        features = leaky_relu(self.conv2(leaky_relu(self.conv1(x), 0.2)), 0.2)
        return self.conv3(torch.cat((x, features), dim=1))


class PlainHaar(HaarDownsampling):
    """The same transform as a strided convolution of every channel by itself."""

    _KERNELS = (((1, 1), (1, 1)), ((1, -1), (1, -1)), ((1, 1), (-1, -1)), ((1, -1), (-1, 1)))

    def forward(self, x: Tensor) -> Tensor:
        channels = x.shape[1]
        bands = conv2d(x, self._kernels(x, channels), stride=2, groups=channels) / 4
        batch, _, height, width = bands.shape
        bands = bands.view(batch, channels, 4, height, width).transpose(1, 2)
        return bands.reshape(batch, 4 * channels, height, width)

    def inverse(self, y: Tensor) -> Tensor:
        batch, channels, height, width = y.shape[0], y.shape[1] // 4, *y.shape[2:]
        bands = y.reshape(batch, 4, channels, height, width).transpose(1, 2)
        bands = bands.reshape(batch, 4 * channels, height, width)
        return conv_transpose2d(bands, self._kernels(y, channels), stride=2, groups=channels)

    def _kernels(self, x: Tensor, channels: int) -> Tensor:
        kernels = torch.tensor(self._KERNELS, dtype=x.dtype, device=x.device)
        return kernels[:, None].repeat(channels, 1, 1, 1)


def make_plain(network: InvDN) -> None:
    """Compute as the originals write it; the parameters stay."""
    for index, operation in enumerate(network.operations):
        if isinstance(operation, HaarDownsampling):
            network.operations[index] = PlainHaar()
        else:
            for name in ("F", "G", "H"):
                setattr(operation, name, PlainSubnet(getattr(operation, name)))


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="paper")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5, help="timed, after one to warm up")
    parser.add_argument("--compile", action="store_true", help="also what takes minutes to compile")
    parser.add_argument("--cpu-time", action="store_true", help="for machines that are not quiet")
    parser.add_argument("--one", action="store_true", help="only the recipe as it is set")
    options = parser.parse_args()
    clock = time.process_time if options.cpu_time else time.perf_counter
    size = [f"phases.0.crop={options.crop}", f"phases.0.batch={options.batch}"]

    def recipe(*overrides: str) -> Recipe:
        base = load_recipe(options.recipe, [*size, *options.set, *overrides])
        return base.model_copy(update={"phases": base.phases[:1]})

    if options.one:
        print(json.dumps(measure_one(recipe(), options.steps, clock), indent=1))
        return
    ways = {**WAYS, **(COMPILED if options.compile else {})}
    steps = {"plain": open_step(recipe(), plain=True)}
    steps |= {name: open_step(recipe(*overrides)) for name, overrides in ways.items()}
    seconds = interleave(steps, options.steps, clock)
    del steps
    plain = statistics.median(seconds["plain"])
    device = open_fabric(recipe().hardware).device
    work = MACS_PER_PIXEL * options.batch * options.crop**2
    rates = {
        half: matrix_rate(device, torch.bfloat16 if half else torch.float32)
        for half in (False, True)
    }
    result = {
        "machine": machine(clock),
        "crop": options.crop,
        "batch": options.batch,
        "matrix_gmac_per_second": {
            name: round(rates[half] / 1e9, 1) for name, half in (("float32", False), ("bf16", True))
        },
        "ways": [
            {
                "way": name,
                "seconds": round(statistics.median(values), 4),
                "spread": [round(min(values), 4), round(max(values), 4)],
                "speed": round(plain / statistics.median(values), 3),
                "share_of_matrix_rate": round(
                    work / statistics.median(values) / rates["bf16" in name or "mixed" in name], 3
                ),
            }
            for name, values in seconds.items()
        ],
        "depths": [
            {"blocks": depth, "recompute": recompute, **measure_depth(depth, recompute, options)}
            for depth in DEPTHS
            for recompute in (False, True)
        ],
    }
    print(json.dumps(result, indent=1))


def open_step(recipe: Recipe, *, plain: bool = False) -> Callable[[], None]:
    """A whole step of a recipe on random images: both passes, gradients, Adam, running mean."""
    hardware = recipe.hardware
    device = open_fabric(hardware).device
    state = initial_state(recipe, None, device)
    if plain:
        make_plain(state.network)
    objective = Objective(
        state.network, recipe.losses, autocast_type(hardware), recompute=hardware.recompute
    )
    compiled = torch.compile(objective) if hardware.compile else objective

    def gradient(*batch: Tensor | None) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = compiled(*batch)
        terms["loss"].backward()
        return terms

    compute = GraphedGradient(gradient, objective) if hardware.graph else gradient
    crop, batch = recipe.phases[0].crop, recipe.phases[0].batch
    shapes = ((3, crop), (3, crop), (3, crop // 4), (45, crop // 4))
    inputs = [torch.rand(batch, c, s, s, device=device) for c, s in shapes]
    inputs[0] = inputs[0].contiguous(memory_format=memory_format(hardware))

    def step() -> None:
        compute(*inputs)
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.optimiser.clip_norm)
        state.optimiser.step()
        state.optimiser.zero_grad(set_to_none=not hardware.graph)
        update_ema(state, recipe.optimiser.ema_decay)
        synchronise(device)

    return step


def interleave(
    steps: dict[str, Callable[[], None]], times: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Seconds of every step, taken turn about, so that a disturbance hits all alike."""
    for step in steps.values():
        step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(times):
        for name, step in steps.items():
            start = clock()
            step()
            seconds[name].append(clock() - start)
        print(f"{len(seconds[name])} of {times}", file=sys.stderr)
    return seconds


def machine(clock: Callable[[], float]) -> dict[str, object]:
    """Where this is measured, and by what."""
    return {
        **describe_machine(),
        "threads": torch.get_num_threads(),
        "clock": clock.__name__,
    }


def measure_one(recipe: Recipe, steps: int, clock: Callable[[], float]) -> dict[str, object]:
    """One recipe's step, and the share of the device's matrix rate that it reaches."""
    device = open_fabric(recipe.hardware).device
    before = peak_memory(device)
    step = open_step(recipe)
    seconds = interleave({"": step}, steps, clock)[""]
    median = statistics.median(seconds)
    precision = autocast_type(recipe.hardware)
    product = torch.float32 if recipe.hardware.precision in ("fp32", "tf32") else torch.bfloat16
    peak = peak_memory(device) - before
    crop, batch = recipe.phases[0].crop, recipe.phases[0].batch
    rate = MACS_PER_PIXEL * batch * crop**2 / median * recipe.network.blocks[0] / 8
    return {
        "machine": machine(clock),
        "device": str(device),
        "precision": recipe.hardware.precision,
        "crop": crop,
        "batch": batch,
        "seconds": round(median, 4),
        "spread": [round(min(seconds), 4), round(max(seconds), 4)],
        "images_per_second": round(batch / median, 3),
        "peak_bytes": peak,
        "estimated_bytes": step_bytes(recipe, precision, 1),
        "activation_bytes": activation_bytes(recipe, precision, 1),
        "gmac_per_second": round(rate / 1e9, 1),
        "share_of_matrix_rate": round(rate / matrix_rate(device, product), 3),
    }


def measure_depth(depth: int, recompute: bool, options: argparse.Namespace) -> dict[str, object]:
    """Seconds and peak memory of a network of this depth, in a process of its own."""
    command = [sys.executable, __file__, "--one", "--steps=3", f"--recipe={options.recipe}"]
    command += [f"--crop={options.crop}", f"--batch={options.batch}"]
    command += ["--cpu-time"] if options.cpu_time else []
    command += [f"--set={setting}" for setting in options.set]
    command += [f"--set=network.blocks=[{depth},{depth}]"]
    command += [f"--set=hardware.recompute={str(recompute).lower()}"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found = json.loads(done.stdout)
    told = ("seconds", "spread", "peak_bytes", "estimated_bytes", "activation_bytes")
    return {key: found[key] for key in told}


def matrix_rate(device: torch.device, dtype: torch.dtype, size: int = 2048) -> float:
    """Multiply-accumulates per second of a large matrix product."""
    a: Tensor = torch.rand(size, size, device=device).to(dtype)
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
    return profiling.peak_memory()


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
