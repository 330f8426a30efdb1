"""What the OpenAPI description needs beyond the types: bodies, files and problems."""

from typing import Any

from .errors import KINDS, MEDIA_TYPE
from .jobs import MEDIA_TYPES
from .schemas import ProblemDocument

_BINARY = {"type": "string", "format": "binary"}
_ALWAYS = ("unauthorized", "forbidden", "misdirected", "unavailable")
_UPLOADING = ("bad-request", "timeout", "too-large", "unsupported", "invalid", "queue-full")

Responses = dict[int | str, dict[str, Any]]


def problems(*kinds: str) -> Responses:
    """The answers that tell of problems; some are possible everywhere."""
    answers: Responses = {}
    for kind in (*_ALWAYS, *kinds):
        status, title = KINDS[kind]
        answers[status] = {
            "description": title,
            "content": {MEDIA_TYPE: {"schema": ProblemDocument.model_json_schema()}},
        }
    return answers


def upload_problems(*kinds: str) -> Responses:
    """The same for paths that take a photograph."""
    return problems(*_UPLOADING, *kinds)


def file_answer(description: str, *media_types: str) -> Responses:
    """An answer that is a file."""
    return {
        200: {
            "description": description,
            "content": {name: {"schema": _BINARY} for name in media_types},
        }
    }


def other_answer(status: int, description: str, content: dict[str, Any]) -> Responses:
    """An answer that is neither a document nor a file."""
    return {status: {"description": description, "content": content}}


def photo_body(fields: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """A body that is a photograph, or a form with it.

    Args:
        fields: the JSON Schema of further fields of the form.
        required: whether a body must be there.
    """
    content: dict[str, Any] = {name: {"schema": _BINARY} for name in MEDIA_TYPES.values()}
    content["application/octet-stream"] = {"schema": _BINARY}
    content["multipart/form-data"] = {
        "schema": {
            "type": "object",
            "properties": {"photo": _BINARY, **fields},
            "required": ["photo"],
            "additionalProperties": False,
        }
    }
    return {"requestBody": {"required": required, "content": content}}
