"""What happens to files around a result: conflicts, permissions, times, long names, pipes."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from invdn.batch import NameTemplate
from invdn.cli import group
from invdn.photo.containers import heif, webp
from invdn.photo.photo import Photo, WriteOptions
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.photographs import encoded, picture


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    generator = np.random.default_rng(0)
    (tmp_path / "in").mkdir()
    for name in ("a.png", "b.jpg"):
        noise = generator.integers(60, 120, (64, 80, 3), np.uint8)
        write_photo(Photo(noise), tmp_path / "in" / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, **how: Any) -> Result:
    return CliRunner().invoke(group, ["denoise", *arguments], **how)


def test_a_folder_again_leaves_its_results_and_counts_them(folder: Path) -> None:
    assert run("in", "-o", "out").exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    again = run("in", "-o", "out")
    assert again.exit_code == 0 and "2 skipped, since their results exist" in again.output
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    beside = [run("in"), run("in")]
    assert [done.exit_code for done in beside] == [0, 0] and "2 skipped" in beside[1].output


def test_a_named_photograph_again_is_an_error(folder: Path) -> None:
    assert run("in/a.png").exit_code == 0
    again = run("in/a.png")
    assert again.exit_code == 1 and "--on-conflict skip leaves it" in again.output


@pytest.mark.parametrize(
    ("choice", "code", "names"),
    [
        ("skip", 0, {"a.png", "a_denoised.png"}),
        ("error", 1, {"a.png", "a_denoised.png"}),
        ("overwrite", 0, {"a.png", "a_denoised.png"}),
        ("rename", 0, {"a.png", "a_denoised.png", "a_denoised-2.png"}),
    ],
)
def test_conflicts(folder: Path, choice: str, code: int, names: set[str]) -> None:
    (folder / "in" / "b.jpg").unlink()
    result = folder / "in" / "a_denoised.png"
    result.write_bytes(b"of the user")
    os.utime(result, ns=(2**62, 2**62))  # younger than the photograph
    done = run("in/a.png", "--on-conflict", choice)
    assert done.exit_code == code
    assert {path.name for path in (folder / "in").iterdir()} == names
    assert (result.read_bytes() == b"of the user") == (choice != "overwrite")
    if choice == "rename":
        assert run("in", "--on-conflict", "rename").exit_code == 0  # and no result of a result
        assert {p.name for p in (folder / "in").iterdir()} == {*names, "a_denoised-3.png"}


def test_contradictions_are_told(folder: Path) -> None:
    for other in ("--overwrite", "--skip-existing"):
        done = run("in", "--on-conflict", "skip", other)
        assert done.exit_code == 2 and "leave out" in done.output


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444, 0o660, 0o777])
def test_permissions_are_never_wider(folder: Path, mode: int) -> None:
    (folder / "in" / "a.png").chmod(mode)
    for umask in (0o022, 0o077):
        before = os.umask(umask)
        try:
            done = run("in/a.png", "-o", f"{umask}.png")
        finally:
            os.umask(before)
        assert done.exit_code == 0, done.output
        result = stat.S_IMODE((folder / f"{umask}.png").stat().st_mode)
        assert result == mode & 0o666 & ~umask
    (folder / "18.png").chmod(0o666)
    assert run("in/a.png", "-o", "18.png", "--overwrite").exit_code == 0
    assert stat.S_IMODE((folder / "18.png").stat().st_mode) & ~mode & 0o666 == 0


def test_the_time_is_kept_on_request(folder: Path) -> None:
    os.utime(folder / "in" / "a.png", ns=(10**18, 10**18 + 7))
    assert run("in/a.png", "-o", "kept.png", "--keep-time").exit_code == 0
    assert (folder / "kept.png").stat().st_mtime_ns == 10**18 + 7
    assert run("in/a.png", "-o", "new.png").exit_code == 0
    assert (folder / "new.png").stat().st_mtime_ns > 10**18 + 7


@pytest.mark.parametrize("letter", ["a", "ä", "😀"])
def test_names_near_the_limit(folder: Path, letter: str) -> None:
    stem = letter * (250 // len(letter.encode()))
    for ending in ("x", "y"):
        name = f"{stem[:-1]}{ending}.png"
        write_photo(Photo(np.zeros((16, 16), np.uint8)), folder / "in" / name)
    assert run("in").exit_code == 0
    names = [path.name for path in (folder / "in").iterdir() if path.name.startswith(letter * 9)]
    assert len(names) == 4 and max(len(name.encode()) for name in names) <= 255
    assert sum(name.endswith("_denoised.png") for name in names) == 2
    assert len(list((folder / "in").iterdir())) == 8


def test_short_names_stay_as_they_are() -> None:
    template = NameTemplate.adding("_denoised")
    for length in (1, 100, 255 - len("_denoised.jpg")):
        assert template.name(Path("x" * length + ".jpg"), ".jpg") == "x" * length + "_denoised.jpg"
    assert len(template.name(Path("x" * 251 + ".jpg"), ".jpg", longest=143)) == 143


@pytest.mark.parametrize(("name", "option"), [("JPEG", ()), ("PNG", ("--format", "webp"))])
def test_through_pipes(folder: Path, name: str, option: tuple[str, ...]) -> None:
    data = encoded(picture(), name)
    command = [sys.executable, "-m", "invdn", "denoise", "-", "-o", "-", *option]
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    (folder / "result").write_bytes(done.stdout)
    result = read_photo(folder / "result")
    assert result.format == ("webp" if option else name.lower()) and result.width == 96
    assert b"standard input -> standard output" in done.stderr
    assert not (folder / "-").exists()


def test_one_pipe_and_one_file(folder: Path) -> None:
    done = run("in/b.jpg", "-o", "-")
    assert done.exit_code == 0
    (folder / "c.jpg").write_bytes(done.stdout_bytes)
    assert read_photo(folder / "c.jpg").width == 80
    done = run("-", "-o", "d.png", input=(folder / "in" / "b.jpg").read_bytes())
    assert done.exit_code == 0 and read_photo(folder / "d.png").width == 80


def test_a_pipe_gets_a_whole_photograph_or_nothing(folder: Path) -> None:
    for data in (b"", b"rubbish", encoded(picture(), "JPEG")[:700]):
        done = run("-", input=data)
        assert done.exit_code == 1 and done.stdout_bytes == b""
        assert "cannot read 'standard input'" in done.stderr.replace("\n", "")


def test_pipes_take_one_photograph(folder: Path) -> None:
    for arguments in (("in", "-o", "-"), ("-", "in/a.png"), ("-", "--json-lines")):
        assert run(*arguments, input=b"").exit_code == 2


@pytest.mark.parametrize("name", ["WEBP", "AVIF"])
def test_quality_of_the_source(tmp_path: Path, name: str) -> None:
    """A result without noise is no larger than its source, at the same quality."""
    noise = np.random.default_rng(0).normal(0, 12, (200, 300, 3))
    ramp = np.linspace(30, 220, 180_000).reshape(200, 300, 3)
    pixels = np.clip(ramp + noise, 0, 255).astype(np.uint8)
    path = tmp_path / f"a.{name.lower()}"
    for quality in (40, 60, 80, 90):
        write_photo(Photo(pixels), path, overwrite=True, choices=WriteOptions(quality=quality))
        found = read_photo(path)
        assert found.compression.quality == pytest.approx(quality, abs=8 if name == "WEBP" else 2)
        smooth = Photo(ramp.astype(np.uint8), format=found.format, compression=found.compression)
        write_photo(smooth, tmp_path / f"b.{name.lower()}", overwrite=True)
        assert (tmp_path / f"b.{name.lower()}").stat().st_size <= path.stat().st_size


def test_quantisers_of_damaged_files_do_no_harm() -> None:
    import io

    generator = np.random.default_rng(0)
    for name in ("WEBP", "AVIF"):
        data = encoded(picture(), name)
        for _ in range(200):
            damaged = bytearray(data)
            for place in generator.integers(0, len(data), 5):
                damaged[place] = generator.integers(256)
            webp.read_header(bytes(damaged))
            heif.read_header(io.BytesIO(bytes(damaged)))
