"""A real browser on the page of a real server, and what the tests do with it.

Every visit watches itself: a console error that the test did not announce, an error of a script, or
a request to anywhere else fails the test that made it.
"""

import base64
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from numpy.typing import NDArray

from support.serving import Server

Pixels = NDArray[np.uint8]

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DROP = """async ([files, where]) => {
  const bag = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    bag.items.add(new File([bytes], name, { type }));
  }
  const target = document.querySelector(where);
  const options = { bubbles: true, cancelable: true, dataTransfer: bag };
  for (const kind of ["dragenter", "dragover", "drop"])
    target.dispatchEvent(new DragEvent(kind, options));
}"""
_PASTE = """([[name, type, text]]) => {
  const bag = new DataTransfer();
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  bag.items.add(new File([bytes], name, { type }));
  document.dispatchEvent(new ClipboardEvent("paste", { bubbles: true, clipboardData: bag }));
}"""
PATIENCE = 120_000  # ms that a page is waited for: on a busy machine all is slow
CANVAS = """([x, y, w, h]) => {
  const canvas = document.querySelector("canvas");
  const left = Math.round(canvas.width / 2) + x, top = Math.round(canvas.height / 2) + y;
  const data = canvas.getContext("2d").getImageData(left, top, w, h).data;
  let text = "";
  for (let from = 0; from < data.length; from += 4)
    text += String.fromCharCode(data[from], data[from + 1], data[from + 2]);
  return btoa(text);
}"""


@pytest.fixture(scope="module")  # as long as it lives, no test of its thread can run a loop
def browser() -> Iterator[Any]:
    """Headless Chromium with a profile of its own; skips where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if not path:
        pytest.skip(f"needs a Chromium on the path ({', '.join(NAMES)})")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: invdn[dev]")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


@dataclass
class Visit:
    """One page in one window."""

    page: Any
    server: Server
    requests: list[tuple[str, str]] = field(default_factory=list)  # method, address
    complaints: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Of the current photograph."""
        return str(self.page.evaluate("document.body.dataset.state"))

    def until(self, state: str, seconds: float = 120) -> None:
        """Wait for a state of the current photograph and its picture."""
        self.page.wait_for_selector(f'body[data-state="{state}"]', timeout=seconds * 1000)
        self.settled()

    def settled(self) -> None:
        """Wait until every tile that was asked for has come and is drawn."""
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => done()))")
        self.page.wait_for_selector('#view[aria-busy="false"]')

    def drop(self, *files: Path, onto: str = "#stage") -> None:
        """Drop files, as a hand would."""
        self.page.evaluate(DROP, [[packed(path) for path in files], onto])

    def paste(self, file: Path) -> None:
        """Paste one file."""
        self.page.evaluate(_PASTE, [packed(file)])

    def pixels(self, x: int, y: int, w: int, h: int) -> Pixels:
        """A part of the canvas, counted from its middle, as (h, w, 3)."""
        text = self.page.evaluate(CANVAS, [x, y, w, h])
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(h, w, 3)

    def photograph(self, width: int, height: int) -> Pixels:
        """The whole photograph at 100 %, in the middle of the window."""
        return self.pixels(-round(width / 2), -round(height / 2), width, height)

    def job(self) -> dict[str, Any]:
        """The latest job that the page has started."""
        place = [address for method, address in self.requests if "/api/v1/jobs/" in address][-1]
        identifier = urlsplit(place).path.split("/")[4]
        document: dict[str, Any] = self.server.client.get(f"/api/v1/jobs/{identifier}").json()
        return document


def packed(path: Path) -> tuple[str, str, str]:
    types = {".png": "image/png", ".jpg": "image/jpeg", ".tif": "image/tiff"}
    return (
        path.name,
        types.get(path.suffix, ""),
        base64.b64encode(path.read_bytes()).decode("ascii"),
    )


@contextmanager
def visiting(browser: Any, server: Server, expected: str = "", **window: Any) -> Iterator[Visit]:
    """Open the page in a window of its own, and hold it to good manners.

    Args:
        browser: of the fixture.
        server: whose page.
        expected: words of the console errors that this visit provokes.
        window: of the browser's context: ``viewport``, ``color_scheme`` and so on.
    """
    window = {"viewport": {"width": 1200, "height": 800}, **window}
    # nothing moves over what is compared, and no request goes past the tests own routes
    still: Any = {"reduced_motion": "reduce", "service_workers": "block"}
    context = browser.new_context(accept_downloads=True, **{**still, **window})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    visit = Visit(page, server)
    page.on("request", lambda request: visit.requests.append((request.method, request.url)))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("console", lambda message: _listen(visit, message, expected))
    try:
        page.goto(str(server.client.base_url))
        page.wait_for_selector("body[data-ready]")
        yield visit
        own = f"127.0.0.1:{server.port}"
        strangers = [
            address
            for _, address in visit.requests
            if urlsplit(address).netloc != own and not address.startswith(f"blob:http://{own}/")
        ]
        assert not strangers
        assert not visit.complaints, visit.complaints
    finally:
        context.close()


def _listen(visit: Visit, message: Any, expected: str) -> None:
    if message.type == "error" and not (expected and expected in message.text):
        visit.complaints.append(f"{message.text} ({message.location.get('url', 'no address')})")


@pytest.fixture
def visit(browser: Any, server: Server) -> Iterator[Visit]:
    """The page of the common server in a window of 1200 x 800."""
    with visiting(browser, server) as opened:
        yield opened


def sent(visit: Visit) -> list[str]:
    """What changed something on the server: ``POST /api/v1/photos`` and the like."""
    return [
        f"{method} {urlsplit(address).path}"
        for method, address in visit.requests
        if method not in ("GET", "HEAD")
    ]
