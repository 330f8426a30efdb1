"""Photographs in work at a time: two where it is worth it and fits, else one."""

from pathlib import Path

import numpy as np
import pytest

from invdn.batch.runner import available_memory, choose_workers
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

PLENTY = 64_000_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    write_photo(Photo(np.zeros((600, 1000, 3), np.uint8)), folder / "large.jpg")
    write_photo(Photo(np.zeros((64, 80, 3), np.uint8)), folder / "small.png")
    (folder / "raw.dng").write_bytes(b"raw")
    return folder


@pytest.mark.parametrize(
    ("names", "processors", "memory", "expected"),
    [
        (["large.jpg"] * 4, 2, PLENTY, 2),
        (["large.jpg"] * 4, 64, PLENTY, 2),
        (["large.jpg"] * 3, 2, PLENTY, 1),
        (["large.jpg"] * 4, 1, PLENTY, 1),
        (["large.jpg"] * 4, 2, 700_000_000, 1),
        (["small.png"] * 4, 2, PLENTY, 1),
        ([*["large.jpg"] * 4, "raw.dng"], 2, PLENTY, 1),
    ],
)
def test_two_where_it_is_worth_it(
    folder: Path, names: list[str], processors: int, memory: int, expected: int
) -> None:
    assert choose_workers([folder / name for name in names], processors, memory) == expected


def test_the_memory_left_is_no_more_than_there_is() -> None:
    left = available_memory()
    if left is None:
        pytest.skip("this system does not say")
    total = Path("/proc/meminfo").read_text().split()[1]
    assert 0 < left <= int(total) * 1024
