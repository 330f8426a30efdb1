"""Denoising: at once, or as a job that is watched, fetched and cancelled."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from .archive import zipped
from .errors import ProblemError
from .jobs import MEDIA_TYPES, Job, State, StoredPhoto
from .openapi import (
    file_answer,
    kept_file,
    operation_id,
    other_answer,
    photo_body,
    problems,
    upload_problems,
)
from .photos_api import BlendQuery, ExplainedQuery, PageQuery, RenderingQuery, rendered
from .query_params import (
    DenoiseQuery,
    JobQuery,
    is_draft,
    options_document,
    options_of,
    output_of,
    refuse_repeated,
    with_fields,
)
from .requests import (
    Identifier,
    accept_photo,
    client_of,
    idempotency_key,
    json_body,
    preferred_wait,
    root_of,
)
from .responses import LeasedFileResponse, attachment, cancel_on_disconnect
from .schemas import JobDocument, JobsDocument, job_document
from .service import Service

_EVENT_SECONDS = 0.2  # between two events of one job
_HEARTBEAT = 15.0
_RETRY_MILLISECONDS = 2000
_END = "end"  # of the identifier of the last event
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"const": "job"},
        "id": {"type": "string"},
        "retry": {"type": "integer"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
_OUTPUT = ("name", "output_format", "jpeg_quality", "strip_metadata")
_FIELDS = {
    **{name: DenoiseQuery.model_json_schema()["properties"][name] for name in _OUTPUT},
    **options_document(),
}
_JOB_FIELDS = {
    **_FIELDS,
    "photo": {"type": "string", "description": "Identifier of a photograph that was sent."},
}
_JOB_OBJECT = {
    "type": "object",
    "properties": _JOB_FIELDS,
    "required": ["photo"],
    "additionalProperties": False,
}
_PICTURES = ("image/png", "image/jpeg", "application/octet-stream")


class JobsQuery(PageQuery):
    """Which jobs."""

    state: State | None = Field(None, description="Only those in this state.")


class ArchiveQuery(BaseModel):
    """Which results."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: list[Annotated[str, Field(max_length=64)]] = Field(
        min_length=1, max_length=500, description="Identifier of a job that is done; repeatable."
    )


def jobs_router(service: Service) -> APIRouter:
    """Return the paths of denoising."""
    router = APIRouter(
        prefix="/api/v1",
        tags=["denoising"],
        dependencies=[Depends(refuse_repeated)],
        generate_unique_id_function=operation_id,
    )
    api = _JobsApi(service)

    @router.post(
        "/denoise",
        response_class=Response,
        responses=kept_file("The photograph without its noise", *MEDIA_TYPES.values())
        | {
            202: {
                "model": JobDocument,
                "description": "A job, where Prefer says respond-async, or wait and the time is up",
            }
        }
        | upload_problems("worker-crashed", "too-long"),
        openapi_extra=photo_body(_FIELDS),
    )
    async def denoise(request: Request, query: Annotated[DenoiseQuery, Query()]) -> Response:
        """Denoise a photograph; the answer is the result, in the same format and depth.

        Large photographs take longer than some proxies wait: `Prefer: wait=50` makes a job of
        those that are not done after 50 seconds, `Prefer: respond-async` of all.
        """
        return await api.denoise(request, query)

    @router.post(
        "/jobs",
        status_code=202,
        response_model=JobDocument,
        responses=upload_problems("not-found"),
        openapi_extra=photo_body(_FIELDS, required=False, json=_JOB_OBJECT),
    )
    async def create_job(
        request: Request, query: Annotated[JobQuery, Query()], response: Response
    ) -> JobDocument:
        """Denoise a photograph in the background: one that was sent before, or the body.

        With the header Idempotency-Key the same request may be sent again: it makes one job.
        """
        document, again = await api.create(request, query)
        response.headers["Location"] = document.links["self"]
        if again:
            response.headers["Idempotency-Replayed"] = "true"
        return document

    @router.get("/jobs", response_model=JobsDocument, responses=problems())
    async def list_jobs(request: Request, query: Annotated[JobsQuery, Query()]) -> JobsDocument:
        """Return the jobs that are known, the newest first."""
        return api.page(request, query)

    @router.get(
        "/jobs/archive",
        response_class=Response,
        responses=file_answer("The results", "application/zip")
        | problems("not-found", "not-ready"),
    )
    async def get_archive(query: Annotated[ArchiveQuery, Query()]) -> Response:
        """Return the results of several jobs as one zip file."""
        return api.archive(list(dict.fromkeys(query.id)))

    @router.get("/jobs/{identifier}", response_model=JobDocument, responses=problems("not-found"))
    async def get_job(request: Request, identifier: Identifier) -> JobDocument:
        """Give how far a job is; asking keeps its result and its photograph from being removed."""
        job = service.scheduler.find(identifier)
        service.touch(job, job.photo)
        return api.document(request, job)

    @router.get(
        "/jobs/{identifier}/events",
        response_class=Response,
        responses=other_answer(
            200,
            "An event 'job' at every change; its data is the job",
            {"text/event-stream": {"schema": _EVENT}},
        )
        | other_answer(204, "The client knows the end already", {})
        | problems("not-found"),
    )
    async def watch_job(request: Request, identifier: Identifier) -> Response:
        """Watch a job until it ends."""
        job = service.scheduler.find(identifier)
        if request.headers.get("last-event-id", "").endswith(_END) and job.is_final:
            return Response(status_code=204)  # so an EventSource comes no more
        return StreamingResponse(
            api.events(request, job),
            media_type="text/event-stream",
            headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
        )

    @router.get(
        "/jobs/{identifier}/result",
        response_class=Response,
        responses=kept_file("The result", *MEDIA_TYPES.values())
        | problems("not-found", "not-ready"),
    )
    async def get_result(identifier: Identifier) -> Response:
        """Return the photograph without its noise."""
        job = service.scheduler.find(identifier)
        service.touch(job)
        return api.result(job)

    @router.get(
        "/jobs/{identifier}/rendering",
        response_class=Response,
        responses=kept_file("The picture", *_PICTURES)
        | problems("not-found", "not-ready", "too-long", "worker-crashed"),
    )
    async def get_result_rendering(
        request: Request, identifier: Identifier, query: Annotated[RenderingQuery, Query()]
    ) -> Response:
        """Return the result as a browser can show it: upright, 8 bits, sRGB."""
        job = _finished(service.scheduler.find(identifier))
        async with AsyncExitStack() as stack:
            stack.enter_context(service.leases.hold(job.id))
            return await rendered(service, request, job.result, query, stack)

    @router.get(
        "/jobs/{identifier}/uncertainty",
        response_class=Response,
        responses=kept_file("The uncertainty map", *_PICTURES)
        | problems("not-found", "not-ready", "too-long", "worker-crashed"),
    )
    async def get_uncertainty(
        request: Request, identifier: Identifier, query: Annotated[BlendQuery, Query()]
    ) -> Response:
        """Return how far the result may be from the clean photograph: grey, upright.

        Nine of ten true values lie within a tenth of the pixel's value, in steps of 8 bits.
        """
        job = _finished(service.scheduler.find(identifier))
        photo, look = service.shelf.find(job.photo.id), query.blending
        async with AsyncExitStack() as stack:
            stack.enter_context(service.leases.hold(job.id, photo.id))
            return await rendered(service, request, job.result, query, stack, photo.path, look)

    @router.get(
        "/jobs/{identifier}/explained",
        response_class=Response,
        responses=kept_file("The shares of the change", *_PICTURES)
        | problems("not-found", "not-ready", "too-long", "worker-crashed"),
    )
    async def get_explained(
        request: Request, identifier: Identifier, query: Annotated[ExplainedQuery, Query()]
    ) -> Response:
        """Return the shares of the change that noise explains, of 255.

        In red is that in brightness, in green that in colour.
        """
        job = _finished(service.scheduler.find(identifier))
        photo, look = service.shelf.find(job.photo.id), query.look
        async with AsyncExitStack() as stack:
            stack.enter_context(service.leases.hold(job.id, photo.id))
            return await rendered(service, request, job.result, query, stack, photo.path, look)

    @router.delete(
        "/jobs/{identifier}",
        response_model=JobDocument,
        responses=other_answer(204, "It had ended and has been removed", {})
        | problems("not-found"),
    )
    async def delete_job(request: Request, identifier: Identifier) -> JobDocument | Response:
        """Stop a job; remove one that has ended, and the photograph that came with it."""
        job = service.scheduler.find(identifier)
        if not job.is_final:
            job = service.scheduler.cancel(job)
            return api.document(request, job)
        api.forget(job)
        return Response(status_code=204)

    return router


class _JobsApi:
    """What the paths of denoising do with a service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def denoise(self, request: Request, query: DenoiseQuery) -> Response:
        """Answer with the result, or with the job where the client does not wait for it."""
        service, scheduler, client = self._service, self._service.scheduler, client_of(request)
        options_of(query)
        wait = preferred_wait(request)
        scheduler.check(client)
        photo, query = await accept_photo(service, request, query, owned=True)
        with self._discarding(photo):
            job = scheduler.submit(
                photo,
                options_of(query),
                client,
                output=output_of(query),
                draft=is_draft(query),
                once=wait is None,
            )
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        job = await cancel_on_disconnect(request, scheduler.ended(job))
                if not job.is_final:
                    return self._async_answer(request, job, wait)
                if job.problem:
                    raise job.problem
                return self.result(job)
            finally:
                if wait is None:  # nobody else knows of it
                    if not job.is_final:
                        scheduler.cancel(job)
                    self.forget(job)

    @contextmanager
    def _discarding(self, photo: StoredPhoto) -> Iterator[None]:
        """Keep a photograph for the time of the block; at its end it goes if no job has it."""
        try:
            with self._service.leases.hold(photo.id):
                yield
        finally:
            self._service.shelf.discard(photo)

    def _async_answer(self, request: Request, job: Job, wait: float | None) -> Response:
        document = self.document(request, job)
        applied = f"wait={wait:g}" if wait else "respond-async"
        headers = {"Location": document.links["self"], "Preference-Applied": applied}
        return JSONResponse(document.model_dump(mode="json"), 202, headers)

    async def create(self, request: Request, query: JobQuery) -> tuple[JobDocument, bool]:
        """Queue a job; and tell whether it is one of an earlier request with the same key."""
        service, scheduler, client = self._service, self._service.scheduler, client_of(request)
        key = idempotency_key(request)
        values = await json_body(request)
        if key and values is not None:
            key = key[0], f"{key[1]} {json.dumps(values, sort_keys=True)}"
        if job := service.made_before(client, key):
            return self.document(request, job), True
        if values is not None:
            query = with_fields(query, values)
            if query.photo is None:
                raise ProblemError("invalid", "photo: name a photograph that was sent before")
        options_of(query)
        service.check()
        scheduler.check(client)
        if query.photo is None:
            photo, query = await accept_photo(service, request, query, owned=True)
        else:
            photo = service.shelf.find(query.photo)
        with self._discarding(photo):
            job = scheduler.submit(
                photo,
                options_of(query),
                client,
                output=output_of(query),
                draft=is_draft(query),
                key=key,
            )
        return self.document(request, job), job.photo.id != photo.id

    def page(self, request: Request, query: JobsQuery) -> JobsDocument:
        """List a page of jobs."""
        service, root = self._service, root_of(request)
        states = (query.state,) if query.state else ()
        jobs = service.jobs(query.before, query.limit, states)
        address = None
        if len(jobs) == query.limit:
            wanted = f"&state={query.state}" if query.state else ""
            address = f"{root}/api/v1/jobs?limit={query.limit}{wanted}&before={jobs[-1].id}"
        return JobsDocument(jobs=[self.document(request, job) for job in jobs], next=address)

    async def events(self, request: Request, job: Job) -> AsyncIterator[str]:
        """Yield the job at once, at every change, and at its end."""
        changes = self._service.scheduler.changes
        yield f"retry: {_RETRY_MILLISECONDS}\n\n"
        sent = -1
        while True:
            changed = changes.next  # before all that waits: no change is missed
            try:
                job = self._service.scheduler.find(job.id)
            except ProblemError:  # it has been removed
                return
            if job.version != sent:
                sent = job.version
                name = f"{sent}-{_END}" if job.is_final else str(sent)
                data = self.document(request, job).model_dump_json()
                yield f"id: {name}\nevent: job\ndata: {data}\n\n"
            if job.is_final:
                return
            await asyncio.sleep(_EVENT_SECONDS)
            while not changed.is_set():
                try:
                    async with asyncio.timeout(_HEARTBEAT):
                        await changed.wait()
                except TimeoutError:
                    yield ": still there\n\n"

    def forget(self, job: Job) -> None:
        """Remove a job, and the photograph that came with it."""
        self._service.scheduler.forget(job)
        self._service.shelf.discard(job.photo)

    def result(self, job: Job) -> Response:
        """Return the file of the result."""
        job = _finished(job)
        media_type, name = job.result_media_type, job.result_name
        answer = self.file(job, job.result, "result", download=name, media_type=media_type)
        if job.outcome:
            answer.headers["Server-Timing"] = f"work;dur={job.outcome.seconds * 1000:.1f}"
        return answer

    def archive(self, identifiers: list[str]) -> Response:
        """Return the results of several jobs."""
        jobs = [_finished(self._service.scheduler.find(one)) for one in identifiers]
        self._service.touch(*jobs)
        files = [(job.result_name, job.result) for job in jobs]
        headers = {"Content-Disposition": attachment("denoised.zip")}

        def parts() -> Iterator[bytes]:
            with self._service.leases.hold(*identifiers):
                yield from zipped(files)

        return StreamingResponse(parts(), media_type="application/zip", headers=headers)

    def file(self, job: Job, path: Path, kind: str, **how: Any) -> LeasedFileResponse:
        """Return a file of a job, which is kept while it is sent."""
        stack = AsyncExitStack()
        stack.enter_context(self._service.leases.hold(job.id))
        return LeasedFileResponse(path, stack, etag=f"{job.id}-{job.attempts}-{kind}", **how)

    def document(self, request: Request, job: Job) -> JobDocument:
        """Return the job, as JSON tells it."""
        service = self._service
        position = service.positions().get(job.id) if job.state == "queued" else None
        expires = service.expires_in(job)
        return job_document(job, service.clock(), position, expires, root_of(request))


def _finished(job: Job) -> Job:
    if job.state == "done":
        return job
    if job.problem:
        raise ProblemError("not-ready", f"the job has no result: {job.problem.detail}")
    raise ProblemError("not-ready", f"the job is {job.state}")
