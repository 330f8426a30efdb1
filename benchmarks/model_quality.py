"""What the shipped model is worth: real and synthetic pairs, beside classical denoisers.

    pip install '.[dev]'
    python benchmarks/model_quality.py > benchmarks/results/model-quality.json
    python benchmarks/model_quality.py --precisions > benchmarks/results/precision-quality.json

The sets are those that the `default` recipe validates on: the ten blocks of SIDD's validation set,
and held-out photographs with the synthetic noise of phones (light, medium, heavy) and of DSLRs.
PSNR and SSIM by the `paddle` protocol; the strengths of the classical methods are those that serve
them best on SIDD's blocks. With ``--precisions``, what each precision of the native engine makes of
the same sets at latent scale 0: AMX's tiles, and AVX512-BF16's pairs where the processor has both.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from invdn.data.sources import open_images
from invdn.engines import _native, model_parameters, open_engine
from invdn.engines.native_engine import CANDIDATES, NativeEngine
from invdn.evaluation.baselines import baseline
from invdn.evaluation.evaluate import Evaluation, evaluate
from invdn.evaluation.machine import describe_machine
from invdn.evaluation.methods import Method, invdn, noisy_input
from invdn.evaluation.protocols import find_protocol
from invdn.evaluation.samples import Sample, Samples
from invdn.inference import DenoiseOptions
from invdn.training.recipe_files import load_recipe
from invdn.training.validation import Pair, open_validation

DATA = Path(__file__).parents[2] / "shared" / "data"
PROTOCOL = "paddle"
OPTIONS = {
    "one random draw": DenoiseOptions(latent_std=1, strength=1),
    "8 symmetries, a draw each": DenoiseOptions(self_ensemble=True, latent_std=1, strength=1),
    "latent scale 0": DenoiseOptions(latent_std=0, strength=1),
    "8 symmetries at latent scale 0": DenoiseOptions(self_ensemble=True, latent_std=0, strength=1),
    "as invdn denoise does it, strength auto": DenoiseOptions(),
}
CLASSICAL = ("nlm", "wavelet")


class OnePrecision(NativeEngine):
    """Computes in the precision it has whatever the pixels are, which evaluation has as floats."""

    exact = property(lambda self: self)  # type: ignore[assignment]


def precisions(model: str) -> list[Method]:
    """Return a method for each precision, by each way that this processor has to compute it."""
    parameters = model_parameters(model)
    methods = []
    for precision in ("float32", *reversed(CANDIDATES)):
        known = _native.instruction_sets(precision)
        for instructions in known[:1] if precision == "float32" else known:
            engine = OnePrecision(parameters, instructions=instructions, precision=precision)
            name = precision if instructions == known[0] else f"{precision} ({instructions})"
            methods.append(invdn(name, engine, OPTIONS["latent scale 0"], with_uncertainty=False))
    return methods


def samples_of(title: str, pairs: list[Pair]) -> Samples:
    """Training's validation pairs as evaluation's samples."""

    def load(index: int) -> Sample:
        noisy, clean = (
            side.permute(1, 2, 0).contiguous().numpy()
            for side in (pairs[index].noisy, pairs[index].clean)
        )
        return Sample(str(index), noisy, clean)

    return Samples(title, tuple(str(index) for index in range(len(pairs))), load)


def rows(found: Evaluation) -> list[dict[str, object]]:
    """A row for each method; what the first method leads by, with its 95 % interval."""
    return [
        {
            "method": method.name,
            "psnr": round(method.summaries[PROTOCOL].psnr, 4),
            "ssim": round(method.summaries[PROTOCOL].ssim, 4),
            "behind_the_first": asdict(method.lead) if method.lead else None,
        }
        for method in found.methods
    ]


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=DATA, help="as in the recipe")
    parser.add_argument("--model", default="default")
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--precisions", action="store_true", help="of the native engine alone")
    chosen = parser.parse_args()
    recipe = load_recipe("default", [f"data.root={chosen.data}"])
    photographs = [open_images(recipe.data.root / path) for path in recipe.data.clean]
    engine = open_engine(chosen.model, "cpu", chosen.runtime)
    if chosen.precisions:
        methods = precisions(chosen.model)
    else:
        methods = [invdn(name, engine, it, with_uncertainty=False) for name, it in OPTIONS.items()]
        methods += [*(baseline(name) for name in CLASSICAL), noisy_input()]
    sets = {}
    for name, pairs in open_validation(recipe, photographs).items():
        found = evaluate(samples_of(name, list(pairs)), methods, [find_protocol(PROTOCOL)], worst=0)
        sets[name] = rows(found)
        print(name, *sets[name], sep="\n  ", file=sys.stderr)
    facts = {"machine": describe_machine(), "engine": engine.description, "protocol": PROTOCOL}
    print(json.dumps({**facts, "sets": sets}, indent=1))


if __name__ == "__main__":
    main()
