"""The page for everybody: names and roles, contrast, narrow windows, keyboard focus."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from support.chromium import Visit, visiting
from support.serving import Server, running

_CONTRAST = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const level = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * level(r) + 0.7152 * level(g) + 0.0722 * level(b);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = numbers(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const seen = element.checkVisibility({ visibilityProperty: true });
    if (!walker.currentNode.data.trim() || !seen || element.closest(".unseen, .tag")) continue;
    const [a, b] = [numbers(getComputedStyle(element).color), ground(element)].map(light);
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([contrast, walker.currentNode.data.trim()]);
  }
  return found;
}"""
_NAMELESS = """() => [
  ...document.querySelectorAll("button, input, a, [role=slider], output, progress")]
  .filter((e) => e.checkVisibility() && !(e.getAttribute("aria-label") || e.labels?.length
    || e.textContent.trim() || e.getAttribute("aria-labelledby")))
  .map((e) => e.outerHTML)"""


def _legible(visit: Visit) -> None:
    found = visit.page.evaluate(_CONTRAST)
    assert found
    assert [entry for entry in found if entry[0] < 4.5] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_legible_and_named(browser: Any, server: Server, pictures: Any, scheme: str) -> None:
    with visiting(browser, server, expected="status of 415", color_scheme=scheme) as visit:
        _legible(visit)
        visit.drop(pictures / "plain.png")
        visit.until("done")
        _legible(visit)
        assert visit.page.evaluate(_NAMELESS) == []
        roles = {
            "slider": "Boundary between before and after",
            "switch": "Show uncertainty",
            "group": "Quality",
            "toolbar": "View",
            "region": "Settings",
        }
        for role, name in roles.items():
            assert visit.page.get_by_role(role, name=name).count() == 1, role
        assert visit.page.locator("#canvas").get_attribute("aria-label") == (
            f"plain.png, before and after, at {visit.page.locator('#zoom').inner_text()}"
        )
        assert visit.page.locator("#said").get_attribute("aria-live") == "polite"
        assert visit.page.locator("#said").inner_text() == "plain.png is denoised"
        none = pictures / "none.jpg"
        none.write_text("none")
        visit.drop(none)
        visit.page.get_by_role("button", name="none.jpg Not taken").click()
        _legible(visit)


_SEEN = [(320, "dark", "de-AT"), (768, "light", "de-AT"), (1024, "dark", "en-GB")]
_ALL = [
    (width, scheme, ("en-GB", "de-AT")[number % 2])
    for number, width in enumerate((320, 390, 768, 1024, 1440, 1920))
    for scheme in ("light", "dark")
]


@pytest.mark.parametrize(
    ("width", "scheme", "language"),
    [*_SEEN, *(pytest.param(*one, marks=pytest.mark.slow) for one in _ALL if one not in _SEEN)],
)
def test_axe_finds_nothing(
    browser: Any, server: Server, pictures: Any, width: int, scheme: str, language: str
) -> None:
    """Each state by the rules of WCAG 2.2 AA and axe's own best practices."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    window = {"viewport": {"width": width, "height": 700}, "color_scheme": scheme}
    with visiting(browser, server, expected="status of 415", locale=language, **window) as visit:
        page = visit.page

        def check(state: str) -> None:
            found = axe.run(page).response
            assert found["passes"], "it has looked"
            assert not [
                (one["id"], [node["target"] for node in one["nodes"]])
                for one in found["violations"]
            ], state

        check("empty")
        page.keyboard.press("?")
        check("help")
        page.keyboard.press("Escape")
        visit.drop(pictures / "slow.png")
        page.wait_for_function("() => document.body.dataset.state !== 'empty'")
        check("at work")
        visit.until("done")
        check("done")
        none = pictures / "nothing.jpg"
        none.write_text("none")
        visit.drop(pictures / "plain.png", none)
        visit.until("done")
        page.keyboard.press("s")
        check("side by side, in a strip")
        page.locator("#photos li[data-state=refused] .frame").click()
        page.wait_for_selector("body[data-state=refused]")
        check("refused")


@pytest.mark.parametrize(("width", "scheme"), [(320, "dark"), (1024, "light")])
def test_axe_finds_nothing_where_something_is_wrong(
    browser: Any, server: Server, pictures: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    window = {"viewport": {"width": width, "height": 700}, "color_scheme": scheme}

    def check(page: Any, state: str) -> None:
        found = axe.run(page).response
        assert found["passes"], "it has looked"
        assert [one["id"] for one in found["violations"]] == [], state

    with visiting(browser, server, expected="Failed to load", **window) as visit:
        page = visit.page
        visit.drop(pictures / "slow.png", pictures / "tiny.png")
        page.get_by_role("button", name="Cancel").click()
        page.wait_for_selector("body[data-state=stopped]")
        check(page, "stopped")
        page.route("**/api/v1/**", lambda route: route.abort())
        visit.drop(pictures / "plain.png")
        expect(page.locator("#banner")).to_be_visible()
        page.locator("#photos .frame").nth(2).click()
        expect(page.locator("#progress-text")).to_have_text("Waiting for the service")
        check(page, "the service is away")
        page.reload()
        expect(page.locator("#banner")).to_be_visible()
        check(page, "the service was never there")
    with running(tmp_path, token="open-sesame") as closed:  # noqa: S106
        context = browser.new_context(**window)
        page = context.new_page()
        page.goto(str(closed.client.base_url))
        page.get_by_label("Token").fill("open-wrong")
        page.keyboard.press("Enter")
        page.get_by_text("This is not the token.").wait_for()
        check(page, "the token is asked for")
        context.close()


@pytest.mark.parametrize("language", ["en-GB", "de-AT"])
@pytest.mark.parametrize("size", [(320, 600), (360, 740), (768, 1024), (1440, 900)])
def test_every_width(
    browser: Any, server: Server, pictures: Any, size: tuple[int, int], language: str
) -> None:
    width, height = size
    window = {"viewport": {"width": width, "height": height}, "device_scale_factor": 2}
    with visiting(browser, server, locale=language, **window) as visit:
        page = visit.page
        visit.drop(pictures / "plain.png", pictures / "grey.png")
        visit.until("done")
        page.locator("#download-all").wait_for()  # the panel at its fullest
        assert page.evaluate("document.documentElement.scrollWidth") == width
        wide = "(e) => [e.scrollWidth, e.clientWidth]"
        # nothing is cut off, nor lies over another
        for part in (".bar", "#stage", ".panel", ".settings"):
            needed, there = page.locator(part).evaluate(wide)
            assert needed <= there, part
        assert page.evaluate("document.querySelector('canvas').width") >= 2 * min(width, 400) - 2
        small = page.evaluate(
            """() => [...document.querySelectorAll(
              "button, input:not([type=radio]), select, [role=slider]")]
              .filter((e) => e.checkVisibility())
              .map((e) => [e.getBoundingClientRect(), e.id || e.className])
              .filter(([box]) => box.width < 24 || box.height < 24).map(([, name]) => name)"""
        )
        assert small == []
        download = {"en-GB": "Download", "de-AT": "Herunterladen"}[language]
        page.get_by_role("button", name=download, exact=True).scroll_into_view_if_needed()
        canvas = page.locator("#view").bounding_box()
        assert canvas["y"] >= 0  # the photograph stays in sight
        assert canvas["height"] > 150


def test_focus_can_be_seen(browser: Any, server: Server, pictures: Any) -> None:
    with visiting(browser, server, reduced_motion="reduce") as visit:
        page = visit.page
        visit.drop(pictures / "plain.png")
        visit.until("done")
        page.locator("#keys-open").focus()
        for _ in range(14):
            page.keyboard.press("Tab")
            seen = page.evaluate(
                """() => {
                  const e = document.activeElement;
                  if (e === document.body) return true;
                  const parts = [e, e.nextElementSibling, e.firstElementChild, e.parentElement]
                    .filter(Boolean);
                  return e.matches("[type=range]") || parts.some((part) => {
                    const style = getComputedStyle(part);
                    const ring = parseFloat(style.outlineWidth) >= 2;
                    if (style.boxShadow.includes("5px")) return true;
                    return ring && style.outlineStyle !== "none";
                  });
                }"""
            )
            assert seen, page.evaluate("document.activeElement.outerHTML")
        page.locator("#keys-open").click()
        assert page.get_by_role("dialog", name="Help and keys").is_visible()
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "keys-open"


def test_a_small_window_hides_no_answer(browser: Any, server: Server, pictures: Path) -> None:
    """What a refusal and a slow quality ask for is in sight, wherever the panel was scrolled to."""

    def slow(route: Any) -> None:
        pace = {"seconds_per_megapixel_pass": 2000}
        route.fulfill(json={**route.fetch().json(), **pace})

    window = {"viewport": {"width": 320, "height": 568}, "locale": "de-AT"}
    with visiting(browser, server, expected="status of 422", **window) as visit:
        page = visit.page
        page.route("**/api/v1/service", slow)
        page.reload()
        page.wait_for_selector("body[data-ready]")
        paint = pictures / "paint.jpg"
        Image.new("CMYK", (40, 30)).save(paint)
        visit.drop(pictures / "tiny.png", paint)
        visit.until("done")
        page.set_viewport_size({"width": 390, "height": 844})  # there is room for both
        chosen = page.locator("label", has=page.get_by_role("radio", name="Ausgewogen"))
        chosen.evaluate("(label) => label.scrollIntoView()")
        chosen.get_by_role("radio").check()
        page.wait_for_function(
            """() => {  // the button stays in sight, and off what was chosen
              const place = (id) => document.querySelector(id).getBoundingClientRect();
              const [button, chosen] = [place("#again"), place("#quality label:has(:checked)")];
              return button.height && (button.bottom <= chosen.top || chosen.bottom <= button.top);
            }""",
            timeout=10_000,
        )
        page.set_viewport_size(window["viewport"])
        page.locator("#settings").evaluate("(panel) => (panel.scrollTop = panel.scrollHeight)")
        page.get_by_role("radio", name="Beste").check()
        expect(page.locator("#again")).to_be_in_viewport(ratio=1)
        page.locator("#photos .frame").nth(1).click()
        page.wait_for_selector("body[data-state=refused]")
        for button in ("#other", "#remove"):
            expect(page.locator(button)).to_be_in_viewport(ratio=1)
