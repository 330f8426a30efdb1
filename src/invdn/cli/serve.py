"""``invdn serve``: the local page and the REST service."""

from __future__ import annotations

import os
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from ..errors import EngineError, InputError, MissingDependencyError
from .options import Command, engine_options

if TYPE_CHECKING:
    from ..options import Backend, Dtype
    from ..web import Settings

_MEBIBYTE = 1 << 20
_PACKAGES = ("fastapi", "prometheus_client", "python_multipart", "uvicorn")


@click.command(
    cls=Command,
    context_settings={"auto_envvar_prefix": "INVDN"},
    groups={
        "Address": "host port token token_file allow_host root_path forwarded_allow_ips "
        "browser opens",
        "Work": "state workers preview_model lifetime grace",
        "Limits": "max_megabytes max_megapixels max_megapixel_passes max_queue max_seconds "
        "max_memory max_storage",
        "Log": "log_format access_log",
    },
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8642, show_default=True, help="TCP port; 0: any free one.")
@click.option(
    "--token", help="What every request must present; needed where others can reach the address."
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File that holds the token; other users cannot see it, as they see a command's options.",
)
@click.option("--allow-host", multiple=True, help="A further name to answer to; repeatable.")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for photographs, jobs and results; they outlive the service, and several servers "
    "may share it.",
)
@engine_options
@click.option(
    "--workers", default=1, show_default=True, help="Engines at once, on each of the devices."
)
@click.option(
    "--preview-model",
    default="fast",
    show_default=True,
    help="Model of quick previews; 'same': the one of results.",
)
@click.option(
    "--root-path", default="", help="Path below which a proxy offers the service, as /invdn."
)
@click.option(
    "--forwarded-allow-ips",
    default="127.0.0.1,::1",
    show_default=True,
    help="Proxies whose X-Forwarded headers are believed: addresses, networks, or *.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Of the log on standard error.",
)
@click.option("--access-log", is_flag=True, help="Log every request.")
@click.option("--max-megabytes", default=256.0, show_default=True, help="Largest file.")
@click.option("--max-megapixels", default=100.0, show_default=True, help="Largest photograph.")
@click.option(
    "--max-megapixel-passes",
    default=2000.0,
    show_default=True,
    help="Most work for a photograph: megapixels times passes of the network.",
)
@click.option("--max-queue", default=64, show_default=True, help="Photographs that may wait.")
@click.option("--max-seconds", default=1800.0, show_default=True, help="Time for a photograph.")
@click.option(
    "--max-memory", default=4096, show_default=True, help="Memory for a photograph, in MiB."
)
@click.option(
    "--max-storage", default=8192, show_default=True, help="Disk for photographs, in MiB."
)
@click.option(
    "--lifetime",
    type=float,
    help="Seconds that an unused result is kept; default: 900, and a week with --state.",
)
@click.option(
    "--grace", default=5.0, show_default=True, help="Seconds to finish when it is stopped."
)
@click.option(
    "--browser",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the page that denoises in the browser, to be served at /browser/.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
def command(
    model: str,
    device: str,
    backend: Backend,
    dtype: Dtype,
    workers: int,
    preview_model: str,
    token_file: Path | None,
    opens: bool,
    **limits: Any,
) -> None:
    """Start the page and the REST service; Ctrl-C stops them.

    Only this machine can reach them unless you say otherwise, and no photograph leaves it. Every
    option is also a variable of the environment: INVDN_PORT for --port, and so on.

    \b
    invdn serve --open
    INVDN_TOKEN=... invdn serve --host 0.0.0.0 --state ~/invdn
    """
    missing = [package for package in _PACKAGES if not find_spec(package)]
    if missing:
        raise MissingDependencyError(
            f"the service needs {', '.join(missing)}: pip install 'invdn[web]'"
        )
    from ..engines import open_engine
    from ..web.server import serve

    settings = _settings(limits, token_file)
    token = settings.token
    # the workers, which look into what strangers send, are not to find it
    os.environ.pop("INVDN_TOKEN", None)

    def announce(address: str) -> None:
        click.echo(address)
        if token:
            click.echo("open it once with '?token=' and your token behind it", err=True)
        if opens:
            click.launch(f"{address}?token={quote(token, safe='')}" if token else address)

    engines = [
        partial(open_engine, model, place.strip(), backend=backend, dtype=dtype)
        for place in device.split(",")
        for _ in range(_at_least_one(workers))
    ]
    preview = None
    if preview_model not in ("same", model):
        first = device.split(",")[0].strip()
        preview = partial(open_engine, preview_model, first, backend=backend, dtype=dtype)
    try:
        serve(engines, model, settings, announce, preview)
    except (
        EngineError
    ) as error:  # of a worker that could not begin: the model or an option is wrong
        raise InputError(str(error)) from error


def _at_least_one(workers: int) -> int:
    if workers < 1:
        raise InputError(f"--workers must be 1 or more, not {workers}")
    return workers


def _settings(given: dict[str, Any], token_file: Path | None) -> Settings:
    """Return the settings that the options say."""
    token = given["token"]
    if token_file:
        if token:
            raise InputError("give --token or --token-file, not both")
        token = token_file.read_text("utf-8", "replace").strip()
    proxies = given["forwarded_allow_ips"].split(",")
    same = (
        "host",
        "port",
        "browser",
        "state",
        "root_path",
        "log_format",
        "access_log",
        "max_queue",
    )
    more = ("max_seconds", "grace")
    from ..web import Settings  # late: extra web

    return Settings(
        **{name: given[name] for name in (*same, *more)},
        token=token,
        allowed_hosts=given["allow_host"],
        trusted_proxies=tuple(one.strip() for one in proxies if one.strip()),
        max_bytes=round(given["max_megabytes"] * 1e6),
        max_pixels=round(given["max_megapixels"] * 1e6),
        max_work=round(given["max_megapixel_passes"] * 1e6),
        max_memory=given["max_memory"] * _MEBIBYTE,
        max_storage=given["max_storage"] * _MEBIBYTE,
        lifetime=given["lifetime"] or 0,
    )
