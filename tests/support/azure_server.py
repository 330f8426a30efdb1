"""A server that speaks Azure's protocol of blobs, in a process of its own: Microsoft's Azurite.

It comes from npm (``npm install --global azurite``); tests that need it are skipped without it.
"""

import base64
import hashlib
import hmac
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate

import pytest

from support.s3_server import free_port

_NAME = "devstoreaccount1"
#: What a client must know, but for the address. from: Azurite's manual, for everybody.
ACCOUNT = {
    "AZURE_STORAGE_ACCOUNT_NAME": _NAME,
    "AZURE_STORAGE_ACCOUNT_KEY": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq"
    "/K1SZFPTOtr/KBHBeksoGMGw==",
}


@contextmanager
def azure_server() -> Iterator[str]:
    """The address of a server that is empty at first."""
    import httpx  # late: few tests need a server

    program = shutil.which("azurite-blob")
    if not program:
        pytest.skip("needs Azurite: npm install --global azurite")
    port = free_port()
    command = [program, "--blobPort", str(port), "--inMemoryPersistence", "--silent"]
    command += ["--skipApiVersionCheck", "--disableTelemetry"]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(command, cwd=folder, **silent)
        try:
            for _ in range(600):
                try:
                    httpx.get(f"http://127.0.0.1:{port}/", timeout=5)
                    break
                except httpx.HTTPError:
                    assert process.poll() is None, "the server ended"
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/{_NAME}"
        finally:
            process.kill()
            process.wait()


def make_container(name: str) -> str:
    """Make a container on the server of the environment; its URL."""
    import httpx

    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02"}
    signed = [f"{key}:{value}" for key, value in headers.items()]
    place = f"/{_NAME}/{_NAME}/{name}"  # once for the account, once for the emulator's path
    text = "\n".join(["PUT", *[""] * 11, *signed, place, "restype:container"])
    key = base64.b64decode(ACCOUNT["AZURE_STORAGE_ACCOUNT_KEY"])
    signature = base64.b64encode(hmac.digest(key, text.encode(), hashlib.sha256)).decode()
    address = f"{os.environ['AZURE_STORAGE_ENDPOINT']}/{name}?restype=container"
    headers |= {"Authorization": f"SharedKey {_NAME}:{signature}", "Content-Length": "0"}
    httpx.put(address, headers=headers, timeout=30).raise_for_status()
    return f"az://{name}"
