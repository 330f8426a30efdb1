"""The page when its service goes away and comes back."""

import socket
from pathlib import Path
from typing import Any

from support.chromium import visiting
from support.serving import running

EXPECTED = "ERR_CONNECTION_REFUSED"


def test_the_service_goes_and_comes_back(browser: Any, pictures: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with (
        running(tmp_path / "first", "--port", port) as server,
        visiting(browser, server, expected="Failed to load resource") as visit,
    ):
        page = visit.page
        page.route(
            "**/api/v1/jobs?*",
            lambda route: route.continue_(url=f"{route.request.url}&num_samples=1000"),
        )
        visit.drop(pictures / "slow.png")
        page.wait_for_selector('body[data-state="running"]', timeout=60_000)
        server.process.kill()
        server.process.wait(20)
        page.wait_for_selector("#banner:visible", timeout=20_000)
        assert "does not answer" in page.locator("#banner").inner_text()
        assert page.locator("#banner").get_attribute("role") == "alert"
        page.unroute("**/api/v1/jobs?*")
        with running(tmp_path / "second", "--port", port) as second:
            visit.server = second
            visit.until("done")
            assert page.locator("#banner").is_hidden()
