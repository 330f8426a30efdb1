"""The page that needs no server, served by the service all the same."""

from pathlib import Path

import pytest

from invdn.errors import InputError
from invdn.web import Settings
from support.serving import running


def test_served_with_what_it_needs(tmp_path: Path) -> None:
    folder = tmp_path / "browser"
    (folder / "engine").mkdir(parents=True)
    (folder / "index.html").write_text("<title>page</title>")
    (folder / "engine" / "invdn.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.html").write_text("secret")
    with running(tmp_path / "server", "--browser", str(folder)) as server:
        answer = server.client.get("/browser/")
        assert "page" in answer.text
        assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "'wasm-unsafe-eval'" in answer.headers["content-security-policy"]
        assert "connect-src 'self'" in answer.headers["content-security-policy"]
        module = server.client.get("/browser/engine/invdn.wasm")
        assert module.headers["content-type"] == "application/wasm"
        assert server.client.get("/browser/%2e%2e/secret.html").status_code == 404
        assert server.client.get("/browser/missing.js").status_code == 404
        # The service's own page stays as strict as it was.
        assert "wasm" not in server.client.get("/").headers["content-security-policy"]


def test_a_folder_without_a_page_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no page"):
        Settings(browser=tmp_path)
