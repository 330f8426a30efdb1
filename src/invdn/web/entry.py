"""Where a worker's process begins: rights go first, and only then comes what reads photographs."""

import os
import pickle
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from .sandbox import call_process, confine, die_with_parent

_NICE = 5  # of engines; a quarter of the time where pictures are made or others are at work


def start(
    connection: "Connection[Any, Any]",
    engine: bytes | None,
    max_memory: int,
    writable: tuple[Path, ...],
    scratch: Path,
) -> None:
    """Run a worker; the main function of its process.

    Args:
        connection: to the service.
        engine: pickled function that makes the engine; without it only pictures are handled, and
            rights go before any library is loaded.
        max_memory: bytes that the work may take beside the loaded engine.
        writable: folders that the work reads and writes in.
        scratch: folder for temporary files; its name is the process's.
    """
    die_with_parent()
    call_process(f"invdn-{scratch.name}")
    _use_scratch(scratch)
    done = () if engine else confine((), (*writable, scratch))
    from .worker import work  # late: libraries are loaded without rights

    opened = pickle.loads(engine) if engine else None  # noqa: S301 - the service's own
    nice = _NICE if engine and scratch.name.startswith("engine") else 0
    work(connection, opened, max_memory, nice, lambda: done or confine((), (*writable, scratch)))


def _use_scratch(scratch: Path) -> None:
    """Have temporary files made where the process may write."""
    scratch.mkdir(mode=0o700, exist_ok=True)
    os.environ["TMPDIR"] = str(scratch)
    tempfile.tempdir = str(scratch)
