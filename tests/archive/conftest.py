"""Small archives: photographs of 16x16 pixels in a bucket, and what the command makes of them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from invdn.archive import Manifest, Naming, open_manifest, plan_archive
from invdn.cli import group
from invdn.engines import open_engine
from invdn.inference import Engine
from invdn.photo.photo import Photo
from invdn.photo.write import encode_photo
from invdn.stores import open_store

NAMING = Naming("{stem}_denoised{suffix}")


def photograph(number: int) -> bytes:
    """A JPEG of noise, another for each number."""
    pixels = np.random.default_rng(number).integers(60, 120, (16, 16, 3), np.uint8)
    return encode_photo(Photo(pixels), "a.jpg")[0]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """The small model, which is as real as the other."""
    return open_engine("fast", "cpu")


@pytest.fixture
def filled(bucket: str) -> str:
    """A bucket with 24 photographs in folders, a sidecar, a file that is none and a broken one."""
    store = open_store(f"{bucket}/in")
    for number in range(24):
        store.create(f"{number % 3}/{number:02d}.jpg", photograph(number))
    store.create("0/00.xmp", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    store.create("0/notes.txt", b"no photograph")
    store.create(".hidden/00.jpg", photograph(0))
    return bucket


@pytest.fixture
def planned(filled: str) -> Manifest:
    """The plan of these photographs in 4 shards."""
    plan_archive(f"{filled}/in", f"{filled}/out", f"{filled}/plan", NAMING, shards=4)
    return open_manifest(f"{filled}/plan")


@pytest.fixture
def by_command(tmp_path: Path) -> Callable[[str], dict[str, bytes]]:
    """Denoises what a store holds with the plain command on files; gives the results."""

    def run(url: str) -> dict[str, bytes]:
        before, behind = tmp_path / "before", tmp_path / "behind"
        store = open_store(url)
        for entry in store.entries():
            path = before / entry.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(store.fetch(entry.key)[0])
        arguments = ["denoise", str(before), "-o", str(behind), "-r", "--model", "fast", "--quiet"]
        CliRunner().invoke(group, [*arguments, "--device", "cpu"])
        return contents(str(behind))

    return run


def contents(url: str) -> dict[str, bytes]:
    """All objects of a store."""
    store = open_store(url)
    return {entry.key: store.fetch(entry.key)[0] for entry in store.entries()}
