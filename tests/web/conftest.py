"""Real servers on loopback ports, with the shipped model, and tiny photographs for them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from invdn.imaging.demo_noise import camera_noise
from invdn.imaging.demo_photo import demo_photo
from invdn.imaging.photo import Metadata, Photo
from invdn.imaging.writing import write_photo

PROCESS = Path(__file__).with_name("server_process.py")
#: An EXIF block that says nothing but "turn me by a quarter to the right" (orientation 6).
TURNED = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"


@dataclass
class Server:
    """A running server and a client for it."""

    process: subprocess.Popen[str]
    client: httpx.Client
    folder: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        port = self.client.base_url.port
        assert port
        return port

    def workers(self) -> list[int]:
        """Process numbers of its workers: the engine's first."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        children = [int(pid) for thread in threads for pid in _words(thread / "children")]
        workers = [
            child
            for child in children
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        return sorted(workers, key=lambda pid: int(_words(Path(f"/proc/{pid}/stat"))[21]))

    def job(self, answer: httpx.Response) -> dict[str, Any]:
        """The job of an answer, once it has ended."""
        assert answer.status_code == 202, answer.text
        return self.until(
            answer.json()["id"], lambda job: job["state"] not in ("queued", "running")
        )

    def until(self, job: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job as soon as it is as wanted."""
        for _ in range(1200):
            document: dict[str, Any] = self.client.get(f"/api/v1/jobs/{job}").json()
            if wanted(document):
                return document
            time.sleep(0.05)
        raise AssertionError(f"never came: {document}")


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:  # a thread that has ended meanwhile
        return []


@contextmanager
def running(folder: Path, *arguments: str, **settings: Any) -> Iterator[Server]:
    """A server for the time of the block.

    Args:
        folder: for its temporary files.
        arguments: of ``invdn serve``; without any, a server of ``settings`` is started.
        settings: as in :class:`invdn.web.Settings`.
    """
    command = ["-m", "invdn", "serve", "--port", "0", *arguments]
    if not arguments:
        command = [str(PROCESS), json.dumps(settings)]
    folder.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), (folder / "log").read_text()
        with httpx.Client(base_url=address, timeout=120) as client:
            yield Server(process, client, folder)
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait()


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
