"""Answers that need care: files that may be removed meanwhile, problems, clients that leave."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import Receive, Scope, Send

from .errors import MEDIA_TYPE, ProblemError, full_disk, tells_of_full_disk
from .query_params import invalid

T = TypeVar("T")
_log = logging.getLogger(__name__)
_KINDS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}


class LeasedFileResponse(FileResponse):
    """A whole file, which is kept until it has been sent."""

    def __init__(self, path: Path, held: AsyncExitStack, **how: Any) -> None:
        super().__init__(path, **how)
        del self.headers["accept-ranges"]
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and let it go."""
        headers = [header for header in scope["headers"] if header[0] != b"range"]
        async with self._held:
            await super().__call__({**scope, "headers": headers}, receive, send)


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The work's result; the work is cancelled as soon as nobody waits for it any more.

    Raises:
        ProblemError: the client has gone away.
    """
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_leaving(request))
    try:
        await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ProblemError("bad-request", "the client went away")
    finally:
        leaving.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


async def _leaving(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def problem_answer(_: Request, problem: Exception) -> Response:
    """A problem as RFC 9457 wants it."""
    if tells_of_full_disk(problem):
        problem = full_disk()
    if not isinstance(problem, ProblemError):
        _log.error("a request failed", exc_info=problem)
        problem = ProblemError("internal", "the service failed; see its log")
    return JSONResponse(
        problem.document(), problem.status, problem.headers(), media_type=MEDIA_TYPE
    )


async def http_answer(request: Request, error: Exception) -> Response:
    """What the framework refuses, such as a path that does not exist."""
    if not isinstance(error, HTTPException):
        return await problem_answer(request, error)
    kind = _KINDS.get(error.status_code, "bad-request")
    details = {
        "not-found": "there is nothing at this address",
        "method-not-allowed": f"{request.method} cannot be used here",
    }
    answer = await problem_answer(request, ProblemError(kind, details.get(kind, str(error.detail))))
    answer.headers.update(error.headers or {})
    return answer


async def invalid_answer(request: Request, error: Any) -> Response:
    """Parameters that do not fit their schema."""
    return await problem_answer(request, invalid(error.errors()))
