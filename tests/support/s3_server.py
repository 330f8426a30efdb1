"""A server that speaks S3, in a process of its own: moto's, which honours conditional puts."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: What a client must know, but for the address.
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_REGION": "us-east-1",
}


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def s3_server() -> Iterator[str]:
    """The address of a server that is empty at first."""
    import httpx  # late: few tests need a server

    port = free_port()
    program = str(Path(sys.executable).with_name("moto_server"))
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(
        [program, "-H", "127.0.0.1", "-p", str(port)], env={**os.environ, **CREDENTIALS}, **silent
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                httpx.get(f"{address}/moto-api/", timeout=5)
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
        yield address
    finally:
        process.kill()
        process.wait()


def make_bucket(address: str, name: str) -> str:
    """Make a bucket; its URL."""
    import httpx

    httpx.put(f"{address}/{name}", timeout=30).raise_for_status()
    return f"s3://{name}"


def environment(address: str) -> dict[str, str]:
    """The variables by which a client finds the server."""
    return {**CREDENTIALS, "AWS_ENDPOINT_URL": address}
