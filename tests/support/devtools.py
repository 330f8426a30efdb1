"""Chromium through its own protocol, for what Playwright hides: tabs behind others, frozen ones.

Playwright has every page believe that it is seen, and what is seen is never frozen.
"""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support.chromium import ARGUMENTS, NAMES


class Tab:
    """One tab.

    Args:
        browser: that has it.
        address: that it opens.
    """

    def __init__(self, browser: "DevTools", address: str) -> None:
        self._browser = browser
        self._target = browser.ask("Target.createTarget", url=address)["targetId"]
        attached = browser.ask("Target.attachToTarget", targetId=self._target, flatten=True)
        self._session = attached["sessionId"]

    def ask(self, method: str, **parameters: Any) -> Any:
        """Return the answer to a method of the protocol."""
        return self._browser.ask(method, self._session, **parameters)

    def evaluate(self, expression: str, *values: Any) -> Any:
        """Return the value of an expression; with values, of that function of them."""
        if values:
            expression = f"({expression})({', '.join(map(json.dumps, values))})"
        how = {"returnByValue": True, "awaitPromise": True, "userGesture": True}
        found = self.ask("Runtime.evaluate", expression=expression, **how)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str, seconds: float = 120) -> None:
        """Wait until an expression is true; while a document loads, there is none to ask."""
        end = time.monotonic() + seconds
        while True:
            with suppress(ProtocolError):
                if self.evaluate(f"Boolean({condition})"):
                    return
            assert time.monotonic() < end, f"{condition} did not come true"
            time.sleep(0.1)

    def show(self) -> None:
        """Put it before all other tabs."""
        self._browser.ask("Target.activateTarget", targetId=self._target)


class ProtocolError(RuntimeError):
    """What a browser answers where it cannot do what it was asked."""


class DevTools:
    """A browser; files over the protocol's pipe are ended by a NUL.

    Args:
        to: where requests go.
        source: where answers come from.
    """

    def __init__(self, to: int, source: int) -> None:
        self._to, self._source, self._rest, self._count = to, source, b"", 0

    def ask(self, method: str, session: str | None = None, **parameters: Any) -> Any:
        """Return the answer to a method of the protocol."""
        self._count += 1
        request = {"id": self._count, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        os.write(self._to, json.dumps(request).encode() + b"\0")
        while (answer := self._read()).get("id") != self._count:
            pass  # events
        if "error" in answer:
            raise ProtocolError(answer["error"])
        return answer["result"]

    def _read(self) -> Any:
        while b"\0" not in self._rest:
            part = os.read(self._source, 1 << 16)
            if not part:
                raise ConnectionError("Chromium has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)


@contextmanager
def devtools(folder: Path) -> Iterator[DevTools]:
    """Start Chromium with a fresh profile; its downloads go to the folder.

    Without it, the test is skipped.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        pytest.skip("needs a Chromium")
    (reads, to), (source, writes) = os.pipe(), os.pipe()
    profile = f"--user-data-dir={folder / 'profile'}"

    def connect() -> None:  # Chromium reads from 3 and writes to 4
        os.dup2(reads, 3)
        os.dup2(writes, 4)

    process = subprocess.Popen(
        [path, *ARGUMENTS, "--remote-debugging-pipe", profile],
        pass_fds=(3, 4),
        preexec_fn=connect,
        stderr=subprocess.DEVNULL,
    )
    os.close(reads)
    os.close(writes)
    try:
        browser = DevTools(to, source)
        where = {"behavior": "allow", "downloadPath": str(folder)}
        browser.ask("Browser.setDownloadBehavior", **where)
        yield browser
    finally:
        process.terminate()
        process.wait(30)
        os.close(to)
        os.close(source)
