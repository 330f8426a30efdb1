"""Editors hand a file over and wait for that file to change: whole or not at all."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from PIL import ImageCms

from invdn.cli import denoise, group
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.systems import not_for_root


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """A 16-bit TIFF as Lightroom hands it over, noisy."""
    noise = np.random.default_rng(0).normal(30000, 3000, (80, 96, 3)).clip(0, 65535)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "photo-Edit.tif"
    write_photo(Photo(noise.astype(np.uint16), metadata=Metadata(icc=profile)), path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["denoise", "--in-place", *map(str, arguments)])


def test_the_file_itself_changes(photograph: Path) -> None:
    before = read_photo(photograph)
    photograph.chmod(0o640)
    done = run(photograph)
    assert done.exit_code == 0, done.output
    after = read_photo(photograph)
    assert after.pixels.std() < 0.7 * before.pixels.std() and after.pixels.dtype == np.uint16
    assert after.metadata.icc == before.metadata.icc
    assert stat.S_IMODE(photograph.stat().st_mode) == 0o640
    assert list(photograph.parent.iterdir()) == [photograph]


def test_several_files_and_their_backups(photograph: Path) -> None:
    other = photograph.with_name("other.png")
    write_photo(read_photo(photograph), other)
    before = {path: path.read_bytes() for path in (photograph, other)}
    for number in ("", "-2"):
        inside = {path: path.read_bytes() for path in before}
        assert run("--backup", photograph, other).exit_code == 0
        for path, data in inside.items():
            copy = path.with_name(f"{path.stem}_original{number}{path.suffix}")
            assert copy.read_bytes() == data and path.read_bytes() != data
    assert len(list(photograph.parent.iterdir())) == 6


def test_a_link_stays_one(photograph: Path) -> None:
    link = photograph.with_name("link.tif")
    link.symlink_to(photograph.name)
    before = photograph.read_bytes()
    assert run(link, photograph).exit_code == 0
    assert link.is_symlink() and photograph.read_bytes() != before


def test_what_cannot_be_read_stays_as_it_is(photograph: Path) -> None:
    whole = photograph.read_bytes()
    wrong = photograph.with_name("wrong.jpg")
    for name, data, reason in (
        ("cut.tif", whole[: len(whole) // 2], "damaged"),
        ("wrong.jpg", whole, "it is TIFF inside"),
        ("empty.tif", b"", "empty"),
    ):
        path = photograph.with_name(name)
        path.write_bytes(data)
        done = run("--backup", path)
        assert done.exit_code == 1 and reason in done.output
        assert path.read_bytes() == data
    assert {path.name for path in photograph.parent.iterdir()} == {
        photograph.name,
        "cut.tif",
        "empty.tif",
        wrong.name,
    }


def test_a_full_disk_leaves_the_file(photograph: Path) -> None:
    resource = pytest.importorskip("resource")
    before = photograph.read_bytes()

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    for backup in ((), ("--backup",)):
        command = [sys.executable, "-m", "invdn", "denoise", "--in-place", *backup, str(photograph)]
        done = subprocess.run(
            command, capture_output=True, text=True, preexec_fn=small, check=False
        )
        assert done.returncode == 1 and "too large" in done.stderr, done.stderr
        assert photograph.read_bytes() == before
        assert list(photograph.parent.iterdir()) == [photograph]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system in memory")
def test_a_really_full_disk_is_told_in_one_line(photograph: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    room = photograph.stat().st_size * 5 // 4
    mount = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount")
    try:
        copied = shutil.copy(photograph, disk)
        done = run(Path(copied))
        assert done.exit_code == 1
        assert done.stderr.count("the disk is full") == 1 and done.stderr.count("\n") == 1
        assert Path(copied).read_bytes() == photograph.read_bytes()
        assert [path.name for path in disk.iterdir()] == [photograph.name]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@not_for_root
def test_no_permission_for_the_backup(photograph: Path) -> None:
    before = photograph.read_bytes()
    photograph.parent.chmod(0o500)
    try:
        done = run("--backup", photograph)
    finally:
        photograph.parent.chmod(0o700)
    assert done.exit_code == 1 and "permission" in done.output
    assert photograph.read_bytes() == before


@pytest.mark.parametrize(
    "option",
    [("-o", "x.tif"), ("--suffix", "_x"), ("--format", "png"), ("--overwrite",), ("--watch",)],
)
def test_contradictions_are_told(photograph: Path, option: tuple[str, ...]) -> None:
    before = photograph.read_bytes()
    done = run(photograph, *option)
    assert done.exit_code == 2 and "leave out" in done.output
    assert photograph.read_bytes() == before


def test_folders_and_lone_backups_are_mistakes(photograph: Path) -> None:
    assert run(photograph.parent).exit_code == 2
    alone = CliRunner().invoke(group, ["denoise", "--backup", str(photograph)])
    assert alone.exit_code == 2 and "--in-place" in alone.output


def test_the_desktop_is_told(
    photograph: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in place of the desktop's writes down what it is told."""
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "notify-send"
    program.write_text(f'#!/bin/sh\necho "$3" >> {folder}/told\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setattr(denoise.sys, "platform", "linux")
    assert run(photograph).exit_code == 0
    told = (folder / "told").read_text().splitlines()
    assert told == ["Denoising photo-Edit.tif ...", "photo-Edit.tif: done"]


def test_prophoto_stays_prophoto(tmp_path: Path) -> None:
    """As Lightroom and Photoshop hand it over: wide colours survive."""
    from invdn.image.curves import ParametricCurve
    from invdn.photo.color.icc import make_profile

    corners = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), (0.3457, 0.3585))
    icc = make_profile("ProPhoto", corners, ParametricCurve(1.8))
    path = tmp_path / "a.tif"
    wide = np.full((64, 64, 3), (50000, 9000, 4000), np.uint16)
    write_photo(Photo(wide, metadata=Metadata(icc=icc)), path)
    assert run(path).exit_code == 0
    with tifffile.TiffFile(path) as file:
        assert bytes(file.pages[0].tags[34675].value) == icc
        found = file.asarray().astype(int)
    assert np.abs(found - wide).mean() < 300
