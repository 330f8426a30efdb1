"""The page when its service goes away and comes back."""

import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.chromium import visiting
from support.proxies import nginx
from support.serving import running


@pytest.mark.parametrize("proxied", [False, True], ids=["alone", "behind nginx"])
def test_the_service_goes_and_comes_back(
    browser: Any, pictures: Path, tmp_path: Path, proxied: bool
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with ExitStack() as stack:
        server = stack.enter_context(running(tmp_path / "first", "--port", port))
        shown = server
        if proxied:  # which answers 502 in its place
            servers = f"""server {{ listen 127.0.0.1:PORT;
              location / {{ proxy_pass http://127.0.0.1:{port}; }} }}"""
            address = stack.enter_context(nginx(tmp_path / "nginx", servers))
            shown = replace(server, client=httpx.Client(base_url=address))
        visit = stack.enter_context(visiting(browser, shown, expected="Failed to load resource"))
        page = visit.page
        page.route(
            "**/api/v1/jobs?*",
            lambda route: route.continue_(url=f"{route.request.url}&num_samples=1000"),
        )
        visit.drop(pictures / "slow.png")
        page.wait_for_selector('body[data-state="running"]')
        server.process.kill()
        server.process.wait(20)
        page.wait_for_selector("#banner:visible")
        assert "does not answer" in page.locator("#banner").inner_text()
        assert page.locator("#banner").get_attribute("role") == "alert"
        page.unroute("**/api/v1/jobs?*")
        with running(tmp_path / "second", "--port", port) as second:
            visit.server = second if not proxied else shown
            visit.until("done")
            assert page.locator("#banner").is_hidden()


def test_a_proxy_that_takes_no_such_file_is_named(
    browser: Any, server: Any, pictures: Path, tmp_path: Path
) -> None:
    servers = f"""server {{ listen 127.0.0.1:PORT; client_max_body_size 1k;
      location / {{ proxy_pass http://127.0.0.1:{server.port}; }} }}"""
    with nginx(tmp_path / "nginx", servers) as address:
        shown = replace(server, client=httpx.Client(base_url=address))
        with visiting(browser, shown, expected="status of 413") as visit:
            visit.drop(pictures / "slow.png")
            visit.page.wait_for_selector('body[data-state="refused"]')
            words = visit.page.locator("#notice-text").inner_text()
            assert "the server in front of the service" in words
