"""Sizes told by headers, against what decoding says."""

from pathlib import Path

import numpy as np
import pytest

from invdn.batch.megapixels import megapixels_of
from invdn.photo.photo import Compression, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("shape", [(37, 401, 3), (300, 20), (1, 1, 3)])
def test_every_format(tmp_path: Path, ending: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / f"a [page=1].{ending}"
    write_photo(Photo(np.zeros(shape, np.uint8)), path)
    assert megapixels_of(path) == shape[0] * shape[1] / 1e6


@pytest.mark.parametrize("lossless", [True, False])
def test_webp_of_all_kinds(tmp_path: Path, lossless: bool) -> None:
    pixels = np.zeros((33, 47, 3), np.uint8)
    for name, alpha in (("a", None), ("b", np.full((33, 47), 9, np.uint8))):
        path = tmp_path / f"{name}.webp"
        write_photo(Photo(pixels, alpha, compression=Compression(lossless=lossless)), path)
        assert megapixels_of(path) == 33 * 47 / 1e6


def test_real_photographs(shared_data: Path) -> None:
    paths = sorted((shared_data / "clean").glob("*.jpg"))[::120]
    paths += sorted((shared_data / "real-noisy").iterdir())[:4]
    for path in paths:
        photo = read_photo(path)
        assert megapixels_of(path) == photo.width * photo.height / 1e6


def test_damage_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for ending in ("jpg", "png", "tif", "webp"):
        whole = tmp_path / f"whole.{ending}"
        write_photo(Photo(np.zeros((20, 30, 3), np.uint8)), whole)
        content = whole.read_bytes()
        for length in range(min(len(content), 400)):
            path.write_bytes(content[:length])
            assert megapixels_of(path) in (None, 0, 20 * 30 / 1e6) or length < 30
    for content in (
        b"",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"\xff" * 100_000,
        b"\xff\xd8" + b"\xff\xe0\0\2" * 9,
    ):
        path.write_bytes(content)
        assert megapixels_of(path) is None
    assert megapixels_of(tmp_path) is None
    assert megapixels_of(Path("/dev/zero")) is None
