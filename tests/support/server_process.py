"""A server with settings that the command does not offer: python server_process.py '{JSON}'."""

import json
import sys
from functools import partial

from invdn.engines import open_engine
from invdn.web import Settings
from invdn.web.server import serve


def announce(address: str) -> None:
    """Tell the test where it is."""
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(
        partial(open_engine, "default", "cpu"),
        "default",
        Settings(port=0, **json.loads(sys.argv[1])),
        announce,
    )
