"""The page in the Firefox of the system: its own decoding beside the page, its pixels, axe."""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from invdn.photo.read import read_photo
from support.chromium import CANVAS, DROP, PATIENCE, Pixels, packed
from support.firefox import Firefox, firefox
from support.serving import Server

pytestmark = pytest.mark.slow
_AXE = """async () => {
  %s;
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { passes, violations } = await axe.run(document, { runOnly: rules });
  return [passes.length, violations.map(({ id, nodes }) => [id, nodes.map((n) => n.target)])];
}"""


@pytest.fixture
def window(tmp_path: Path, server: Server) -> Iterator[Firefox]:
    """The page of the common server in a Firefox of its own."""
    folder = tmp_path / "firefox"
    folder.mkdir()
    with firefox(folder) as page:
        page.open(str(server.client.base_url))
        page.wait("document.body.dataset.ready")
        yield page


def _canvas(page: Firefox, width: int, height: int) -> Pixels:
    """Return the photograph at 100 % in the middle of the window."""
    page.wait("document.querySelector('#view').ariaBusy === 'false'")
    place = [-round(width / 2), -round(height / 2), width, height]
    pixels = base64.b64decode(page.evaluate(CANVAS, place))
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def _shows(page: Firefox, expected: Pixels, off: int = 0) -> None:
    """Wait until the photograph at 100 % is as expected."""
    height, width = expected.shape[:2]
    end = time.monotonic() + PATIENCE / 1000
    while np.abs(_canvas(page, width, height).astype(int) - expected).max() > off:
        assert time.monotonic() < end, "it never came"
        time.sleep(0.1)


def _press(page: Firefox, key: str) -> None:
    page.evaluate(
        "(key) => document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }))",
        key,
    )


def test_from_the_drop_to_the_file(
    window: Firefox, server: Server, pictures: Path, tmp_path: Path
) -> None:
    page = window
    names = ("slow.png", "turned.jpg", "plain.webp")
    page.evaluate(DROP, [[packed(pictures / name) for name in names], "#stage"])
    # small pictures are made by the worker beside the page, of the file itself
    page.wait("document.querySelectorAll('#photos img[src^=\"blob:\"]').length === 3")
    page.wait("document.querySelectorAll('#photos [data-state=done]').length === 3")
    page.evaluate("() => document.getElementById('view').focus()")
    _press(page, "1")
    page.evaluate("() => document.getElementById('wipe').focus()")
    _press(page, "End")
    noisy = read_photo(pictures / "slow.png").pixels
    _shows(page, noisy)
    _press(page, "Home")
    page.evaluate(
        "() => { const p = document.getElementById('preset'); p.value = 'full';"
        " p.dispatchEvent(new Event('change', { bubbles: true })); }"
    )
    page.evaluate("() => document.getElementById('download').click()")
    found = tmp_path / "firefox" / "slow_denoised.png"
    end = time.monotonic() + PATIENCE / 1000
    while not found.exists() or not found.stat().st_size:
        assert time.monotonic() < end, list(found.parent.iterdir())
        time.sleep(0.2)
    clean = read_photo(found).pixels  # Firefox moves it there when it is whole
    assert (clean != noisy).any()
    _shows(page, clean)
    page.open(str(server.client.base_url))  # loaded anew: nothing is lost
    page.wait("document.querySelectorAll('#photos [data-state=done]').length === 3")


def test_what_the_browser_shows_before_the_service_has_looked(
    window: Firefox, pictures: Path
) -> None:
    """The upload is held back; the photograph is seen all the same, as it is in the file."""
    page = window
    page.evaluate("() => { window.fetch = () => new Promise(() => {}); }")
    page.evaluate(DROP, [[packed(pictures / "slow.png")], "#stage"])
    page.wait("document.body.dataset.seen === 'true'")
    page.evaluate("() => document.getElementById('zoom-full').click()")
    noisy = read_photo(pictures / "slow.png").pixels
    _shows(page, noisy, off=1)
    assert page.evaluate("() => document.body.dataset.state") == "uploading"


def test_axe_finds_nothing_in_firefox(window: Firefox, pictures: Path) -> None:
    runner: Any = pytest.importorskip("axe_playwright_python.base")
    source = (Path(runner.__file__).parent / "axe.min.js").read_text()

    def check(state: str) -> None:
        passes, violations = page.evaluate(_AXE % source)
        assert passes, "it has looked"
        assert violations == [], state

    page = window
    check("empty")
    page.evaluate("() => document.getElementById('keys-open').click()")
    check("help")
    page.evaluate("() => document.getElementById('keys-close').click()")
    none = pictures / "nothing.jpg"
    none.write_text("none")
    files = [packed(path) for path in (pictures / "slow.png", pictures / "plain.png", none)]
    page.evaluate(DROP, [files, "#stage"])
    page.wait("['queued', 'running'].includes(document.body.dataset.state)")
    check("at work")
    page.wait("document.querySelectorAll('#photos [data-state=done]').length === 2")
    check("done, in a strip")
    page.evaluate("() => document.getElementById('side').click()")
    check("side by side")
    page.evaluate("() => document.querySelector('li[data-state=refused] .frame').click()")
    page.wait("document.body.dataset.state === 'refused'")
    check("refused")
