"""A result is claimed by one living run at a time."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from invdn import atomic
from invdn.batch import runner
from invdn.batch.runner import lock_output, remove_old_claims
from support.systems import needs_posix

_HOLDER = """
import sys, time
from pathlib import Path
from invdn.batch.runner import lock_output
with lock_output(Path(sys.argv[1])) as ours:
    print(ours, flush=True)
    time.sleep(600)
"""


def test_a_claim_lasts_as_long_as_its_process(tmp_path: Path) -> None:
    target = tmp_path / "😀 two\nlines.jpg"
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(target)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with lock_output(target) as ours:
        assert not ours
    remove_old_claims(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    holder.kill()
    holder.communicate()
    assert len(list(tmp_path.iterdir())) == 1  # it had no time to tidy up
    with lock_output(target) as ours:
        assert ours
    assert list(tmp_path.iterdir()) == []


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    """Claims come and go quickly, and nobody ever holds one beside another."""
    holding, most, got = 0, 0, 0
    guard = threading.Lock()

    def contend() -> None:
        nonlocal holding, most, got
        for _ in range(300):
            with lock_output(tmp_path / "a.jpg") as ours:
                if not ours:
                    continue
                with guard:
                    holding += 1
                    got += 1
                    most = max(most, holding)
                with guard:
                    holding -= 1

    threads = [threading.Thread(target=contend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert got > 300
    assert list(tmp_path.iterdir()) == []


def test_two_targets_are_two_claims(tmp_path: Path) -> None:
    with lock_output(tmp_path / "a.jpg") as one, lock_output(tmp_path / "b.jpg") as other:
        assert one and other


def test_where_no_claim_is_possible_the_work_goes_on(tmp_path: Path) -> None:
    with lock_output(tmp_path / "no folder" / "a.jpg") as ours:
        assert ours


def test_a_link_in_the_place_of_a_claim_is_not_followed(tmp_path: Path) -> None:
    with lock_output(tmp_path / "a.jpg"):
        (claim,) = tmp_path.iterdir()
    precious = tmp_path / "precious"
    precious.write_text("mine")
    claim.symlink_to(precious)
    with lock_output(tmp_path / "a.jpg") as ours:
        assert ours
    remove_old_claims(tmp_path)
    assert claim.is_symlink() and precious.read_text() == "mine"


@needs_posix
def test_windows_locks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as this can be imitated: its module of locks, no open file removed, no O_NOFOLLOW."""
    import fcntl

    def locking(descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (2, 1)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error

    opened: set[Path] = set()
    open_file, unlink = os.open, Path.unlink
    windows = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if name[0] != "_"})
    windows.name = "nt"

    def opening(path: Path, *given: int) -> int:
        opened.add(path)
        return open_file(path, *given)

    def closing(descriptor: int) -> None:
        opened.clear()
        os.close(descriptor)

    def removing(path: Path, missing_ok: bool = False) -> None:
        if path in opened:
            raise PermissionError(errno.EACCES, "used by another process")
        unlink(path, missing_ok)

    windows.open, windows.close = opening, closing
    monkeypatch.setattr(Path, "unlink", removing)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    monkeypatch.setattr(atomic, "sys", SimpleNamespace(platform="win32"))
    monkeypatch.setattr(runner, "os", windows)
    monkeypatch.setattr(runner, "_NO_FOLLOW", 0)
    target = tmp_path / "a.jpg"
    with lock_output(target) as ours, lock_output(target) as theirs:
        assert (ours, theirs) == (True, False)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".invdn-0123456789abcdef.claim").touch()
    remove_old_claims(tmp_path)
    assert list(tmp_path.iterdir()) == []
