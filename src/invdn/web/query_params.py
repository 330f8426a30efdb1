"""What a request may choose, derived from the options of denoising."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from ..errors import InputError
from ..options import QUALITIES, DenoiseOptions, explain_unknown, option_help
from .errors import ProblemError

Query = TypeVar("Query", bound=BaseModel)
#: Those of the one model that a service has open.
ServedQuality = Literal["fast", "balanced", "best"]
_OF_QUALITY = tuple(QUALITIES["fast"])


def _definitions() -> dict[str, Any]:
    """Return every option as pydantic wants it; what a quality decides may be left open."""
    helps, hints = option_help(), get_type_hints(DenoiseOptions)
    definitions: dict[str, Any] = {
        "quality": (ServedQuality, Field("fast", description="Samples that are averaged, by name."))
    }
    for option in fields(DenoiseOptions):
        kind, default = hints[option.name], option.default
        bounds = {}
        if kind in (int, int | None):
            low, high = option.metadata["low"], option.metadata["high"]
            bounds = {"ge": low} if high is None else {"ge": low, "le": high}
        if option.name in _OF_QUALITY:
            kind, default = kind | None, None
        about = helps[option.name]
        definitions[option.name] = (kind, Field(default, description=about, **bounds))
    return definitions


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


class JobQuery(DenoiseQuery):
    """The options of denoising, and what a job takes beside them."""

    photo: str | None = Field(
        None, description="Identifier of a photograph that was uploaded; there is no body then."
    )


class PreviewQuery(Choices):
    """The options of denoising, and a rectangle in pixels of the upright picture."""

    x: int = Field(ge=0, le=1_000_000, description="Columns left of it.")
    y: int = Field(ge=0, le=1_000_000, description="Rows above it.")
    w: int = Field(ge=1, le=1_000_000, description="Its width.")
    h: int = Field(ge=1, le=1_000_000, description="Its height.")


def options_of(choices: BaseModel) -> DenoiseOptions:
    """The options that were chosen.

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


def with_fields(query: Query, form: dict[str, str]) -> Query:
    """The query with the fields of a form added.

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
    """Return pydantic's complaints as a problem."""
    named = tuple(_complaint(error) for error in errors)
    return ProblemError("invalid", "; ".join(f"{name}: {words}" for name, words in named), named)


def _complaint(error: Any) -> tuple[str, str]:
    """Return the name of an option, and what is wrong with it."""
    name = str(error["loc"][-1]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return name, explain_unknown(name, Choices.model_fields)
    return name, str(error["msg"])


def options_document() -> dict[str, Any]:
    """Every option with its type, default and meaning, as JSON Schema."""
    properties: dict[str, Any] = Choices.model_json_schema()["properties"]
    return properties
