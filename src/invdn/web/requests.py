"""What handlers ask of a request: who sends it, the photograph in it, and what they prefer."""

import ipaddress
import json
import re
from typing import Annotated, Any, TypeVar

from fastapi import Path
from pydantic import BaseModel
from starlette.requests import Request

from .errors import ProblemError
from .jobs import StoredPhoto
from .query_params import with_fields
from .quota import Scratch
from .service import Service
from .state import IDENTIFIER_PATTERN
from .upload import receive

Chosen = TypeVar("Chosen", bound=BaseModel)
Identifier = Annotated[str, Path(max_length=64, pattern=IDENTIFIER_PATTERN)]
_LARGEST_JSON = 65_536
_LONGEST_KEY = 255


def client_of(request: Request) -> str:
    """Return who asks, for shares and turns: an address, of IPv6 the network of a household."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return host


def root_of(request: Request) -> str:
    """Return the path below which this client sees the service."""
    return str(request.scope.get("root_path", ""))


async def accept_photo(
    service: Service, request: Request, query: Chosen, *, owned: bool = False
) -> tuple[StoredPhoto, Chosen]:
    """Take the photograph in the body of a request; and the query with a form's fields added.

    Args:
        service: keeps it.
        request: its body is the photograph, or a form with it.
        query: what the address says.
        owned: it goes with its last job.

    Raises:
        ProblemError: it is not taken.
    """
    service.check()
    scratch = Scratch(service.state, service.quota, client_of(request))
    try:
        upload = await receive(request, scratch, service.settings)
        query = with_fields(query, upload.fields)
        name = getattr(query, "name", None) or ""
        return await service.keep(scratch, upload, name, owned=owned), query
    except BaseException:
        scratch.remove()
        raise


async def json_body(request: Request) -> dict[str, Any] | None:
    """Return the object in the body of a request, if it says that it has one.

    Raises:
        ProblemError: it is none.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LARGEST_JSON:
            raise ProblemError("too-large", "the JSON in the body is longer than 64 KiB")
    try:
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProblemError("bad-request", f"the body is no JSON: {error}") from None
    if not isinstance(values, dict):
        raise ProblemError("bad-request", "the JSON in the body must be an object")
    return values


def idempotency_key(request: Request) -> tuple[str, str] | None:
    """Return the key with which a request may be sent again, and what is asked with it.

    Raises:
        ProblemError: it is no key.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= _LONGEST_KEY or not key.isprintable():
        raise ProblemError("bad-request", "an Idempotency-Key has 1 to 255 printable characters")
    length = request.headers.get("content-length", "")
    return key, f"{request.url.path}?{request.url.query} {length}"


def preferred_wait(request: Request) -> float | None:
    """Give seconds that a client waits for an answer at most (RFC 7240); None: as long as it takes.

    Example:
        >>> scope = {"type": "http", "headers": [(b"prefer", b"respond-async, wait=10")]}
        >>> preferred_wait(Request(scope))
        10.0
    """
    prefer = ", ".join(request.headers.getlist("prefer")).lower()
    wait = re.search(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})", prefer)
    if wait:
        return float(wait[1])
    return 0.0 if re.search(r"(?:^|[,;])\s*respond-async\b", prefer) else None
