"""What the service tells, as documents: the JSON of every answer, and its schema."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field, SerializerFunctionWrapHandler, model_serializer

from ..inference import DenoiseOptions
from .jobs import Job, State, StoredPhoto

_DEPTHS = Literal["uint8", "uint16", "float32"]


class FaultDocument(BaseModel):
    """An option at fault."""

    name: str
    message: str


class ProblemDocument(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="A name that stays: urn:invdn:problem:NAME.")
    title: str = Field(description="The same for every problem of this type.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was wrong this time and what to do.")
    errors: list[FaultDocument] | None = Field(None, description="The options at fault.")

    @model_serializer(mode="wrap")
    def _as_sent(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialize(self)
        if self.errors is None:
            del document["errors"]
        return document


class PhotoDocument(BaseModel):
    """A photograph that was sent."""

    id: str
    name: str
    format: str
    media_type: str
    width: int = Field(description="Pixels of the upright picture.")
    height: int = Field(description="Pixels of the upright picture.")
    depth: _DEPTHS
    bytes: int
    displayable: bool = Field(description="Whether a browser can show the file as it is.")
    links: dict[str, str] = Field(description="Paths: self, rendering, preview.")


class ResultDocument(BaseModel):
    """The result of a job."""

    name: str
    media_type: str
    bytes: int
    width: int
    height: int
    depth: _DEPTHS
    displayable: bool
    seconds: float = Field(description="From reading the photograph to the finished file.")
    noise_level: float | None = Field(
        None, description="Standard deviation of the noise found, in steps of 8 bits."
    )
    noise_word: str | None = Field(None, description="The same in a word.")
    strength_found: float | None = Field(
        None,
        description="What automatic strength makes of the change, 0 to 1, over the photograph.",
    )
    warnings: list[str] = Field([], description="What the photograph's owner should know.")


class JobDocument(BaseModel):
    """The work on a photograph."""

    id: str
    state: State
    progress: float = Field(ge=0, le=1)
    seconds_left: float | None = Field(
        description="Unknown before the first pass is done; grows only where the pace changes."
    )
    position: int | None = Field(description="How many come before it, while it is queued.")
    created: datetime
    started: datetime | None
    finished: datetime | None
    expires_in: float | None = Field(description="Seconds that the result is kept, unused.")
    photo: PhotoDocument
    options: dict[str, Any]
    output: dict[str, Any] = Field(description="How the result is written.")
    draft: bool = Field(description="Whether the fast model does it.")
    result: ResultDocument | None
    problem: ProblemDocument | None
    links: dict[str, str]


class JobsDocument(BaseModel):
    """Jobs, the newest first."""

    jobs: list[JobDocument]
    next: str | None = Field(description="Path of the next page; null on the last.")


class PhotosDocument(BaseModel):
    """Photographs, the newest first."""

    photos: list[PhotoDocument]
    next: str | None = Field(description="Path of the next page; null on the last.")


class SessionDocument(BaseModel):
    """Whether the client may use the service."""

    needed: bool = Field(description="Whether the service has a token at all.")
    open: bool = Field(description="Whether this client has shown it.")


class ModelDocument(BaseModel):
    """A model that the service runs."""

    name: str
    engine: str = Field(description="What runs it and where.")


class ModelsDocument(BaseModel):
    """Every model that the service runs."""

    models: list[ModelDocument]


class ServiceDocument(BaseModel):
    """What the service is and allows."""

    version: str
    model: str
    engine: str
    limits: dict[str, int | float]
    formats: list[str]
    options: dict[str, Any] = Field(description="Every option, as JSON Schema.")
    qualities: dict[str, dict[str, bool | int]]
    seconds_per_megapixel_pass: float | None = Field(
        description="How long the network takes for a megapixel and pass, as measured here."
    )
    draft_seconds_per_megapixel_pass: float | None = Field(
        description="The same of the fast model, of quality 'draft'."
    )
    sandbox: list[str] = Field(
        description="What confines the processes that look into photographs."
    )


class HealthDocument(BaseModel):
    """That the service lives, or is ready."""

    status: Literal["ok"]


def photo_document(photo: StoredPhoto, root: str = "") -> PhotoDocument:
    """Return a photograph, as JSON tells it.

    Args:
        photo: which.
        root: path below which the client sees the service.
    """
    own = f"{root}/api/v1/photos/{photo.id}"
    return PhotoDocument(
        id=photo.id,
        name=photo.name,
        format=photo.format,
        media_type=photo.media_type,
        width=photo.inspection.width,
        height=photo.inspection.height,
        depth=photo.inspection.depth,  # type: ignore[arg-type]
        bytes=max(0, photo.size),
        displayable=photo.displayable,
        links={"self": own, "rendering": f"{own}/rendering", "preview": f"{own}/preview"},
    )


def job_document(
    job: Job, now: float, position: int | None, expires_in: float | None, root: str = ""
) -> JobDocument:
    """Return a job, as JSON tells it.

    Args:
        job: which.
        now: seconds of the clock.
        position: in the queue.
        expires_in: seconds until it is forgotten.
        root: path below which the client sees the service.
    """
    own = f"{root}/api/v1/jobs/{job.id}"
    left = job.seconds_left(now)
    return JobDocument(
        id=job.id,
        state=job.state,
        progress=round(job.progress, 4),
        seconds_left=None if left is None else round(left, 1),
        position=position,
        created=_time(job.created),
        started=None if job.started is None else _time(job.started),
        finished=None if job.finished is None else _time(job.finished),
        expires_in=expires_in,
        photo=photo_document(job.photo, root),
        options=options_values(job.options),
        output=dict(vars(job.output)),
        draft=job.draft,
        result=_result(job),
        problem=ProblemDocument(**job.problem.document()) if job.problem else None,
        links={
            name: own if name == "self" else f"{own}/{name}"
            for name in ("self", "events", "result", "rendering", "uncertainty", "explained")
        },
    )


def options_values(options: DenoiseOptions) -> dict[str, Any]:
    """Return the options by name."""
    return dict(vars(options))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=0)


def _depth(job: Job) -> _DEPTHS:
    """Return the type of a sample of the result: some formats have 8 bits only."""
    if job.output.output_format in ("jpeg", "webp"):
        return "uint8"
    depth: _DEPTHS = job.photo.inspection.depth  # type: ignore[assignment]
    return depth


def _result(job: Job) -> ResultDocument | None:
    if job.outcome is None:
        return None
    photo, outcome = job.photo, job.outcome
    return ResultDocument(
        name=job.result_name,
        media_type=job.result_media_type,
        bytes=outcome.bytes,
        width=photo.inspection.width,
        height=photo.inspection.height,
        depth=_depth(job),
        displayable=photo.displayable,
        seconds=round(outcome.seconds, 3),
        noise_level=None if outcome.noise_level is None else round(outcome.noise_level, 2),
        noise_word=outcome.noise_word,
        strength_found=None if outcome.strength_found is None else round(outcome.strength_found, 3),
        warnings=list(outcome.warnings),
    )
