"""Photographs that are sent once and used often: pictures for the browser, and quick previews."""

from contextlib import AsyncExitStack
from pathlib import Path as FilePath
from typing import Annotated, Literal, Self, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from ..errors import InputError
from ..inference import Region
from ..options import SHARES, DenoiseOptions, option_help
from .errors import ProblemError
from .jobs import StoredPhoto
from .openapi import file_answer, photo_body, problems, upload_problems
from .query_params import PreviewQuery, options_of, with_fields
from .responses import LeasedFileResponse, cancel_on_disconnect
from .schemas import PhotoDocument, photo_document
from .service import Service
from .storage import StoredFolder
from .upload import receive

Chosen = TypeVar("Chosen", bound=BaseModel)
Identifier = Annotated[str, Path(max_length=64, pattern=r"^[\w-]+$")]
_LONGEST_SIDE = 65_535
_HELPS = option_help()


class PhotoQuery(BaseModel):
    """What may be said about a photograph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str | None = Field(None, max_length=255, description="Its file name, for the result's.")


class RenderingQuery(BaseModel):
    """Which picture of a photograph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["png", "jpeg", "raw"] = Field(
        "png", description="Of the picture; raw: bytes R, G, B, row by row, without alpha."
    )
    max_side: int | None = Field(
        None, ge=1, le=_LONGEST_SIDE, description="Shrink until neither side is longer."
    )
    shrink: int = Field(
        1, ge=1, le=256, description="Means of squares of this edge length; sizes are rounded up."
    )
    x: int | None = Field(None, ge=0, le=1_000_000, description="Columns left of the region.")
    y: int | None = Field(None, ge=0, le=1_000_000, description="Rows above the region.")
    w: int | None = Field(None, ge=1, le=1_000_000, description="Width of the region.")
    h: int | None = Field(None, ge=1, le=1_000_000, description="Height of the region.")

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        if len({value is None for value in (self.x, self.y, self.w, self.h)}) > 1:
            raise ValueError("give all of x, y, w and h, or none")
        return self

    @property
    def region(self) -> Region | None:
        """The region, if one is asked for."""
        if self.x is None or self.y is None or self.w is None or self.h is None:
            return None
        return Region(self.x, self.y, self.w, self.h)

    @property
    def suffix(self) -> str:
        """Of a file of the format."""
        return {"png": ".png", "jpeg": ".jpg", "raw": ".rgb"}[self.format]

    @property
    def media_type(self) -> str:
        """Of the answer."""
        return "application/octet-stream" if self.format == "raw" else f"image/{self.format}"


class LookQuery(RenderingQuery):
    """Which picture, and how the result is blended with the photograph before it is judged.

    For results of full strength, which the page blends itself.
    """

    strength: float | Literal["auto"] = Field(1.0, description=_HELPS["strength"])
    luminance: float = Field(1.0, description=_HELPS["luminance"])
    chroma: float = Field(1.0, description=_HELPS["chroma"])
    detail: float = Field(0.0, description=_HELPS["detail"])

    @property
    def look(self) -> DenoiseOptions:
        """The blending.

        Raises:
            ProblemError: a value is outside its range.
        """
        try:
            return DenoiseOptions(**{name: getattr(self, name) for name in SHARES})
        except InputError as error:
            raise ProblemError("invalid", str(error)) from error


def photos_router(service: Service) -> APIRouter:
    """The paths of photographs."""
    router = APIRouter(prefix="/api/v1/photos", tags=["photographs"])

    @router.post(
        "",
        status_code=201,
        response_model=PhotoDocument,
        response_model_exclude_none=True,
        responses=upload_problems(),
        openapi_extra=photo_body({"name": {"type": "string"}}),
    )
    async def send_photo(
        request: Request, query: Annotated[PhotoQuery, Query()], response: Response
    ) -> PhotoDocument:
        """Send a photograph, to use it in previews, pictures and jobs."""
        photo, _ = await accept_photo(service, request, query)
        document = photo_document(photo)
        response.headers["Location"] = document.links["self"]
        return document

    @router.get("/{identifier}", response_model=PhotoDocument, responses=problems("not-found"))
    async def get_photo(identifier: Identifier) -> PhotoDocument:
        """What is known of a photograph."""
        return photo_document(find_photo(service, identifier))

    @router.delete("/{identifier}", status_code=204, responses=problems("not-found"))
    async def delete_photo(identifier: Identifier) -> None:
        """Remove a photograph; jobs that use it are not disturbed."""
        service.forget_photo(find_photo(service, identifier))

    @router.get(
        "/{identifier}/rendering",
        response_class=Response,
        responses=file_answer("The picture", "image/png", "image/jpeg", "application/octet-stream")
        | problems("not-found", "too-large", "invalid", "queue-full", "too-long"),
    )
    async def get_rendering(
        request: Request, identifier: Identifier, query: Annotated[RenderingQuery, Query()]
    ) -> Response:
        """The photograph as a browser can show it: upright, 8 bits, sRGB."""
        photo = find_photo(service, identifier)
        async with AsyncExitStack() as stack:
            stack.enter_context(photo.kept.used())
            return await rendered(service, request, photo.path, query, stack)

    @router.get(
        "/{identifier}/preview",
        response_class=Response,
        responses=file_answer("The denoised region", "image/png")
        | problems("not-found", "too-large", "invalid", "queue-full", "too-long", "worker-died"),
    )
    async def get_preview(
        request: Request, identifier: Identifier, query: Annotated[PreviewQuery, Query()]
    ) -> Response:
        """A region, denoised, as a browser can show it; goes before all jobs."""
        photo = find_photo(service, identifier)
        region = Region(query.x, query.y, query.w, query.h)
        preview = service.preview(photo, region, options_of(query), client_of(request))
        async with AsyncExitStack() as stack:
            path = await cancel_on_disconnect(request, stack.enter_async_context(preview))
            return LeasedFileResponse(path, stack.pop_all())

    return router


def find_photo(service: Service, identifier: str) -> StoredPhoto:
    """A photograph by its name.

    Raises:
        ProblemError: there is none.
    """
    photo = service.photos.get(identifier)
    if photo is None:
        raise ProblemError(
            "not-found",
            "there is no such photograph; those that nobody uses are removed, so send it again",
        )
    return photo


async def accept_photo(
    service: Service, request: Request, query: Chosen
) -> tuple[StoredPhoto, Chosen]:
    """Take the photograph in the body of a request; and the query with a form's fields added.

    Raises:
        ProblemError: it is not taken.
    """
    service.check()
    kept = StoredFolder(service.storage)
    try:
        upload = await receive(request, kept, service.settings)
        query = with_fields(query, upload.fields)
        name = getattr(query, "name", None) or ""
        return await service.keep(kept, upload, name, client_of(request)), query
    except BaseException:
        kept.remove()
        raise


async def rendered(
    service: Service,
    request: Request,
    path: FilePath,
    query: RenderingQuery,
    stack: AsyncExitStack,
    noisy: FilePath | None = None,
    look: DenoiseOptions | None = None,
) -> Response:
    """A picture of a file in the storage.

    Args:
        service: makes it.
        request: who asks.
        path: the file.
        query: which picture.
        stack: what holds the file; goes over to the answer.
        noisy: show what noise explains of the difference from this file, instead.
        look: show how far the file may be from the clean photograph, where it is blended so.
    """
    rendering = service.rendering(
        path,
        query.suffix,
        client_of(request),
        noisy=noisy,
        look=look,
        region=query.region,
        max_side=query.max_side,
        shrink=query.shrink,
    )
    picture = await cancel_on_disconnect(request, stack.enter_async_context(rendering))
    return LeasedFileResponse(picture, stack.pop_all(), media_type=query.media_type)


def client_of(request: Request) -> str:
    """Who asks, for a fair queue."""
    return request.client.host if request.client else ""
