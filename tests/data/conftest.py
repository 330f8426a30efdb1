"""Small data sets of every storage, made by code."""

from pathlib import Path

import pytest

from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from support.tiny_sets import SIZES, picture, write_lmdb


@pytest.fixture
def pair_folder(tmp_path: Path) -> Path:
    """Three pairs with LQ/; pixels of pair i: noisy picture(i), clean picture(10 + i)."""
    root = tmp_path / "pairs"
    for index, (height, width) in enumerate(SIZES):
        for folder, seed, factor in (("Noisy", 0, 1), ("GT", 10, 1), ("LQ", 20, 4)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            pixels = picture(seed + index, height // factor, width // factor)
            write_photo(Photo(pixels), root / folder / f"{index}.png")
    return root


@pytest.fixture
def lmdb_folder(tmp_path: Path) -> Path:
    """The same pairs as the official code stores them: blue first, resolution in meta_info.pkl."""
    root = tmp_path / "databases"
    for folder, seed, factor in (("Noisy.lmdb", 0, 1), ("GT.lmdb", 10, 1), ("LQ.lmdb", 20, 4)):
        write_lmdb(
            root / folder,
            {
                str(i): picture(seed + i, height // factor, width // factor)
                for i, (height, width) in enumerate(SIZES)
            },
        )
    return root
