"""Batches in processes of their own: killed, interrupted, side by side, watching, with no room."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from invdn.cli import group
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.systems import needs_posix, not_for_root

_SLOW = ("--num-samples", "10")
_NUMBER = 5


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    random = np.random.default_rng(0)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for number in range(_NUMBER):
        place = tmp_path / "in" / ("deep" if number % 2 else "")
        pixels = random.integers(60, 120, (64, 80, 3), np.uint8)
        write_photo(Photo(pixels), place / f"{number}.{('png', 'jpg')[number % 2]}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def unchanged(folder: Path) -> Callable[[], bool]:
    """Whether every photograph is, byte by byte, what it was."""

    def hashes() -> dict[Path, str]:
        files = (path for path in (folder / "in").rglob("*") if path.is_file())
        return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = hashes()
    return lambda: hashes() == before


def _start(*arguments: str, **how: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "invdn", "denoise", "-d", "cpu", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **how,
    )


_BATCH = ("in", "-o", "out", "-r", "--skip-existing", "--json-lines", *_SLOW)


def _entries(output: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    *photographs, summary = map(json.loads, output.splitlines())
    assert {entry["event"] for entry in photographs} <= {"photograph"}
    assert summary["event"] == "summary"
    return photographs, summary


def _finish(process: subprocess.Popen[str]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    output, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors
    return _entries(output)


def _results(folder: Path) -> dict[str, int]:
    """Names and inodes of what lies in the output folder, hidden files too."""
    files = (path for path in (folder / "out").rglob("*") if path.is_file())
    return {path.name: path.stat().st_ino for path in files}


def _all_there(folder: Path) -> bool:
    found = _results(folder)
    for path in (folder / "out").rglob("*_denoised*"):
        assert read_photo(path).pixels.shape == (64, 80, 3)
    return set(found) == {f"{n}_denoised.{('png', 'jpg')[n % 2]}" for n in range(_NUMBER)}


@needs_posix
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_a_run_that_is_ended_is_taken_up(
    folder: Path, unchanged: Callable[[], bool], name: str
) -> None:
    number = signal.Signals[name]
    process = _start(*_BATCH)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(2)]
    process.send_signal(number)
    output, errors = process.communicate(timeout=300)
    assert "Traceback" not in errors
    first = _results(folder)
    if number == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 128 + number
        entries, summary = _entries("".join(lines) + output)
        assert len(entries) == _NUMBER
        assert summary["left"] >= 1 and summary["stopped"] == "it was interrupted"
        assert set(first) == {Path(e["target"]).name for e in entries if e["status"] == "done"}
    assert 2 <= len([name for name in first if not name.startswith(".")]) < _NUMBER

    entries, summary = _finish(_start(*_BATCH))
    finished = {name: inode for name, inode in first.items() if not name.startswith(".")}
    assert summary["skipped"] == len(finished)
    assert summary["done"] == _NUMBER - len(finished)
    assert _results(folder).items() >= finished.items()
    assert _all_there(folder)
    assert unchanged()


@pytest.mark.slow
def test_two_runs_at_once_share_the_work(folder: Path, unchanged: Callable[[], bool]) -> None:
    processes = [_start(*_BATCH), _start(*_BATCH)]
    summaries = [_finish(process)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sum(summary["done"] for summary in summaries) == _NUMBER
    assert _all_there(folder)
    assert unchanged()


@pytest.mark.slow
def test_a_watched_folder(folder: Path, unchanged: Callable[[], bool]) -> None:
    inbox = folder / "inbox"
    inbox.mkdir()
    shutil.copy("in/0.png", inbox / "first.png")
    process = _start("inbox", "-o", "out", "--watch", "--json-lines")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    assert (first["status"], first["source"]) == ("done", str(Path("inbox/first.png")))

    whole = (folder / "in" / "2.png").read_bytes()
    growing = inbox / "growing.png"
    for part in (whole[:200], whole[:2000], whole):
        growing.write_bytes(part)
        time.sleep(0.5)
    second = json.loads(process.stdout.readline())
    assert (second["status"], second["source"]) == ("done", str(Path("inbox/growing.png")))

    (inbox / "broken.png").write_bytes(whole[:200])
    third = json.loads(process.stdout.readline())
    assert third["status"] == "failed" and "damaged" in third["error"]
    (inbox / "broken.png").write_bytes(whole)
    assert json.loads(process.stdout.readline())["status"] == "done"

    process.send_signal(signal.SIGINT)
    _, summary = _finish(process)
    assert process.returncode == 130
    assert (summary["done"], summary["failed"], summary["left"]) == (3, 1, 0)
    assert set(_results(folder)) == {
        f"{name}_denoised.png" for name in ("first", "growing", "broken")
    }
    assert unchanged()


@pytest.mark.slow
def test_a_place_that_takes_no_large_file(folder: Path, unchanged: Callable[[], bool]) -> None:
    resource = pytest.importorskip("resource")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    process = _start("in", "-o", "out", "-r", "--json-lines", preexec_fn=limit)
    entries, summary = _finish(process)
    assert process.returncode == 1
    assert summary["failed"] == _NUMBER
    assert all("too large for this place" in entry["error"] for entry in entries)
    assert _results(folder) == {}
    assert unchanged()


def _denoise(*arguments: str) -> tuple[int, list[dict[str, Any]], dict[str, Any]]:
    command = ["denoise", "-d", "cpu", "--json-lines", *arguments]
    result = CliRunner().invoke(group, command, catch_exceptions=False)
    return result.exit_code, *_entries(result.stdout)


def test_several_workers_make_the_same_and_tell_in_the_same_order(folder: Path) -> None:
    code, alone, _ = _denoise("in", "-o", "one", "-r")
    assert code == 0
    code, shared, _ = _denoise("in", "-o", "two", "-r", "--jobs", "3")
    assert code == 0
    assert [entry["source"] for entry in shared] == [entry["source"] for entry in alone]
    for one, other in zip(alone, shared, strict=True):
        assert Path(one["target"]).read_bytes() == Path(other["target"]).read_bytes()


def test_names_of_all_kinds(folder: Path) -> None:
    names = [
        "two\nlines",
        "😀 ünï",
        "-o",
        "a[page=1]",
        "esc\x1b[31m",
        "{stem}",
        "\udce9",
        "x" * 200,
    ]
    shutil.rmtree("in/deep")
    for path in Path("in").glob("*"):
        path.rename("photograph.png")
    for name in names:
        shutil.copy("photograph.png", f"in/{name}.png")
    process = _start("in", "-o", "out", "--name", "{parent} {stem} ✨{suffix}")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0
    assert "\x1b[31m" not in errors and "two\\nlines.png" in errors
    assert set(_results(folder)) == {f"in {name} ✨.png" for name in names}


def test_a_second_run_that_forgot_to_say_how(folder: Path) -> None:
    assert _denoise("in", "-o", "out")[0] == 0
    before = _results(folder)
    code, entries, summary = _denoise("in", "-o", "out", "--seed", "9")
    assert code == 0 and summary["skipped"] == len(entries)
    assert _results(folder) == before
    code, entries, summary = _denoise("in", "-o", "out", "--on-conflict", "error")
    assert code == 1 and summary["failed"] == len(entries)
    assert all("--on-conflict skip" in entry["error"] for entry in entries)
    assert _results(folder) == before


def test_an_edited_photograph_is_renewed_on_request(folder: Path) -> None:
    assert _denoise("in", "-o", "out", "-r")[0] == 0
    shutil.copy("in/0.png", "in/2.png")
    os.utime("in/2.png", (time.time() + 5,) * 2)
    again = ("in", "-o", "out", "-r", "--skip-existing")
    code, entries, summary = _denoise(*again)
    assert (code, summary["skipped"]) == (0, _NUMBER)
    assert ["older" in e["reason"] for e in entries] == ["2.png" in e["source"] for e in entries]
    code, _, summary = _denoise(*again, "--overwrite")
    assert (code, summary["done"], summary["skipped"]) == (0, 1, _NUMBER - 1)
    assert Path("out/0_denoised.png").read_bytes() == Path("out/2_denoised.png").read_bytes()


def test_the_table_at_the_end(folder: Path) -> None:
    Path("in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    shutil.copy("in/0.png", "out_0.png")
    Path("in/0_x.png").hardlink_to("in/0.png")
    command = ["denoise", "-d", "cpu", "in", "-o", "out", "-r"]
    result = CliRunner().invoke(group, command)
    rows = [line.split() for line in result.stderr.splitlines()[-3:]]
    assert rows[0] == ["photographs", "number", "megapixels", "seconds"]
    assert rows[1][:2] == ["done", str(_NUMBER + 1)]
    assert rows[2] == ["failed", "1"]
    skipping = CliRunner().invoke(group, [*command, "--skip-existing"])
    assert ["skipped", str(_NUMBER + 1)] in [line.split() for line in skipping.stderr.splitlines()]


@not_for_root
def test_permissions(folder: Path, unchanged: Callable[[], bool]) -> None:
    Path("in/0.png").chmod(0)
    Path("in/deep").chmod(0)
    Path("out").mkdir()
    try:
        code, entries, _ = _denoise("in", "-o", "out", "-r")
        Path("out").chmod(0o500)
        refused = _denoise("in/2.png", "-o", "out/new.png")[1]
        assert refused[0]["status"] == "failed"
    finally:
        Path("in/0.png").chmod(0o600)
        Path("in/deep").chmod(0o700)
        Path("out").chmod(0o700)
    assert code == 1
    wrong = [entry["error"] for entry in entries if entry["status"] == "failed"]
    assert any("cannot search" in error for error in wrong)
    assert any("permission is denied" in error for error in wrong)
    assert "permission is denied" in refused[0]["error"]
    assert unchanged()


def test_two_photographs_of_one_name_and_another_format(folder: Path) -> None:
    shutil.copy("in/0.png", "0.png")
    shutil.copy("in/deep/1.jpg", "0.jpg")
    both = ["denoise", "-d", "cpu", "0.png", "0.jpg", "--format", "tiff", "-o", "out"]
    refused = CliRunner().invoke(group, both)
    assert refused.exit_code == 2 and "{extension}" in refused.stderr
    assert not Path("out").exists()
    done = CliRunner().invoke(group, [*both, "--name", "{stem}-{extension}{suffix}"])
    assert done.exit_code == 0, done.output
    assert set(_results(folder)) == {"0-png.tif", "0-jpg.tif"}


def test_a_preview_is_no_photograph_of_the_next(folder: Path) -> None:
    command = ["denoise", "-d", "cpu", "in", "--preview", "8,8,32,32"]
    for _ in range(2):
        assert CliRunner().invoke(group, command).exit_code == 0
    assert len(list(Path("in").glob("*_preview*"))) == 3
    assert not list(Path("in").glob("*_preview_preview*"))
