"""Firefox without a window, driven by its own remote protocol (Marionette, level 3).

Playwright has a Firefox of its own, which must be downloaded; this drives the one of the system.
"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("firefox-esr", "firefox")


class UnloadedError(RuntimeError):
    """The document went away, for another one or anew, before it had answered."""


class Firefox:
    """One window.

    Args:
        connection: with the protocol's port.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rwb")
        self._count = 0
        self._read()  # what it says of itself
        self._ask("WebDriver:NewSession", {})
        self._ask("WebDriver:SetTimeouts", {"script": 600_000})

    def _read(self) -> Any:
        digits = b""
        while (digit := self._stream.read(1)) != b":":
            if not digit:
                raise ConnectionError("Firefox has ended")
            digits += digit
        return json.loads(self._stream.read(int(digits)))

    def _ask(self, name: str, parameters: dict[str, Any]) -> Any:
        self._count += 1
        message = json.dumps([0, self._count, name, parameters]).encode()
        self._stream.write(b"%d:%s" % (len(message), message))
        self._stream.flush()
        _, _, error, result = self._read()
        assert error is None, error
        return result

    def open(self, address: str) -> None:
        """Open a page and wait until it is loaded."""
        self._ask("WebDriver:Navigate", {"url": address})

    def evaluate(self, expression: str, *values: Any) -> Any:
        """Return what a function of JavaScript, given as its source, makes of values.

        Raises:
            UnloadedError: the page was left meanwhile.
        """
        script = f"""const done = arguments[arguments.length - 1];
        (async () => ({expression})(...[...arguments].slice(0, -1)))()
        .then((value) => done([value]), (error) => done([null, `${{error}}`]));"""
        given = {"script": script, "args": list(values), "sandbox": None}
        answer = self._ask("WebDriver:ExecuteAsyncScript", given)["value"]
        if answer is None:
            raise UnloadedError(expression)
        value, *problems = answer
        assert not problems, problems
        return value

    def wait(self, condition: str, seconds: float = 120) -> None:
        """Wait until an expression of JavaScript is true."""
        end = time.monotonic() + seconds
        while True:
            with suppress(UnloadedError):
                if self.evaluate(f"() => Boolean({condition})"):
                    return
            assert time.monotonic() < end, f"{condition} did not come true"
            time.sleep(0.25)


@contextmanager
def firefox(folder: Path, **wanted: Any) -> Iterator[Firefox]:
    """Start Firefox with a fresh profile; its downloads go to the folder.

    Without it, the test is skipped.

    Args:
        folder: of the profile and of downloads.
        wanted: further preferences, with ``_`` for a dot.
    """
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    if executable is None:
        pytest.skip("needs Firefox")
    profile = folder / "profile"
    profile.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    preferences = {
        "marionette.port": port,
        "browser.download.folderList": 2,
        "browser.download.dir": str(folder),
        "datareporting.policy.dataSubmissionEnabled": False,
        "app.update.enabled": False,
        **{name.replace("_", "."): value for name, value in wanted.items()},
    }
    lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in preferences.items())
    (profile / "user.js").write_text("".join(lines))
    command = [executable, "--headless", "--no-remote", "--marionette", "--profile", str(profile)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with _connected(port, process) as connection:
            yield Firefox(connection)
    finally:
        process.terminate()
        process.wait(30)


def _connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    for _ in range(600):
        assert process.poll() is None, "Firefox does not start"
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            time.sleep(0.1)
    raise AssertionError("Firefox does not answer")
