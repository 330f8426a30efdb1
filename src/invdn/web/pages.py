"""The page: its files as they lie in the package."""

from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from .gate import COOKIE
from .problems import ProblemError

PAGE = Path(__file__).parent / "page"
_MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".js": "text/javascript",
    ".json": "application/json",
    ".mjs": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}

router = APIRouter(include_in_schema=False)


@router.api_route("/", methods=["GET", "HEAD"])
async def index(request: Request) -> Response:
    """The page; a token in the address moves into a cookie that scripts cannot read."""
    token = request.query_params.get("token")
    if token is None:
        return _file(PAGE / "index.html")
    answer = RedirectResponse("/", status_code=303)
    answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
    return answer


@router.api_route("/favicon.ico", methods=["GET", "HEAD"])
async def icon() -> Response:
    """The page's icon, for browsers that do not ask the page which it is."""
    return _file(PAGE / "assets" / "favicon.svg")


@router.api_route("/assets/{name:path}", methods=["GET", "HEAD"])
async def asset(name: str) -> Response:
    """A part of the page: style, script or picture."""
    return _file(PAGE / "assets" / name)


def _file(path: Path) -> Response:
    try:
        inside = path.resolve().is_relative_to(PAGE.resolve()) and path.is_file()
    except (OSError, ValueError):  # too long a name, a NUL in it
        inside = False
    if not inside or path.suffix not in _MEDIA_TYPES:
        raise ProblemError("not-found", "the page has no such file")
    return FileResponse(
        path, media_type=_MEDIA_TYPES[path.suffix], headers={"Cache-Control": "no-cache"}
    )
