"""A real server in a process of its own, for the time of a test."""

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
import pytest

PROCESS = Path(__file__).with_name("server_process.py")


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

    def workers(self, kind: str = "") -> list[int]:
        """Process numbers of its workers: ``engine``, ``pictures``, ``drafts``, or all."""
        if sys.platform != "linux":
            pytest.skip("only Linux tells of a process's children in /proc")
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        children = [int(pid) for thread in threads for pid in _words(thread / "children")]
        workers = [
            child
            for child in children
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
        ]
        return sorted(pid for pid in workers if _name(pid).startswith(f"invdn-{kind}"))

    def job(self, answer: httpx.Response) -> dict[str, Any]:
        """The job of an answer, once it has ended."""
        assert answer.status_code == 202, answer.text
        return self.until(
            answer.json()["id"], lambda job: job["state"] not in ("queued", "running")
        )

    def until(self, job: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The job as soon as it is as wanted."""
        for _ in range(4800):
            document: dict[str, Any] = self.client.get(f"/api/v1/jobs/{job}").json()
            if wanted(document):
                return document
            time.sleep(0.05)
        raise AssertionError(f"never came: {document}")


def is_alive(pid: int) -> bool:
    """Whether a process runs; one whose end nobody has asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:  # a thread that has ended meanwhile
        return []


@contextmanager
def running(
    folder: Path, *arguments: str, environment: dict[str, str] | None = None, **settings: Any
) -> Iterator[Server]:
    """A server for the time of the block.

    Args:
        folder: for its temporary files.
        arguments: of ``invdn serve``; without any, a server of ``settings`` is started.
        environment: further variables.
        settings: as in :class:`invdn.web.Settings`, and what ``server_process.py`` takes.
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
        env={**os.environ, "TMPDIR": str(folder), **(environment or {})},
    )
    try:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address.startswith("http://127."), (folder / "log").read_text()
        with httpx.Client(base_url=address, timeout=120) as client:
            yield Server(process, client, folder)
    finally:
        process.terminate()
        try:
            process.wait(120)
        finally:
            process.kill()
            process.wait()
