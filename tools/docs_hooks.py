"""Hooks of the documentation site: pages made from the code, and links that leave ``docs/``.

The command's reference is its own help, the REST reference comes from the OpenAPI description
that a running service serves, the recipes' from the files that are shipped. Files outside ``docs/``
that a page links to are published under ``repository/``. The page without a server, of
``build/browser``, becomes ``try/``.
"""

import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]
_LINK = re.compile(r"(\]\(\s*)((?:\.\./)+[^)#\s]+)")
_FOLDER = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#\s]+)\)")
#: The page without a server, where tools/build_browser.py has made it.
BROWSER = REPOSITORY / "build/browser"
_TRY = "<!-- try -->"
_WIDTH = 78  # columns of the command's help


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages and the files outside ``docs/`` that pages link to."""
    generated = {
        "contributing.md": (REPOSITORY / "CONTRIBUTING.md").read_text(),
        "reference/changelog.md": (REPOSITORY / "CHANGELOG.md").read_text(),
        "reference/command.md": "\n".join(_command_page()),
        "reference/rest.md": "\n".join(_rest_page()),
        "reference/recipes.md": "\n".join(_recipes_page()),
    }
    for name, content in generated.items():
        files.append(File.generated(config, name, content=content))
    pages = list(files.documentation_pages())
    while pages:  # a page that is linked to may link to more
        page = pages.pop()
        for _, link in _LINK.findall(page.content_string):
            target = _in_repository(link, page.src_uri)
            name = f"repository/{target}"
            source = REPOSITORY / target
            if target.startswith("docs/") or not source.is_file() or files.get_file_from_path(name):
                continue
            added = File.generated(config, name, abs_src_path=str(source))
            files.append(added)
            if added.is_documentation_page():
                pages.append(added)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to files of the repository into links within the site."""
    folder = posixpath.dirname(page.file.src_uri)

    def within(match: re.Match[str]) -> str:
        target = _in_repository(match[2], page.file.src_uri)
        place = target.removeprefix("docs/")
        place = place if place != target else f"repository/{target}"
        return match[1] + posixpath.relpath(place, folder or ".")

    if _TRY in markdown:
        markdown = markdown.replace(_TRY, _invitation())
    markdown = _FOLDER.sub(lambda match: _named(match, page.file.src_uri), markdown)
    markdown = _LINK.sub(within, markdown)
    if page.file.src_uri == "reference/python.md":
        markdown += "\n".join(_public_names())
    if page.file.src_uri == "contributing.md":  # lies beside docs/, not in it
        markdown = markdown.replace("](docs/", "](")
        markdown = re.sub(r"\[([^\]]+)\]\((?!https?:|#)(?![\w/-]+\.md[)#])[^)]*\)", r"\1", markdown)
        markdown = re.sub(r"\[([^\]]+)\]\([A-Z_]+\.md\)", r"\1", markdown)
    return markdown


def on_post_build(config: MkDocsConfig) -> None:
    """Publish the page without a server, where it has been built."""
    if (BROWSER / "sw.js").exists():
        shutil.copytree(BROWSER, Path(config.site_dir) / "try", dirs_exist_ok=True)


def _invitation() -> str:
    """Write the link to the page, or what to do where it has not been built."""
    if (BROWSER / "sw.js").exists():
        return '<a class="md-button md-button--primary" href="../try/">Open the page</a>'
    return "This copy of the documentation was made without the page; see [below](#build-it)."


def _named(match: re.Match[str], page: str) -> str:
    """Leave the text of a link to a folder, which has no page; other links stay."""
    target = _in_repository(match[2], page)
    folder = not target.startswith("docs/") and not (REPOSITORY / target).is_file()
    return f"{match[1]}" if folder else match[0]


def _in_repository(link: str, page: str) -> str:
    """Resolve a link of a page to a path from the root of the repository."""
    place = page.removeprefix("repository/") if page.startswith("repository/") else f"docs/{page}"
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), link))


def _public_names() -> Iterator[str]:
    """Write where each public name is documented, for mkdocstrings."""
    import invdn

    for name in sorted(invdn.__all__):
        found = getattr(invdn, name)
        own = getattr(found, "__module__", "").startswith("invdn")  # no alias of a type
        if own and name != "InvDNError":
            yield from ("", f"::: {found.__module__}.{found.__qualname__}", "")
    yield from ("", "## Errors", "", "::: invdn.errors", "    options:")
    yield from ("      show_root_heading: false", "      show_root_toc_entry: false", "")


def _command_page() -> Iterator[str]:
    """Write the help of every command, as the terminal shows it."""
    from invdn.cli import group

    yield from ("# The command", "", "The help of every command, as `--help` prints it.", "")
    context = click.Context(group, info_name="invdn", terminal_width=_WIDTH)
    yield from ("## invdn", "", "```text", group.get_help(context), "```", "")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command and not command.hidden:
            yield from _help(command, name, context, 2)


def _help(command: click.Command, name: str, parent: click.Context, depth: int) -> Iterator[str]:
    context = click.Context(command, parent, info_name=name, terminal_width=_WIDTH)
    yield from ("#" * depth + f" {context.command_path}", "", "```text")
    yield from (command.get_help(context), "```", "")
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found and not found.hidden:
                yield from _help(found, child, context, depth + 1)


def _rest_page() -> Iterator[str]:
    """Write every path of the service, its parameters and its answers."""
    document = _openapi()
    yield from ("# REST", "", f"{document['info']['summary']} How to use it:")
    yield from ("[the page and the service](../service.md). A running service describes itself",)
    yield from ("under `/api/v1/openapi.json`.", "")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield from (f"## {method.upper()} {path}", "")
            yield from (_text(operation.get("description") or operation["summary"]), "")
            yield from _parameters(operation.get("parameters", []))
            body = operation.get("requestBody", {}).get("content", {})
            if body:
                yield from ("Body: " + ", ".join(f"`{kind}`" for kind in body) + ".", "")
            yield from ("| status | | content |", "|---|---|---|")
            for status, answer in sorted(operation["responses"].items()):
                kinds = ", ".join(f"`{kind}`" for kind in answer.get("content", {}))
                yield f"| {status} | {_text(answer['description'])} | {kinds} |"
            yield ""


def _parameters(parameters: list[dict[str, Any]]) -> Iterator[str]:
    if not parameters:
        return
    yield from ("| parameter | in | type | default | |", "|---|---|---|---|---|")
    for parameter in parameters:
        schema = parameter.get("schema", {})
        default = f"`{json.dumps(schema['default'])}`" if "default" in schema else ""
        text = _text(parameter.get("description") or schema.get("description", ""))
        yield (
            f"| `{parameter['name']}` | {parameter['in']} | {_kind(schema)} | {default} | {text} |"
        )
    yield ""


def _kind(schema: dict[str, Any]) -> str:
    """Name the type of a parameter with its bounds."""
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[key]}" for key, sign in signs.items() if key in schema]
    return " ".join([str(schema.get("type", "any")), *bounds])


def _text(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _openapi() -> dict[str, Any]:
    """Ask a service that runs for the time of the question."""
    command = [sys.executable, "-m", "invdn", "serve", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src")}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            address = process.stdout.readline().strip().rstrip("/") if process.stdout else ""
            with urllib.request.urlopen(f"{address}/api/v1/openapi.json") as answer:  # noqa: S310
                document: dict[str, Any] = json.load(answer)
                return document
        finally:
            process.terminate()


def _recipes_page() -> Iterator[str]:
    """Write the shipped recipes, and every key that a recipe may have."""
    from invdn.training.recipe import Recipe

    yield from ("# Recipes", "", "A recipe is a TOML file that decides the outcome of a training;")
    yield from ("how to use one: [training](../training.md).", "", "## Keys", "")
    yield from ("| key | type | default |", "|---|---|---|")
    schema = Recipe.model_json_schema()
    yield from _keys(schema, schema.get("$defs", {}), "")
    yield ""
    for path in sorted((REPOSITORY / "src/invdn/training/recipes").glob("*.toml")):
        text = path.read_text()
        title = tomllib.loads(text).get("title", "")
        yield from (f"## {path.stem}", "", str(title), "", "```toml", text.rstrip(), "```", "")


def _keys(schema: dict[str, Any], models: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, field in schema["properties"].items():
        within = _model(field, models)
        if within is not None:
            yield f"| **`{prefix}{name}`** | {_text(within.get('description', ''))} | |"
            number = "0." if field.get("type") == "array" else ""
            yield from _keys(within, models, f"{prefix}{name}.{number}")
            continue
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        if default and "null" in default:
            default = ""
        yield f"| `{prefix}{name}` | {_kind(field)} | {default} |"


def _model(field: dict[str, Any], models: dict[str, Any]) -> dict[str, Any] | None:
    """Find the section that a field holds, if it holds one."""
    for part in (field, field.get("items", {})):
        reference = part.get("$ref", "").rpartition("/")[2]
        if reference and "properties" in models[reference]:
            found: dict[str, Any] = models[reference]
            return found
    return None
