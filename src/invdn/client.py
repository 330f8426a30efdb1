"""A client for the service of ``invdn serve``: photographs in, results out, jobs watched.

Needs httpx: ``pip install 'invdn[client]'``.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import quote, urlsplit
from uuid import uuid4

from .atomic import atomic_output
from .errors import InputError, InvDNError, MissingDependencyError
from .options import Overrides

if TYPE_CHECKING:
    import httpx

_FINAL = ("done", "failed", "cancelled")
_TRIES = 4  # of requests that may be sent again
_BUSY = (429, 502, 503)


class ServiceError(InvDNError):
    """The service refused, or could not be reached.

    Args:
        message: what was wrong and what to do.
        status: of HTTP; 0 where no answer came.
        kind: the end of the problem's type, such as ``"queue-full"``.
        retry_after: seconds after which another attempt may succeed.
    """

    def __init__(
        self, message: str, status: int = 0, kind: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.retry_after = retry_after


@dataclass(frozen=True)
class RemoteJob:
    """A job of the service.

    Attributes:
        id: its name.
        state: ``"queued"``, ``"running"``, ``"done"``, ``"failed"`` or ``"cancelled"``.
        progress: 0 to 1.
        seconds_left: of a job that runs, where one can tell.
        problem: why it failed.
        document: all that the service says of it.
    """

    id: str
    state: str
    progress: float
    seconds_left: float | None
    problem: str | None
    document: Mapping[str, Any]

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in _FINAL


class Client:
    """A connection to a service; use it as a context, or call :meth:`close`.

    Args:
        address: of the service, such as ``"http://127.0.0.1:8642"``; a path below which a proxy
            offers it belongs to it.
        token: where the service has one.
        timeout: seconds without any answer.

    All methods raise:
        ServiceError: the service refused, or could not be reached.
        MissingDependencyError: httpx is not installed.
    """

    def __init__(self, address: str, token: str | None = None, timeout: float = 120) -> None:
        if urlsplit(address).scheme not in ("http", "https"):
            raise InputError(f"the address must begin with http:// or https://, not {address!r}")
        try:
            import httpx  # late: extra client
        except ImportError as error:
            raise MissingDependencyError(
                "the client needs httpx: pip install 'invdn[client]'"
            ) from error
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._errors = httpx.TransportError
        self._http = httpx.Client(
            base_url=f"{address.rstrip('/')}/api/v1/", headers=headers, timeout=timeout
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def describe(self) -> Mapping[str, Any]:
        """Return what the service is, what it allows, and every option."""
        return self._json("GET", "service")

    def denoise(self, photo: Path | bytes, **options: Unpack[Overrides]) -> bytes:
        """Denoise a photograph.

        Args:
            photo: its file, or the bytes of one.
            **options: as of :class:`invdn.DenoiseOptions`, and ``quality``.

        Returns:
            The file of the result, in the format of the photograph.
        """
        job = self.wait(self.submit(photo, **options))
        try:
            return self.result(job)
        finally:
            self.remove(job)

    def submit(self, photo: Path | bytes, **options: Unpack[Overrides]) -> RemoteJob:
        """Queue the work on a photograph, once, however often the request had to be sent.

        Args:
            photo: its file, or the bytes of one.
            **options: as of :class:`invdn.DenoiseOptions`, and ``quality``.
        """
        body = photo if isinstance(photo, bytes) else photo.read_bytes()
        query: dict[str, Any] = {k: v for k, v in options.items() if v is not None}
        if isinstance(photo, Path):
            query["name"] = photo.name
        headers = {"Idempotency-Key": str(uuid4())}
        return _job(self._json("POST", "jobs", params=query, content=body, headers=headers))

    def job(self, identifier: str) -> RemoteJob:
        """Return how far a job is."""
        return _job(self._json("GET", f"jobs/{quote(identifier, safe='')}"))

    def jobs(self, state: str | None = None) -> Iterator[RemoteJob]:
        """Yield all jobs, the newest first.

        Args:
            state: only those in this state.
        """
        query: dict[str, Any] = {"limit": 100} | ({"state": state} if state else {})
        while True:
            page = self._json("GET", "jobs", params=query)
            yield from map(_job, page["jobs"])
            if not page["next"]:
                return
            query["before"] = page["jobs"][-1]["id"]

    def wait(
        self,
        job: RemoteJob,
        progress: Callable[[RemoteJob], None] | None = None,
        seconds: float | None = None,
    ) -> RemoteJob:
        """Wait until a job is done.

        Args:
            job: which.
            progress: called now and then with the job as it is.
            seconds: wait no longer; None: as long as it takes.

        Raises:
            ServiceError: it failed or was cancelled, or the time is up.
        """
        end = None if seconds is None else time.monotonic() + seconds
        pause = 0.1
        while not job.is_final:
            if end is not None and time.monotonic() > end:
                raise ServiceError(f"job {job.id} is not done after {seconds:g} seconds")
            time.sleep(pause)
            pause = min(2.0, 1.3 * pause)
            job = self.job(job.id)
            if progress:
                progress(job)
        if job.state != "done":
            raise ServiceError(job.problem or f"job {job.id} was {job.state}")
        return job

    def result(self, job: RemoteJob) -> bytes:
        """Return the file of a job's result."""
        return self._send("GET", f"jobs/{job.id}/result").content

    def save(self, job: RemoteJob, target: Path, *, overwrite: bool = False) -> None:
        """Write a job's result into a file, which appears whole or not at all.

        Args:
            job: which.
            target: the file.
            overwrite: replace the file if it exists.

        Raises:
            OutputError: the file exists, or cannot be written.
        """
        with (
            atomic_output(target, overwrite) as file,
            self._http.stream("GET", f"jobs/{job.id}/result") as answer,
        ):
            if answer.is_error:
                answer.read()
                raise _refusal(answer)
            with file.open("wb") as sink:
                for chunk in answer.iter_bytes():
                    sink.write(chunk)

    def cancel(self, job: RemoteJob) -> RemoteJob:
        """Stop a job; one that has ended stays as it is."""
        now = self.job(job.id)
        return now if now.is_final else _job(self._json("DELETE", f"jobs/{job.id}"))

    def remove(self, job: RemoteJob) -> None:
        """Stop a job and remove it with its result, and the photograph that came with it."""
        if not self.cancel(job).is_final:
            raise ServiceError(f"job {job.id} does not stop")
        self._send("DELETE", f"jobs/{job.id}")

    def _json(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        document: dict[str, Any] = self._send(method, path, **how).json()
        return document

    def _send(self, method: str, path: str, **how: Any) -> "httpx.Response":
        """Send a request; again, where that is safe and may help."""
        again = method != "DELETE"
        for attempt in range(1, _TRIES + 1):
            last = attempt == _TRIES or not again
            try:
                answer = self._http.request(method, path, **how)
            except self._errors as error:
                if last:
                    raise ServiceError(
                        f"the service at {self._http.base_url} does not answer: {error}"
                    ) from error
                time.sleep(0.2 * 2**attempt)
                continue
            if not answer.is_error:
                return answer
            if last or answer.status_code not in _BUSY:
                raise _refusal(answer)
            time.sleep(min(10.0, _refusal(answer).retry_after or 1.0))
        raise AssertionError("the last attempt returns or raises")


def _job(document: Mapping[str, Any]) -> RemoteJob:
    problem = document["problem"]
    return RemoteJob(
        document["id"],
        document["state"],
        document["progress"],
        document["seconds_left"],
        problem["detail"] if problem else None,
        document,
    )


def _refusal(answer: "httpx.Response") -> ServiceError:
    try:
        problem = answer.json()
        kind = str(problem["type"]).rpartition(":")[2]
        message = str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        kind, message = "", f"the service answered with status {answer.status_code}"
    after = answer.headers.get("retry-after", "")
    seconds = float(after) if after.isdigit() else None
    return ServiceError(message, answer.status_code, kind, seconds)


__all__ = ["Client", "RemoteJob", "ServiceError"]
