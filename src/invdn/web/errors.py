"""What goes wrong, as RFC 9457 tells it: problem+json with one clear sentence."""

import errno
import math
from typing import Any

from ..errors import InvDNError

MEDIA_TYPE = "application/problem+json"

#: Name -> HTTP status and title. The name is the end of the problem's type, and stays.
KINDS: dict[str, tuple[int, str]] = {
    "bad-request": (400, "The request cannot be understood"),
    "unauthorized": (401, "The token is missing or wrong"),
    "forbidden": (403, "Other sites may not use this service"),
    "not-found": (404, "There is no such thing"),
    "method-not-allowed": (405, "This cannot be done here"),
    "timeout": (408, "The photograph came too slowly"),
    "not-ready": (409, "There is no result"),
    "too-large": (413, "The photograph is too large"),
    "unsupported": (415, "This is no photograph that can be read"),
    "misdirected": (421, "The service does not have this name"),
    "invalid": (422, "The photograph or an option cannot be used"),
    "worker-crashed": (422, "The photograph cannot be worked on"),
    "queue-full": (429, "Too many photographs are waiting"),
    "too-many-attempts": (429, "Too many wrong tokens"),
    "internal": (500, "The service has failed"),
    "unavailable": (503, "The service cannot take this now"),
    "worker-died": (503, "The work ended unexpectedly"),
    "too-long": (504, "The work took too long"),
}

#: The process that did the work has ended: by others, or by a fault of its own.
WORKER_ENDED = ("worker-died", "worker-crashed")


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


class ProblemError(InvDNError):
    """One thing that went wrong; travels between processes and becomes an answer at the edge.

    Args:
        kind: one of :data:`KINDS`.
        detail: one sentence that says what was wrong and what to do.
        errors: (option, message) for every option at fault.
        retry_after: seconds after which another attempt may succeed.

    Example:
        >>> ProblemError("not-found", "there is no job 7").document()["status"]
        404
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        errors: tuple[tuple[str, str], ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(kind, detail, errors, retry_after)  # all of it, so that it can be pickled
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.detail

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.kind][0]

    def document(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {
            "type": f"urn:invdn:problem:{self.kind}",
            "title": KINDS[self.kind][1],
            "status": self.status,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [{"name": name, "message": message} for name, message in self.errors]
        return body

    def headers(self) -> dict[str, str]:
        """Return what the answer's head says beside the body."""
        headers = {}
        if self.retry_after is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after)))
        if self.kind == "unauthorized":
            headers["WWW-Authenticate"] = "Bearer"
        return headers


def stopping() -> ProblemError:
    """Return the service is about to end."""
    return ProblemError(
        "unavailable", "the service is being stopped; try again later", retry_after=10
    )


def full_disk() -> ProblemError:
    """Return the service's own disk takes no more."""
    return ProblemError(
        "unavailable",
        "the disk that the service keeps photographs on is full; try again later",
        retry_after=30,
    )


def tells_of_full_disk(error: BaseException | None) -> bool:
    """Return whether an error, or what caused it, says that the disk takes no more."""
    while error:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if "no space left" in str(error).lower():  # libvips tells it in words only
            return True
        error = error.__cause__ or error.__context__
    return False


def worker_ended(how: str, *, crashed: bool = False) -> ProblemError:
    """Return the end of the process that did the work.

    Args:
        how: it ended, as a sentence.
        crashed: by a fault of its own; else from outside, by the system or by people.
    """
    return ProblemError("worker-crashed" if crashed else "worker-died", how, retry_after=1)


def died_twice(last: ProblemError) -> ProblemError:
    """Return what a client learns when the second try ended as the first: nothing was kept."""
    if last.kind == "worker-crashed":
        return ProblemError(
            last.kind,
            f"two processes broke down over this photograph: {last}; it may be damaged, or need "
            "more memory than it may take",
        )
    return ProblemError(
        last.kind, f"the work was ended twice: {last}; send the photograph again", retry_after=5
    )
