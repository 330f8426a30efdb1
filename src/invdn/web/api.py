"""The service as an ASGI application: the page, the REST interface, and what watches over it."""

from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, cast

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ..inference import QUALITIES
from .errors import ProblemError
from .jobs import MEDIA_TYPES
from .jobs_api import jobs_router
from .metrics import CONTENT_TYPE
from .middleware import PrefixMiddleware, RequestMiddleware, SecurityMiddleware
from .openapi import describe, operation_id, other_answer, problems
from .pages import pages_router
from .photos_api import photos_router
from .query_params import options_document
from .responses import http_answer, invalid_answer, problem_answer
from .schemas import HealthDocument, ModelDocument, ModelsDocument, ServiceDocument
from .service import Service
from .tasks import QUICK_WORK
from .telemetry import traced, without_native_spans

_EXTRAS = {
    "heic": "pi_heif",
    "raw": "rawpy",
    "jxl": "imagecodecs",
}  # what reads them is not always installed


def create_app(service: Service) -> ASGIApp:
    """Return everything, with the gate in front.

    Args:
        service: ready to take work.
    """
    routers = (
        _router(service),
        photos_router(service),
        jobs_router(service),
        pages_router(service),
    )
    app = FastAPI(
        # flat, so that HEAD can be added below, and Allow be told of a path
        routes=[route for router in routers for route in router.routes],
        title="InvDN",
        version=version("invdn"),
        summary="Removes real noise from photographs.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url="/api/v1/openapi.json",
        docs_url=None,  # would fetch scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        root_path_in_servers=False,  # the description's own address says it, relative
        **without_native_spans(),
    )
    app.add_exception_handler(ProblemError, problem_answer)
    app.add_exception_handler(HTTPException, http_answer)
    app.add_exception_handler(RequestValidationError, invalid_answer)
    app.add_exception_handler(OSError, problem_answer)
    app.add_exception_handler(Exception, problem_answer)
    describe(app)
    _answer_head(app)
    settings = service.settings
    secured = SecurityMiddleware(traced(app), settings, service.sessions)
    counted = RequestMiddleware(secured, service.metrics, log=settings.access_log)
    # uvicorn and starlette have types of their own for the same interface
    forwarded: Any = ProxyHeadersMiddleware(cast(Any, counted), list(settings.trusted_proxies))
    return PrefixMiddleware(forwarded, settings)


def _answer_head(app: FastAPI) -> None:
    """Answer HEAD wherever GET is; the description, which is made before, keeps one of them."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")


def _router(service: Service) -> APIRouter:
    router = APIRouter(tags=["service"], generate_unique_id_function=operation_id)

    @router.get("/api/v1/service", response_model=ServiceDocument, responses=problems())
    async def get_service() -> ServiceDocument:
        """Return what the service is, what it allows, and every option."""
        settings = service.settings
        return ServiceDocument(
            version=version("invdn"),
            model=service.model,
            engine=service.engine,
            limits={
                "bytes": settings.max_bytes,
                "pixels": settings.max_pixels,
                "preview_pixels": settings.max_preview_pixels,
                "quick_preview_pixel_passes": QUICK_WORK,
                "pixel_passes": settings.max_work,
                "queue": settings.max_queue,
                "seconds": settings.max_seconds,
                "result_lifetime": settings.lifetime,
            },
            formats=_formats(),
            options=options_document(),
            qualities={name: dict(options) for name, options in QUALITIES.items()},
            seconds_per_megapixel_pass=service.pace,
            draft_seconds_per_megapixel_pass=service.draft_pace,
            sandbox=list(service.sandbox),
        )

    @router.get("/api/v1/models", response_model=ModelsDocument, responses=problems())
    async def get_models() -> ModelsDocument:
        """Return the models that the service runs; it is started with one."""
        return ModelsDocument(models=[ModelDocument(name=service.model, engine=service.engine)])

    @router.get("/healthz", response_model=HealthDocument, responses=problems())
    async def get_health() -> HealthDocument:
        """Tell that the service lives."""
        return HealthDocument(status="ok")

    @router.get("/readyz", response_model=HealthDocument, responses=problems())
    async def get_readiness() -> HealthDocument:
        """Tell that the service takes work."""
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
        """Return counters for Prometheus."""
        return Response(service.metrics.text(), media_type=CONTENT_TYPE)

    return router


def _formats() -> list[str]:
    """Return what can be read here."""
    names = dict.fromkeys((*MEDIA_TYPES, "raw"))
    return [name for name in names if name not in _EXTRAS or find_spec(_EXTRAS[name])]
