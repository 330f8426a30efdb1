"""What a request may choose, derived from the options of denoising."""

import dataclasses
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from starlette.requests import Request

from ..errors import InputError
from ..options import (
    QUALITIES,
    SHARES,
    SMALLEST_TILE,
    DenoiseOptions,
    Quality,
    explain_unknown,
    option_help,
)
from .errors import ProblemError
from .jobs import Output

Query = TypeVar("Query", bound=BaseModel)
HELPS = option_help()
_LISTS = ("id",)  # parameters that may come more than once
_OF_QUALITY = tuple(QUALITIES["fast"])


def _definitions() -> dict[str, Any]:
    """Return every option as pydantic wants it; what a quality decides may be left open."""
    helps, hints = option_help(), get_type_hints(DenoiseOptions)
    definitions: dict[str, Any] = {
        "quality": (
            Quality,
            Field("fast", description="Samples that are averaged, by name; draft: the fast model."),
        )
    }
    for option in fields(DenoiseOptions):
        kind, default = _bounded(option, hints[option.name]), option.default
        if option.name in _OF_QUALITY:
            kind, default = kind | None, None
        definitions[option.name] = (kind, Field(default, description=helps[option.name]))
    return definitions


def share_type(name: str) -> Any:
    """Return the type of a share: 0 to 1, or percent, or for the strength ``auto``."""
    shares = Annotated[float, Field(ge=0, le=1)] | Annotated[int, Field(ge=2, le=100)]
    percent = Annotated[str, Field(pattern=r"^(100(\.0+)?|[1-9]?[0-9](\.[0-9]+)?)%$")]
    return shares | percent | Literal["auto"] if name == "strength" else shares | percent


def _bounded(option: dataclasses.Field[Any], kind: Any) -> Any:
    """Return the type of an option with its bounds, as OpenAPI shows them."""
    low, high = option.metadata["low"], option.metadata["high"]
    if option.name in SHARES:
        return share_type(option.name)
    if low is None:
        return kind
    if option.name == "tile_size":
        sizes = Annotated[int, Field(ge=SMALLEST_TILE, le=high)]
        return sizes | Annotated[int, Field(ge=0, le=0)] | None
    number: Any = (get_args(kind) or (kind,))[0]
    bounded: Any = Annotated[number, Field(ge=low, le=high)]
    return bounded if number is kind else bounded | None


if TYPE_CHECKING:
    Choices = BaseModel
else:
    Choices = create_model(
        "Choices", __config__=ConfigDict(extra="forbid", frozen=True), **_definitions()
    )


class DenoiseQuery(Choices):
    """The options of denoising, and the photograph's name."""

    name: str | None = Field(
        None, max_length=255, description="The photograph's file name, for the result's."
    )
    output_format: Literal["jpeg", "png", "tiff", "webp", "avif", "jxl"] | None = Field(
        None, description="Of the result; default: the photograph's."
    )
    jpeg_quality: int | None = Field(
        None, ge=1, le=100, description="Of a JPEG, WebP or AVIF; default: the photograph's."
    )
    strip_metadata: bool = Field(
        False, description="Leave EXIF, XMP and the like out of the result."
    )


class JobQuery(DenoiseQuery):
    """The options of denoising, and what a job takes beside them."""

    photo: str | None = Field(
        None, description="Identifier of a photograph that was uploaded; there is no body then."
    )


class PreviewQuery(Choices):
    """The options of denoising, and a rectangle in pixels of the upright picture."""

    shrink: int = Field(
        1,
        ge=1,
        le=256,
        description="Denoise means of squares of this edge length, as a screen shows them: fast, "
        "and near to the result made smaller.",
    )

    x: int = Field(ge=0, le=1_000_000, description="Columns left of it.")
    y: int = Field(ge=0, le=1_000_000, description="Rows above it.")
    w: int = Field(ge=1, le=1_000_000, description="Its width.")
    h: int = Field(ge=1, le=1_000_000, description="Its height.")


def options_of(choices: BaseModel) -> DenoiseOptions:
    """Return the options that were chosen.

    Raises:
        ProblemError: a value is outside its range.

    Example:
        >>> options_of(DenoiseQuery(quality="best", seed=3)).self_ensemble
        True
    """
    chosen = {name: getattr(choices, name) for name in Choices.model_fields}
    for name, value in QUALITIES[chosen.pop("quality")].items():
        if chosen[name] is None:
            chosen[name] = value
    try:
        return DenoiseOptions(**chosen)
    except InputError as error:
        name = str(error).partition(" ")[0]
        errors = ((name, str(error)),) if name in chosen else ()
        raise ProblemError("invalid", str(error), errors) from error


def is_draft(query: BaseModel) -> bool:
    """Return whether the fast model is asked for."""
    return getattr(query, "quality", None) == "draft"


def output_of(query: DenoiseQuery) -> Output:
    """Return how the result is written."""
    return Output(query.output_format, query.jpeg_quality, query.strip_metadata)


def with_fields(query: Query, form: Mapping[str, Any]) -> Query:
    """Return the query with the fields of a form or a JSON object added.

    Raises:
        ProblemError: a field is unknown, wrong, or given in both.
    """
    if not form:
        return query
    for name in form:
        if name in query.model_fields_set:
            raise ProblemError("invalid", f"{name} is given twice", ((name, "given twice"),))
    given = {name: getattr(query, name) for name in query.model_fields_set}
    try:
        return type(query).model_validate({**given, **form})
    except ValidationError as error:
        raise invalid(error.errors()) from error


def invalid(errors: Any) -> ProblemError:
    """Return pydantic's complaints as a problem, one for each option."""
    named: dict[str, str] = {}
    for error in errors:
        name, words = _complaint(error)
        if name not in named:
            named[name] = words
        elif words not in named[name]:  # of an option that may be of several kinds
            named[name] += f", or: {words}"
    detail = "; ".join(f"{name}: {words}" for name, words in named.items())
    return ProblemError("invalid", detail, tuple(named.items()))


def _complaint(error: Any) -> tuple[str, str]:
    """Return the name of an option, and what is wrong with it."""
    place = [str(part) for part in error["loc"] if part not in ("query", "path", "body")]
    name = place[0] if place else ""
    if error["type"] == "extra_forbidden":
        return name, explain_unknown(name, Choices.model_fields)
    if name in SHARES:
        auto = "'auto', " if name == "strength" else ""
        return name, f"must be {auto}from 0 to 1, or in percent as 60%"
    return name, str(error["msg"])


def refuse_repeated(request: Request) -> None:
    """Refuse a parameter that is given twice: nobody can know which is meant.

    Raises:
        ProblemError: one is.
    """
    query = request.query_params
    for name in query:
        if len(query.getlist(name)) > 1 and name not in _LISTS:
            raise ProblemError("invalid", f"{name} is given twice", ((name, "given twice"),))


def options_document() -> dict[str, Any]:
    """Return every option with its type, default and meaning, as JSON Schema."""
    properties: dict[str, Any] = Choices.model_json_schema()["properties"]
    return properties
