"""Temporary files of killed runs go, all others stay."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from invdn.atomic import atomic_output, remove_stale_temporary_files, temporary_name

_STUCK = """
import sys, time
from invdn.atomic import atomic_output
with atomic_output(sys.argv[1], overwrite=False) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of writing."""
    process = subprocess.Popen(
        [sys.executable, "-c", _STUCK, str(tmp_path / "a.txt")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.communicate()


def test_only_after_the_death_of_its_writer(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    (temporary,) = tmp_path.iterdir()
    assert remove_stale_temporary_files(tmp_path) == ()
    writer.kill()
    writer.wait()
    assert remove_stale_temporary_files(tmp_path) == (temporary,)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_a_writer_whose_parent_never_asks_for_it_is_dead(
    tmp_path: Path, writer: subprocess.Popen[str]
) -> None:
    (temporary,) = tmp_path.iterdir()
    writer.kill()
    os.waitid(os.P_PID, writer.pid, os.WEXITED | os.WNOWAIT)  # it ends, and stays a zombie
    assert remove_stale_temporary_files(tmp_path) == (temporary,)


def test_our_own_file_in_use_stays(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "a.txt", overwrite=False) as temporary:
        temporary.write_text("whole")
        assert remove_stale_temporary_files(tmp_path) == ()
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_a_file_of_another_machine_goes_after_a_day(tmp_path: Path) -> None:
    new, old = (tmp_path / f".invdn-{mark * 8}-4194304-0000000a.part" for mark in "01")
    new.touch()
    old.touch()
    os.utime(old, (time.time() - 25 * 3600,) * 2)
    assert remove_stale_temporary_files(tmp_path) == (old,)
    assert list(tmp_path.iterdir()) == [new]


def test_what_only_looks_alike_stays(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    dead = temporary_name().replace(str(os.getpid()), "4194305")  # above Linux's largest number
    others = [".invdn-notes.part", ".invdn-0-1-2.part", f"{dead}.txt", f"copy of {dead}"]
    for name in others:
        (tmp_path / name).touch()
    link = tmp_path / dead
    link.symlink_to("precious.txt")
    assert remove_stale_temporary_files(tmp_path) == ()
    assert len(list(tmp_path.iterdir())) == len(others) + 2
    link.unlink()
    link.touch()
    assert remove_stale_temporary_files(tmp_path) == (link,)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert remove_stale_temporary_files(tmp_path / "nowhere") == ()
