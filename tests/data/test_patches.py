"""The cutter: reproducible, resumable, and careful with what is there."""

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from invdn import atomic
from invdn.data import patches
from invdn.data.patches import PatchOptions, cut_patches, patch_places
from invdn.data.sources import open_pairs
from invdn.errors import DataError, ImageError, InputError, OutputError
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.tiny_sets import SIZES, picture

OPTIONS = PatchOptions(size=16, count=3, seed=5)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.suffix == ".png"
    }


@pytest.mark.slow
def test_cut_break_resume(pair_folder: Path, tmp_path: Path) -> None:
    seen = []
    whole = tmp_path / "whole"
    progress = lambda done, total: seen.append((done, total))  # noqa: E731
    assert cut_patches(pair_folder, whole, OPTIONS, processes=2, progress=progress) == 9
    assert seen == [(1, 3), (2, 3), (3, 3)]
    expected = contents(whole)
    assert len(expected) == 18

    for index, (height, width) in enumerate(SIZES):
        for number, (top, left) in enumerate(patch_places(str(index), height, width, OPTIONS)):
            window = np.s_[top : top + 16, left : left + 16]
            for folder, seed in (("Noisy", 0), ("GT", 10)):
                patch = read_photo(whole / folder / f"{index}_p{number:03}.png").pixels
                assert np.array_equal(patch, picture(seed + index, height, width)[window])

    removed = sorted(expected)[::4]
    for name in removed:
        (whole / name).unlink()
    kept = whole / sorted(expected)[1]
    before = kept.stat().st_mtime_ns
    cut_patches(pair_folder, whole, OPTIONS, processes=1)
    assert contents(whole) == expected  # the same, from another number of processes
    assert kept.stat().st_mtime_ns == before  # what was there is not written again
    assert len(open_pairs(whole).noisy.names) == 9


@pytest.mark.slow
def test_processes_of_a_killed_run_end_and_the_next_run_goes_on(tmp_path: Path) -> None:
    for folder in ("Noisy", "GT"):
        (tmp_path / "pairs" / folder).mkdir(parents=True)
        for index in range(4):
            file = tmp_path / "pairs" / folder / f"{index}.png"
            write_photo(Photo(picture(index, 300, 300)), file)
    target = tmp_path / "patches"
    script = "import sys; from pathlib import Path; from invdn.data.patches import *\n"
    script += "if __name__ == '__main__': "
    script += "cut_patches(*map(Path, sys.argv[1:]), PatchOptions(200, 40), processes=2)"
    program = tmp_path / "cut.py"
    program.write_text(script)
    ours, theirs = os.pipe()  # its far end is held by every process of the run
    arguments = [sys.executable, program, tmp_path / "pairs", target]
    run = subprocess.Popen(arguments, stderr=theirs)
    os.close(theirs)
    deadline = time.monotonic() + 60
    while len(contents(target)) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    run.kill()
    run.wait()
    while select.select([ours], [], [], 20)[0]:
        if not os.read(ours, 1000):
            break  # all have ended
    else:
        pytest.fail("a process of the killed run still lives")
    os.close(ours)
    writers = {int(file.name.split("-")[2]) for file in target.rglob(".invdn-*")}
    while any(map(atomic._is_alive, writers)) and time.monotonic() < deadline:
        time.sleep(0.01)  # files close a moment before a process has ended
    assert cut_patches(tmp_path / "pairs", target, PatchOptions(200, 40), processes=1) == 160
    assert len(contents(target)) == 320
    assert not list(target.rglob(".*"))


def test_a_patch_that_another_run_has_just_written_is_kept(tmp_path: Path) -> None:
    patches._write_patch(picture(0, 8, 8), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    patches._write_patch(picture(0, 8, 8), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
    with pytest.raises(OutputError):
        patches._write_patch(picture(0, 8, 8), tmp_path / "nowhere" / "a.png")


def test_a_process_that_the_system_ends(
    pair_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patches, "_cut_pair", _die)
    with pytest.raises(DataError, match="fewer --processes"):
        cut_patches(pair_folder, tmp_path / "t", OPTIONS, processes=1)


def _die(*_: object, **__: object) -> None:
    os._exit(1)


def test_places_depend_on_seed_and_name_only() -> None:
    places = patch_places("a", 100, 90, OPTIONS)
    assert places == patch_places("a", 100, 90, OPTIONS)
    assert places != patch_places("b", 100, 90, OPTIONS)
    assert places != patch_places("a", 100, 90, PatchOptions(16, 3, seed=6))
    exact = patch_places("a", 16, 16, OPTIONS)
    assert exact == [(0, 0)] * 3


def test_targets_of_others_are_left_alone(pair_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(OutputError, match="holds other files"):
        cut_patches(pair_folder, tmp_path / "mine", OPTIONS)
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear diary"


def test_other_settings_are_not_mixed(pair_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "patches.json").write_text('{"size": 8, "count": 3, "seed": 5}')
    with pytest.raises(OutputError, match="other settings"):
        cut_patches(pair_folder, tmp_path, OPTIONS)


def test_photographs_smaller_than_a_patch(pair_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="smaller than a patch of 50"):
        cut_patches(pair_folder, tmp_path / "t", PatchOptions(size=50))


def test_small_disk(pair_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 9}))
    with pytest.raises(OutputError, match="the disk has 9"):
        cut_patches(pair_folder, tmp_path / "t", OPTIONS)


@pytest.mark.slow
def test_damaged_photograph_is_named(pair_folder: Path, tmp_path: Path) -> None:
    file = pair_folder / "Noisy" / "2.png"
    os.truncate(file, file.stat().st_size - 1000)
    with pytest.raises(ImageError, match=r"Noisy/2\.png"):
        cut_patches(pair_folder, tmp_path / "t", OPTIONS, processes=1)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"count": 0}, {"seed": -1}])
def test_options(wrong: dict[str, int]) -> None:
    with pytest.raises(InputError):
        PatchOptions(**wrong)
