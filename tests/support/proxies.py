"""A real nginx or Caddy in front of a server, for the time of a test."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.s3_server import free_port

_CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {servers}
}}
"""


@contextmanager
def nginx(folder: Path, servers: str) -> Iterator[str]:
    """Run nginx; skips where there is none.

    Args:
        folder: for its files.
        servers: of its configuration; ``PORT`` stands for where it listens.

    Yields:
        Its address.
    """
    text = _CONFIGURATION.format(folder=folder, servers=servers)
    with _proxy("nginx", folder, text, "-p", str(folder), "-c") as address:
        yield address


@contextmanager
def caddy(folder: Path, sites: str) -> Iterator[str]:
    """Run Caddy; skips where there is none.

    Args:
        folder: for its files.
        sites: its configuration; ``PORT`` stands for where it listens.

    Yields:
        Its address.
    """
    text = f"{{\n\tadmin off\n}}\n{sites}"
    with _proxy("caddy", folder, text, "run", "--adapter", "caddyfile", "--config") as address:
        yield address


@contextmanager
def _proxy(name: str, folder: Path, text: str, *arguments: str) -> Iterator[str]:
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if not program:
        pytest.skip(f"needs {name} on the path")
    folder.mkdir()
    port = free_port()
    configuration = folder / "configuration"
    configuration.write_text(text.replace("PORT", str(port)))
    process = subprocess.Popen(
        [program, *arguments, str(configuration)],
        stderr=(folder / "log").open("w"),
        env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
    )
    try:
        for _ in range(200):
            assert process.poll() is None, (folder / "log").read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(120)
