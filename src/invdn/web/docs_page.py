"""The documentation of the interface as one page without scripts, made from its description."""

from html import escape
from typing import Any

_METHODS = ("get", "post", "put", "delete")


def docs_page(document: dict[str, Any]) -> str:
    """Return the page.

    Args:
        document: the OpenAPI description.

    Example:
        >>> page = docs_page({"info": {"title": "A", "version": "1"}, "paths": {}})
        >>> page.startswith("<!doctype html>")
        True
    """
    info = document["info"]
    operations = [
        (path, method, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in _METHODS
    ]
    contents = "".join(
        f'<li><a href="#{escape(operation["operationId"])}"><code>{method.upper()} {escape(path)}'
        f"</code></a> {escape(_first_line(operation))}</li>"
        for path, method, operation in operations
    )
    parts = "".join(_operation(*entry) for entry in operations)
    title = f"{escape(info['title'])} {escape(info['version'])}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}: REST</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="assets/favicon.svg"><link rel="stylesheet" href="assets/docs.css">'
        f"</head><body><main><h1>{title}: the REST interface</h1>"
        "<p>Send the token, where there is one, as <code>Authorization: Bearer TOKEN</code>. "
        "Problems come as <code>application/problem+json</code> (RFC 9457). For programs: "
        '<a href="api/v1/openapi.json">OpenAPI description</a>.</p>'
        f'<nav aria-label="Operations"><ul>{contents}</ul></nav>{parts}</main></body></html>'
    )


def _first_line(operation: dict[str, Any]) -> str:
    return str(operation.get("description", operation.get("summary", ""))).split("\n\n")[0]


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    name = escape(operation["operationId"])
    words = "".join(
        f"<p>{escape(part)}</p>" for part in str(operation.get("description", "")).split("\n\n")
    )
    rows = "".join(_parameter(parameter) for parameter in operation.get("parameters", ()))
    head = (
        '<tr><th scope="col">Name</th><th scope="col">Value</th><th scope="col">Meaning</th></tr>'
    )
    table = f"<h3>Parameters</h3><table>{head}{rows}</table>" if rows else ""
    bodies = ", ".join(map(escape, operation.get("requestBody", {}).get("content", ())))
    body = f"<h3>Body</h3><p>{bodies}</p>" if bodies else ""
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))}</td>"
        f"<td>{', '.join(map(escape, answer.get('content', ())))}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<section id="{name}"><h2><code>{method.upper()} {escape(path)}</code></h2>{words}{table}'
        f"{body}<h3>Answers</h3><table>{answers}</table></section>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter.get("schema", {})
    words = escape(parameter.get("description", "")).replace("``", "")
    needed = ", needed" if parameter.get("required") else ""
    default = schema.get("default")
    standard = "" if default is None else f"; default {escape(str(default))}"
    value = f"{escape(_kind(schema))}{standard}"
    name = f"<code>{escape(parameter['name'])}</code>{needed}"
    return f"<tr><td>{name}</td><td>{value}</td><td>{words}</td></tr>"


def _kind(schema: dict[str, Any]) -> str:
    """Return the values that a schema allows, in words."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "pattern" in schema and "%" in schema["pattern"]:
        return "percent"
    low, high = schema.get("minimum"), schema.get("maximum")
    kind = str(schema.get("type", ""))
    if low is not None and high is not None:
        return f"{kind} {low} to {high}"
    return kind
