"""How much code one photograph runs through: files and functions of the package that are executed.

    python benchmarks/code_path.py [--json FILE] [--list]

Each trip runs in a process of its own under ``sys.setprofile`` and ``threading.setprofile``: one
JPEG through ``invdn denoise``, a folder of three, one array through ``Denoiser``, a web job (in the
process of its worker), and a step of training. A file counts where one of its functions ran, the
bodies of modules and classes apart. The bar is for the first trip; above it the status is 1.
"""

import argparse
import inspect
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

BAR = 35
_NOT_FUNCTIONS = ("<module>", "<lambda>", "<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>")


def photograph(folder: Path, name: str = "a.jpg") -> Path:
    """Write a JPEG of 96x128 pixels."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(0).normal(120, 12, (96, 128, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / name, quality=90)
    return folder / name


def command(folder: Path) -> Callable[[], None]:
    """Denoise one JPEG with the command."""
    source = photograph(folder)
    return lambda: _invoke("denoise", str(source), "-o", str(folder / "out.jpg"))


def batch(folder: Path) -> Callable[[], None]:
    """Denoise a folder of three JPEGs with the command."""
    (folder / "in").mkdir()
    for name in "abc":
        photograph(folder / "in", f"{name}.jpg")
    return lambda: _invoke("denoise", str(folder / "in"), "-o", str(folder / "out"), "--jobs", "2")


def python(folder: Path) -> Callable[[], None]:
    """Denoise one array with the class."""
    import numpy as np

    from invdn import Denoiser

    def run() -> None:
        Denoiser().denoise(np.zeros((40, 50, 3), np.uint8))

    return run


def web(folder: Path) -> Callable[[], None]:
    """Denoise one JPEG as the worker of the service does."""
    from invdn.engines import open_engine
    from invdn.options import DenoiseOptions
    from invdn.web.tasks import Denoise, perform

    source, engine = photograph(folder), open_engine(device="cpu")
    options = DenoiseOptions()
    kept = {"prediction": folder / "prediction", "room": 10**9}
    task = Denoise(source, folder / "out.jpg", 10**8, options, **kept)
    return lambda: perform(task, engine, lambda done, total: None)


def training(folder: Path) -> Callable[[], None]:
    """Take steps of training with the smallest recipe."""
    from click.testing import CliRunner

    from invdn.cli import group

    def run() -> None:
        result = CliRunner().invoke(
            group,
            ["dev", "smoke", "--steps", "2", "-o", str(folder / "smoke")],
            catch_exceptions=False,
        )
        print(result.output, file=sys.stderr)

    return run


TRIPS = {"command": command, "batch": batch, "python": python, "web job": web, "smoke": training}


def _invoke(*arguments: str) -> None:
    from invdn.cli import group

    group(list(arguments), standalone_mode=False)


def measure(trip: str) -> dict[str, list[str]]:
    """Run a trip in this process; return the functions that ran, by file."""
    import threading

    found: dict[str, set[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        run = TRIPS[trip](Path(name))
        import invdn

        package = str(Path(invdn.__file__).parent) + os.sep

        def watch(frame: object, event: str, _: object) -> None:
            code = frame.f_code  # type: ignore[attr-defined]
            if event == "call" and code.co_filename.startswith(package):
                is_function = code.co_flags & inspect.CO_OPTIMIZED  # and no body of a class
                if is_function and code.co_name not in _NOT_FUNCTIONS:
                    place = code.co_filename.removeprefix(package)
                    found.setdefault(place, set()).add(code.co_qualname)

        threading.setprofile(watch)
        sys.setprofile(watch)
        try:
            run()
        except SystemExit:
            pass
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    return {file: sorted(functions) for file, functions in sorted(found.items())}


def main() -> None:
    """Measure every trip and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the counts here")
    parser.add_argument("--list", action="store_true", help="name the files of the command's trip")
    parser.add_argument("--trip", choices=TRIPS, help=argparse.SUPPRESS)
    parser.add_argument("--only", choices=TRIPS, action="append", help="these trips only")
    options = parser.parse_args()
    if options.trip:
        print(json.dumps(measure(options.trip)), file=sys.__stdout__)
        return
    counts: dict[str, dict[str, int]] = {}
    for trip in options.only or TRIPS:
        own = [sys.executable, __file__, "--trip", trip]
        done = subprocess.run(own, capture_output=True, text=True, check=True)
        found = json.loads(done.stdout.splitlines()[-1])
        functions = sum(map(len, found.values()))
        counts[trip] = {"files": len(found), "functions": functions}
        bar = f" (bar {BAR})" if trip == "command" else ""
        print(f"{trip}: {len(found)} files{bar}, {functions} functions")
        if options.list and trip in (options.only or ["command"]):
            print("\n".join(f"    {file}: {', '.join(names)}" for file, names in found.items()))
    if options.json:
        options.json.write_text(json.dumps({"bar": BAR, **counts}, indent=1) + "\n")
    if counts.get("command", {"files": 0})["files"] > BAR:
        sys.exit(f"the command's trip is to run functions of at most {BAR} files")


if __name__ == "__main__":
    main()
