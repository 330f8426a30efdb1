"""A server of this module's own that speaks the part of Google's XML API that obstore uses.

It stands in for Google Cloud Storage: the public emulators have no such uploads (fake-gcs-server,
gcp-storage-emulator: the JSON API alone). Conditions of writing are generations, as there; an etag
in ``If-Match`` is one of reading.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

_PAGE = 1000


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def _where(self) -> tuple[str, str, dict[str, str]]:
        parts = urlsplit(self.path)
        bucket, _, key = parts.path.lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return bucket, unquote(key), query

    def _reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_PUT(self) -> None:
        bucket, key, _ = self._where()
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            if bucket not in self.server.buckets:
                return self._reply(404, b"<Error><Code>NoSuchBucket</Code></Error>")
            there = self.server.buckets[bucket]
            wanted = self.headers.get("x-goog-if-generation-match")
            generation = there[key]["x-goog-generation"] if key in there else "0"
            if wanted is not None and wanted != generation:
                return self._reply(412, b"<Error><Code>PreconditionFailed</Code></Error>")
            self.server.count += 1
            notes = {k.lower(): v for k, v in self.headers.items() if k.startswith("x-goog-meta-")}
            there[key] = {
                "content": content,
                "ETag": f'"{hashlib.md5(content).hexdigest()}"',  # noqa: S324  as Google does
                "Last-Modified": formatdate(usegmt=True),
                "Content-Type": self.headers.get("Content-Type", "application/octet-stream"),
                "x-goog-generation": str(self.server.count),
                **notes,
            }
            told = {name: there[key][name] for name in ("ETag", "x-goog-generation")}
        return self._reply(200, **told)

    def do_GET(self) -> None:
        bucket, key, query = self._where()
        with self.server.lock:
            if bucket not in self.server.buckets:
                return self._reply(404, b"<Error><Code>NoSuchBucket</Code></Error>")
            if not key:
                return self._reply(200, _listing(self.server.buckets[bucket], query))
            found = self.server.buckets[bucket].get(key)
        if found is None:
            return self._reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
        told = {name: value for name, value in found.items() if name != "content"}
        if self.headers.get("If-Match") not in (None, found["ETag"]):
            return self._reply(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        content = found["content"]
        if part := self.headers.get("Range"):
            first, last = (int(number) for number in part.removeprefix("bytes=").split("-"))
            if first >= len(content):
                return self._reply(416, b"<Error><Code>InvalidRange</Code></Error>")
            last = min(last, len(content) - 1)
            told["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            return self._reply(206, content[first : last + 1], **told)
        return self._reply(200, content, **told)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def _listing(there: dict[str, dict], query: dict[str, str]) -> bytes:
    after = query.get("continuation-token") or query.get("start-after", "")
    keys = sorted(k for k in there if k.startswith(query.get("prefix", "")) and k > after)
    more, keys = len(keys) > _PAGE, keys[:_PAGE]
    rows = "".join(
        f"<Contents><Key>{escape(key)}</Key><Size>{len(there[key]['content'])}</Size>"
        f"<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{there[key]['ETag']}</ETag>"
        f"<Generation>{there[key]['x-goog-generation']}</Generation></Contents>"
        for key in keys
    )
    token = f"<NextContinuationToken>{escape(keys[-1])}</NextContinuationToken>" if more else ""
    return f"<ListBucketResult>{rows}{token}</ListBucketResult>".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *buckets: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: dict[str, dict[str, dict]] = {name: {} for name in buckets}
        self.lock = threading.Lock()
        self.count = 0


@contextmanager
def google_server(*buckets: str) -> Iterator[str]:
    """The address of a server with empty buckets, as ``STORAGE_EMULATOR_HOST`` takes it."""
    with _Server(*buckets) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
