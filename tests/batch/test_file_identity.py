"""What counts as the same file."""

import os
import shutil
from pathlib import Path

import pytest

from invdn.batch.plan import InputIndex, Listing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.jpg").write_text("photograph")
    return tmp_path


def test_other_names_of_a_photograph(folder: Path) -> None:
    originals = InputIndex([folder / "a.jpg"])
    (folder / "link.jpg").symlink_to("a.jpg")
    (folder / "hard.jpg").hardlink_to(folder / "a.jpg")
    (folder / "here").symlink_to(".")
    for name in ("a.jpg", "link.jpg", "hard.jpg", "here/a.jpg", "../" + folder.name + "/a.jpg"):
        assert originals.behind(folder / name) == folder / "a.jpg"
    shutil.copy2(folder / "a.jpg", folder / "copy.jpg")
    for name in ("copy.jpg", "b.jpg", "no folder/a.jpg"):
        assert originals.behind(folder / name) is None


def test_a_name_that_differs_in_case_only(folder: Path) -> None:
    """On a drive that tells them apart, a copy stands for the other name of the same file."""
    originals = InputIndex([folder / "a.jpg"])
    shutil.copy2(folder / "a.jpg", folder / "A.JPG")
    assert originals.behind(folder / "A.JPG") == folder / "a.jpg"
    os.utime(folder / "A.JPG", (1, 1))
    assert originals.behind(folder / "A.JPG") is None


def test_spellings(folder: Path) -> None:
    listing = Listing()
    assert listing.other_spelling(folder / "a.jpg") is None
    assert listing.other_spelling(folder / "A.jpg") == "a.jpg"
    (folder / "A.jpg").touch()  # listed anew, since it was not there
    assert listing.other_spelling(folder / "A.jpg") is None
    (folder / "e\u0301.jpg").touch()  # as some drives store it
    assert listing.other_spelling(folder / "\u00e9.jpg") is None
    assert listing.other_spelling(folder / "no folder" / "a.jpg") is None
