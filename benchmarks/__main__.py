"""The benchmarks of speed and memory, one after the other, and their plots.

    python -m benchmarks                   # all: two hours on two cores, which do nothing else
    python -m benchmarks engines growth    # some
    python -m benchmarks colors --model W  # of other weights, into results/colors-W.json
    python -m benchmarks --plots           # only draw what is there

Each is a script of its own, with its own options and explanations, whose JSON goes to
`benchmarks/results/NAME.json`: machine, versions, medians, ratios and their spread. Within a script
what is compared runs turn about. A result that was there stays until the new one is whole.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from .plots import draw

HERE = Path(__file__).parent
RESULTS = HERE / "results"
#: Result -> the script that makes it, and its arguments.
BENCHMARKS: dict[str, tuple[str, ...]] = {
    "engines": ("engines.py", "--repeats", "5"),
    "engines-memory": ("engines.py", "--memory"),
    "peers": ("peers.py",),
    "growth": ("growth.py", "--full"),
    "light-install": ("light_install.py",),
    "whole-road": ("whole_road.py",),
    "batch-workers": ("batch_workers.py",),
    "memory": ("memory.py",),
    "memory-native": (
        *("memory.py", "--windows=", "--engine", "native"),
        *("--formats", "jpg", "--megapixels", "1,6,12,24,100"),
    ),
    "photo-memory": ("photo_memory.py",),
    "runtimes": ("runtimes.py",),
    "hard-cases": ("hard_cases.py",),
    "photographs": ("photographs.py",),
    "raw-to-dng": ("photographs.py", "--raw", "24"),
    "service": ("service.py",),
    "service-faults": ("service_faults.py",),
    "page": ("page.py",),
    "training-step": ("training_step.py",),
    "loader": ("loader.py",),
    "model-quality": ("model_quality.py",),
    "precision-quality": ("model_quality.py", "--precisions"),
    "colors": ("colors.py",),
}
#: Those that measure a model, and take another than the shipped one.
OF_A_MODEL = ("model-quality", "precision-quality", "colors")


def main() -> None:
    """Run what was asked for and draw the plots."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--model", help=f"weights file, for {' and '.join(OF_A_MODEL)}")
    parser.add_argument("--plots", action="store_true", help="run nothing")
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if chosen.model and not set(chosen.names or BENCHMARKS) <= set(OF_A_MODEL):
        parser.error(f"--model is for {' and '.join(OF_A_MODEL)} alone")
    for name in [] if chosen.plots else chosen.names or BENCHMARKS:
        run(name, chosen.model)
    draw(RESULTS)


def run(name: str, model: str | None = None) -> None:
    """Run one of them, into its file, whose name carries that of another model."""
    script, *arguments = BENCHMARKS[name]
    if model:
        arguments += ["--model", model]
        name = f"{name}-{Path(model).stem}"
    print(f"== {name}", file=sys.stderr)
    command = [sys.executable, str(HERE / script), *arguments]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    unfinished = RESULTS / f"{name}.json.part"
    unfinished.write_bytes(result)
    unfinished.replace(RESULTS / f"{name}.json")


if __name__ == "__main__":
    main()
