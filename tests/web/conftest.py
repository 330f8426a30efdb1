"""Real servers on loopback ports, with the shipped model, and tiny photographs for them."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Metadata, Photo
from invdn.photo.vips import pyvips
from invdn.photo.write import write_photo
from support.chromium import browser, visit
from support.serving import Server, running

__all__ = ["browser", "visit"]  # fixtures of the page's tests

#: An EXIF block that says nothing but "turn me by a quarter to the right" (orientation 6).
TURNED = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The command with its own settings."""
    with running(tmp_path_factory.mktemp("server"), "--max-queue", "64") as started:
        yield started


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with little patience and little room."""
    with running(
        tmp_path_factory.mktemp("strict"),
        max_bytes=300_000,
        max_pixels=300_000,
        max_preview_pixels=2000,
        max_queue=2,
        max_memory=150 << 20,
        max_storage=900_000,
        lifetime=3,
        header_seconds=1,
        idle_seconds=1,
    ) as started:
        yield started


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny noisy photographs of every kind, and one that is large enough to take a while."""
    folder = tmp_path_factory.mktemp("pictures")
    noisy = np.ascontiguousarray(camera_noise(demo_photo(64), seed=1)[:40, :52])
    turned = Metadata(exif=TURNED, resolution=(11.8, 11.8))
    deep = noisy.astype(np.uint16) * 257 + 3
    alpha = np.full((40, 52), 60_000, np.uint16)
    alpha[:20] = 0
    write_photo(Photo(noisy), folder / "plain.png")
    write_photo(Photo(noisy, metadata=turned, format="jpeg"), folder / "turned.jpg")
    write_photo(Photo(noisy), folder / "plain.webp")
    wide = Metadata(icc=pyvips.Image.profile_load("p3"))
    write_photo(Photo(noisy, metadata=wide), folder / "wide.tif")
    write_photo(Photo(deep, metadata=turned), folder / "deep.tif")
    write_photo(Photo(deep, alpha), folder / "transparent.png")
    write_photo(Photo(np.ascontiguousarray(noisy[..., 0])), folder / "grey.png")
    write_photo(Photo(deep.astype(np.float32) / 65_535), folder / "float.tiff")
    small = np.ascontiguousarray(noisy[:12, :16])
    for name in ("tiny.png", "tiny.webp", "tiny.jpg"):
        write_photo(Photo(small), folder / name)
    write_photo(Photo(small.astype(np.uint16) * 257), folder / "tiny.tif")
    write_photo(Photo(camera_noise(demo_photo(128), seed=2)), folder / "slow.png")
    return folder
