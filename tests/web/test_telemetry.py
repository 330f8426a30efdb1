"""Traces reach a collector that speaks OpenTelemetry's protocol."""

import gzip
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.serving import running


def test_requests_are_traced(tmp_path: Path, pictures: Path) -> None:
    protocol = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
    pytest.importorskip("opentelemetry.instrumentation.asgi")
    bodies: list[bytes] = []
    come = threading.Event()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            zipped = self.headers.get("Content-Encoding") == "gzip"
            bodies.append(gzip.decompress(body) if zipped else body)
            self.send_response(200)
            self.end_headers()
            come.set()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Collector) as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",  # ms
        }
        with running(tmp_path, "--max-queue", "4", environment=environment) as server:
            assert server.client.get("/healthz").status_code == 200
            body = (pictures / "tiny.png").read_bytes()
            assert server.client.post("/api/v1/photos", content=body).status_code == 201
            assert come.wait(60)
        collector.shutdown()
    names, services = [], set()
    for one in bodies:
        for resource in protocol.ExportTraceServiceRequest.FromString(one).resource_spans:
            services |= {a.value.string_value for a in resource.resource.attributes}
            names += [span.name for scope in resource.scope_spans for span in scope.spans]
    assert "invdn" in services
    assert names.count("POST /api/v1/photos") == 1, names
    assert not any("healthz" in name for name in names), names
