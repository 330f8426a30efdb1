"""Break the code on purpose, one small change at a time, and count what the tests notice.

    python tools/mutation.py                      # everything: days on two cores
    python tools/mutation.py network web-store    # some rooms
    python tools/mutation.py --sample 20          # 20 drawn mutants of each room

cosmic-ray makes the mutants in a copy of the checkout; of each room only its own tests run. Needs
``pip install -e '.[dev]' cosmic-ray``. A mutant survives where all of these tests pass: either a
test is missing, or the change makes no difference. Prints the survivors as patches, and writes
``mutation.json``.
"""

import argparse
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path
from typing import Any

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkResult

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
        ("web/storage.py", "web/queue.py", "web/jobs.py"),
        ("tests/web/test_storage.py", "tests/web/test_queue.py", "tests/web/test_jobs.py"),
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
    parser.add_argument("--output", type=Path, default=Path("mutation.json"))
    chosen = parser.parse_args()
    unknown = set(chosen.rooms) - set(ROOMS)
    if unknown:
        parser.error(f"no such room: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as folder:
        python = _prepare(Path(folder))
        report = {}
        for room in chosen.rooms or ROOMS:
            report[room] = _run(room, Path(folder), python, chosen.sample, chosen.seed)
            chosen.output.write_text(json.dumps(report, indent=1) + "\n")
            print({k: v for k, v in report[room].items() if k != "survivors"}, room, flush=True)
    for room, found in report.items():
        for patch in found["survivors"]:
            print(f"\n{room}:\n{patch}")


def _prepare(folder: Path) -> Path:
    """Copy the checkout, and make a Python that sees its packages but not the installed invdn."""
    ignored = shutil.ignore_patterns(".git", "build", "__pycache__", ".*_cache", ".hypothesis")
    shutil.copytree(REPOSITORY, folder / "copy", ignore=ignored)
    venv.create(folder / "python", with_pip=False, symlinks=os.name != "nt")
    scripts = "Scripts" if os.name == "nt" else "bin"
    python = folder / "python" / scripts / "python"
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # a path added like this does not run the hooks of editable installs that lie in it
    Path(site, "packages.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def _run(room: str, folder: Path, python: Path, sample: int | None, seed: int) -> dict[str, Any]:
    modules, tests = ROOMS[room]
    copy, session = folder / "copy", folder / f"{room}.sqlite"
    options = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    command = shlex.join([str(python), "-m", "pytest", *options, *tests])
    config = folder / f"{room}.toml"
    config.write_text(
        "[cosmic-ray]\n"
        f"module-path = {json.dumps([f'src/invdn/{module}' for module in modules])}\n"
        f"timeout = {_TIMEOUT}\nexcluded-modules = []\ntest-command = {json.dumps(command)}\n"
        '[cosmic-ray.distributor]\nname = "local"\n'
    )
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "OMP_NUM_THREADS": "1"}
    subprocess.run(
        shlex.split(command), cwd=copy, env=environment, check=True
    )  # they pass unbroken
    ray = [sys.executable, "-m", "cosmic_ray.cli"]
    subprocess.run([*ray, "init", config, session], cwd=copy, check=True)
    with use_db(str(session), WorkDB.Mode.open) as work:
        total = _choose(work, sample, seed)
    subprocess.run([*ray, "exec", config, session], cwd=copy, env=environment, check=True)
    with use_db(str(session), WorkDB.Mode.open) as work:
        return _summarise(work, total)


def _choose(work: Any, sample: int | None, seed: int) -> int:
    """Skip what is not drawn; return how many mutants there are in all."""
    items = list(work.work_items)
    useful = [
        item.job_id
        for item in items
        if not any(_POINTLESS.match(mutation.operator_name) for mutation in item.mutations)
    ]
    drawn = useful
    # job ids are drawn anew by each `init`: order by place, so that a seed means the same mutants
    if sample is not None:
        places = {
            item.job_id: sorted(
                (str(m.module_path), m.start_pos, m.operator_name, m.occurrence)
                for m in item.mutations
            )
            for item in items
        }
        ordered = sorted(useful, key=lambda job: places[job])
        drawn = random.Random(seed).sample(ordered, min(sample, len(ordered)))
    skipped = {item.job_id for item in items} - set(drawn)
    work.set_multiple_results(skipped, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
    return len(useful)


def _summarise(work: Any, total: int) -> dict[str, Any]:
    results = [
        result for _, result in work.results if result.worker_outcome != WorkerOutcome.SKIPPED
    ]
    survivors = [r.diff for r in results if r.test_outcome == TestOutcome.SURVIVED]
    tried = len(results)
    return {
        "mutants": total,
        "tried": tried,
        "killed": tried - len(survivors),
        "kill_rate": round((tried - len(survivors)) / tried, 3) if tried else None,
        "survivors": survivors,
    }


if __name__ == "__main__":
    main()
