"""What the service counts, for Prometheus."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from .jobs import Job

CONTENT_TYPE = CONTENT_TYPE_LATEST
_REQUEST_SECONDS = (0.05, 0.25, 1, 5, 30, 300)
_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """Counters of one service.

    Args:
        gauges: name -> its help, and a function that is asked whenever the metrics are read.
    """

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        build = Gauge("invdn_build_info", "Always 1.", ("version",), registry=self._registry)
        build.labels(version("invdn")).set(1)
        self._requests = Counter(
            "invdn_requests", "Requests.", ("method", "route", "status"), registry=self._registry
        )
        self._request_seconds = Histogram(
            "invdn_request_seconds",
            "Time to the end of the answer.",
            ("route",),
            buckets=_REQUEST_SECONDS,
            registry=self._registry,
        )
        self._jobs = Counter(
            "invdn_jobs", "Jobs by their end.", ("state",), registry=self._registry
        )
        for state in ("done", "failed", "cancelled"):
            self._jobs.labels(state)
        self._job_seconds = self._seconds("invdn_job_seconds", "Time of the engine for one job.")
        self._queue_seconds = self._seconds(
            "invdn_job_queue_seconds", "Time from a job's coming to the engine's beginning."
        )
        self._pixels = Counter("invdn_pixels", "Pixels denoised.", registry=self._registry)
        for name, (about, value) in gauges.items():
            Gauge(name, about, registry=self._registry).set_function(value)

    def _seconds(self, name: str, about: str) -> Histogram:
        return Histogram(name, about, buckets=_SECONDS, registry=self._registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def job_waited(self, seconds: float) -> None:
        """Count the time that a job has waited for its engine."""
        self._queue_seconds.observe(seconds)

    def job_took(self, seconds: float) -> None:
        """Count the time that an engine has worked on a job."""
        self._job_seconds.observe(seconds)

    def job_ended(self, state: str, done: "Job | None" = None) -> None:
        """Count a job; and its pixels, where it is done."""
        self._jobs.labels(state).inc()
        if done:
            self._pixels.inc(done.photo.inspection.width * done.photo.inspection.height)

    def text(self) -> bytes:
        """Return all of them, as Prometheus reads them."""
        return generate_latest(self._registry)
