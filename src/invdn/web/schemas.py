"""What the service tells, as documents: the JSON of every answer, and its schema."""

from datetime import datetime
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
    links: dict[str, str]


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
        description="Noise of the photograph in steps of 8 bits (255 is white)."
    )
    noise_word: Literal["light", "moderate", "strong", "extreme"] | None = Field(
        description="The same in a word."
    )
    strength_found: float | None = Field(
        description="What automatic strength makes of the change, 0 to 1, over the photograph."
    )


class JobDocument(BaseModel):
    """The work on a photograph."""

    id: str
    state: State
    progress: float = Field(ge=0, le=1)
    seconds_left: float | None = Field(description="Unknown before the first pass is done.")
    position: int | None = Field(description="How many come before it, while it is queued.")
    created: datetime
    started: datetime | None
    finished: datetime | None
    expires_in: float | None = Field(description="Seconds that the result is kept, unused.")
    photo: PhotoDocument
    options: dict[str, Any]
    result: ResultDocument | None
    problem: ProblemDocument | None
    links: dict[str, str]


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


class HealthDocument(BaseModel):
    """That the service lives, or is ready."""

    status: Literal["ok"]


def photo_document(photo: StoredPhoto) -> PhotoDocument:
    """A photograph, as JSON tells it."""
    own = f"/api/v1/photos/{photo.kept.id}"
    return PhotoDocument(
        id=photo.kept.id,
        name=photo.name,
        format=photo.format,
        media_type=photo.media_type,
        width=photo.inspection.width,
        height=photo.inspection.height,
        depth=photo.inspection.depth,  # type: ignore[arg-type]
        bytes=photo.size,
        displayable=photo.displayable,
        links={"self": own, "rendering": f"{own}/rendering", "preview": f"{own}/preview"},
    )


def job_document(job: Job, position: int | None, expires_in: float | None) -> JobDocument:
    """A job, as JSON tells it.

    Args:
        job: which.
        position: in the queue.
        expires_in: seconds until it is forgotten.
    """
    own = f"/api/v1/jobs/{job.id}"
    return JobDocument(
        id=job.id,
        state=job.state,
        progress=round(job.progress, 4),
        seconds_left=None if job.seconds_left is None else round(job.seconds_left, 1),
        position=position,
        created=job.created,
        started=job.started,
        finished=job.finished,
        expires_in=expires_in,
        photo=photo_document(job.photo),
        options=options_values(job.options),
        result=_result(job),
        problem=problem_document(job),
        links={
            name: own if name == "self" else f"{own}/{name}"
            for name in ("self", "events", "result", "rendering", "uncertainty", "explained")
        },
    )


def options_values(options: DenoiseOptions) -> dict[str, Any]:
    """The options by name."""
    return dict(vars(options))


def problem_document(job: Job) -> ProblemDocument | None:
    """What went wrong with a job, if anything."""
    return ProblemDocument(**job.problem.document()) if job.problem else None


def _result(job: Job) -> ResultDocument | None:
    if job.outcome is None:
        return None
    photo = job.photo
    return ResultDocument(
        name=photo.result_name,
        media_type=photo.result_media_type,
        bytes=job.outcome.bytes,
        width=photo.inspection.width,
        height=photo.inspection.height,
        depth=photo.inspection.depth,  # type: ignore[arg-type]
        displayable=photo.displayable,
        seconds=round(job.outcome.seconds, 3),
        noise_level=_rounded(job.outcome.noise_level),
        noise_word=job.outcome.noise_word,  # type: ignore[arg-type]
        strength_found=_rounded(job.outcome.strength_found),
    )


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
