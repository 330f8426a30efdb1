"""Finding partners by name, and refusing sets that are not whole."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from invdn.errors import DataError
from invdn.evaluation.samples import match_names, open_outputs, open_samples
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

PLACES = ("here", "there")


def write(path: Path, shape: tuple[int, ...] = (16, 20, 3), value: int = 7) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_photo(Photo(np.full(shape, value, np.uint8)), path)


@pytest.mark.parametrize(
    "partners",
    [
        {"b": "b", "a": "a"},
        {"1_NOISY_x": "1_GT_x", "2_noisy_x": "2_gt_x"},
        {"0_7": "denoised_7", "0_8": "denoised_8"},
        {"img_007_in": "007", "img_011_in": "011"},
    ],
)
def test_partners_are_found_by_name(partners: dict[str, str]) -> None:
    assert match_names(list(partners), sorted(partners.values()), PLACES) == partners


def test_an_expression_settles_any_scheme() -> None:
    names = ["shot1-iso3200", "shot2-iso3200"]
    assert match_names(names, ["clean_2", "clean_1"], PLACES, r"(?:shot|clean_)(\d)") == {
        "shot1-iso3200": "clean_1",
        "shot2-iso3200": "clean_2",
    }


@pytest.mark.parametrize(
    ("first", "second", "match", "complaint"),
    [
        (["a", "b"], ["a"], None, "'b' has no partner in there"),
        (["a"], ["a", "c", "d"], None, "'c' .and 1 more. has no partner in here"),
        (["a1", "b1"], ["c1", "d1"], r"\d", "both give the key"),
        (["a1"], ["b"], r"\d", "finds nothing in the name 'b'"),
        (["a"], ["a"], "(", "no regular expression"),
    ],
)
def test_strangers_are_named(
    first: list[str], second: list[str], match: str | None, complaint: str
) -> None:
    with pytest.raises(DataError, match=complaint):
        match_names(first, second, PLACES, match)


def test_two_folders_and_one_folder_give_the_same_pairs(tmp_path: Path) -> None:
    for name in ("3.png", "4.png"):
        write(tmp_path / "Noisy" / name, value=9)
        write(tmp_path / "GT" / name, value=5)
    for samples in (open_samples(tmp_path / "Noisy", tmp_path / "GT"), open_samples(tmp_path)):
        loaded = list(samples)
        assert [s.name for s in loaded] == ["3", "4"]
        assert all(s.noisy.max() == 9 and s.clean.max() == 5 for s in loaded)
        assert len(samples.first(1)) == 1


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_sidd_blocks_are_pairs(tmp_path: Path, version: str) -> None:
    random = np.random.default_rng(0)
    blocks = random.integers(0, 256, (2, 2, 2, 12, 16, 3), dtype=np.uint8)
    files = tmp_path / "ValidationNoisyBlocksSrgb.mat", tmp_path / "ValidationGtBlocksSrgb.mat"
    for path, block in zip(files, blocks, strict=True):
        if version == "5":
            savemat(path, {path.stem: block})
        else:
            import h5py

            with h5py.File(path, "w", userblock_size=512) as file:
                file[path.stem] = block.T
    samples = open_samples(*files)
    assert len(samples) == 4
    assert np.array_equal(samples.load(3).noisy, blocks[0, 1, 1])
    assert np.array_equal(samples.load(3).clean, blocks[1, 1, 1])
    with pytest.raises(DataError, match=r"needs a \.mat file"):
        open_samples(files[0], tmp_path)


def test_partners_of_different_size_are_named(tmp_path: Path) -> None:
    write(tmp_path / "Noisy" / "1.png")
    write(tmp_path / "GT" / "1.png", (16, 21, 3))
    with pytest.raises(DataError, match=r"Noisy.1\.png has shape .* partner"):
        list(open_samples(tmp_path))


def test_nan_is_refused_by_name(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.float32)
    for folder in ("Noisy", "GT"):
        (tmp_path / folder).mkdir()
        write_photo(Photo(pixels), tmp_path / folder / "1.tif")
        pixels[0, 0] = np.nan
    with pytest.raises(Exception, match=r"1\.tif"):
        list(open_samples(tmp_path))


def test_outputs_must_be_complete(tmp_path: Path) -> None:
    write(tmp_path / "out_1.png")
    with pytest.raises(DataError, match="no partner"):
        open_outputs(tmp_path, ["1", "2"])


def test_blocks_are_named_by_photograph_and_place(tmp_path: Path) -> None:
    """32 of each photograph, as the set has them."""
    blocks = np.zeros((2, 32, 4, 4, 3), np.uint8)
    files = tmp_path / "ValidationNoisyBlocksSrgb.mat", tmp_path / "ValidationGtBlocksSrgb.mat"
    for path in files:
        savemat(path, {path.stem: blocks})
    names = open_samples(*files).names
    assert names[:2] == ("0_0", "0_1") and names[31:34] == ("0_31", "1_0", "1_1")
