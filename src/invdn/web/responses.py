"""Answers that need care: files that may be removed meanwhile, problems, clients that leave."""

import asyncio
import logging
import re
import unicodedata
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from .errors import MEDIA_TYPE, ProblemError, full_disk, tells_of_full_disk
from .query_params import invalid

T = TypeVar("T")
_log = logging.getLogger(__name__)
_KINDS = {400: "bad-request", 404: "not-found", 405: "method-not-allowed"}


class LeasedFileResponse(FileResponse):
    """A file, or a part of it (Range), which is kept until it has been sent.

    Args:
        path: the file.
        held: what keeps it.
        etag: a name of this very content; the same name is answered by 304.
        download: the name under which a browser saves it.
        how: media type and headers.
    """

    def __init__(
        self,
        path: Path,
        held: AsyncExitStack,
        *,
        etag: str,
        download: str | None = None,
        **how: Any,
    ) -> None:
        super().__init__(path, **how)
        self._held = held
        self._etag = f'"{etag}"'
        self.headers["ETag"] = self._etag
        self.headers["Cache-Control"] = "private, no-cache"
        if download:
            self.headers["Content-Disposition"] = attachment(download)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and let it go."""
        async with self._held:
            if is_known(Headers(scope=scope), self._etag):
                await not_modified(self._etag)(scope, receive, send)
                return
            await super().__call__(scope, receive, send)


def is_known(headers: Headers, etag: str) -> bool:
    """Return whether the client has this content already (RFC 9110, If-None-Match)."""
    known = headers.get("if-none-match", "")
    return known.strip() == "*" or etag in [
        tag.strip().removeprefix("W/") for tag in known.split(",")
    ]


def not_modified(etag: str) -> Response:
    """Return the answer to a client that has the content already."""
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    return Response(status_code=304, headers=headers)


def attachment(name: str) -> str:
    r"""Return the header that names a download, in the form of old programs and in the exact one.

    Example:
        >>> attachment("my photo.jpg")
        'attachment; filename="my photo.jpg"; filename*=UTF-8\'\'my%20photo.jpg'
        >>> attachment("Nächt.jpg")
        'attachment; filename="Nacht.jpg"; filename*=UTF-8\'\'N%C3%A4cht.jpg'
    """
    letters = unicodedata.normalize("NFKD", name)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    plain = re.sub(r"[^ !#$&'()+,.;=@\[\]^`{}~\w-]", "_", plain, flags=re.ASCII)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the work's result; the work is cancelled as soon as nobody waits for it any more.

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


async def problem_answer(request: Request, problem: Exception) -> Response:
    """Return a problem as RFC 9457 wants it."""
    if tells_of_full_disk(problem):
        problem = full_disk()
    if not isinstance(problem, ProblemError):
        _log.error("a request failed", exc_info=problem)
        name = request.scope.get("request_id", "")
        problem = ProblemError("internal", f"the service failed; its log says why (request {name})")
    return JSONResponse(
        problem.document(), problem.status, problem.headers(), media_type=MEDIA_TYPE
    )


async def http_answer(request: Request, error: Exception) -> Response:
    """Return what the framework refuses, such as a path that does not exist."""
    if not isinstance(error, HTTPException):
        return await problem_answer(request, error)
    kind = _KINDS.get(error.status_code, "bad-request")
    details = {
        "not-found": "there is nothing at this address",
        "method-not-allowed": f"{request.method} cannot be used here",
    }
    answer = await problem_answer(request, ProblemError(kind, details.get(kind, str(error.detail))))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["Allow"] = ", ".join(_methods(request))
    return answer


def _methods(request: Request) -> list[str]:
    """Return all methods of a path, as described; the framework knows those of one route alone."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    scope = dict(request.scope)
    meant = next(route.path for route in routes if route.matches(scope)[0] is not Match.NONE)
    return sorted(
        {method for route in routes if route.path == meant for method in route.methods or ()}
    )


async def invalid_answer(request: Request, error: Any) -> Response:
    """Return parameters that do not fit their schema."""
    return await problem_answer(request, invalid(error.errors()))
