"""``invdn dev smoke``: training, evaluation, export and inference in one go."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from ..engines import available_devices
from ..errors import EngineError, InputError, InvDNError, MissingDependencyError, RecipeError
from .infer import write_reprod_log
from .options import Command
from .tipc import MODES, Chain, run_chain

if TYPE_CHECKING:
    from ..evaluation.samples import Samples
    from ..training.callbacks import StepStats
    from ..training.plan import Plan
    from ..training.validation import Score

#: Largest difference between runtimes that passes, in units of white.
_TOLERANCE = 1e-4


class _Skipped(Exception):  # noqa: N818 - not an error
    """A step that does not apply here; says why."""


@click.command(
    cls=Command,
    groups={"Data": "pairs validation", "Chain": "steps mode form weights"},
)
@click.option(
    "--pairs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of training pairs (Noisy/ and GT/). Default: made by code.",
)
@click.option(
    "--validation",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of pairs to measure on. Default: the training pairs.",
)
@click.option(
    "--steps", type=click.IntRange(1), default=40, show_default=True, help="Of the training."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this new folder. Default: nothing is kept.",
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    help="TIPC's chain instead: every command is run and reported in its words.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "paddle"]),
    default="onnx",
    show_default=True,
    help="What TIPC's chain exports and infers.",
)
@click.option(
    "--weights", default="default", show_default=True, help="What the mode whole_infer runs."
)
@click.option(
    "--reprod-log",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write forward.npy, losses.npy and metric.npy for reprod_log into this folder.",
)
def command(
    pairs: Path | None,
    validation: Path | None,
    steps: int,
    output: Path | None,
    mode: str | None,
    form: str,
    weights: str,
    reprod_log: Path | None,
) -> None:
    """Train a tiny network for a moment, measure it, export it, and run the export.

    Each step is reported with its time and whether it went well; the exit code is 1 if one did not.
    Steps that need another that failed are left out.

    With --mode it is the chain of Paddle's TIPC: lite trains ten steps or infers one photograph,
    whole trains the recipe 'paddle' in full or infers every photograph.
    """
    with TemporaryDirectory(prefix="invdn-smoke-") as temporary:
        folder = output or Path(temporary)
        own = pairs or folder / "pairs"
        if mode is not None:
            if reprod_log is not None:
                raise InputError("--reprod-log belongs to the chain without --mode")
            if pairs is None:
                _make_pairs(own)
            gpu = available_devices()[0].startswith("cuda")
            if not run_chain(Chain(mode, own, validation or own, folder, form, weights, gpu=gpu)):
                raise SystemExit(1)
            return
        chain = _Chain(folder, own, validation or own, steps, draws_pairs=pairs is None)
        failed = _run(
            {
                "data": chain.prepare,
                "train": chain.train,
                "evaluate": chain.evaluate,
                "export": chain.export,
                "inference on the CPU": chain.infer_on_cpu,
                "inference on a GPU": chain.infer_on_gpu,
            }
        )
        if reprod_log is not None and not failed:
            chain.write_reprod_log(reprod_log)
    if failed:
        raise SystemExit(1)


def _run(steps: dict[str, Callable[[], str]]) -> list[str]:
    """Run the steps in order and tell of each; the names of those that went wrong."""
    failed: list[str] = []
    width = max(map(len, steps))
    for name, step in steps.items():
        start = time.perf_counter()
        try:
            if failed:
                raise _Skipped(f"needs {failed[0]}")
            verdict, remark = "ok", step()
        except _Skipped as reason:
            verdict, remark = "left out", str(reason)
        except (InvDNError, ImportError) as error:
            verdict, remark = "FAILED", str(error)
            failed.append(name)
        except Exception as error:  # noqa: BLE001 - what a chain is for: to tell of every failure
            verdict, remark = "FAILED", f"{type(error).__name__}: {error}"
            failed.append(name)
        seconds = time.perf_counter() - start
        click.echo(f"{name:{width}}  {verdict:8}  {seconds:7.1f} s  {remark}")
    return failed


@dataclass
class _Chain:
    """The steps; each uses what the ones before it left in the folder."""

    folder: Path
    pairs: Path
    validation: Path
    steps: int
    draws_pairs: bool
    weights: Path = field(init=False)
    exported: Path = field(init=False)
    losses: list[float] = field(init=False)
    psnr: float = field(init=False)

    def prepare(self) -> str:
        """Return pairs of the user, or some made by code."""
        if self.draws_pairs:
            _make_pairs(self.pairs)
        training, validation = _open_samples(self.pairs), _open_samples(self.validation)
        return f"{len(training)} pairs, {len(validation)} to measure on"

    def train(self) -> str:
        """Return the smoke recipe on these pairs."""
        try:
            from ..training.loop import train
            from ..training.recipe_files import load_recipe
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"training needs {error.name}: pip install 'invdn[train]'"
            ) from error
        changes = (
            f"data.pairs={_as_toml(self.pairs)}",
            "data.clean=[]",
            "data.pair_fraction=1.0",
            f"validation.pairs={_as_toml(self.validation)}",
            "validation.photographs=[]",
            "validation.noise={}",
            f"phases.0.steps={self.steps}",
            f"phases.0.warm_up={min(5, self.steps // 2)}",
            f"phases.0.decay={min(10, self.steps // 2)}",
        )
        watcher = _Watcher()
        self.weights = train(load_recipe("smoke", changes), self.folder / "run", watcher)
        self.losses = watcher.losses
        first, last = watcher.losses[0], watcher.losses[-1]
        if len(watcher.losses) > 1 and not last < first:
            raise RecipeError(f"the loss did not fall: {first:.4f} to {last:.4f}")
        return f"{self.steps} steps, loss {first:.4f} to {last:.4f}"

    def evaluate(self) -> str:
        """Return the trained network on the validation pairs."""
        from ..engines import open_engine
        from ..evaluation.evaluate import evaluate
        from ..evaluation.methods import invdn, noisy_input
        from ..evaluation.protocols import find_protocol
        from ..inference import DenoiseOptions

        engine = open_engine(self.weights, "cpu")
        options = DenoiseOptions(strength=1).of_the_network()
        methods = [
            invdn("smoke", engine, options, with_uncertainty=False),
            noisy_input(),
        ]
        samples = _open_samples(self.validation).first(2)
        found = evaluate(samples, methods, [find_protocol("paddle")], worst=0)
        scores = [method.summaries["paddle"].psnr for method in found.methods]
        self.psnr = scores[0]
        return f"PSNR {scores[0]:.2f} dB (noisy input {scores[1]:.2f}), protocol paddle"

    def export(self) -> str:
        """Return ONNX graphs of it."""
        try:
            from ..weights.onnx_export import export_onnx
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"exporting needs {error.name}: pip install 'invdn[export]'"
            ) from error
        from ..weights import read_parameters
        from ..weights.network import build_network

        self.exported = self.folder / "exported"
        checks = export_onnx(build_network(read_parameters(self.weights)), self.exported)
        worst = max(check.difference for check in checks)
        return f"{len(checks)} checks against torch, largest difference {worst:.1e}"

    def infer_on_cpu(self) -> str:
        """Return the exported graphs through ONNX Runtime, against torch."""
        return self._compare(("cpu", "onnxruntime"), ("cpu", "torch"))

    def infer_on_gpu(self) -> str:
        """Return the weights on the first GPU, against the CPU."""
        device = available_devices()[0]
        if device == "cpu":
            raise _Skipped("there is no GPU that torch can use")
        return self._compare((device, "torch"), ("cpu", "torch"))

    def write_reprod_log(self, folder: Path) -> None:
        """Write what a reproduction compares: outputs of the network, losses, and the metric."""
        import numpy as np

        from ..engines import open_engine
        from ..image.dtype import to_float

        engine = open_engine(self.weights, "cpu")
        noisy = to_float(_open_samples(self.validation).load(0).noisy).transpose(2, 0, 1)[None]
        low = engine.encode(np.ascontiguousarray(noisy))
        latent = np.zeros((1, engine.architecture.latent_channels, *low.shape[2:]), np.float32)
        folder.mkdir(parents=True, exist_ok=True)
        write_reprod_log(folder / "forward.npy", low=low, image=engine.decode(low, latent))
        write_reprod_log(folder / "losses.npy", loss=np.array(self.losses))
        write_reprod_log(folder / "metric.npy", psnr=np.array([self.psnr]))

    def _compare(self, one: tuple[str, str], other: tuple[str, str]) -> str:
        import numpy as np

        from ..engines import open_engine
        from ..image.dtype import to_float
        from ..inference import DenoiseOptions, denoise_pixels

        noisy = to_float(_open_samples(self.validation).load(0).noisy)
        results = []
        for device, runtime in (one, other):
            model = self.exported if runtime == "onnxruntime" else self.weights
            engine = open_engine(model, device, runtime)  # type: ignore[arg-type]
            results.append(
                np.asarray(
                    denoise_pixels(engine, noisy, DenoiseOptions(strength=1).of_the_network()),
                    np.float32,
                )
            )
        apart = float(np.abs(results[0] - results[1]).max())
        if not apart <= _TOLERANCE:
            raise EngineError(
                f"{one} differs from {other} by {apart:.1e}, more than {_TOLERANCE:.0e}"
            )
        return (
            f"{noisy.shape[1]}x{noisy.shape[0]}, largest difference from torch on CPU {apart:.1e}"
        )


class _Watcher:
    """Remembers the losses of the training."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def planned(self, plan: Plan) -> None: ...

    def message(self, text: str) -> None: ...

    def verifying(self, done: int, total: int) -> None: ...

    def measured(self, measured: StepStats) -> None:
        self.losses.append(measured.losses["loss"])

    def validated(self, step: int, scores: dict[str, Score]) -> None: ...

    def wants_stop(self) -> bool:
        return False


def _open_samples(folder: Path) -> Samples:
    from ..evaluation.samples import open_samples

    return open_samples(folder)


def _as_toml(folder: Path) -> str:
    """Return a list of one path; JSON's text is TOML's too."""
    return json.dumps([str(folder.resolve())])


def _make_pairs(root: Path) -> None:
    """Draw four photographs with noise, as ``Noisy/`` and ``GT/``."""
    import numpy as np

    from ..image.dtype import from_float, to_float
    from ..photo.demo_photo import demo_photo
    from ..photo.photo import Photo
    from ..photo.write import write_photo

    for folder in ("Noisy", "GT"):
        (root / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(4):
        clean = demo_photo(96, seed=number)
        noise = random.normal(0, 0.08, clean.shape).astype(np.float32)
        noisy = from_float(to_float(clean) + noise, np.uint8)
        for folder, pixels in (("Noisy", noisy), ("GT", clean)):
            write_photo(Photo(pixels), root / folder / f"{number}.png")
