"""Traces for OpenTelemetry, where its packages are installed and an address is set for them."""

import inspect
import os
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

_ADDRESSES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PACKAGES = (
    "opentelemetry.instrumentation.asgi",
    "opentelemetry.sdk.trace",
    "opentelemetry.exporter.otlp.proto.http",
)


def traced(app: ASGIApp) -> ASGIApp:
    """Return the application with a trace for every request, if that is wanted and possible.

    The usual variables of OpenTelemetry say where the traces go (``OTEL_EXPORTER_OTLP_ENDPOINT``)
    and everything else; without them nothing is loaded.
    """
    if not any(os.environ.get(name) for name in _ADDRESSES) or not _installed():
        return app
    from opentelemetry import trace  # late: extra otel
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    names = {"service.name": "invdn", "service.version": version("invdn")}
    provider = TracerProvider(resource=Resource.create(names))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    wrapped: ASGIApp = OpenTelemetryMiddleware(app, excluded_urls="healthz,readyz,metrics")
    return wrapped


def without_native_spans() -> dict[str, Any]:
    """Return arguments for ``FastAPI`` that keep its own spans away, which would double these.

    Releases of 2026 make them of themselves; those before know no such argument.
    """
    if "telemetry" not in inspect.signature(FastAPI).parameters:
        return {}
    return {"telemetry": dict.fromkeys(("tracing", "metrics", "logs", "operation_spans"), False)}


def _installed() -> bool:
    try:
        return all(find_spec(name) for name in _PACKAGES)
    except ModuleNotFoundError:
        return False
