"""What every request passes: limits of connections, names, origins, the token, and the headers
that keep a browser from doing more than the page needs."""

import asyncio
import hmac
import ipaddress
import json
from collections.abc import Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .errors import MEDIA_TYPE, ProblemError
from .settings import Settings

COOKIE = "invdn-token"
_OPEN_PATHS = ("/", "/favicon.ico", "/healthz", "/readyz")
_MOST_REQUESTS = 256
_DROP_SECONDS = 2
_DROP_BYTES = 64 << 20
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class SecurityMiddleware:
    """The outermost part of the service (ASGI).

    Args:
        app: what is behind it.
        settings: names and token.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        problem = self._refusal(scope)
        self._requests += 1
        try:
            if problem:
                await _refuse(problem, exchange.send)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        finally:
            self._requests -= 1

    def _refusal(self, scope: Scope) -> ProblemError | None:
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if not is_own_name(host, self._settings):
            return ProblemError(
                "misdirected",
                f"the service does not answer to the name {host!r}; call it by its IP address, or "
                "start it with --allow-host",
            )
        if not _same_site(headers):
            return ProblemError("forbidden", "this request comes from another site's page")
        if self._requests >= _MOST_REQUESTS:
            return ProblemError(
                "unavailable", "too many requests at once; try again", retry_after=1
            )
        if not self._has_token(scope["path"], headers):
            return ProblemError(
                "unauthorized",
                "send the header 'Authorization: Bearer TOKEN', or open the address that "
                "'invdn serve' printed",
            )
        return None

    def _has_token(self, path: str, headers: Headers) -> bool:
        token = self._settings.token
        if token is None or path in _OPEN_PATHS or path.startswith("/assets/"):
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            given = _cookie(headers)
        return is_token(given.strip(), token)


def is_own_name(host: str, settings: Settings) -> bool:
    """Whether a request for this host is meant for the service.

    A page elsewhere can have its own name resolve to 127.0.0.1 (DNS rebinding), but cannot turn
    its name into an IP address or ``localhost``.

    Example:
        >>> [is_own_name(host, Settings()) for host in ("127.0.0.1", "localhost", "evil.example")]
        [True, True, False]
    """
    if host in ("localhost", settings.host.lower(), *map(str.lower, settings.allowed_hosts)):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Exchange:
    """One request and its answer: with the headers of safety, and read to its end."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        """The next part of the request."""
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        """Send the next part of the answer.

        An answer that comes before the request has ended closes the connection; but first the rest
        of the request is taken and dropped for a moment, since a client that still sends would
        otherwise lose the answer.
        """
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("Cache-Control", "no-store")
            if self._unread:
                headers["Connection"] = "close"
        elif self._unread and not message.get("more_body"):
            await self._send({**message, "more_body": True})
            await self._drop()
            message = {"type": "http.response.body"}
        await self._send(message)

    async def _drop(self) -> None:
        dropped = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_DROP_SECONDS):
                while self._unread and dropped < _DROP_BYTES:
                    dropped += len((await self.receive()).get("body", b""))


async def _refuse(problem: ProblemError, send: Send) -> None:
    """Answer with a problem and nothing else."""
    body = json.dumps(problem.document()).encode()
    headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **problem.headers()}
    await send(
        {
            "type": "http.response.start",
            "status": problem.status,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": body})


def is_token(given: str, token: str) -> bool:
    """Whether it is the service's; how long this takes tells nothing."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _name(host: str) -> str:
    """The Host header without its port and brackets, in small letters."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _same_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that the request comes from the service's own page, or is none."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return headers.get("sec-fetch-mode") == "navigate" and "origin" not in headers
    origin = headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == headers.get("host")
    except ValueError:  # it is no address
        return False


def _cookie(headers: Headers) -> str:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return unquote(morsel.value) if morsel else ""
