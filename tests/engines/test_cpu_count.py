"""The processors that a process may use: bound, and limited by real control groups."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from invdn.engines import available_processors, factory

_ASK = "from invdn.engines import available_processors as ask; print(ask())"
_V1, _V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")


@pytest.fixture
def group() -> Iterator[Path]:
    """A control group of ours inside another."""
    outer = (_V1 if _V1.is_dir() else _V2) / f"invdn-{os.getpid()}"
    try:
        (outer / "inner").mkdir(parents=True)
        _limit(outer, "max")
        _limit(outer / "inner", "max")
        yield outer
    except OSError as error:
        pytest.skip(f"may not limit control groups: {error}")
    finally:
        for made in (outer / "inner", outer):
            if made.exists():
                made.rmdir()


def _limit(group: Path, microseconds: str) -> None:
    """Of every 10,000, on all processors together."""
    if (group / "cpu.cfs_period_us").exists():
        (group / "cpu.cfs_period_us").write_text("10000")
        (group / "cpu.cfs_quota_us").write_text(microseconds.replace("max", "-1"))
    else:
        (group / "cpu.max").write_text(f"{microseconds} 10000")


def _ask_in(group: Path) -> int:
    # a shell enters, and becomes the process that asks
    command = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', group / "cgroup.procs"]
    answer = subprocess.run(
        [*command, sys.executable, "-c", _ASK], check=True, capture_output=True, text=True
    )
    return int(answer.stdout)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("max", "max", None),
        ("max", "10000", 1),
        ("10000", "max", 1),  # the tighter of the two
        ("10000", "5000", 1),  # half a processor is one thread
        ("11000", "max", 2),
    ],
)
def test_control_groups(group: Path, outer: str, inner: str, expected: int | None) -> None:
    here = available_processors()
    _limit(group, outer)
    _limit(group / "inner", inner)
    assert _ask_in(group / "inner") == min(here, expected or here)


def test_the_files_of_version_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the kernel's documentation has them, in the root that a container sees."""
    groups = Path("/proc/self/cgroup")
    if not groups.exists() or "\n0::/" not in "\n" + groups.read_text():
        pytest.skip("this process is in no group of version 2")
    here = available_processors()
    monkeypatch.setattr(factory, "_GROUPS", tmp_path)
    for text, expected in (("max 100000\n", here), ("50000 100000\n", 1), ("110000 100000\n", 2)):
        (tmp_path / "cpu.max").write_text(text)
        assert available_processors() == min(here, expected)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="binds to processors")
def test_binding() -> None:
    all_of_them = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, [min(all_of_them)])
        assert available_processors() == 1
    finally:
        os.sched_setaffinity(0, all_of_them)
