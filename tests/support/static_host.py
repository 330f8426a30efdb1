"""A static host of a folder, as a page without a server of its own has it."""

import functools
import http.server
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: What makes a page isolated, so that it may have threads.
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


@contextmanager
def served(
    folder: Path, headers: Mapping[str, str]
) -> Iterator[tuple[str, http.server.ThreadingHTTPServer]]:
    """Serve a folder for the time of the block; yields its address and the server.

    ``server.sent`` counts how often the body of each path was sent.
    """
    sent: Counter[str] = Counter()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def copyfile(self, source: Any, outputfile: Any) -> None:
            sent[self.path] += 1
            super().copyfile(source, outputfile)

        def end_headers(self) -> None:
            for name, value in headers.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    handler = functools.partial(Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.sent = sent  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", server
    finally:
        server.shutdown()
        server.server_close()
