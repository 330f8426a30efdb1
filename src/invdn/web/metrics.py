"""What the service counts, for Prometheus."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from .jobs import Job

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)


class Metrics:
    """Counters of one service.

    Args:
        gauges: name -> its help, and a function that is asked whenever the metrics are read.
    """

    def __init__(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter(
            "invdn_requests", "Requests.", ("method", "route", "status"), registry=self._registry
        )
        self._request_seconds = Histogram(
            "invdn_request_seconds",
            "Time to the end of the answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._jobs = Counter(
            "invdn_jobs", "Jobs by their end.", ("state",), registry=self._registry
        )
        for state in ("done", "failed", "cancelled"):
            self._jobs.labels(state)
        self._job_seconds = Histogram(
            "invdn_job_seconds",
            "Time of the engine for one job.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._pixels = Counter("invdn_pixels", "Pixels denoised.", registry=self._registry)
        for name, (about, value) in gauges.items():
            Gauge(name, about, registry=self._registry).set_function(value)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def job_ended(self, job: "Job", seconds: float) -> None:
        """Count a job."""
        self._jobs.labels(job.state).inc()
        self._job_seconds.observe(seconds)
        if job.state == "done":
            self._pixels.inc(job.photo.inspection.width * job.photo.inspection.height)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)
