"""The first minute with the page: seen at once, found again, let in, in two languages."""

import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from invdn.errors import ImageError
from invdn.image.noise_estimation import NoiseEstimate
from invdn.inference import files
from invdn.inference.blending import Findings
from invdn.inference.files import training_range_warning
from invdn.photo import raw
from invdn.photo.decode import DAMAGED, check_size, choose_page, left_out
from invdn.photo.demo_photo import demo_photo
from invdn.photo.formats import format_of_content
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from invdn.web.errors import KINDS, full_disk, stopping
from support.chromium import Visit, visiting
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
            "() => document.querySelectorAll('#photos img[src^=blob]').length >= 2"
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
            "() => document.querySelectorAll('#photos [data-state=done]').length === 3",
            timeout=120_000,
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
        "() => document.querySelectorAll('#photos [data-state=done]').length === 2", timeout=120_000
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
    page.wait_for_selector('body[data-state="done"]', timeout=120_000)
    assert "Noise found: strong" in page.locator("#found").inner_text()
    page.wait_for_function("() => document.querySelector('#found').textContent.includes('Auto')")
    assert re.search(r"Auto took \d+ % of the change", page.locator("#found").inner_text())
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
        page.wait_for_selector('body[data-state="done"]', timeout=60_000)
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


def test_in_german(browser: Any, server: Server, pictures: Path) -> None:
    with visiting(browser, server, locale="de-AT") as visit:
        page = visit.page
        assert page.locator("html").get_attribute("lang") == "de"
        assert page.get_by_role("button", name="Fotos auswählen").is_visible()
        visit.drop(pictures / "tiny.png")
        visit.until("done")
        assert page.locator("#progress-text").inner_text().startswith("Entrauscht in")
        assert page.get_by_role("radio", name="Beste").is_visible()
        page.keyboard.press("?")
        page.get_by_label("Sprache").select_option("en")
        page.wait_for_selector("body[data-ready]")
        assert page.locator("html").get_attribute("lang") == "en"
        visit.until("done")


def test_every_word_is_in_the_table_in_every_language() -> None:
    table = (ASSETS / "texts.js").read_text()
    found = re.findall(r'^  "?([\w ]+?)"?: \[(.*?)\],$', table, re.M | re.S)
    entries = dict(found)
    assert len(entries) == len(found) > 100
    used = set()
    for path in (*ASSETS.glob("*.js"), ASSETS.parent / "index.html"):
        text = path.read_text()
        used |= set(re.findall(r'\bt\("(\w+)"', text))
        used |= set(re.findall(r'data-t(?:-\w+)?="(\w+)"', text))
    assert used <= set(entries), used - set(entries)
    for name, words in entries.items():
        english, german = re.findall(r'"((?:[^"\\]|\\.)*)"', words)
        holes = [sorted(re.findall(r"\{(\w+)\}", text)) for text in (english, german)]
        assert holes[0] == holes[1], name
        assert german, name


@pytest.mark.parametrize("path", sorted(ASSETS.parent.rglob("*")), ids=lambda path: path.name)
def test_the_page_is_light(path: Path) -> None:
    if path.is_file():
        assert path.stat().st_size < (200_000 if path.suffix == ".jpg" else 40_000)


def _animation(path: Path) -> None:
    frames = [Image.new("RGB", (60, 60), color) for color in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def test_a_german_page_explains_in_german(browser: Any, server: Server, pictures: Path) -> None:
    """What the service refuses or warns of has German words; English words would be seen here."""
    folder = pictures / "german"
    folder.mkdir(exist_ok=True)
    whole = (pictures / "turned.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "none.jpg").write_bytes(b"none")
    (folder / "paper.pdf").write_bytes(b"%PDF-1.7" + bytes(80))
    Image.new("LAB", (60, 60)).save(folder / "lab.tif")
    _animation(folder / "moving.gif")
    write_photo(Photo(demo_photo(64)), folder / "clean.png")
    words = {
        "cut.jpg": "beschädigt oder abgeschnitten",
        "none.jpg": "kein Bild eines bekannten Formats",
        "paper.pdf": "Das ist ein PDF-Dokument",
        "lab.tif": "Farben sind LAB",
        "moving.gif": "Das ist eine Animation",
        "clean.png": "Es ist fast rauschfrei",
    }
    with visiting(browser, server, expected="status of 4", locale="de-AT") as visit:
        page = visit.page
        visit.drop(*(folder / name for name in words))
        for place, (name, expected) in enumerate(words.items()):
            page.locator("#photos .frame").nth(place).click()
            seen = page.locator("#problem:visible, #notice-text:visible, #warnings:visible")
            seen.get_by_text(expected).wait_for(timeout=120_000)
            text = seen.inner_text()
            assert not re.search(r"\b(the|its|it is|was|fetch)\b", text), (name, text)


def test_every_usual_sentence_has_german_words(
    browser: Any, server: Server, pictures: Path, tmp_path: Path
) -> None:
    """What the code says today, asked of the code itself, so that no wording drifts away."""
    for kind in KINDS:
        assert KINDS[kind][1]
    said = [str(full_disk()), str(stopping())]
    noise = NoiseEstimate(25.0, (0.5,), (0.1,), (0.1,), 0.0, 1.0)
    said.append(str(training_range_warning(noise)))
    said.append(str(training_range_warning(replace(noise, level=0.3))))
    said.append(str(training_range_warning(replace(noise, level=200.0, correlation=0.5))))
    said.append(str(training_range_warning(replace(noise, level=1.0), Findings(0.1, 0.2))))
    for start in (b"", b"8BPS", b"<svg", b"PK\x03\x04", b"....ftypmp42", b"x" * 70):
        with pytest.raises(ImageError) as refused:
            format_of_content(start)
        said.append(str(refused.value))
    for act in (lambda: check_size(9000, 9000, 10**6), lambda: choose_page(7, None)):
        with pytest.raises(ImageError) as refused:
            act()
        said.append(str(refused.value))
    said += [DAMAGED, raw._REMARK, files._AGAIN, *left_out(["its gain map (HDR)"])]
    with visiting(browser, server, locale="de-AT") as visit:
        ask = f"""async (said) => {{
          const {{ translated, problemInWords }} = await import("/assets/problems.js");
          const kinds = {list(KINDS)}.map((kind) => problemInWords({{
            type: `urn:invdn:problem:${{kind}}`, detail: "something new" }}));
          return [said.map((words) => translated(words)), kinds];
        }}"""
        german, kinds = visit.page.evaluate(ask, said)
        assert not [words for words, told in zip(said, german, strict=True) if not told]
        assert not [told for told in german if re.search(r"\b(the|its|is|of|give)\b(?! 255)", told)]
        assert not [told for told in kinds if told.startswith("Something")]
    with visiting(browser, server, locale="en-GB") as visit:
        assert visit.page.evaluate(ask, ["it is odd"])[0] == ["It is odd."]
