"""``invdn serve``: the local page and the REST service."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from ..errors import EngineError, InputError, MissingDependencyError
from .options import Command, engine_options

_MEBIBYTE = 1 << 20
_PACKAGES = ("fastapi", "prometheus_client", "python_multipart", "uvicorn")


@click.command(
    cls=Command,
    groups={
        "Address": "host port token allow_host browser opens",
        "Limits": "max_megabytes max_megapixels max_queue max_seconds max_memory max_storage "
        "lifetime grace",
    },
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8642, show_default=True, help="TCP port; 0: any free one.")
@click.option(
    "--token",
    envvar="INVDN_TOKEN",
    show_envvar=True,
    help="What every request must present; needed where others can reach the address.",
)
@click.option("--allow-host", multiple=True, help="A further name to answer to; repeatable.")
@engine_options
@click.option("--max-megabytes", default=256.0, show_default=True, help="Largest file.")
@click.option("--max-megapixels", default=100.0, show_default=True, help="Largest photograph.")
@click.option("--max-queue", default=64, show_default=True, help="Photographs that may wait.")
@click.option("--max-seconds", default=1800.0, show_default=True, help="Time for a photograph.")
@click.option(
    "--max-memory", default=4096, show_default=True, help="Memory for a photograph, in MiB."
)
@click.option(
    "--max-storage", default=8192, show_default=True, help="Disk for photographs, in MiB."
)
@click.option("--lifetime", default=900.0, show_default=True, help="Seconds that a result is kept.")
@click.option(
    "--grace", default=30.0, show_default=True, help="Seconds to finish when it is stopped."
)
@click.option(
    "--browser",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the page that denoises in the browser, to be served at /browser/.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
def command(
    host: str,
    port: int,
    token: str | None,
    allow_host: tuple[str, ...],
    max_megabytes: float,
    max_megapixels: float,
    max_queue: int,
    max_seconds: float,
    max_memory: int,
    max_storage: int,
    lifetime: float,
    grace: float,
    browser: Path | None,
    opens: bool,
    **engine_choice: Any,
) -> None:
    """Start the page and the REST service; Ctrl-C stops them.

    Only this machine can reach them unless you say otherwise, and no photograph leaves it.

    \b
    invdn serve --open
    INVDN_TOKEN=... invdn serve --host 0.0.0.0
    """
    missing = [package for package in _PACKAGES if not find_spec(package)]
    if missing:
        raise MissingDependencyError(
            f"the service needs {', '.join(missing)}: pip install 'invdn[web]'"
        )
    from ..engines import open_engine
    from ..web import Settings
    from ..web.server import serve

    settings = Settings(
        host=host,
        port=port,
        token=token,
        allowed_hosts=allow_host,
        max_bytes=round(max_megabytes * 1e6),
        max_pixels=round(max_megapixels * 1e6),
        max_queue=max_queue,
        max_seconds=max_seconds,
        max_memory=max_memory * _MEBIBYTE,
        max_storage=max_storage * _MEBIBYTE,
        lifetime=lifetime,
        grace=grace,
        browser=browser,
    )

    def announce(address: str) -> None:
        click.echo(address)
        if token:
            click.echo("open it once with '?token=' and your token behind it", err=True)
        if opens:
            click.launch(f"{address}?token={quote(token, safe='')}" if token else address)

    try:
        serve(partial(open_engine, **engine_choice), engine_choice["model"], settings, announce)
    except (
        EngineError
    ) as error:  # of a worker that could not begin: the model or an option is wrong
        raise InputError(str(error)) from error
