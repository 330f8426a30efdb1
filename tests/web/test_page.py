"""The page in a real browser: a photograph in, looked at, and out again as the command makes it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from invdn.cli import group
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.chromium import Visit, sent, visiting
from support.serving import Server

WIDTH, HEIGHT = 120, 90


@pytest.fixture(scope="session")
def noisy(drawn_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A noisy picture, 120 x 90, as PNG with an author."""
    source = next((drawn_data / "sidd-mini-val" / "Noisy").iterdir())
    pixels = np.ascontiguousarray(read_photo(source).pixels[60 : 60 + HEIGHT, 40 : 40 + WIDTH])
    path = tmp_path_factory.mktemp("noisy") / "Fête 1.png"
    write_photo(Photo(pixels, metadata=Metadata(resolution=(11.8, 11.8))), path)
    return path


def _by_command(noisy: Path, target: Path, *options: str) -> Path:
    arguments = ["denoise", str(noisy), "-o", str(target), "--device", "cpu", "--quiet", *options]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    return target


@pytest.fixture(scope="session")
def clean(noisy: Path) -> Path:
    """What the command makes of it."""
    return _by_command(noisy, noisy.with_name("usual.png"))


@pytest.fixture(scope="session")
def network_own(noisy: Path) -> Path:
    """What the network makes of it, without a look."""
    return _by_command(noisy, noisy.with_name("own.png"), "--strength", "1")


def _near(shown: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether the browser, which blends 8 bits, shows what the file holds: to a step or two."""
    difference = np.abs(shown.astype(int) - wanted.astype(int))
    return bool(difference.max() <= 2 and (difference > 1).mean() < 1e-3)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph that takes a good while."""
    noise = np.random.default_rng(0).normal(128, 20, (700, 900, 3)).clip(0, 255)
    path = tmp_path_factory.mktemp("large") / "large.png"
    write_photo(Photo(noise.astype(np.uint8)), path)
    return path


def test_drop_wipe_and_download(visit: Visit, noisy: Path, clean: Path) -> None:
    page = visit.page
    visit.drop(noisy)
    visit.until("done")
    before, after = read_photo(noisy).pixels, read_photo(clean).pixels
    page.keyboard.press("Tab")
    page.locator("#view").focus()
    page.keyboard.press("1")
    visit.settled()
    assert page.locator("#zoom").inner_text() == "100 %"
    half = WIDTH // 2
    shown = visit.photograph(WIDTH, HEIGHT)
    assert (shown[:, :half] == before[:, :half]).all()
    assert _near(shown[:, half:], after[:, half:])

    page.locator("#wipe").press("Home")
    visit.settled()
    assert _near(visit.photograph(WIDTH, HEIGHT), after)
    page.locator("#wipe").press("End")
    visit.settled()
    assert (visit.photograph(WIDTH, HEIGHT) == before).all()

    with page.expect_download() as told:
        page.get_by_role("button", name="Download").click()
    saved = Path(told.value.path())
    assert told.value.suggested_filename == "Fête 1_denoised.png"
    assert saved.read_bytes() == clean.read_bytes()
    assert page.locator("#said").inner_text() == "Fête 1_denoised.png downloaded"


def test_pixels_are_squares_beyond_100_percent(
    visit: Visit, noisy: Path, network_own: Path
) -> None:
    visit.drop(noisy)
    visit.until("done")
    page = visit.page
    page.get_by_role("button", name="Auto strength").click()
    assert page.get_by_role("slider", name="Strength").get_attribute("aria-valuetext") == "100 %"
    page.locator("#view").focus()
    for key in ("1", "+", "+", "+", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    visit.settled()
    assert page.locator("#zoom").inner_text() == "800 %"
    page.locator("#wipe").press("Home")
    visit.settled()
    shown = visit.pixels(-160, -160, 320, 320)
    rows = np.flatnonzero((shown[1:] != shown[:-1]).any((1, 2))) + 1
    columns = np.flatnonzero((shown[:, 1:] != shown[:, :-1]).any((0, 2))) + 1
    assert len(rows) > 30
    assert len(columns) > 30
    assert set((rows - rows[0]) % 8) == set((columns - columns[0]) % 8) == {0}
    found = shown[rows[0] : rows[-1] : 8, columns[0] : columns[-1] : 8]
    after = read_photo(network_own).pixels
    h, w = found.shape[:2]
    places = [
        (y, x)
        for y in range(HEIGHT - h + 1)
        for x in range(WIDTH - w + 1)
        if (after[y : y + h, x : x + w] == found).all()
    ]
    assert len(places) == 1


def test_both_sides_are_locked(visit: Visit, pictures: Path) -> None:
    visit.drop(pictures / "slow.png")
    visit.until("done")
    page = visit.page
    page.get_by_role("button", name="Side by side").click()
    page.locator("#wipe").wait_for(state="hidden")
    box = page.locator("#view").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.4)
    page.mouse.wheel(0, -300)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.5, steps=4)
    page.mouse.up()
    visit.settled()
    width = round(box["width"])
    pane = (width - 2) // 2
    left = visit.pixels(-round(width / 2), -150, pane, 300).astype(np.float64).mean(2)
    right = visit.pixels(round(width / 2) - pane, -150, pane, 300).astype(np.float64).mean(2)
    assert not np.array_equal(left, right)
    likeness = {
        shift: np.corrcoef(left[:, 40 : pane - 40].ravel(), moved.ravel())[0, 1]
        for shift in range(-40, 41, 8)
        if (moved := right[:, 40 + shift : pane - 40 + shift]).size
    }
    assert max(likeness, key=likeness.__getitem__) == 0
    assert likeness[0] > 0.7


def test_keyboard_alone(visit: Visit, noisy: Path, clean: Path) -> None:
    page = visit.page
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "pick":
            break
    with page.expect_file_chooser() as chooser:
        page.evaluate("0")  # the browser has been told to leave the chooser to the test
        page.keyboard.press("Enter")
    chooser.value.set_files(noisy)
    visit.until("done")
    order = []
    page.locator("#keys-open").focus()
    for _ in range(18):
        order.append(page.evaluate("document.activeElement.id || document.activeElement.value"))
        page.keyboard.press("Tab")
    assert order[:4] == ["keys-open", "add", "view", "wipe"]
    assert {"zoom-fit", "fast", "auto", "strength", "preset", "download"} <= set(order)
    assert "zoom-in" not in order, "arrows reach the other buttons of the toolbar"
    page.locator("#view").focus()
    page.keyboard.press("1")
    for _ in range(10):
        page.keyboard.press("[")
    visit.settled()
    assert page.locator("#wipe").get_attribute("aria-valuenow") == "0"
    assert _near(visit.photograph(WIDTH, HEIGHT), read_photo(clean).pixels)
    page.keyboard.down("b")
    visit.settled()
    assert (visit.photograph(WIDTH, HEIGHT) == read_photo(noisy).pixels).all()
    page.keyboard.up("b")
    with page.expect_download() as told:
        page.keyboard.press("Control+s")
    assert Path(told.value.path()).read_bytes() == clean.read_bytes()


def test_the_visible_part_first_and_a_cancel_that_stops(visit: Visit, large: Path) -> None:
    page = visit.page
    page.route("**/api/v1/jobs?*", _many_draws)
    visit.drop(large)
    page.wait_for_selector('body[data-after="preview"]')
    assert visit.state in ("queued", "running")
    page.locator("#view").focus()
    page.keyboard.press("1")
    page.locator("#wipe").press("Home")
    visit.settled()
    middle = visit.pixels(-40, -40, 80, 80).astype(np.float64)
    noise = read_photo(large).pixels[310:390, 410:490].astype(np.float64)
    assert middle.std() < 0.6 * noise.std()
    page.wait_for_selector('body[data-state="running"]')
    assert page.locator("#progress-text").inner_text().startswith("Denoising, ")
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector('body[data-state="stopped"]')
    visit.server.until(visit.job()["id"], lambda job: job["state"] == "cancelled")
    assert page.locator("#progress-text").inner_text() == "Stopped"
    assert page.evaluate("document.activeElement.id") == "again"


def _many_draws(route: Any) -> None:
    """Make a job long enough to be cancelled on any machine."""
    route.continue_(url=f"{route.request.url}&num_samples=1000")


def test_several_photographs_in_a_filmstrip(
    visit: Visit, noisy: Path, pictures: Path, tmp_path: Path
) -> None:
    page = visit.page
    visit.drop(noisy, pictures / "deep.tif", pictures / "grey.png")
    page.wait_for_function(
        "() => document.querySelectorAll('#photos [data-state=done]').length === 3"
    )
    frames = page.get_by_role("navigation", name="Photographs").get_by_role("listitem")
    assert [frame.split("\n") for frame in frames.all_inner_texts()] == [
        ["Fête 1.png", "Done"],
        ["deep.tif", "Done"],
        ["grey.png", "Done"],
    ]
    page.get_by_role("button", name="deep.tif Done").click()
    visit.until("done")
    assert page.locator("#facts").inner_text().startswith("40 × 52, 16 bit TIFF")
    with page.expect_download() as told:
        page.get_by_role("button", name="Download", exact=True).click()
    saved = tmp_path / "deep_denoised.tif"
    saved.write_bytes(Path(told.value.path()).read_bytes())
    photo = read_photo(saved)
    assert photo.pixels.dtype == np.uint16
    assert photo.orientation == 6
    assert page.get_by_role("button", name="Download all 3").is_visible()
    removals: list[str] = []

    def third_removal(request: Any) -> bool:
        if request.method == "DELETE":
            removals.append(request.url)
        return len(removals) == 3  # the photograph, its result and the file that was downloaded

    with page.expect_request(third_removal):
        page.get_by_role("button", name="Remove deep.tif").click()
    assert frames.count() == 2


def test_uncertainty(visit: Visit, noisy: Path) -> None:
    """It comes with every result, and judges the look that is shown."""
    page = visit.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    overlay = page.get_by_role("switch", name="Show uncertainty")
    visit.drop(noisy)
    visit.until("done")
    page.wait_for_function("() => !document.querySelector('#uncertainty').disabled")
    page.locator("#view").focus()
    page.keyboard.press("1")
    page.locator("#wipe").press("Home")
    visit.settled()
    plain = visit.photograph(WIDTH, HEIGHT)
    overlay.check()
    visit.settled()
    laid = visit.photograph(WIDTH, HEIGHT)
    assert (laid != plain).mean() > 0.9
    maps = [address for address in asked if "/uncertainty?" in address]
    assert maps and all("strength=auto" in address for address in maps)
    page.get_by_role("slider", name="Strength").press("Home")
    visit.settled()
    assert any("strength=0&" in address for address in asked if "/uncertainty?" in address)
    page.get_by_role("button", name="Reset").click()
    overlay.uncheck()
    visit.settled()
    assert (visit.photograph(WIDTH, HEIGHT) == plain).all()


def test_paste_and_files_that_are_none(browser: Any, server: Server, noisy: Path) -> None:
    with visiting(browser, server, expected="status of 4") as visit:
        text = noisy.with_name("notes.jpg")
        text.write_text("not a photograph")
        visit.paste(text)
        visit.page.wait_for_selector('body[data-state="refused"]')
        notice = visit.page.locator("#notice")
        assert "JPEG, PNG, TIFF" in notice.inner_text()
        damaged = noisy.with_name("damaged.png")
        damaged.write_bytes(noisy.read_bytes()[:9000])
        visit.paste(damaged)
        visit.page.wait_for_selector('body[data-state="failed"]')
        notice.get_by_text("damaged").wait_for()
        visit.settled()
        asked = [address for _, address in visit.requests if "/rendering" in address]
        visit.page.wait_for_timeout(3500)  # when a tile that failed would be asked for again
        again = [address for _, address in visit.requests if "/rendering" in address]
        assert again == asked, "nothing of it can be shown"
        empty = noisy.with_name("empty.png")
        empty.write_bytes(b"")
        visit.drop(empty)
        visit.page.get_by_role("button", name="empty.png").first.click()
        assert "This file is empty." in notice.inner_text()
        visit.page.locator("#remove").click()
        visit.paste(noisy)
        visit.page.get_by_role("button", name="Fête 1.png").first.click()
        visit.until("done")


def test_too_large_is_said_before_and_by_the_service(
    browser: Any, strict: Server, tmp_path: Path
) -> None:
    with visiting(browser, strict, expected="status of 413") as visit:
        heavy = tmp_path / "heavy.png"
        heavy.write_bytes(bytes(400_000))
        visit.drop(heavy)
        visit.page.wait_for_selector('body[data-state="refused"]')
        words = "This file is too large: 400 kB, and the service takes 300 kB at most."
        assert words in visit.page.locator("#notice").inner_text()
        assert sent(visit) == []
        wide = tmp_path / "wide.png"
        write_photo(Photo(np.full((700, 700, 3), 90, np.uint8)), wide)
        visit.drop(wide)
        visit.page.wait_for_function(
            "() => document.querySelectorAll('#photos [data-state=refused]').length === 2"
        )
        visit.page.get_by_role("button", name="wide.png Not taken").click()
        assert "megapixel" in visit.page.locator("#notice").inner_text().lower()
