"""The page: its files as they lie in the package, and the entrance with a token."""

from pathlib import Path

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from .docs_page import docs_page
from .errors import ProblemError
from .middleware import session_cookie, session_secret
from .openapi import operation_id, problems
from .requests import client_of
from .schemas import SessionDocument
from .service import Service
from .sessions import SESSION_SECONDS

PAGE = Path(__file__).parent / "page"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".jpg": "image/jpeg",
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


class SessionBody(BaseModel):
    """What opens a session."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=1024, description="The service's token.")


def pages_router(service: Service) -> APIRouter:
    """Return the paths of the page."""
    router = APIRouter(tags=["session"], generate_unique_id_function=operation_id)
    sessions = service.sessions

    @router.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        """Return the page; a token in the address opens a session, and leaves the address."""
        given = request.query_params.get("token")
        if given is None:
            return _file(PAGE / "index.html")
        try:
            right = not sessions.needed or sessions.is_token(client_of(request), given)
        except ProblemError as problem:  # too many wrong ones
            return _file(PAGE / "index.html", problem.status)
        if not right:
            return _file(PAGE / "index.html", 401)  # which asks for the token
        answer = RedirectResponse("./", status_code=303)
        if sessions.needed:
            _set_cookie(request, answer, sessions.open())
        return answer

    @router.get("/api/v1/session", response_model=SessionDocument, responses=problems())
    async def get_session(request: Request) -> SessionDocument:
        """Return whether this client may use the service."""
        return _session(request)

    @router.post(
        "/api/v1/session", response_model=SessionDocument, responses=problems("bad-request")
    )
    async def open_session(
        request: Request, body: SessionBody, response: Response
    ) -> SessionDocument:
        """Show the token once, and get a cookie that scripts cannot read."""
        if sessions.needed:
            if not sessions.is_token(client_of(request), body.token):
                raise ProblemError("unauthorized", "this is not the service's token")
            _set_cookie(request, response, sessions.open())
        return SessionDocument(needed=sessions.needed, open=True)

    @router.delete("/api/v1/session", status_code=204, responses=problems())
    async def close_session(request: Request, response: Response) -> None:
        """End the session of this client's cookie."""
        sessions.close(session_secret(request.scope))
        response.delete_cookie(session_cookie(request.scope))

    def _session(request: Request) -> SessionDocument:
        secret = session_secret(request.scope)
        opened = sessions.accepts(client_of(request), "", secret)
        return SessionDocument(needed=sessions.needed, open=opened)

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        """Return the documentation of the interface, for people."""
        return HTMLResponse(docs_page(request.app.openapi()))

    @router.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        """Return the page's icon, for browsers that do not ask the page which it is."""
        return _file(PAGE / "assets" / "favicon.svg")

    @router.get("/manifest.webmanifest", include_in_schema=False)
    async def manifest() -> Response:
        """Return what a browser needs to install the page."""
        return _file(PAGE / "manifest.webmanifest")

    @router.get("/sw.js", include_in_schema=False)
    async def worker() -> Response:
        """Return what keeps the page for the time without the service."""
        return _file(PAGE / "sw.js")

    @router.get("/assets/{name:path}", include_in_schema=False)
    async def asset(name: str) -> Response:
        """Return a part of the page: style, script or picture."""
        return _file(PAGE / "assets" / name)

    @router.get("/browser/{name:path}", include_in_schema=False)
    async def without_server(name: str) -> Response:
        """Return a part of the page that needs no server."""
        browser = service.settings.browser
        if browser is None:
            raise ProblemError("not-found", "the service was started without --browser")
        answer = _file(browser / (name or "index.html"), folder=browser)
        answer.headers.update(_BROWSER_HEADERS)
        return answer

    return router


def _set_cookie(request: Request, response: Response, secret: str) -> None:
    response.set_cookie(
        session_cookie(request.scope),
        secret,
        max_age=int(SESSION_SECONDS),
        httponly=True,
        samesite="strict",
        secure=request.scope["scheme"] == "https",
    )


def _file(path: Path, status: int = 200, folder: Path = PAGE) -> Response:
    try:
        inside = path.resolve().is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, ValueError):  # too long a name, a NUL in it
        inside = False
    if not inside or path.suffix not in _MEDIA_TYPES:
        raise ProblemError("not-found", "the page has no such file")
    return FileResponse(
        path, status, media_type=_MEDIA_TYPES[path.suffix], headers={"Cache-Control": "no-cache"}
    )
