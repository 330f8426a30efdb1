"""The service as an ASGI application: the page, the REST interface, and what watches over it."""

import time
from importlib.metadata import version
from importlib.util import find_spec
from typing import get_args

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..inference import QUALITIES
from .errors import ProblemError
from .jobs import MEDIA_TYPES
from .jobs_api import jobs_router
from .metrics import CONTENT_TYPE
from .middleware import SecurityMiddleware
from .openapi import other_answer, problems
from .pages import pages_router
from .photos_api import photos_router
from .query_params import ServedQuality, options_document
from .responses import http_answer, invalid_answer, problem_answer
from .schemas import HealthDocument, ModelDocument, ModelsDocument, ServiceDocument
from .service import Service

_EXTRAS = {"heic": "pi_heif", "raw": "rawpy"}  # what reads them is not always installed
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def create_app(service: Service) -> ASGIApp:
    """Everything, with the gate in front.

    Args:
        service: ready to take work.
    """
    app = FastAPI(
        title="InvDN",
        version=version("invdn"),
        summary="Removes real noise from photographs.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # would fetch scripts from elsewhere
        redoc_url=None,
    )
    page = pages_router(service.settings.token, service.settings.browser)
    for router in (_router(service), photos_router(service), jobs_router(service), page):
        app.include_router(router)
    app.add_exception_handler(ProblemError, problem_answer)
    app.add_exception_handler(HTTPException, http_answer)
    app.add_exception_handler(RequestValidationError, invalid_answer)
    app.add_exception_handler(OSError, problem_answer)
    app.add_exception_handler(Exception, problem_answer)
    return SecurityMiddleware(_Counted(app, service), service.settings)


def _router(service: Service) -> APIRouter:
    router = APIRouter(tags=["service"])

    @router.get("/api/v1/service", response_model=ServiceDocument, responses=problems())
    async def get_service() -> ServiceDocument:
        """What the service is, what it allows, and every option."""
        settings = service.settings
        return ServiceDocument(
            version=version("invdn"),
            model=service.model,
            engine=service.engine.description,
            limits={
                "bytes": settings.max_bytes,
                "pixels": settings.max_pixels,
                "preview_pixels": settings.max_preview_pixels,
                "queue": settings.max_queue,
                "seconds": settings.max_seconds,
                "result_lifetime": settings.lifetime,
            },
            formats=_formats(),
            options=options_document(),
            qualities={name: dict(QUALITIES[name]) for name in get_args(ServedQuality)},
        )

    @router.get("/api/v1/models", response_model=ModelsDocument, responses=problems())
    async def get_models() -> ModelsDocument:
        """The models that the service runs; it is started with one."""
        model = ModelDocument(name=service.model, engine=service.engine.description)
        return ModelsDocument(models=[model])

    @router.get("/healthz", response_model=HealthDocument, responses=problems())
    async def get_health() -> HealthDocument:
        """That the service lives."""
        return HealthDocument(status="ok")

    @router.get("/readyz", response_model=HealthDocument, responses=problems())
    async def get_readiness() -> HealthDocument:
        """That the service takes work."""
        if not service.ready:
            raise ProblemError(
                "unavailable", "the service is starting or being stopped", retry_after=2
            )
        return HealthDocument(status="ok")

    @router.get(
        "/metrics",
        response_class=Response,
        responses=other_answer(200, "Counters", {"text/plain": {"schema": {"type": "string"}}})
        | problems(),
    )
    async def get_metrics() -> Response:
        """Counters for Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    return router


def _formats() -> list[str]:
    """What can be read here."""
    names = dict.fromkeys((*MEDIA_TYPES, "raw"))
    return [name for name in names if name not in _EXTRAS or find_spec(_EXTRAS[name])]


class _Counted:
    """Counts every request and its time."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._metrics = service.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start, status = time.monotonic(), 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.answered(method, route, status, time.monotonic() - start)
