"""Results on their way out of the page by hand, and the page that is installed."""

from pathlib import Path
from typing import Any

import httpx

from support.chromium import PATIENCE, Visit, visiting
from support.serving import Server, running

_DRAG = """() => {
  const bag = new DataTransfer();
  const drag = new DragEvent("dragstart", { bubbles: true, cancelable: true, dataTransfer: bag });
  const begun = document.querySelector("#photos .frame").dispatchEvent(drag);
  return [begun, bag.getData("DownloadURL")];
}"""


def test_a_result_is_dragged_out_of_the_strip(visit: Visit, pictures: Path) -> None:
    """It is made when the pointer comes to rest on it, and taken from there."""
    page = visit.page
    visit.drop(pictures / "plain.png", pictures / "grey.png")
    page.wait_for_function(
        "() => document.querySelectorAll('#photos [data-state=done]').length === 2"
    )
    assert page.evaluate(_DRAG) == [False, ""], "it is not made yet"
    page.locator("#photos .frame").first.hover()
    for _ in range(PATIENCE // 100):
        begun, text = page.evaluate(_DRAG)
        if begun:
            break
        page.wait_for_timeout(100)
    kind, name, address = text.split(":", 2)
    assert (kind, name) == ("image/png", "plain_denoised.png")
    dragged = httpx.get(address).content
    with page.expect_download() as told:
        page.locator("#download").click()
    assert Path(told.value.path()).read_bytes() == dragged


# A system that takes files, as phones have it: it keeps what it was given, or refuses.
_SYSTEM = """
globalThis.refusal = null;
globalThis.shared = [];
globalThis.asked = 0;
navigator.canShare = ({ files }) => files.length === 1;
navigator.share = async ({ files: [file], title }) => {
  asked += 1;
  if (refusal) throw new DOMException("no", refusal);
  const bytes = new Uint8Array(await file.arrayBuffer());
  shared.push({ name: file.name, type: file.type, title, bytes: [...bytes] });
};
"""


def test_a_result_is_shared(visit: Visit, pictures: Path) -> None:
    page = visit.page
    page.add_init_script(_SYSTEM)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    visit.drop(pictures / "turned.jpg")
    visit.until("done")
    banner = page.locator("#banner")
    page.locator("#more summary").click()

    def share(refusal: str | None, asked: int) -> None:
        page.evaluate("words => { refusal = words; }", refusal)
        page.locator("#share").click()
        page.wait_for_function("count => asked === count", arg=asked)
        page.wait_for_function(
            "() => document.querySelector('#download').textContent === 'Download'"
        )

    share("AbortError", asked=1)  # who shares changes their mind
    assert banner.is_hidden()
    share("NotAllowedError", asked=2)
    assert "press Share once more" in banner.inner_text()
    share("DataError", asked=3)
    assert banner.inner_text() == "no"
    share(None, asked=4)
    page.wait_for_function("() => shared.length === 1")
    (given,) = page.evaluate("shared")
    with page.expect_download() as told:
        page.locator("#download").click()
    assert bytes(given["bytes"]) == Path(told.value.path()).read_bytes()
    assert given["type"] == "image/jpeg"
    assert given["name"] == given["title"] == told.value.suggested_filename
    assert given["name"] == "turned_denoised.jpg"


# Answers what is kept, once that is the page with all that it has loaded. (``wait_for_function``
# takes a promise for true.)
_KEPT = """async () => {
  for (let tries = 0; tries < 1200; tries += 1) {
    const cache = await caches.open(`page ${location.href}`);
    const kept = (await cache.keys()).map(({ url }) => new URL(url).pathname);
    const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
    const paths = loaded.map((address) => new URL(address).pathname);
    const needed = ["/", ...paths.filter((path) => path.startsWith("/assets/"))];
    if (needed.every((path) => kept.includes(path))) return kept;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error("the page was not kept");
}"""


def test_an_installed_page_opens_while_the_service_is_away(browser: Any, tmp_path: Path) -> None:
    with running(tmp_path / "server", "--max-queue", "4") as server:
        # what is expected: the requests that fail once the service is gone
        expected = "Failed to load resource"
        with visiting(browser, server, expected, service_workers="allow") as visit:
            page = visit.page
            manifest = server.client.get("/manifest.webmanifest").json()
            assert {"name", "icons", "start_url", "display"} <= set(manifest)
            page.wait_for_function("() => navigator.serviceWorker.controller !== null")
            kept = page.evaluate(_KEPT)
            assert len(kept) > 20
            assert not [path for path in kept if path != "/" and not path.startswith("/assets/")]
            server.process.kill()
            server.process.wait(20)
            page.reload()
            page.wait_for_selector("#banner:visible")
            assert "does not answer" in page.locator("#banner").inner_text()
            assert page.locator("#pick").is_visible()


def test_the_worker_takes_nothing_but_the_page(server: Server) -> None:
    answer = server.client.get("/sw.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
