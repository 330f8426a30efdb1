"""Denoising: at once, or as a job that is watched, fetched and cancelled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .errors import ProblemError
from .jobs import MEDIA_TYPES, Job
from .openapi import file_answer, other_answer, photo_body, problems, upload_problems
from .photos_api import (
    Identifier,
    LookQuery,
    RenderingQuery,
    accept_photo,
    client_of,
    find_photo,
    rendered,
)
from .query_params import DenoiseQuery, JobQuery, options_document, options_of
from .responses import LeasedFileResponse, cancel_on_disconnect
from .schemas import JobDocument, job_document
from .service import Service

_EVENT_SECONDS = 0.1  # between two events of one job
_HEARTBEAT = 15.0
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"const": "job"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_FIELDS = {"name": {"type": "string"}, **options_document()}


def jobs_router(service: Service) -> APIRouter:
    """The paths of denoising."""
    router = APIRouter(prefix="/api/v1", tags=["denoising"])

    @router.post(
        "/denoise",
        response_class=Response,
        responses=file_answer("The photograph without its noise", *MEDIA_TYPES.values())
        | upload_problems("worker-died", "too-long"),
        openapi_extra=photo_body(_FIELDS),
    )
    async def denoise(request: Request, query: Annotated[DenoiseQuery, Query()]) -> Response:
        """Denoise a photograph; the answer is the result, in the same format and depth."""
        options_of(query)
        photo, query = await accept_photo(service, request, query)
        with photo.kept.used():
            try:
                job = service.submit(photo, options_of(query), client_of(request), once=True)
            finally:
                service.forget_photo(photo)
            try:
                await cancel_on_disconnect(request, _end(job))
                if job.problem:
                    raise job.problem
                return _result(job)
            finally:
                await service.cancel(job)
                service.forget(job)

    @router.post(
        "/jobs",
        status_code=202,
        response_model=JobDocument,
        responses=upload_problems("not-found"),
        openapi_extra=photo_body(_FIELDS, required=False),
    )
    async def make_job(
        request: Request, query: Annotated[JobQuery, Query()], response: Response
    ) -> JobDocument:
        """Denoise a photograph in the background: one that was sent before, or the body."""
        options_of(query)
        if query.photo is None:
            photo, query = await accept_photo(service, request, query)
        else:
            photo = find_photo(service, query.photo)
        try:
            options = options_of(query)
            job = service.submit(photo, options, client_of(request))
        except ProblemError:
            if query.photo is None:  # nobody knows of it
                service.forget_photo(photo)
            raise
        document = _document(service, job)
        response.headers["Location"] = document.links["self"]
        return document

    @router.get("/jobs/{identifier}", response_model=JobDocument, responses=problems("not-found"))
    async def get_job(identifier: Identifier) -> JobDocument:
        """How far a job is; asking keeps its result and its photograph from being removed."""
        job = _find(service, identifier)
        job.kept.touch()
        job.photo.kept.touch()
        return _document(service, job)

    @router.get(
        "/jobs/{identifier}/events",
        response_class=Response,
        responses=other_answer(
            200,
            "An event 'job' at every change; its data is the job",
            {"text/event-stream": {"schema": _EVENT}},
        )
        | problems("not-found"),
    )
    async def get_events(identifier: Identifier) -> Response:
        """Watch a job until it ends."""
        job = _find(service, identifier)
        return StreamingResponse(_events(service, job), media_type="text/event-stream")

    @router.get(
        "/jobs/{identifier}/result",
        response_class=Response,
        responses=file_answer("The result", *MEDIA_TYPES.values())
        | problems("not-found", "not-ready"),
    )
    async def get_result(identifier: Identifier) -> Response:
        """The photograph without its noise."""
        return _result(_find(service, identifier))

    @router.get(
        "/jobs/{identifier}/rendering",
        response_class=Response,
        responses=file_answer("The picture", "image/png", "image/jpeg", "application/octet-stream")
        | problems("not-found", "not-ready", "invalid", "queue-full", "too-long"),
    )
    async def get_rendering(
        request: Request, identifier: Identifier, query: Annotated[RenderingQuery, Query()]
    ) -> Response:
        """The result as a browser can show it: upright, 8 bits, sRGB."""
        job = _finished(_find(service, identifier))
        async with AsyncExitStack() as stack:
            stack.enter_context(job.kept.used())
            return await rendered(service, request, job.result, query, stack)

    @router.get(
        "/jobs/{identifier}/uncertainty",
        response_class=Response,
        responses=file_answer(
            "The uncertainty map", "image/png", "image/jpeg", "application/octet-stream"
        )
        | problems("not-found", "not-ready", "invalid", "queue-full", "too-long"),
    )
    async def get_uncertainty(
        request: Request, identifier: Identifier, query: Annotated[LookQuery, Query()]
    ) -> Response:
        """How far the result may be from the clean photograph: grey, upright. Nine of ten true
        values lie within a tenth of the pixel's value, in steps of 8 bits."""
        job = _finished(_find(service, identifier))
        photo = find_photo(service, job.photo.kept.id)
        async with AsyncExitStack() as stack:
            stack.enter_context(job.kept.used())
            stack.enter_context(photo.kept.used())
            path, look = photo.path, query.look
            return await rendered(service, request, job.result, query, stack, path, look)

    @router.get(
        "/jobs/{identifier}/explained",
        response_class=Response,
        responses=file_answer(
            "The shares of the change", "image/png", "image/jpeg", "application/octet-stream"
        )
        | problems("not-found", "not-ready", "invalid", "queue-full", "too-long"),
    )
    async def get_explained(
        request: Request, identifier: Identifier, query: Annotated[RenderingQuery, Query()]
    ) -> Response:
        """The shares of the change that noise explains, of 255: in red of that in brightness, in
        green of that in colour."""
        job = _finished(_find(service, identifier))
        photo = find_photo(service, job.photo.kept.id)
        async with AsyncExitStack() as stack:
            stack.enter_context(job.kept.used())
            stack.enter_context(photo.kept.used())
            return await rendered(service, request, job.result, query, stack, photo.path)

    @router.delete(
        "/jobs/{identifier}",
        response_model=JobDocument,
        responses=other_answer(204, "It had ended and has been removed", {})
        | problems("not-found"),
    )
    async def delete_job(identifier: Identifier) -> JobDocument | Response:
        """Stop a job; remove one that has ended."""
        job = _find(service, identifier)
        if job.is_final:
            service.forget(job)
            return Response(status_code=204)
        await service.cancel(job)
        return _document(service, job)

    return router


async def _end(job: Job) -> None:
    while not job.is_final:
        await job.changed.wait()


async def _events(service: Service, job: Job) -> AsyncIterator[str]:
    """The job at once, at every change, and at its end."""
    while True:
        changed, final = job.changed, job.is_final  # before all that waits: no change is missed
        yield f"event: job\ndata: {_document(service, job).model_dump_json()}\n\n"
        if final:
            return
        await asyncio.sleep(_EVENT_SECONDS)
        while not changed.is_set():
            try:
                async with asyncio.timeout(_HEARTBEAT):
                    await changed.wait()
            except TimeoutError:
                yield ": still there\n\n"


def _find(service: Service, identifier: str) -> Job:
    job = service.jobs.get(identifier)
    if job is None:
        raise ProblemError(
            "not-found", "there is no such job; results that have expired are removed"
        )
    return job


def _finished(job: Job) -> Job:
    if job.state == "done":
        return job
    if job.problem:
        raise ProblemError("not-ready", f"the job has no result: {job.problem.detail}")
    raise ProblemError("not-ready", f"the job is {job.state}")


def _result(job: Job) -> Response:
    job = _finished(job)
    job.collected = True
    answer = _file(
        job, job.result, filename=job.photo.result_name, media_type=job.photo.result_media_type
    )
    if job.outcome:
        answer.headers["Server-Timing"] = f"work;dur={job.outcome.seconds * 1000:.1f}"
    return answer


def _file(job: Job, path: Path, **how: str) -> LeasedFileResponse:
    stack = AsyncExitStack()
    stack.enter_context(job.kept.used())
    return LeasedFileResponse(path, stack, **how)


def _document(service: Service, job: Job) -> JobDocument:
    if job.is_final and job.state != "done":
        job.collected = True
    return job_document(job, service.position(job), service.expires_in(job))
