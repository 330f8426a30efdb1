"""Photographs that are sent once and used often: pictures for the browser, and quick previews."""

from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from ..errors import InputError
from ..inference import Region
from ..options import SHARES, DenoiseOptions, Look
from .errors import ProblemError
from .openapi import file_answer, kept_file, operation_id, photo_body, problems, upload_problems
from .query_params import HELPS, PreviewQuery, is_draft, options_of, refuse_repeated, share_type
from .requests import Identifier, accept_photo, client_of, root_of
from .responses import LeasedFileResponse, cancel_on_disconnect, is_known, not_modified
from .schemas import PhotoDocument, PhotosDocument, photo_document
from .service import Service
from .state import IDENTIFIER_PATTERN
from .tasks import LONGEST_SIDE

_PICTURES = ("image/png", "image/jpeg", "application/octet-stream")


class PageQuery(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(50, ge=1, le=200, description="Entries of a page.")
    before: str | None = Field(
        None,
        max_length=64,
        pattern=IDENTIFIER_PATTERN,
        description="Only what is older than the entry of this identifier.",
    )


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
        None, ge=1, le=LONGEST_SIDE, description="Shrink until neither side is longer."
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


class ExplainedQuery(RenderingQuery):
    """Which picture of the shares of the change that noise explains."""

    look: Look = Field("natural", description=HELPS["look"])


class BlendQuery(ExplainedQuery):
    """Which picture, and how the result is blended with the photograph before it is judged.

    For results of full strength, which the page blends itself.
    """

    strength: share_type("strength") = Field(1.0, description=HELPS["strength"])  # type: ignore[valid-type]
    luminance: share_type("luminance") = Field(1.0, description=HELPS["luminance"])  # type: ignore[valid-type]
    chroma: share_type("chroma") = Field(1.0, description=HELPS["chroma"])  # type: ignore[valid-type]
    detail: share_type("detail") = Field(0.0, description=HELPS["detail"])  # type: ignore[valid-type]

    @property
    def blending(self) -> DenoiseOptions:
        """How the result is blended.

        Raises:
            ProblemError: the look is one of automatic strength, and that is not chosen.
        """
        try:
            return DenoiseOptions(**{name: getattr(self, name) for name in (*SHARES, "look")})
        except InputError as error:
            raise ProblemError("invalid", str(error), (("look", str(error)),)) from error


def photos_router(service: Service) -> APIRouter:
    """Return the paths of photographs."""
    router = APIRouter(
        prefix="/api/v1/photos",
        tags=["photographs"],
        dependencies=[Depends(refuse_repeated)],
        generate_unique_id_function=operation_id,
    )

    @router.post(
        "",
        status_code=201,
        response_model=PhotoDocument,
        responses=upload_problems(),
        openapi_extra=photo_body({"name": {"type": "string", "maxLength": 255}}),
    )
    async def send_photo(
        request: Request, query: Annotated[PhotoQuery, Query()], response: Response
    ) -> PhotoDocument:
        """Send a photograph, to use it in previews, pictures and jobs."""
        photo, _ = await accept_photo(service, request, query)
        document = photo_document(photo, root_of(request))
        response.headers["Location"] = document.links["self"]
        return document

    @router.get("", response_model=PhotosDocument, responses=problems())
    async def list_photos(request: Request, query: Annotated[PageQuery, Query()]) -> PhotosDocument:
        """Return the photographs that are kept, the newest first."""
        root = root_of(request)
        photos = service.shelf.list(query.before, query.limit)
        more = len(photos) == query.limit
        address = (
            f"{root}/api/v1/photos?limit={query.limit}&before={photos[-1].id}" if more else None
        )
        return PhotosDocument(photos=[photo_document(one, root) for one in photos], next=address)

    @router.get("/{identifier}", response_model=PhotoDocument, responses=problems("not-found"))
    async def get_photo(request: Request, identifier: Identifier) -> PhotoDocument:
        """Return what is known of a photograph; asking keeps it from being removed."""
        photo = service.shelf.find(identifier)
        service.touch(photo)
        return photo_document(photo, root_of(request))

    @router.delete("/{identifier}", status_code=204, responses=problems("not-found"))
    async def delete_photo(identifier: Identifier) -> None:
        """Remove a photograph; jobs that use it are not disturbed."""
        service.shelf.remove(service.shelf.find(identifier))

    @router.get(
        "/{identifier}/rendering",
        response_class=Response,
        responses=kept_file("The picture", *_PICTURES)
        | problems("not-found", "too-large", "too-long", "worker-crashed"),
    )
    async def get_photo_rendering(
        request: Request, identifier: Identifier, query: Annotated[RenderingQuery, Query()]
    ) -> Response:
        """Return the photograph as a browser can show it: upright, 8 bits, sRGB."""
        photo = service.shelf.find(identifier)
        service.touch(photo)
        async with AsyncExitStack() as stack:
            stack.enter_context(service.leases.hold(photo.id))
            return await rendered(service, request, photo.path, query, stack)

    @router.get(
        "/{identifier}/preview",
        response_class=Response,
        responses=file_answer("The denoised region", "image/png")
        | problems("not-found", "too-large", "too-long", "worker-crashed"),
    )
    async def get_preview(
        request: Request, identifier: Identifier, query: Annotated[PreviewQuery, Query()]
    ) -> Response:
        """Return a region, denoised, as a browser can show it; goes before all jobs."""
        photo = service.shelf.find(identifier)
        service.touch(photo)
        region = Region(query.x, query.y, query.w, query.h)
        options = options_of(query)
        preview = service.pictures.preview(
            photo, region, options, client_of(request), query.shrink, is_draft(query)
        )
        async with AsyncExitStack() as stack:
            path = await cancel_on_disconnect(request, stack.enter_async_context(preview))
            return LeasedFileResponse(path, stack.pop_all(), etag=_tag(identifier, query))

    return router


async def rendered(
    service: Service,
    request: Request,
    path: Path,
    query: RenderingQuery,
    stack: AsyncExitStack,
    noisy: Path | None = None,
    look: DenoiseOptions | Look | None = None,
) -> Response:
    """Return a picture of a file in the state folder, or that the client has it already.

    Args:
        service: makes it.
        request: who asks.
        path: the file, which never changes.
        query: which picture.
        stack: what holds the file; goes over to the answer.
        noisy: show what noise explains of the difference from this file, instead.
        look: of what noise explains; or options of blending: show how far the file may be from
            the clean photograph, where it is blended so.
    """
    tag = _tag(f"{path} {noisy or ''}", query)
    if is_known(Headers(scope=request.scope), f'"{tag}"'):
        return not_modified(f'"{tag}"')
    rendering = service.pictures.rendering(
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
    return LeasedFileResponse(picture, stack.pop_all(), etag=tag, media_type=query.media_type)


def _tag(source: str, query: BaseModel) -> str:
    """Return the name of a picture: of what it is made and how."""
    return sha256(f"{source} {query.model_dump_json()}".encode()).hexdigest()[:32]
