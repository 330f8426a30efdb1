"""The light install as a newcomer meets it: size on disk, cold start, memory.

    python benchmarks/light_install.py > benchmarks/results/light-install.json

Installs this checkout into a new environment without extras, draws a 512x512 photograph, and runs
`invdn denoise` in new processes: time from start to exit and the peak of the resident memory. The
first run is told apart, since it also writes Python's bytecode and fills the disk cache. To tell
what the network itself takes, the same is done with a photograph of 4x4 pixels.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from invdn.evaluation.machine import describe_machine

RUNS = 5
_DRAW = """
import sys
import numpy as np
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
noisy = camera_noise(demo_photo(512))
write_photo(Photo(noisy), "photo.png")
write_photo(Photo(np.ascontiguousarray(noisy[:4, :4])), "tiny.png")
"""


def measure(command: Sequence[str | Path], folder: Path) -> dict[str, float]:
    """Seconds and peak resident MiB of one run of a command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{command} failed")
    return {"seconds": round(seconds, 3), "peak_mib": round(usage.ru_maxrss / 1024, 1)}


def median(runs: list[dict[str, float]]) -> dict[str, object]:
    """Of every quantity, and the least and the largest of the seconds."""
    seconds = [run["seconds"] for run in runs]
    medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
    return {**medians, "spread": [min(seconds), max(seconds)]}


def main() -> None:
    checkout = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "environment", with_pip=True)
        python = folder / "environment" / "bin" / "python"
        packages = next((folder / "environment" / "lib").iterdir()) / "site-packages"
        before = size(packages)
        start = time.perf_counter()
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", checkout], check=True, stdout=sys.stderr
        )
        installing = time.perf_counter() - start
        installed = size(packages) - before
        invdn = folder / "environment" / "bin" / "invdn"
        subprocess.run([python, "-c", _DRAW], cwd=folder, check=True)
        photo: list[str | Path] = [invdn, "denoise", "photo.png", "--overwrite", "--quiet"]
        tiny: list[str | Path] = [invdn, "denoise", "tiny.png", "--overwrite", "--quiet"]
        result = {
            "machine": describe_machine(),
            "install_mb": round(installed / 1e6, 1),
            "install_seconds": round(installing, 1),
            "first_run_512": measure(photo, folder),
            "cold_512": median([measure(photo, folder) for _ in range(RUNS)]),
            "cold_4": median([measure(tiny, folder) for _ in range(RUNS)]),
            "help": median([measure([invdn, "--help"], folder) for _ in range(RUNS)]),
        }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
