"""Pictures in pieces, as the page's canvas fetches them."""

from pathlib import Path

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from invdn.image.orientation import apply_exif_orientation
from invdn.inference import Region
from invdn.options import DenoiseOptions
from invdn.photo.demo_photo import demo_photo
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_eighth, read_photo
from invdn.photo.write import write_photo
from invdn.web import tasks
from support.serving import Server


@pytest.fixture(scope="module")
def photo(server: Server, pictures: Path) -> str:
    """The address of a photograph's picture: 128 x 128."""
    answer = server.client.post("/api/v1/photos", content=(pictures / "slow.png").read_bytes())
    return str(answer.json()["links"]["rendering"])


def _raw(server: Server, address: str, **query: int) -> httpx.Response:
    return server.client.get(address, params={"format": "raw", **query})


def test_raw_bytes_are_the_pixels(server: Server, pictures: Path, photo: str) -> None:
    answer = _raw(server, photo, x=10, y=20, w=33, h=7)
    assert answer.headers["content-type"] == "application/octet-stream"
    shown = np.frombuffer(answer.content, np.uint8).reshape(7, 33, 3)
    assert (shown == read_photo(pictures / "slow.png").pixels[20:27, 10:43]).all()


@pytest.mark.parametrize("shrink", [2, 3, 64])
def test_shrunk_pixels_are_means(server: Server, pictures: Path, photo: str, shrink: int) -> None:
    answer = _raw(server, photo, x=0, y=0, w=128, h=127, shrink=shrink)
    assert answer.status_code == 200, answer.text
    shown = np.frombuffer(answer.content, np.uint8).reshape(-(-127 // shrink), -(-128 // shrink), 3)
    whole = read_photo(pictures / "slow.png").pixels.astype(np.float64)
    rows = 127 // shrink * shrink
    columns = 128 // shrink * shrink
    squares = whole[:rows, :columns].reshape(rows // shrink, shrink, columns // shrink, shrink, 3)
    means = squares.mean(axis=(1, 3))
    assert (
        np.abs(shown[: rows // shrink, : columns // shrink] - means).max() <= 1.5
    )  # rounded along rows, then down columns


def test_grey_deep_and_transparent_ones_are_rgb_too(server: Server, pictures: Path) -> None:
    for name in ("grey.png", "deep.tif", "transparent.png", "float.tiff"):
        answer = server.client.post("/api/v1/photos", content=(pictures / name).read_bytes())
        document = answer.json()
        raw = _raw(server, document["links"]["rendering"])
        assert len(raw.content) == document["width"] * document["height"] * 3, name


def test_what_is_refused(server: Server, photo: str) -> None:
    assert _raw(server, photo, shrink=0).status_code == 422
    assert _raw(server, photo, x=126, y=0, w=3, h=3).status_code == 422


def _exif(orientation: int) -> bytes:
    return b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation]) + bytes(7)


@pytest.fixture(scope="module")
def drawing() -> NDArray[np.uint8]:
    return demo_photo(512) // 3 + 80  # nothing is clipped


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(400, 240), (397, 235)])
def test_a_preview_of_means_needs_no_whole_photograph(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    drawing: NDArray[np.uint8],
    orientation: int,
    width: int,
    height: int,
) -> None:
    path = tmp_path / "a.jpg"
    pixels = np.ascontiguousarray(drawing[:height, :width])
    write_photo(Photo(pixels, metadata=Metadata(exif=_exif(orientation)), format="jpeg"), path)
    photo = read_photo(path)
    assert photo.orientation == orientation
    rows, columns = apply_exif_orientation(photo.pixels, orientation).shape[:2]
    read = tasks.read_photo
    for shrink, region in (
        (16, Region(0, 0, columns, rows)),
        (8, Region(16, 8, columns - 16, 100)),
        (24, Region(48, 24, 101, 99)),
    ):
        task = tasks.Preview(path, tmp_path / "x", 10**6, region, DenoiseOptions(), shrink)
        monkeypatch.setattr(tasks, "read_photo", None)  # the whole is not asked for
        tasks._looked_at_last.clear()
        small = tasks._shrunk_on_load(task)
        monkeypatch.setattr(tasks, "read_photo", read)
        if orientation != 1 and (width % 8 or height % 8):
            assert small is None, "its first square would be cut"
            continue
        assert small is not None and small.orientation == 1
        expected = tasks._shrunk(photo, region, shrink).pixels.astype(int)
        assert small.pixels.shape == expected.shape
        whole = expected[: rows // shrink - 4, : columns // shrink - 4]  # of whole squares
        off = np.abs(small.pixels[: len(whole), : whole.shape[1]] - whole)
        assert off.max() <= 16 and off.mean() < 1.2, "chroma is spread between blocks"
    for shrink, x in ((4, 0), (12, 0), (8, 3)):
        region = Region(x, 0, 80, 80)
        task = tasks.Preview(path, tmp_path / "x", 10**6, region, DenoiseOptions(), shrink)
        assert tasks._shrunk_on_load(task) is None, "not of whole blocks"


def test_what_is_not_read_small(tmp_path: Path, pictures: Path) -> None:
    path = tmp_path / "a.jpg"
    write_photo(Photo(demo_photo(256), format="jpeg"), path)
    assert read_eighth(path) is not None
    assert read_eighth(path, max_pixels=256 * 256 - 1) is None
    assert read_eighth(pictures / "plain.png") is None
    path.write_bytes(path.read_bytes()[:3000])
    assert read_eighth(path) is None, "cut short"
    assert read_eighth(tmp_path / "none.jpg") is None
