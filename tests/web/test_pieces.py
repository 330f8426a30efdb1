"""Pictures in pieces, as the page's canvas fetches them."""

from pathlib import Path

import httpx
import numpy as np
import pytest

from invdn.photo.read import read_photo
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
