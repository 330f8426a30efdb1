"""What the OpenAPI description needs beyond the types: bodies, files and problems."""

from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from .errors import KINDS, MEDIA_TYPE
from .jobs import MEDIA_TYPES
from .schemas import ProblemDocument

_COMPONENTS = "#/components/schemas/"
_BINARY = {"type": "string", "format": "binary"}
_ALWAYS = ("unauthorized", "forbidden", "misdirected", "invalid", "queue-full", "unavailable")
_UPLOADING = ("bad-request", "timeout", "too-large", "unsupported")

Responses = dict[int | str, dict[str, Any]]


def operation_id(route: APIRoute) -> str:
    """Return the name of an operation in programs made from the description."""
    return route.name


def problems(*kinds: str) -> Responses:
    """Return the answers that tell of problems; some are possible everywhere."""
    answers: Responses = {}
    for kind in (*_ALWAYS, *kinds):
        status, title = KINDS[kind]
        answers[status] = {
            "description": title,
            "content": {MEDIA_TYPE: {"schema": {"$ref": f"{_COMPONENTS}ProblemDocument"}}},
        }
    return answers


def upload_problems(*kinds: str) -> Responses:
    """Return the same for paths that take a photograph."""
    return problems(*_UPLOADING, *kinds)


def file_answer(description: str, *media_types: str) -> Responses:
    """Return an answer that is a file."""
    return {
        200: {
            "description": description,
            "content": {name: {"schema": _BINARY} for name in media_types},
        }
    }


def other_answer(status: int, description: str, content: dict[str, Any]) -> Responses:
    """Return an answer that is neither a document nor a file."""
    return {status: {"description": description, "content": content}}


def kept_file(description: str, *media_types: str) -> Responses:
    """Return an answer that is a file, of which a part may be asked for, and which may be known."""
    answers = file_answer(description, *media_types)
    part = file_answer("The part that Range asks for", *media_types)[200]
    known = {"description": "The client has it already, as If-None-Match says"}
    wrong = {"description": "The file has no such part"}
    return answers | {206: part, 304: known, 416: wrong}


def describe(app: FastAPI) -> None:
    """Complete the description: how to come in, and where; made once, before HEAD is added."""
    document = app.openapi()
    problem = ProblemDocument.model_json_schema(ref_template=_COMPONENTS + "{model}")
    for operation in (one for path in document["paths"].values() for one in path.values()):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                parameter["schema"] = _as_text(parameter["schema"])
    document["components"]["schemas"] |= problem.pop("$defs", {}) | {"ProblemDocument": problem}
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The service's token."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-invdn",
            "description": "Of a page; POST /api/v1/session sets it.",
        },
    }
    document["security"] = [{"token": []}, {"session": []}, {}]
    # relative to the address of the description, wherever a proxy offers it
    document["servers"] = [{"url": "../..", "description": "This service"}]


def _as_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without null, which is a word like any other in an address and in a form.

    Example:
        >>> _as_text({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None})
        {'type': 'integer'}
    """
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == len(schema.get("anyOf", ())):
        return schema
    rest = {
        key: value
        for key, value in schema.items()
        if key != "anyOf" and (key, value) != ("default", None)
    }
    return {**kinds[0], **rest} if len(kinds) == 1 else {"anyOf": kinds, **rest}


def photo_body(
    fields: dict[str, Any], *, required: bool = True, json: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return a body that is a photograph, or a form with it.

    Args:
        fields: the JSON Schema of further fields of the form.
        required: whether a body must be there.
        json: the schema of a JSON body that may be there instead.
    """
    content: dict[str, Any] = {name: {"schema": _BINARY} for name in MEDIA_TYPES.values()}
    content["application/octet-stream"] = {"schema": _BINARY}
    content["multipart/form-data"] = {
        "schema": {
            "type": "object",
            "properties": {
                "photo": _BINARY,
                **{name: _as_text(field) for name, field in fields.items()},
            },
            "required": ["photo"],
            "additionalProperties": False,
        }
    }
    if json:
        content["application/json"] = {"schema": json}
    return {"requestBody": {"required": required, "content": content}}
