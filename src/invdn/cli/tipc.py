"""TIPC's chain of commands: each is run as a user would, and reported in TIPC's words.

TIPC (Training and Inference Pipeline Criterion) is how Paddle checks a model from training to
deployment. Its modes say how much is trained and how much is inferred.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

MODES = (
    "lite_train_lite_infer",
    "lite_train_whole_infer",
    "whole_train_whole_infer",
    "whole_infer",
)
#: From: the reproduction's test_tipc/configs/InvDN/train_infer_python.txt.
_LITE_STEPS, _LITE_BATCH = 10, 1

_LITE_IMAGES = 1


@dataclass(frozen=True)
class Chain:
    """What the commands of one run need.

    Attributes:
        mode: one of :data:`MODES`.
        pairs: folder of training pairs.
        validation: folder of pairs, ``Noisy/`` and ``GT/``, to infer.
        folder: where everything is kept.
        form: of the export: ``onnx`` or ``paddle``.
        weights: for ``whole_infer``, which does not train.
        gpu: infer on a GPU as well.
    """

    mode: str
    pairs: Path
    validation: Path
    folder: Path
    form: str
    weights: str
    gpu: bool

    def commands(self) -> Iterator[list[str]]:
        """Give every command of the chain, in order."""
        weights, trains = self.weights, self.mode != "whole_infer"
        if trains:
            run = self.folder / "run"
            yield ["train", *self._recipe(), "-o", str(run)]
            weights = str(run / "weights-ema.safetensors")
        limit = ["--limit", str(_LITE_IMAGES)] if self.lite_infer else []
        evaluation = ["-o", str(self.folder / "evaluation"), "--overwrite", "--quiet"]
        yield ["evaluate", str(self.validation), "--model", weights, *limit, *evaluation]
        exported = str(self.folder / f"exported-{self.form}")
        yield ["export", weights, exported, "--format", self.form, "--overwrite"]
        for device in ("gpu", "cpu") if self.gpu else ("cpu",):
            yield ["infer", exported, *self._images(), "--device", device]

    @property
    def lite_infer(self) -> bool:
        """Whether a single photograph is inferred."""
        return self.mode.endswith("lite_infer")

    def _recipe(self) -> list[str]:
        pairs, validation = (
            json.dumps([str(folder.resolve())]) for folder in (self.pairs, self.validation)
        )
        changes = [
            f"data.pairs={pairs}",
            "data.clean=[]",
            "data.pair_fraction=1.0",
            f"validation.pairs={validation}",
            "validation.photographs=[]",
            "validation.noise={}",
        ]
        name = "paddle"
        if self.mode.startswith("lite_train"):
            name = "smoke"
            changes += [f"phases.0.steps={_LITE_STEPS}", f"phases.0.batch={_LITE_BATCH}"]
            changes += ["phases.0.warm_up=2", "phases.0.decay=2"]
        return [name, *(part for change in changes for part in ("--set", change))]

    def _images(self) -> list[str]:
        noisy, clean = self.validation / "Noisy", self.validation / "GT"
        if self.lite_infer:
            first = min(path.name for path in noisy.iterdir())
            noisy, clean = noisy / first, clean / first
        return ["--noisy", str(noisy), "--clean", str(clean)]


def run_chain(chain: Chain) -> bool:
    """Run the commands one after the other; stop at the first that fails.

    Returns:
        Whether all went well.
    """
    for arguments in chain.commands():
        shown = subprocess.list2cmdline(["invdn", *arguments])
        if _run(arguments):
            click.echo(f"Run successfully with command - {shown}!  ")
        else:
            click.echo(f"Run failed with command - {shown}!  ")
            return False
    return True


def _run(arguments: Sequence[str]) -> bool:
    # This very program, with arguments of its own making.
    done = subprocess.run([sys.executable, "-m", "invdn", *arguments], check=False)  # noqa: S603
    return done.returncode == 0
