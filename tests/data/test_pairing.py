"""Pairs by name: the layouts of real data sets, and what is wrong with a broken one."""

from pathlib import Path

import pytest

from invdn.data.pairing import find_pairs, pair_key, role_folders, role_of
from invdn.errors import DataError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    ("noisy", "clean"),
    [
        ("Noisy/0_1.png", "GT/0_1.PNG"),
        ("noisy/a/b.jpg", "clean/a/b.png"),
        ("Noisy/0001_NOISY_SRGB_010.PNG", "GT/0001_GT_SRGB_010.PNG"),
        ("Data/0001_S6/0001_NOISY_SRGB_010.PNG", "Data/0001_S6/0001_GT_SRGB_010.PNG"),
        ("Canon5D2_toy_10_Real.JPG", "Canon5D2_toy_10_mean.JPG"),
    ],
)
def test_known_layouts(tmp_path: Path, noisy: str, clean: str) -> None:
    touch(tmp_path, noisy, clean)
    (pair,) = find_pairs(tmp_path)
    assert pair.noisy == tmp_path / noisy and pair.clean == tmp_path / clean and pair.low is None


def test_low_folder_is_used(tmp_path: Path) -> None:
    touch(tmp_path, "Noisy/1.png", "GT/1.png", "LQ/1.png")
    assert find_pairs(tmp_path)[0].low == tmp_path / "LQ/1.png"


def test_every_scene_keeps_its_own_partner(tmp_path: Path) -> None:
    touch(tmp_path, "s1/1_NOISY.png", "s1/1_GT.png", "s2/1_NOISY.png", "s2/1_GT.png")
    pairs = find_pairs(tmp_path)
    assert [pair.noisy.parent for pair in pairs] == [pair.clean.parent for pair in pairs]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("Noisy/1.png", "Noisy/2.png", "GT/1.png"), "'2' has no clean"),
        (("Noisy/1.png", "GT/1.png", "GT/7.png"), "'7' has no noisy"),
        (("Noisy/1.png", "GT/1.png", "LQ/3.png"), "has no"),
        (("Noisy/1.png", "GT/1.png", "GT/1.jpg"), "claim the same pair"),
        (("Noisy/1.png",), "not its partner"),
        (("holiday.png",), "holiday.png does not say"),
        (("1_NOISY.png", "2_GT.png"), "has no"),
        (("Noisy/readme.txt", "GT/1.png"), "holds no image"),
        (("Noisy-a/1.png", "Noisy-b/1.png", "GT/1.png"), "several folders of noisy"),
        (("notes.txt",), "holds no image"),
    ],
)
def test_a_mismatch_is_named(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    touch(tmp_path, *names)
    with pytest.raises(DataError, match=said):
        find_pairs(tmp_path)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        find_pairs(tmp_path / "nowhere")


def test_bare_name_wins_over_relatives(tmp_path: Path) -> None:
    touch(tmp_path, "GT/1.png", "GT-old/1.png", "Noisy/1.png", "InvDN-reference/1.png")
    assert role_folders(tmp_path)["clean"] == tmp_path / "GT"


def test_role_words_stand_alone() -> None:
    assert role_of("mountain_meaning_realm") is None
    assert role_of("noisy_gt") is None
    assert pair_key("unreal_1") == "unreal_1"


def test_real_sets(real_data: Path) -> None:
    for name, low in (("sidd-mini-train-a", True), ("sidd-mini-train-b", False)):
        pairs = find_pairs(real_data / name)
        assert len(pairs) == 10 and all((pair.low is not None) == low for pair in pairs)
