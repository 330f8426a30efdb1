"""The first minute with the page: seen at once, found again, let in."""

import re
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

from invdn.web.tasks import QUICK_WORK
from support.chromium import PATIENCE, Visit, visiting
from support.proxies import nginx
from support.serving import Server, running

ASSETS = Path(__file__).parents[2] / "src" / "invdn" / "web" / "page" / "assets"


def test_every_photograph_is_seen_before_it_is_sent(
    browser: Any, server: Server, pictures: Path
) -> None:
    with visiting(browser, server, expected="Failed to load") as visit:
        page = visit.page
        held: list[Any] = []
        page.route("**/api/v1/photos?*", lambda route: held.append(route))
        notes = pictures / "notes.jpg"
        notes.write_bytes(b"")
        visit.drop(pictures / "plain.png", pictures / "slow.png", pictures / "tiny.webp", notes)
        page.wait_for_selector('body[data-seen="true"]')
        page.wait_for_function(
            "() => document.querySelectorAll('#photos img[src^=blob]').length === 3"
        )
        assert page.get_by_role("button", name="notes.jpg Not taken").is_visible(), "at once"
        assert visit.pixels(-5, -5, 10, 10).std() > 0
        assert page.evaluate("document.activeElement.id") == "view"
        page.wait_for_function("() => document.body.dataset.state === 'uploading'")
        assert len(held) == 3, "all are handed over at once"
        for route in held:
            route.continue_()
        page.unroute("**/api/v1/photos?*")
        page.wait_for_function(
            "() => document.querySelectorAll('#photos [data-state=done]').length === 3"
        )


def test_the_job_lets_its_preview_go_first_but_not_for_ever(
    browser: Any, server: Server, pictures: Path
) -> None:
    with visiting(browser, server) as visit:
        visit.drop(pictures / "slow.png")
        visit.until("done")
        asked = [address.partition("/api/v1/")[2] for _, address in visit.requests]
        preview = next(place for place, path in enumerate(asked) if "/preview?" in path)
        (job,) = [place for place, path in enumerate(asked) if path.startswith("jobs?")]
        tiles = [place for place, path in enumerate(asked) if "format=raw" in path]
        assert preview < job and preview < min(tiles)
    with visiting(browser, server) as visit:
        held: list[Any] = []
        visit.page.route("**/preview?*", lambda route: held.append(route))
        visit.drop(pictures / "slow.png")
        visit.page.get_by_text("Making a preview").wait_for()
        assert visit.state == "ready"
        visit.until("done")  # without the preview, which never comes
        assert held


def test_keys_work_at_once_and_are_told(visit: Visit, pictures: Path) -> None:
    page = visit.page
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Help and keys").is_visible()
    page.keyboard.press("Escape")
    visit.drop(pictures / "slow.png")
    visit.until("done")
    page.keyboard.press("1")
    assert page.locator("#zoom").inner_text() == "100 %"
    page.keyboard.press("s")
    assert page.locator("#side").get_attribute("aria-pressed") == "true"
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Help and keys").is_visible()
    page.get_by_role("button", name="Close").click()
    page.locator("#zoom-fit").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "zoom-full"


def test_nothing_is_lost_when_the_page_is_loaded_anew(visit: Visit, pictures: Path) -> None:
    page = visit.page
    visit.drop(pictures / "plain.png", pictures / "grey.png")
    page.wait_for_function(
        "() => document.querySelectorAll('#photos [data-state=done]').length === 2"
    )
    page.get_by_label("Preset").select_option("full")
    job = visit.job()["id"]
    page.reload()
    page.wait_for_selector("body[data-ready]")
    visit.until("done")
    assert page.locator("#photos li").count() == 2
    assert page.locator("#name").inner_text() == "plain.png"
    assert page.get_by_label("Preset").input_value() == "full"
    assert visit.server.client.get(f"/api/v1/jobs/{job}").status_code == 200
    with page.expect_download() as told:
        page.locator("#download").click()
    assert told.value.suggested_filename == "plain_denoised.png"
    with page.expect_download() as told:
        page.get_by_role("button", name="Download all 2").click()
    assert told.value.suggested_filename == "denoised.zip"
    with zipfile.ZipFile(told.value.path()) as archive:
        assert set(archive.namelist()) == {"plain_denoised.png", "grey_denoised.png"}


def test_a_sample_to_try_and_what_was_found(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("button", name="Try it with a sample").click()
    page.wait_for_selector('body[data-state="done"]')
    assert "Noise: strong" in page.locator("#found").inner_text()
    page.wait_for_function("() => document.querySelector('#found').textContent.includes('Auto')")
    assert re.search(r"Auto chose a strength of \d+ %", page.locator("#found").inner_text())
    value = page.get_by_role("slider", name="Strength").get_attribute("aria-valuetext")
    assert re.fullmatch(r"Auto, \d+ %", value)
    for quality in ("fast", "balanced", "best"):
        assert page.locator(f"#{quality}-time").inner_text().startswith("~ ")


def test_the_token_is_asked_for(browser: Any, tmp_path: Path, pictures: Path) -> None:
    with (
        running(tmp_path, token="open-sesame") as server,  # noqa: S106
    ):
        context = browser.new_context()
        page = context.new_page()
        page.goto(str(server.client.base_url))
        dialog = page.get_by_role("dialog", name="This service is protected")
        dialog.wait_for()
        page.keyboard.press("Escape")
        assert dialog.is_visible()
        dialog.get_by_label("Token").fill("open-wrong")
        dialog.get_by_role("button", name="Open").click()
        dialog.get_by_text("This is not the token.").wait_for()
        dialog.get_by_label("Token").fill("open-sesame")
        page.keyboard.press("Enter")
        page.wait_for_selector("body[data-ready]")
        assert not dialog.is_visible()
        Visit(page, server).drop(pictures / "tiny.png")
        page.wait_for_selector('body[data-state="done"]', timeout=PATIENCE)
        context.close()


def test_behind_nginx_as_most_people_write_it(
    browser: Any, server: Server, pictures: Path, tmp_path: Path
) -> None:
    servers = f"""server {{ listen 127.0.0.1:PORT;
      location /invdn/ {{ proxy_pass http://127.0.0.1:{server.port}/; }} }}"""
    with nginx(tmp_path / "nginx", servers) as address:
        context = browser.new_context()
        page = context.new_page()
        problems: list[str] = []
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.goto(f"{address}/invdn/")
        page.wait_for_selector("body[data-ready]")
        assert problems == []
        context.close()


@pytest.mark.parametrize("path", sorted(ASSETS.parent.rglob("*")), ids=lambda path: path.name)
def test_the_page_is_light(path: Path) -> None:
    if path.is_file():
        assert path.stat().st_size < (200_000 if path.suffix == ".jpg" else 40_000)


def test_no_time_is_told_where_more_has_passed(visit: Visit, pictures: Path) -> None:
    def slow(route: Any) -> None:
        answer = route.fetch()
        stuck = {"state": "running", "progress": 0, "seconds_left": None}
        route.fulfill(response=answer, json={**answer.json(), **stuck})

    jobs = re.compile(r"/api/v1/jobs/[\w-]+$")
    visit.page.route(jobs, slow)
    visit.drop(pictures / "plain.png")
    expect(visit.page.locator("#progress-text")).to_have_text("Denoising, 0 %", timeout=PATIENCE)
    visit.page.unroute(jobs)
    visit.until("done")


def test_the_first_preview_is_quick_by_the_service_s_own_measure(
    browser: Any, server: Server, pictures: Path
) -> None:
    limits = server.client.get("/api/v1/service").json()["limits"]
    assert limits["quick_preview_pixel_passes"] == QUICK_WORK

    def smaller(route: Any) -> None:
        about = route.fetch().json()
        about["limits"]["quick_preview_pixel_passes"] = 4096
        route.fulfill(json=about)

    with visiting(browser, server) as visit:
        visit.page.route("**/api/v1/service", smaller)
        visit.page.reload()
        visit.page.wait_for_selector("body[data-ready]")
        with visit.page.expect_request("**/preview?*") as asked:
            visit.drop(pictures / "slow.png")
        query = {
            name: int(value)
            for name, value in parse_qsl(urlsplit(asked.value.url).query)
            if value.isdecimal()
        }
        samples = query["w"] * query["h"] / query["shrink"] ** 2
        assert query["shrink"] > 1 and 2 * samples <= 4096, "encoded and decoded once each"
        visit.until("done")


def test_a_job_that_takes_long_is_asked_for_rarely(visit: Visit, pictures: Path) -> None:
    visit.page.evaluate("""() => {
      const later = window.setTimeout;
      window.pauses = [];
      window.setTimeout = (act, ms, ...rest) => (pauses.push(ms), later(act, ms, ...rest));
    }""")

    def slow(route: Any) -> None:
        answer = route.fetch()
        far = {"state": "running", "progress": 0.5, "seconds_left": 3000}
        route.fulfill(response=answer, json={**answer.json(), **far})

    jobs = re.compile(r"/api/v1/jobs/[\w-]+$")
    visit.page.route(jobs, slow)
    visit.drop(pictures / "plain.png")
    visit.page.wait_for_function("() => pauses.includes(2000) && pauses.includes(250)")
    visit.page.unroute(jobs)
    visit.until("done")
