"""The sliders of the page: at once, without the network, by the formula of the command."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from playwright.sync_api import Page

from invdn.cli import group
from invdn.image.noise_estimation import estimate_noise
from invdn.inference import DenoiseOptions
from invdn.inference.blending import blend
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.chromium import Visit, sent

SIZE = 112


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A noisy photograph of 112 x 112 pixels."""
    path = tmp_path_factory.mktemp("look") / "noisy.png"
    write_photo(Photo(camera_noise(demo_photo(SIZE), seed=3)), path)
    return path


def _slide(visit: Visit, name: str, presses: str, times: int) -> None:
    for _ in range(times):
        visit.page.get_by_role("slider", name=name).press(presses)
    visit.settled()


def _result_at_full_size(visit: Visit, noisy: Path) -> Page:
    """Open a photograph and show nothing but its result, at 100 %."""
    visit.drop(noisy)
    visit.until("done")
    page = visit.page
    page.locator("#view").focus()
    page.keyboard.press("1")
    page.locator("#wipe").press("Home")
    return page


def test_sliders_follow_the_formula_at_once(visit: Visit, noisy: Path) -> None:
    page = _result_at_full_size(visit, noisy)
    page.get_by_role("button", name="Auto strength").click()
    visit.settled()
    before = read_photo(noisy).pixels
    after = visit.photograph(SIZE, SIZE)
    noise = estimate_noise(before)
    assert noise
    asked = sent(visit)

    def expected(**look: Any) -> np.ndarray:
        floats = (pixels.astype(np.float32) / 255 for pixels in (before, after))
        first, second = floats
        return blend(first, second, DenoiseOptions(**look), noise).clip(0, 1) * 255

    def off() -> float:
        return float(np.abs(visit.photograph(SIZE, SIZE) - expected(**look)).max())

    look: dict[str, Any] = {"strength": 0.5}
    _slide(visit, "Strength", "PageDown", 5)
    assert page.get_by_role("slider", name="Strength").get_attribute("aria-valuetext") == "50 %"
    assert off() <= 0.51
    look = {"strength": 0.5, "luminance": 0.8}
    _slide(visit, "Luminance", "PageDown", 2)
    assert off() <= 0.51
    look = {"strength": 0.5, "luminance": 0.8, "chroma": 0.0}
    _slide(visit, "Colour", "Home", 1)
    assert off() <= 0.51
    look = {"strength": 0.5, "luminance": 0.8, "chroma": 0.0, "detail": 1.0}
    _slide(visit, "Fine texture", "Home", 1)
    assert off() <= 1.01  # the share that noise explains comes as 8 bits
    assert float(np.abs(expected(**look) - expected(**(look | {"detail": 0.0}))).max()) > 2
    page.get_by_role("button", name="Reset").click()
    visit.settled()
    assert (
        page.get_by_role("slider", name="Strength")
        .get_attribute("aria-valuetext")
        .startswith("Auto")
    )
    look = {"strength": "auto"}
    assert off() <= 1.01
    page.get_by_role("button", name="Auto strength").click()
    visit.settled()
    assert (visit.photograph(SIZE, SIZE) == after).all()
    assert sent(visit) == asked


def test_gentle_and_strong_looks_are_those_of_the_command(visit: Visit, noisy: Path) -> None:
    page = _result_at_full_size(visit, noisy)
    preset = page.get_by_role("combobox", name="Preset")
    preset.select_option("Everything removed")
    visit.settled()
    before, after = read_photo(noisy).pixels, visit.photograph(SIZE, SIZE)
    noise = estimate_noise(before)
    shown = {}
    for name, kind in (("Gentle", "gentle"), ("Automatic", "natural"), ("Strong", "strong")):
        preset.select_option(name)
        visit.settled()
        first, second = (pixels.astype(np.float32) / 255 for pixels in (before, after))
        expected = blend(first, second, DenoiseOptions(look=kind), noise).clip(0, 1) * 255
        shown[name] = visit.photograph(SIZE, SIZE).astype(float)
        assert float(np.abs(shown[name] - expected).max()) <= 1.01
        made, whole = shown[name] - before, after.astype(float) - before
        strength = float(np.vdot(made, whole) / np.vdot(whole, whole))
        assert abs(_strength_told(page) - strength) < 0.02
    taken = {name: float(np.abs(pixels - before).mean()) for name, pixels in shown.items()}
    assert taken["Gentle"] < 0.8 * taken["Automatic"] and taken["Automatic"] < taken["Strong"]
    preset.select_option("Gentle")
    told = _strength_told(page)
    page.reload()
    visit.until("done")
    assert _strength_told(page) == told
    _is_file_of(visit, noisy, "--look", "gentle")
    page.get_by_role("button", name="Auto strength").click()  # a fixed strength has no look
    _is_file_of(visit, noisy, "--strength", "1")


def _strength_told(page: Page) -> float:
    """What auto took of the look that is shown, by the words and by the slider."""
    page.wait_for_function(
        "() => /^Auto, /.test(document.querySelector('#strength').ariaValueText)"
    )
    value = page.get_by_role("slider", name="Strength").get_attribute("aria-valuetext")
    percent = re.fullmatch(r"Auto, (\d+) %", value or "")
    assert percent
    assert f"Auto chose a strength of {percent[1]} %" in page.locator("#found").inner_text()
    return int(percent[1]) / 100


def test_the_file_has_the_look(visit: Visit, noisy: Path) -> None:
    visit.drop(noisy)
    visit.until("done")
    visit.page.get_by_role("button", name="Auto strength").click()
    _slide(visit, "Luminance", "PageDown", 2)
    _is_file_of(visit, noisy, "--strength", "1", "--luminance", "0.8")
    visit.page.get_by_role("button", name="Reset").click()
    visit.page.get_by_role("button", name="Auto strength").click()  # from what auto takes to 100 %
    _slide(visit, "Strength", "PageDown", 3)
    _slide(visit, "Fine texture", "Home", 1)
    _is_file_of(visit, noisy, "--strength", "0.7", "--detail", "1")
    jobs = [what for what in sent(visit) if what == "POST /api/v1/jobs"]
    assert len(jobs) == 3  # the result and two files, though pointer, focus and click each want one


def _is_file_of(visit: Visit, noisy: Path, *look: str) -> None:
    with visit.page.expect_download() as told:
        visit.page.get_by_role("button", name="Download").click()
    options = [*look, "--device", "cpu", "--quiet", "--overwrite"]
    result = CliRunner().invoke(group, ["denoise", str(noisy), *options])
    assert result.exit_code == 0, result.output
    made = noisy.with_name("noisy_denoised.png").read_bytes()
    assert Path(told.value.path()).read_bytes() == made
