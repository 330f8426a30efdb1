"""Break the code on purpose, one small change at a time, and count what the tests notice.

    python tools/mutation.py                      # everything: days on two cores
    python tools/mutation.py network web-store    # some rooms
    python tools/mutation.py --sample 20          # 20 drawn mutants of each room
    python tools/mutation.py --seconds 240        # go on with the report for so long

cosmic-ray makes the mutants in a copy of the checkout; of each room only its own tests run, those
that name the changed module first, each mutant in a process forked from one that has the large
libraries loaded. Needs a system with fork,
and ``pip install -e '.[dev]' cosmic-ray``. A mutant survives where all of these tests pass: either
a test is missing, or the change makes no difference. Prints the survivors as patches, and writes
``mutation.json`` after each, which a later call goes on with.
"""

import argparse
import difflib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cosmic_ray.commands.init import _all_work_items
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

REPOSITORY = Path(__file__).parents[1]
#: Room -> what is mutated, and the tests that are to notice.
ROOMS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "network": (("network",), ("tests/network",)),
    "pipeline": (("inference",), ("tests/inference", "src/invdn/inference")),
    "training": (("training",), ("tests/training", "src/invdn/training")),
    "evaluation": (
        ("evaluation",),
        ("tests/evaluation", "tests/cli/test_measuring_commands.py", "src/invdn/evaluation"),
    ),
    "web-store": (
        (
            "web/database.py",
            "web/jobs.py",
            "web/photo_shelf.py",
            "web/prediction_cache.py",
            "web/predictions.py",
            "web/queue.py",
            "web/quota.py",
            "web/scheduler.py",
            "web/state.py",
        ),
        (
            "src/invdn/web",
            "tests/web/test_queue.py",
            "tests/web/test_quota.py",
            "tests/web/test_jobs.py",
            "tests/web/test_durable.py",
        ),
    ),
}
#: Mutants of annotations (``int | None``) never survive an import, and would flatter the rate.
_POINTLESS = re.compile(r"core/ReplaceBinaryOperator_BitOr_|core/NoOp")
_TIMEOUT = 900  # seconds a mutant may take; one that never ends is noticed


def main() -> None:
    """Run the rooms asked for, print the rates and write the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=", ".join(ROOMS))
    parser.add_argument("--sample", type=int, help="mutants of each room, drawn; default: all")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin none after")
    parser.add_argument("--output", type=Path, default=Path("mutation.json"))
    chosen = parser.parse_args()
    unknown = set(chosen.rooms) - set(ROOMS)
    if unknown:
        parser.error(f"no such room: {', '.join(sorted(unknown))}")
    output = chosen.output.absolute()
    report: dict[str, Any] = json.loads(output.read_text()) if output.exists() else {}
    end = time.monotonic() + chosen.seconds
    with tempfile.TemporaryDirectory() as folder:
        copy = _prepare(Path(folder))
        for room in chosen.rooms or ROOMS:
            results = report.setdefault(room, {"mutants": 0, "tried": 0, "results": []})
            mutants = _mutants(copy, room)
            results["mutants"] = len(mutants)
            drawn = mutants
            if chosen.sample is not None:
                drawn = random.Random(chosen.seed).sample(mutants, min(chosen.sample, len(mutants)))
            _try(copy, room, drawn, results, output, report, end)
    for room, found in report.items():
        for result in found["results"]:
            if result["survived"]:
                print(f"\n{room}:\n{result['patch']}")


def _prepare(folder: Path) -> Path:
    """Copy the checkout, and have this process and those it starts import the copy."""
    copy = folder / "copy"
    ignored = shutil.ignore_patterns(".git", "build", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(REPOSITORY, copy, ignore=ignored)
    os.chdir(copy)
    os.environ.update(
        PYTHONPATH=str(copy / "src"), OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1"
    )
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(copy / "src"))
    # the hook of an editable install goes before any path
    sys.meta_path[:] = [
        finder
        for finder in sys.meta_path
        if "editable" not in f"{type(finder).__module__}.{type(finder).__name__}".lower()
    ]
    import hypothesis  # noqa: F401  loaded once, before the forks
    import numpy  # noqa: F401
    import pytest  # noqa: F401
    import torch

    torch.set_num_threads(1)
    return copy


def _mutants(copy: Path, room: str) -> list[Any]:
    """Return every mutant of a room worth trying, by place."""
    files: list[Path] = []
    for module in ROOMS[room][0]:
        place = copy / "src" / "invdn" / module
        files += sorted(place.rglob("*.py")) if place.is_dir() else [place] * place.exists()
    found = [item.mutations[0] for item in _all_work_items(files, {})]
    useful = [mutant for mutant in found if not _POINTLESS.match(mutant.operator_name)]
    return sorted(useful, key=_key)


def _key(mutant: Any) -> tuple[Any, ...]:
    return str(mutant.module_path), mutant.start_pos, mutant.operator_name, mutant.occurrence


def _try(
    copy: Path,
    room: str,
    mutants: list[Any],
    results: dict[str, Any],
    output: Path,
    report: dict[str, Any],
    end: float,
) -> None:
    """Try mutants that were not tried yet, and write the report after each."""
    tried = {result["name"] for result in results["results"]}
    if not tried and _run_tests(room) != 0:
        sys.exit(f"the tests of {room} fail without a mutant")
    for mutant in mutants:
        path = Path(mutant.module_path)
        place = path.relative_to(copy).as_posix()
        name = f"{place}:{mutant.start_pos[0]} {mutant.operator_name} {mutant.occurrence}"
        code = path.read_text(encoding="utf-8")
        changed = mutate_code(code, get_operator(mutant.operator_name)(), mutant.occurrence)
        if name in tried or changed is None:
            continue
        if time.monotonic() > end:
            break
        path.write_text(changed, encoding="utf-8")
        try:
            survived = _run_tests(room, path.stem) == 0
        finally:
            path.write_text(code, encoding="utf-8")
        lines = code.splitlines(keepends=True), changed.splitlines(keepends=True)
        patch = "".join(difflib.unified_diff(*lines, place, place, n=1))
        results["results"].append({"name": name, "survived": survived, "patch": patch})
        results["tried"] = len(results["results"])
        killed = sum(not result["survived"] for result in results["results"])
        results["kill_rate"] = round(killed / results["tried"], 3)
        output.write_text(json.dumps(report, indent=1) + "\n")
        print(f"{room}: {killed} of {results['tried']} killed; {name}", flush=True)


def _ordered_tests(room: str, module: str) -> list[str]:
    """Return the files of a room's tests: first the module itself, then what names it."""
    files: list[Path] = []
    for test in map(Path, ROOMS[room][1]):
        files += sorted(test.rglob("*.py")) if test.is_dir() else [test] * test.exists()
    tests = [file for file in files if file.name.startswith("test_") or "src" in file.parts]

    def distance(file: Path) -> int:
        named = re.search(rf"\b{re.escape(module)}\b", file.read_text(encoding="utf-8"))
        return 0 if file.stem in (module, f"test_{module}") else 1 if named else 2

    return [str(file) for file in sorted(tests, key=distance)] or ["no tests"]


def _run_tests(room: str, module: str = "") -> int:
    """Run the tests of a room in a fork, those that name a module first; return their exit code."""
    child = os.fork()
    if child == 0:
        os.setsid()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
        try:
            code = int(pytest.main([*options, *_ordered_tests(room, module)]))
        except BaseException:  # noqa: BLE001  whatever a mutant breaks
            code = 1
        os._exit(code)
    end = time.monotonic() + _TIMEOUT
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 1


if __name__ == "__main__":
    main()
