"""What every request passes: names, origins, the token, shares of the service, and headers.

The headers keep a browser from doing more than the page needs.
"""

import asyncio
import ipaddress
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .database import check_share
from .errors import MEDIA_TYPE, ProblemError
from .logs import access, new_request_id, request_id
from .metrics import Metrics
from .sessions import Sessions
from .settings import Settings

#: What a page of another site cannot send: a browser would ask first, and gets no leave.
PAGE_HEADER = "x-requested-with"
_OPEN_PATHS = ("/", "/favicon.ico", "/api/v1/session", "/manifest.webmanifest", "/sw.js")
_PROBES = ("/healthz", "/readyz")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_MOST_REQUESTS = 512
_DROP_SECONDS = 2
_DROP_SECONDS_OF_STRANGERS = 0.2
_DROP_BYTES = 64 << 20
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
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


class PrefixMiddleware:
    """Finds the path below which a proxy offers the service, whether the proxy cuts it off or not.

    Args:
        app: what is behind it.
        settings: the path, and whose ``X-Forwarded-Prefix`` is believed.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._root = settings.root_path
        self._trusted = settings.trusted_proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] == "http":
            root = self._root
            client = scope.get("client")
            if client and is_trusted(client[0], self._trusted):
                given = Headers(scope=scope).get("x-forwarded-prefix", "").rstrip("/")
                root = given if re.fullmatch(r"(/[\w.~-]+)+", given) else root
            path = scope["path"]
            if root and path == root:
                await _redirect(f"{root}/", send)
                return
            inner = path[len(root) :] if root and path.startswith(f"{root}/") else path
            scope = {**scope, "root_path": root, "path": root + inner, "inner_path": inner}
        await self._app(scope, receive, send)


class RequestMiddleware:
    """Names, times, counts and logs every request.

    Args:
        app: what is behind it.
        metrics: counts.
        log: whether every request is logged.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, *, log: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._level = logging.INFO if log else logging.DEBUG

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        name = given if re.fullmatch(r"[\w.-]{1,64}", given) else new_request_id()
        scope["request_id"] = name
        mark = request_id.set(name)
        start, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = name
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            seconds = time.monotonic() - start
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(method, route, status, seconds)
            self._log(scope, status, seconds)
            request_id.reset(mark)

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        if not access.isEnabledFor(self._level) or self._level < logging.INFO:
            return
        client = scope["client"][0] if scope.get("client") else ""
        fields = {
            "client": client,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "seconds": round(seconds, 4),
        }
        words = f"{client} {scope['method']} {scope['path']} {status} in {seconds:.3f} s"
        access.log(self._level, "%s", words, extra={"fields": fields})


class SecurityMiddleware:
    """Decides who may ask for what, and how many at once.

    Whoever has no right to an answer hears so before anything is counted, and what watches over
    the service is answered whatever the others do.

    Args:
        app: what is behind it.
        settings: names.
        sessions: tokens and cookies.
    """

    def __init__(self, app: ASGIApp, settings: Settings, sessions: Sessions) -> None:
        self._app = app
        self._settings = settings
        self._sessions = sessions
        self._requests: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send)
        problem = self._refusal(scope)
        client = scope["client"][0] if scope.get("client") else ""
        if problem:
            await _refuse(problem, exchange, _DROP_SECONDS_OF_STRANGERS)
        elif scope["inner_path"] in _PROBES:
            await self._app(scope, exchange.receive, exchange.send)
        elif problem := self._too_many(client):
            await _refuse(problem, exchange, _DROP_SECONDS)
        else:
            self._requests[client] += 1
            try:
                await self._app(scope, exchange.receive, exchange.send)
            finally:
                self._requests[client] -= 1
                if not self._requests[client]:
                    del self._requests[client]

    def _too_many(self, client: str) -> ProblemError | None:
        words = "too many requests at once; try again"
        try:
            own, total = self._requests[client], self._requests.total()
            check_share(own, total, _MOST_REQUESTS, words, words, "unavailable", 1)
        except ProblemError as problem:
            return problem
        return None

    def _refusal(self, scope: Scope) -> ProblemError | None:
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        # with a token, a page that has its own name resolve to this address has no cookie for it
        if not (self._sessions.needed or is_own_name(host, self._settings)):
            return ProblemError(
                "misdirected",
                f"the service does not answer to the name {host!r}; call it by its IP address, or "
                "start it with --allow-host",
            )
        if not _same_site(scope["method"], headers):
            return ProblemError("forbidden", "this request comes from another site's page")
        try:
            if not self._may_enter(scope, headers):
                return ProblemError(
                    "unauthorized",
                    "send the header 'Authorization: Bearer TOKEN', or open the page and give it "
                    "the token",
                )
        except ProblemError as problem:
            return problem
        return None

    def _may_enter(self, scope: Scope, headers: Headers) -> bool:
        path = scope["inner_path"]
        if path in (*_OPEN_PATHS, *_PROBES) or path.startswith("/assets/"):
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        client = scope["client"][0] if scope.get("client") else ""
        given = token.strip() if scheme.lower() == "bearer" else ""
        return self._sessions.accepts(client, given, session_secret(scope))


def is_own_name(host: str, settings: Settings) -> bool:
    """Return whether a request for this host is meant for the service.

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


def is_trusted(host: str, trusted: tuple[str, ...]) -> bool:
    """Return whether a proxy at this address is believed.

    Example:
        >>> is_trusted("10.1.2.3", ("127.0.0.1", "10.0.0.0/8")), is_trusted("8.8.8.8", ("::1",))
        (True, False)
    """
    if "*" in trusted:
        return True
    try:
        address = ipaddress.ip_address(host)
        return any(address in ipaddress.ip_network(one, strict=False) for one in trusted)
    except ValueError:
        return host in trusted


def session_cookie(scope: Scope) -> str:
    """Give the name of the session's cookie: bound to the host under HTTPS, else named by the port.

    Cookies do not know ports: two services of one machine would overwrite each other's.
    """
    if scope["scheme"] == "https":
        return "__Host-invdn"
    try:
        port = urlsplit(f"//{Headers(scope=scope).get('host', '')}").port
    except ValueError:
        port = None
    return f"invdn-{port or 80}"


def session_secret(scope: Scope) -> str:
    """Return the secret in the session's cookie, or nothing."""
    try:
        cookie = SimpleCookie(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return ""
    morsel = cookie.get(session_cookie(scope))
    return morsel.value if morsel else ""


class _Exchange:
    """One request and its answer: with the headers of safety, and read to its end."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._unread = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        self._receive = receive
        self._send = send
        self.drop_seconds: float = _DROP_SECONDS

    async def receive(self) -> Message:
        """Return the next part of the request."""
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
            async with asyncio.timeout(self.drop_seconds):
                while self._unread and dropped < _DROP_BYTES:
                    dropped += len((await self.receive()).get("body", b""))


async def _refuse(problem: ProblemError, exchange: _Exchange, drop_seconds: float) -> None:
    """Answer with a problem and nothing else."""
    exchange.drop_seconds = drop_seconds
    body = json.dumps(problem.document()).encode()
    headers = {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **problem.headers()}
    await _answer(problem.status, headers, body, exchange.send)


async def _redirect(path: str, send: Send) -> None:
    await _answer(308, {"Location": path, "Content-Length": "0"}, b"", send)


async def _answer(status: int, headers: Mapping[str, str], body: bytes, send: Send) -> None:
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _name(host: str) -> str:
    """Return the Host header without its port and brackets, in small letters."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _same_site(method: str, headers: Mapping[str, str]) -> bool:
    """Return whether a browser says that the request comes from the service's own page, or is none.

    Behind a proxy that does not pass the name on, Origin and Host differ; then the page's own
    header decides, which no other site's page can send without being allowed to.
    """
    site = headers.get("sec-fetch-site", "none")
    if site not in ("none", "same-origin"):
        return headers.get("sec-fetch-mode") == "navigate" and "origin" not in headers
    origin = headers.get("origin")
    if origin is None or site == "same-origin" or PAGE_HEADER in headers:
        return True
    try:
        if urlsplit(origin).netloc == headers.get("host"):
            return True
    except ValueError:  # it is no address
        return False
    # scripts and styles are fetched with an Origin, too; an answer is never readable elsewhere
    return method in _SAFE_METHODS and origin != "null"
