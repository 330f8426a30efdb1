"""The page: its files as they lie in the package."""

from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from .errors import ProblemError
from .middleware import COOKIE, is_token

PAGE = Path(__file__).parent / "page"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".safetensors": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
}


# The page without a server: WebAssembly may be compiled, and it is isolated, which threads need.
_BROWSER_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; "
    "worker-src 'self'; connect-src 'self'; img-src 'self' blob:; style-src 'self' 'unsafe-inline';"
    " manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


def pages_router(token: str | None, browser: Path | None = None) -> APIRouter:
    """The paths of the page.

    Args:
        token: what the address of the first visit must hold, if anything.
        browser: folder of the page that needs no server (docs/browser.md), at ``/browser/``.
    """
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=["GET", "HEAD"])
    async def index(request: Request) -> Response:
        """The page; a token in the address moves into a cookie that scripts cannot read."""
        given = request.query_params.get("token")
        if given is None:
            return _file(PAGE / "index.html")
        answer = RedirectResponse("/", status_code=303)
        if token is not None:
            if not is_token(given, token):
                raise ProblemError("unauthorized", "the token in the address is not the service's")
            answer.set_cookie(COOKIE, quote(token, safe=""), httponly=True, samesite="strict")
        return answer

    @router.api_route("/favicon.ico", methods=["GET", "HEAD"])
    async def icon() -> Response:
        """The page's icon, for browsers that do not ask the page which it is."""
        return _file(PAGE / "assets" / "favicon.svg")

    @router.api_route("/assets/{name:path}", methods=["GET", "HEAD"])
    async def asset(name: str) -> Response:
        """A part of the page: style, script or picture."""
        return _file(PAGE / "assets" / name)

    @router.api_route("/browser/{name:path}", methods=["GET", "HEAD"])
    async def without_server(name: str) -> Response:
        """A part of the page that needs no server."""
        if browser is None:
            raise ProblemError("not-found", "the service was started without --browser")
        answer = _file(browser / (name or "index.html"), browser)
        answer.headers.update(_BROWSER_HEADERS)
        return answer

    return router


def _file(path: Path, folder: Path = PAGE) -> Response:
    try:
        inside = path.resolve().is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):  # too long a name, a NUL in it
        inside = False
    if not inside or path.suffix not in _MEDIA_TYPES:
        raise ProblemError("not-found", "the page has no such file")
    return FileResponse(
        path, media_type=_MEDIA_TYPES[path.suffix], headers={"Cache-Control": "no-cache"}
    )
