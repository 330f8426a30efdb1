"""The page without a server, in a real browser: a photograph in, out as the command makes it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from invdn.cli import group
from invdn.image.orientation import apply_exif_orientation
from invdn.photo.color.icc import P3_PRIMARIES, make_profile
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.chromium import _DROP, _packed, browser
from support.firefox import firefox
from support.static_host import ISOLATION, served

__all__ = ["browser"]
pytestmark = pytest.mark.slow

_REPOSITORY = Path(__file__).parents[2]
#: An EXIF block with an orientation, and an XMP packet.
EXIF = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><!-- a note --></x:xmpmeta>'


@pytest.fixture(scope="session")
def site() -> Path:
    """The built page; without it the tests are skipped."""
    folder = Path(os.environ.get("INVDN_BROWSER", _REPOSITORY / "build/browser"))
    if not (folder / "sw.js").exists():
        pytest.skip("needs the page: .ci/wasm builds it")
    return folder


@contextmanager
def opened(browser: Any, address: str, **context: Any) -> Iterator[Any]:
    """A window on the page that must not complain, nor ask anybody else for anything."""
    window = browser.new_context(accept_downloads=True, **context)
    page = window.new_page()
    complaints: list[str] = []
    strangers: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda told: complaints.append(told.text) if told.type == "error" else None)
    own = urlsplit(address).netloc

    def watch(request: Any) -> None:
        if urlsplit(request.url).netloc != own and not request.url.startswith("blob:"):
            strangers.append(request.url)

    window.on("request", watch)
    try:
        page.goto(address)
        ready(page)
        yield page
        assert not strangers
        assert not complaints, complaints
    finally:
        window.close()


def ready(page: Any) -> None:
    """Wait until the page has met its worker and, where it must, come a second time."""
    page.wait_for_selector("html[data-offline=ready]", timeout=60_000)
    page.wait_for_timeout(300)  # the second coming begins
    page.wait_for_selector("body[data-ready]", timeout=60_000)


def drop(page: Any, path: Path) -> None:
    page.evaluate(_DROP, [[_packed(path)], "#stage"])


def until(page: Any, state: str, seconds: float = 120) -> None:
    page.wait_for_selector(f'body[data-state="{state}"]', timeout=seconds * 1000)


def download(page: Any, to: Path) -> Path:
    with page.expect_download(timeout=60_000) as waited:
        page.click("#download")
    path = to / str(waited.value.suggested_filename)
    waited.value.save_as(path)
    return path


def by_command(noisy: Path, site: Path, *options: str, model: str = "default") -> Path:
    """What the command makes of a file with the page's weights, which are of float16."""
    options = (*options, "--model", str(site / f"models/{model}.safetensors"))
    target = noisy.with_name(f"command{noisy.suffix}")
    target.unlink(missing_ok=True)
    # float32, as in the page: on processors with AMX the command takes a faster precision.
    options = (*options, "--device", "cpu", "--dtype", "float32", "--quiet")
    arguments = ["denoise", str(noisy), "-o", str(target), *options]
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    return target


def stored(path: Path) -> Any:
    """The pixels of a file as they lie in it."""
    with Image.open(path) as image:
        return np.asarray(image).astype(int)


@pytest.fixture
def jpeg(tmp_path: Path) -> Path:
    """A noisy JPEG of a phone: turned, in Display P3, with XMP."""
    noisy = np.ascontiguousarray(camera_noise(demo_photo(256), seed=1)[:150, :210])
    profile = make_profile("Display P3", P3_PRIMARIES)
    metadata = Metadata(exif=EXIF, icc=profile, xmp=XMP)
    path = tmp_path / "Fête 1.jpg"
    write_photo(Photo(noisy, metadata=metadata), path)
    return path


@pytest.mark.parametrize("isolated", [True, False], ids=["headers", "no headers"])
def test_jpeg_as_the_command_makes_it(
    browser: Any, site: Path, jpeg: Path, tmp_path: Path, isolated: bool
) -> None:
    with (
        served(site, ISOLATION if isolated else {}) as (address, _),
        opened(browser, address) as page,
    ):
        assert page.evaluate("crossOriginIsolated") is True
        assert "thread" in page.inner_text("#engine")
        drop(page, jpeg)
        until(page, "done")
        found = download(page, tmp_path)
    assert found.name == "Fête 1_denoised.jpg"
    wanted = by_command(jpeg, site)
    # Where one of 100,000 samples is a step off, its block of the JPEG may be off by more.
    difference = np.abs(stored(found) - stored(wanted))
    assert (difference > 1).mean() < 1e-3
    assert (difference > 0).mean() < 5e-3
    assert np.abs(stored(found) - stored(jpeg)).mean() > 1
    with Image.open(found) as result, Image.open(jpeg) as source:
        assert result.info["exif"] == source.info["exif"]
        assert result.info["icc_profile"] == source.info["icc_profile"]
        assert result.info["xmp"] == source.info["xmp"]
        assert vars(result)["layer"] == vars(source)["layer"]  # sampling factors


@pytest.mark.parametrize("isolated", [True, False], ids=["headers", "no headers"])
def test_jpeg_in_firefox(site: Path, jpeg: Path, tmp_path: Path, isolated: bool) -> None:
    folder = tmp_path / "firefox"
    folder.mkdir()
    found = folder / "Fête 1_denoised.jpg"
    with served(site, ISOLATION if isolated else {}) as (address, _), firefox(folder) as page:
        page.open(address)
        page.wait("document.documentElement.dataset.offline === 'ready'")
        time.sleep(1)  # the second coming begins
        page.wait("document.body?.dataset.ready !== undefined", 300)
        assert page.evaluate("() => crossOriginIsolated") is True
        page.evaluate(_DROP, [[_packed(jpeg)], "#stage"])
        page.wait("document.body.dataset.state === 'done'", 300)
        page.evaluate("() => document.getElementById('download').click()")
        end = time.monotonic() + 60
        while not found.exists() or not found.stat().st_size:
            assert time.monotonic() < end, list(folder.iterdir())
            time.sleep(0.2)
        time.sleep(0.5)
    difference = np.abs(stored(found) - stored(by_command(jpeg, site)))
    assert (difference > 1).mean() < 1e-3
    assert (difference > 0).mean() < 5e-3
    with Image.open(found) as result, Image.open(jpeg) as source:
        for name in ("exif", "icc_profile", "xmp"):
            assert result.info[name] == source.info[name]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_of_either_depth(browser: Any, site: Path, tmp_path: Path, dtype: Any) -> None:
    noisy = np.ascontiguousarray(camera_noise(demo_photo(128), seed=2)[:90, :101])
    pixels = noisy if dtype == np.uint8 else noisy.astype(np.uint16) * 257 + 3
    alpha = np.full(pixels.shape[:2], np.iinfo(dtype).max, dtype)
    alpha[:9] = 0
    path = tmp_path / "noisy.png"
    write_photo(Photo(pixels, alpha=alpha), path)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, path)
        until(page, "done")
        found = read_photo(download(page, tmp_path))
    wanted = read_photo(by_command(path, site))
    assert found.pixels.dtype == dtype
    difference = np.abs(found.pixels.astype(int) - wanted.pixels)
    assert difference.max() <= (1 if dtype == np.uint8 else 3)
    assert (difference > 0).mean() < (1e-3 if dtype == np.uint8 else 0.2)
    assert found.alpha is not None
    assert (found.alpha == alpha).all()


def test_offline_after_the_first_visit(
    browser: Any, site: Path, jpeg: Path, tmp_path: Path
) -> None:
    with served(site, {}) as (address, server), opened(browser, address) as page:
        server.shutdown()
        server.server_close()
        page.reload()
        ready(page)
        drop(page, jpeg)
        until(page, "done")
        assert download(page, tmp_path).exists()


def test_a_look_of_ones_own(browser: Any, site: Path, tmp_path: Path) -> None:
    noisy = np.ascontiguousarray(camera_noise(demo_photo(128), seed=3)[:90, :101])
    path = tmp_path / "noisy.png"
    write_photo(Photo(noisy), path)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, path)
        page.check("input[value=draft]")
        until(page, "done")
        page.evaluate(
            """() => { for (const [id, value] of [["strength", 0.7], ["detail", 0.6]]) {
            const input = document.getElementById(id);
            input.value = value;
            input.dispatchEvent(new Event("input"));
            input.dispatchEvent(new Event("change")); } }"""
        )
        page.check("#uncertainty")
        page.wait_for_function("document.getElementById('tag-after').textContent == 'Uncertainty'")
        page.wait_for_timeout(500)  # its map is asked for
        page.uncheck("#uncertainty")
        found = read_photo(download(page, tmp_path))
    wanted = read_photo(
        by_command(path, site, "--strength", "0.7", "--detail", "0.4", model="fast")
    )
    assert np.abs(found.pixels.astype(int) - wanted.pixels).max() <= 1


def test_nothing_may_leave(browser: Any, site: Path) -> None:
    """The policy refuses a connection to elsewhere, and the visitor is told so."""
    with served(site, {}) as (address, _):
        window = browser.new_context()
        page = window.new_page()
        page.goto(address)
        ready(page)
        refused = "fetch('https://example.org/').then(() => 'sent', () => 'refused')"
        assert page.evaluate(refused) == "refused"
        worker = "new Worker('./invdn/studio_worker.js')"
        assert page.evaluate(f"Boolean({worker})")
        policy = page.evaluate(
            "fetch('invdn/studio_worker.js').then((r) => r.headers.get('Content-Security-Policy'))"
        )
        assert "connect-src 'self'" in policy
        assert "connect-src 'self'" in page.inner_text("#where")
        window.close()


def _bad(kind: str, folder: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    image, path = Image.fromarray(noise), folder / "photo.jpg"
    if kind == "CMYK":
        image.convert("CMYK").save(path)
        return path
    image.save(path)
    data = path.read_bytes()
    if kind == "cut short":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "damaged":
        path.write_bytes(data[:700] + b"\xff\xd9" + data[702:])
    elif kind == "no photograph":
        path.write_bytes(b"hello")
    elif kind == "100 megapixels":
        at = data.index(b"\xff\xc0") + 5
        path.write_bytes(data[:at] + (10_000).to_bytes(2) * 2 + data[at + 4 :])
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("CMYK", "Convert it to RGB"),
        ("cut short", "damaged or cut short"),
        ("damaged", "damaged or cut short"),
        ("no photograph", "neither a JPEG nor a PNG"),
        ("100 megapixels", "100 megapixels"),
    ],
)
def test_bad_files(browser: Any, site: Path, tmp_path: Path, kind: str, words: str) -> None:
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, _bad(kind, tmp_path))
        until(page, "refused", 30)
        assert words in page.inner_text("#notice-text")


def test_cancel_and_go_on(browser: Any, site: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 20, (600, 800, 3)).clip(0, 255)
    path = tmp_path / "large.png"
    write_photo(Photo(noise.astype(np.uint8)), path)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, path)
        until(page, "running", 30)
        assert page.inner_text("#fast-time").startswith("~ ")  # before the end is known
        page.click("#cancel")
        until(page, "stopped", 30)
        page.check("input[value=draft]")
        page.click("#again")  # a slow machine does not begin unasked
        until(page, "done", 240)


def test_without_service_workers_on_one_thread(
    browser: Any, site: Path, jpeg: Path, tmp_path: Path
) -> None:
    with served(site, {}) as (address, _):
        window = browser.new_context(accept_downloads=True, service_workers="block")
        page = window.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-ready]", timeout=60_000)
        assert "1 thread" in page.inner_text("#engine")
        drop(page, jpeg)
        until(page, "done")
        assert download(page, tmp_path).exists()
        window.close()


def test_upright_on_the_screen(browser: Any, site: Path, jpeg: Path) -> None:
    height, width = apply_exif_orientation(np.zeros((150, 210)), 6).shape
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, jpeg)
        until(page, "done")
        assert page.inner_text("#facts").startswith(f"{width} × {height}")
