"""A server with settings that the command does not offer: python server_process.py '{JSON}'.

A key ``clock_speed`` makes the service's seconds so many times as fast; ``workers`` sets the number
of engines.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path

from invdn.engines import open_engine
from invdn.web import Settings
from invdn.web.server import serve


def announce(address: str) -> None:
    """Tell the test where it is."""
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    begun, speed = time.time(), given.pop("clock_speed", 1)
    workers = given.pop("workers", 1)
    if "state" in given:
        given["state"] = Path(given["state"])
    for name in ("trusted_proxies", "allowed_hosts"):
        if name in given:
            given[name] = tuple(given[name])
    serve(
        [partial(open_engine, "default", "cpu")] * workers,
        "default",
        Settings(**{"port": 0, **given}),
        announce,
        partial(open_engine, "fast", "cpu"),
        clock=lambda: begun + (time.time() - begun) * speed,
    )
