"""A proxy before a server of HTTP that answers wrongly now and then, and counts what it did.

Faults: ``busy`` answers 503 SlowDown, ``conflict`` answers a PUT with 409, ``cut`` breaks off in
the middle of a body, ``lost`` lets the server do the work and breaks off before the answer.
``answer`` gives every request an answer or a fault of its own instead.
"""

import http.client
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Answer = Callable[[str, str], tuple[int, str] | str | None]
_NOT_PASSED_ON = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class FaultProxy:
    """What the proxy does.

    Attributes:
        address: where it listens.
        faults: how often each kind happened.
        requests: how many came.
        written: how often the server behind wrote an object, by path.
        working: on so many requests now.
    """

    def __init__(self, address: str, share: float, seed: int, answer: Answer | None) -> None:
        self.faults: Counter[str] = Counter()
        self.requests: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.working = 0
        self.share = share
        self._turns: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._behind = urlsplit(address)
        self._answer = answer
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                with proxy._lock:
                    proxy.working += 1
                try:
                    proxy.handle(self)
                finally:
                    with proxy._lock:
                        proxy.working -= 1

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Pass a request on, or not."""
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else b""
        with self._lock:
            self.requests[request.command] += 1
            fault = self._choose(request.command)
            self.faults[fault] += bool(fault)
        own = self._answer(request.command, request.path) if self._answer else None
        if isinstance(own, tuple):
            return self._reply(request, own[0], {}, own[1].encode())
        if own:
            fault = own
            self.faults[fault] += 1
        if fault == "busy":
            return self._reply(request, 503, {}, b"<Error><Code>SlowDown</Code></Error>")
        if fault == "conflict":
            text = b"<Error><Code>ConditionalRequestConflict</Code></Error>"
            return self._reply(request, 409, {}, text)
        behind = http.client.HTTPConnection(self._behind.hostname, self._behind.port, timeout=60)
        headers = {k: v for k, v in request.headers.items() if k.lower() not in _NOT_PASSED_ON}
        behind.request(request.command, request.path, body or None, headers)
        answer = behind.getresponse()
        content = answer.read()
        behind.close()
        if request.command == "PUT" and answer.status == 200:
            with self._lock:
                self.written[urlsplit(request.path).path] += 1
        if fault == "lost":
            return self._break_off(request)
        passed = {k: v for k, v in answer.getheaders() if k.lower() not in _NOT_PASSED_ON}
        if request.command == "HEAD":
            passed["Content-Length"] = answer.getheader("Content-Length", "0")
        if fault == "cut" and len(content) > 1:
            request.send_response_only(answer.status)
            for name, value in {**passed, "Content-Length": str(len(content))}.items():
                request.send_header(name, value)
            request.end_headers()
            request.wfile.write(content[: len(content) // 2])
            return self._break_off(request)
        return self._reply(request, answer.status, passed, content)

    def _choose(self, command: str) -> str:
        if self._random.random() >= self.share:
            return ""
        kinds = {"PUT": ["busy", "conflict", "lost"], "GET": ["busy", "cut", "lost"]}
        turn = kinds.get(command, ["busy", "lost"])
        self._turns[command] += 1
        return turn[self._turns[command] % len(turn)]

    def _reply(
        self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes
    ) -> None:
        request.send_response_only(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)

    def _break_off(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.flush()
        request.close_connection = True
        request.connection.close()

    def __enter__(self) -> "FaultProxy":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def fault_proxy(
    address: str, share: float = 0.0, seed: int = 0, answer: Answer | None = None
) -> Iterator[FaultProxy]:
    """A proxy as long as the block runs.

    Args:
        address: of the server behind it.
        share: of the requests that get a fault.
        seed: of the choice.
        answer: called with method and path; gives status and body, a fault, or None to pass it on.
    """
    with FaultProxy(address, share, seed, answer) as proxy:
        yield proxy
