"""The page without a server, in a real browser: a photograph in, out as the command makes it."""

import os
import shutil
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
from invdn.photo.color.icc import ADOBE_GAMMA, ADOBE_PRIMARIES, P3_PRIMARIES, make_profile
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Metadata, Photo
from invdn.photo.read import read_photo
from invdn.photo.write import write_photo
from support.chromium import ARGUMENTS, DROP, NAMES, PATIENCE, browser, packed
from support.devtools import Tab, devtools
from support.firefox import firefox
from support.serving import running
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
def with_flags(browser: Any, *flags: str) -> Iterator[Any]:
    """Another Chromium like the tests' one, started with flags of its own."""
    kind = browser.browser_type
    path = next(filter(None, map(shutil.which, NAMES)), None)
    started = kind.launch(executable_path=path, args=[*ARGUMENTS, *flags])
    try:
        yield started
    finally:
        started.close()


@contextmanager
def opened(browser: Any, address: str, **context: Any) -> Iterator[Any]:
    """A window on the page that must not complain, nor ask anybody else for anything."""
    window = browser.new_context(accept_downloads=True, **context)
    window.set_default_timeout(PATIENCE)
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
    page.wait_for_selector("html[data-offline=ready] body[data-ready]")


def holds(page: Any, condition: str, seconds: float = 120) -> None:
    """Wait until an expression, or what it promises, is true.

    The page's policy lets it evaluate none itself.
    """
    end = time.monotonic() + seconds
    while not page.evaluate(f"async () => Boolean(await ({condition}))"):
        assert time.monotonic() < end, f"{condition} did not come true"
        page.wait_for_timeout(100)


def drop(page: Any, path: Path) -> None:
    page.evaluate(DROP, [[packed(path)], "#stage"])


def until(page: Any, state: str, seconds: float = 300) -> None:
    """Wait for a state of the current photograph; where it is done, in the quality chosen last."""
    chosen = ":has(#again[hidden])" if state == "done" else ""
    page.wait_for_selector(f'body[data-state="{state}"]{chosen}', timeout=seconds * 1000)


def go_on(page: Any) -> None:
    """Begin again where the page waits to be told, as on slow machines; others begin unasked."""
    page.evaluate(
        "() => { const again = document.getElementById('again');"
        " if (!again.hidden) again.click(); }"
    )


def download(page: Any, to: Path) -> Path:
    with page.expect_download() as waited:
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
    """And once more without a server."""
    folder = tmp_path / "firefox"
    folder.mkdir()
    with (
        served(site, ISOLATION if isolated else {}) as (address, server),
        firefox(folder) as page,
    ):
        page.open(address)
        page.wait("document.documentElement.dataset.offline === 'ready'", 300)
        found = through_firefox(page, jpeg, folder / "Fête 1_denoised.jpg")
        assert page.evaluate("() => crossOriginIsolated") is True
        assert "works offline" in page.evaluate(
            "() => document.getElementById('where').textContent"
        )
        if not isolated:
            server.shutdown()
            server.server_close()
            page.open(address)
            again = through_firefox(page, jpeg, folder / "Fête 1_denoised(1).jpg")
            assert again.read_bytes() == found.read_bytes()
    difference = np.abs(stored(found) - stored(by_command(jpeg, site)))
    assert (difference > 1).mean() < 1e-3
    assert (difference > 0).mean() < 5e-3
    with Image.open(found) as result, Image.open(jpeg) as source:
        for name in ("exif", "icc_profile", "xmp"):
            assert result.info[name] == source.info[name]


@pytest.mark.parametrize("workers", [True, False], ids=["service workers", "none"])
def test_a_private_window_of_firefox(site: Path, jpeg: Path, tmp_path: Path, workers: bool) -> None:
    """With service workers, which later versions allow there, and as in those that do not."""
    folder = tmp_path / "firefox"
    folder.mkdir()
    private = {"browser_privatebrowsing_autostart": True, "dom_serviceWorkers_enabled": workers}
    with served(site, {}) as (address, _), firefox(folder, **private) as page:
        page.open(address)
        found = through_firefox(page, jpeg, folder / "Fête 1_denoised.jpg")
        words = page.evaluate("() => document.getElementById('where').textContent")
    if not workers or "works offline" not in words:
        assert "does not work offline" in words
        assert "One processor does it all" in words
    assert stored(found).std() < stored(jpeg).std()


def through_firefox(page: Any, photograph: Path, found: Path) -> Path:
    page.wait("document.documentElement.dataset.offline && document.body?.dataset.ready", 300)
    page.evaluate(DROP, [[packed(photograph)], "#stage"])
    page.wait("document.body.dataset.state === 'done'", 300)
    page.evaluate("() => document.getElementById('download').click()")
    return arrived(found)


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


def kinds(folder: Path) -> list[Path]:
    """A noisy photograph in every orientation, colour space and format that the page takes."""
    noisy = np.ascontiguousarray(camera_noise(demo_photo(128), seed=4)[:92, :117])
    deep = noisy.astype(np.uint16) * 257 + 3
    p3, adobe = (
        make_profile("Display P3", P3_PRIMARIES),
        make_profile("Adobe RGB (1998)", ADOBE_PRIMARIES, ADOBE_GAMMA),
    )
    named: dict[str, tuple[Any, bytes | None, bytes | None]] = {
        **{f"turned {turn}.jpg": (noisy, exif(turn), None) for turn in range(1, 9)},
        "p3.jpg": (noisy, EXIF, p3),
        "adobe.jpg": (noisy, EXIF, adobe),
        "adobe by exif.jpg": (noisy, exif(1, adobe=True), None),
        "grey.jpg": (noisy[:, :, 1], EXIF, None),
        "p3.png": (noisy, exif(3), p3),
        "adobe 16.png": (deep, exif(8), adobe),
        "p3 16.png": (deep, None, p3),
        "grey 16.png": (deep[:, :, 1], None, None),
    }
    paths = []
    for name, (pixels, block, icc) in named.items():
        photo = Photo(pixels, metadata=Metadata(exif=block, icc=icc, xmp=XMP))
        paths.append(folder / name)
        write_photo(photo, paths[-1])
    return paths


def exif(orientation: int, adobe: bool = False) -> bytes:
    """An EXIF block with an orientation and, where asked, the mark of Adobe RGB (R03)."""
    block = Image.Exif()
    block[0x0112] = orientation
    if adobe:
        block.get_ifd(0x8769).update({0xA001: 65535, 0xA005: {1: "R03"}})
    return block.tobytes().removeprefix(b"Exif\0\0")


def test_every_orientation_and_colour_space(browser: Any, site: Path, tmp_path: Path) -> None:
    """Pixels within a step of the command's, and metadata byte for byte."""
    (tmp_path / "out").mkdir()
    paths = kinds(tmp_path)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        page.evaluate(DROP, [[packed(path) for path in paths], "#stage"])
        for place, path in enumerate(paths):
            page.locator("#photos .frame").nth(place).click()
            holds(page, f"document.title.endsWith({path.name + ' – InvDN'!r})")
            until(page, "done")
            found = download(page, tmp_path / "out")
            assert found.name == f"{path.stem}_denoised{path.suffix}"
            wanted = by_command(path, site)
            ours, theirs, noisy = (read_photo(file) for file in (found, wanted, path))
            assert ours.pixels.dtype == noisy.pixels.dtype, path.name
            difference = np.abs(ours.pixels.astype(int) - theirs.pixels)
            steps = 1 if noisy.pixels.dtype == np.uint8 else 257  # of 8 bits
            assert (difference > steps).mean() < (2e-3 if path.suffix == ".jpg" else 1e-9), (
                path.name
            )
            assert (difference > steps // 32).mean() < 0.02, path.name
            assert np.abs(ours.pixels.astype(int) - noisy.pixels).mean() > steps, path.name
            assert ours.orientation == noisy.orientation
            for name in ("exif", "icc", "xmp"):
                kept = getattr(ours.metadata, name)
                assert kept == getattr(noisy.metadata, name), (path.name, name)


#: Photographs on the table that are found again, and how many files of them the browser keeps.
_IDS = "JSON.parse(sessionStorage.getItem('invdn-table /')).photos.map(({ photo }) => photo)"
_COPIES = """async (ids) => {
  const { find } = await import("./originals.js");
  return (await Promise.all(ids.map(find))).filter(Boolean).length;
}"""


def test_loaded_anew_in_the_middle(browser: Any, site: Path, tmp_path: Path) -> None:
    """A tab that was ended while it slept, or broke, finds its photographs again."""
    noisy = np.ascontiguousarray(camera_noise(demo_photo(256), seed=3)[:200, :250])
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        write_photo(Photo(noisy), path)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        page.evaluate(DROP, [[packed(path) for path in paths], "#stage"])
        until(page, "running")
        holds(page, f"{_IDS}.length === 2")
        ids = page.evaluate(_IDS)
        holds(page, f"({_COPIES})({ids}).then((count) => count === 2)")
        page.reload()
        ready(page)
        assert page.locator("#photos .frame").count() == 2
        go_on(page)
        until(page, "done")
        found = read_photo(download(page, tmp_path))
        page.evaluate(
            """() => { let away;
            while ((away = document.querySelector("#photos .away"))) away.click(); }"""
        )
        holds(page, f"({_COPIES})({ids}).then((count) => count === 0)")
        page.reload()
        ready(page)
        assert page.locator("#photos .frame").count() == 0
    wanted = read_photo(by_command(paths[0], site))
    assert np.abs(found.pixels.astype(int) - wanted.pixels).max() <= 1


def test_frozen_in_the_middle(site: Path, tmp_path: Path) -> None:
    """A tab that the browser puts to sleep goes on where it was."""
    noisy = np.ascontiguousarray(camera_noise(demo_photo(512), seed=3)[:400, :500])
    path = tmp_path / "noisy.png"
    write_photo(Photo(noisy), path)
    with served(site, ISOLATION) as (address, _), devtools(tmp_path) as chromium:
        page, other = Tab(chromium, address), Tab(chromium, "about:blank")
        page.show()
        page.wait("document.body?.dataset.ready", 300)
        page.evaluate(
            """globalThis.heard = []; for (const name of ["freeze", "resume"])
            document.addEventListener(name, () => heard.push(name))"""
        )
        page.evaluate(DROP, [[packed(path)], "#stage"])
        page.wait("document.body.dataset.state === 'running'")
        other.show()
        page.wait("document.visibilityState === 'hidden'")
        page.ask("Page.setWebLifecycleState", state="frozen")
        time.sleep(3)
        assert page.evaluate("document.body.dataset.state") == "running"
        page.ask("Page.setWebLifecycleState", state="active")
        page.show()
        page.wait("document.body.dataset.state === 'done'", 300)
        assert page.evaluate("heard") == ["freeze", "resume"]
        page.evaluate("document.getElementById('download').click()")
        found = arrived(tmp_path / "noisy_denoised.png")
    wanted = read_photo(by_command(path, site))
    assert np.abs(read_photo(found).pixels.astype(int) - wanted.pixels).max() <= 1


def arrived(path: Path) -> Path:
    """A download, once it is whole."""
    end = time.monotonic() + 60
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < end, list(path.parent.iterdir())
        time.sleep(0.2)
    time.sleep(0.5)
    return path


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


def test_from_the_service(browser: Any, site: Path, jpeg: Path, tmp_path: Path) -> None:
    """`invdn serve --browser` hands the page out and never sees the photograph."""
    asked: list[tuple[str, str]] = []
    with running(tmp_path / "server", "--browser", str(site)) as server:
        address = f"http://127.0.0.1:{server.port}/browser/"
        with opened(browser, address) as page:
            watch = lambda request: asked.append((request.method, request.url))  # noqa: E731
            page.context.on("request", watch)
            page.reload()
            ready(page)
            assert page.evaluate("crossOriginIsolated") is True
            drop(page, jpeg)
            until(page, "done")
            found = download(page, tmp_path)
    difference = np.abs(stored(found) - stored(by_command(jpeg, site)))
    assert (difference > 1).mean() < 1e-3
    assert asked
    assert not [what for what in asked if what[0] != "GET" or "/api/" in what[1]]


def test_the_first_visit_loads_nothing_twice(browser: Any, site: Path) -> None:
    """What the page loads itself, the service worker does not have sent again."""
    with served(site, {}) as (address, server), opened(browser, address):
        sent = server.sent  # type: ignore[attr-defined]
    large = {
        name: bodies for name, bodies in sent.items() if name.endswith((".safetensors", ".wasm"))
    }
    assert len(large) >= 5
    assert set(large.values()) == {1}, large


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
        holds(page, "document.getElementById('tag-after').textContent == 'Uncertainty'")
        page.wait_for_selector('#view[aria-busy="false"]')  # its map has come
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
        Image.new("L", (10_000, 10_000), 120).save(path)
    elif kind == "damaged PNG":
        path = folder / "photo.png"
        image.save(path)
        data = path.read_bytes()
        path.write_bytes(data[:500] + bytes(4) + data[504:])
    elif kind == "wide":
        path = folder / "photo.png"
        Image.new("RGB", (60_000, 12)).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("CMYK", "Convert it to RGB"),
        ("cut short", "damaged or cut short"),
        ("damaged", "damaged or cut short"),
        ("no photograph", "neither a JPEG nor a PNG"),
        ("100 megapixels", "has 100 megapixels, and a page has memory for 80"),
        ("damaged PNG", "damaged or cut short"),
        ("wide", "60000 pixels wide needs more memory than a page has"),
    ],
)
def test_bad_files(browser: Any, site: Path, tmp_path: Path, kind: str, words: str) -> None:
    """A sentence in the visitor's language; what was there before stays."""
    good = tmp_path / "good.png"
    write_photo(Photo(camera_noise(demo_photo(64), seed=1)), good)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, good)
        until(page, "done")
        drop(page, _bad(kind, tmp_path))
        page.locator("#photos .frame").nth(1).click()
        until(page, "refused")
        assert words in page.inner_text("#notice-text")
        page.locator("#photos .frame").nth(0).click()
        until(page, "done")
        assert download(page, tmp_path).exists()


@pytest.mark.parametrize(
    ("flag", "language", "words"),
    [
        ("--no-enable-sse4-1", "en", "it lacks WebAssembly with SIMD"),
        ("--no-enable-sse4-1", "de", "ihm fehlt WebAssembly mit SIMD"),
        ("--jitless", "en", "WebAssembly is switched off in this browser"),
        ("--wasm-max-mem-pages=400", "en", "too little memory to begin"),
        ("--wasm-max-mem-pages=400", "de", "zu wenig Speicher, um zu beginnen"),
    ],
)
def test_browsers_that_cannot(
    browser: Any, site: Path, flag: str, language: str, words: str
) -> None:
    """A processor without SIMD, a browser without WebAssembly, and one without memory."""
    with (
        with_flags(browser, f"--js-flags={flag}") as limited,
        served(site, ISOLATION) as (address, _),
    ):
        page = limited.new_page(locale=language)
        page.goto(address)
        page.wait_for_selector("#banner:not([hidden])", timeout=PATIENCE)
        assert words in page.inner_text("#banner")


def test_too_little_memory_for_one_photograph(browser: Any, site: Path, tmp_path: Path) -> None:
    """A sentence, the photograph stays on the table, and smaller ones work as before."""
    noise = np.random.default_rng(0).normal(128, 20, (1000, 1600, 3)).clip(0, 255)
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    write_photo(Photo(noise.astype(np.uint8)), large)
    write_photo(Photo(camera_noise(demo_photo(64), seed=1)), small)
    with (
        with_flags(browser, "--js-flags=--wasm-max-mem-pages=1300") as limited,  # 85 MB
        served(site, ISOLATION) as (address, _),
        opened(limited, address) as page,
    ):
        drop(page, large)
        until(page, "failed")
        assert "too little memory" in page.inner_text("#problem")
        assert page.inner_text("#again")
        drop(page, small)
        page.locator("#photos .frame").nth(1).click()
        until(page, "done")
        assert download(page, tmp_path).exists()


def test_a_photograph_too_wide_for_one_model(browser: Any, site: Path, tmp_path: Path) -> None:
    """The sentence names what takes it, and that does."""
    noise = np.random.default_rng(0).normal(128, 20, (12, 25_000, 3)).clip(0, 255)
    path = tmp_path / "wide.png"
    write_photo(Photo(noise.astype(np.uint8)), path)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, path)
        until(page, "failed")
        assert "The draft (the model “fast”) takes it" in page.inner_text("#problem")
        page.check("input[value=draft]")
        go_on(page)
        until(page, "done")
        found = read_photo(download(page, tmp_path))
    assert found.pixels.std() < 0.6 * noise.std()


def test_refused_shared_memory_leaves_one_thread(
    browser: Any, site: Path, jpeg: Path, tmp_path: Path
) -> None:
    """As on telephones that give no page as much of it as it may grow to."""
    refusing = tmp_path / "site"
    shutil.copytree(site, refusing)
    script = refusing / "invdn/engine_worker.js"
    script.write_text(
        """WebAssembly.Memory = new Proxy(WebAssembly.Memory, { construct(kind, [wanted]) {
          if (wanted.shared) throw new RangeError("could not allocate memory");
          return new kind(wanted);
        } });
        """
        + script.read_text()
    )
    with served(refusing, ISOLATION) as (address, _), opened(browser, address) as page:
        assert page.evaluate("crossOriginIsolated") is True
        assert "1 thread" in page.inner_text("#engine")
        assert "One processor does it all" in page.inner_text("#where")
        drop(page, jpeg)
        until(page, "done")
        assert download(page, tmp_path).exists()


def test_what_was_found_is_told(browser: Any, site: Path, tmp_path: Path) -> None:
    """The noise of a photograph, and what was mended of it."""
    noise = np.random.default_rng(2).normal(60, 4, (96, 96, 3))
    noisy = noise.round().astype(np.uint8)
    noisy[60, 70] = 255
    path = tmp_path / "noisy.png"
    write_photo(Photo(noisy), path)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, path)
        page.check("input[value=draft]")
        until(page, "done")
        assert "Noise: moderate" in page.inner_text("#found")
        assert "1 hot or dead pixel was mended" in page.inner_text("#warnings")


def test_cancel_and_go_on(browser: Any, site: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(128, 20, (600, 800, 3)).clip(0, 255)
    path = tmp_path / "large.png"
    write_photo(Photo(noise.astype(np.uint8)), path)
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, path)
        until(page, "running")
        assert page.inner_text("#fast-time").startswith("~ ")  # before the end is known
        page.click("#cancel")
        until(page, "stopped")
        page.check("input[value=draft]")
        go_on(page)
        until(page, "done")


def test_without_service_workers_on_one_thread(
    browser: Any, site: Path, jpeg: Path, tmp_path: Path
) -> None:
    """And without a database or a storage, where a window may keep nothing."""
    refusing = """for (const name of ["indexedDB", "localStorage", "sessionStorage", "caches"]) {
      const get = () => { throw new DOMException("no", "SecurityError"); };
      Object.defineProperty(globalThis, name, { get });
    }"""
    with served(site, {}) as (address, _):
        window = browser.new_context(accept_downloads=True, service_workers="block")
        window.add_init_script(refusing)
        page = window.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-ready]", timeout=PATIENCE)
        assert "1 thread" in page.inner_text("#engine")
        assert "does not work offline" in page.inner_text("#where")
        assert "One processor does it all" in page.inner_text("#where")
        drop(page, jpeg)
        until(page, "done")
        assert download(page, tmp_path).exists()
        window.close()


def test_an_address_without_https(browser: Any, site: Path, jpeg: Path, tmp_path: Path) -> None:
    """A host of one's own in the network: no service worker, no threads, and the reason."""
    with (
        with_flags(browser, "--host-resolver-rules=MAP photos.test 127.0.0.1") as other,
        served(site, ISOLATION) as (address, _),
    ):
        page = other.new_page()
        page.goto(address.replace("127.0.0.1", "photos.test"))
        page.wait_for_selector("body[data-ready]", timeout=PATIENCE)
        assert "does not begin with https" in page.inner_text("#where")
        assert "private window" not in page.inner_text("#where")
        drop(page, jpeg)
        until(page, "done")
        assert download(page, tmp_path).exists()


def test_webgpu_is_a_trial(browser: Any, site: Path, tmp_path: Path) -> None:
    """Behind a flag in the address; a software adapter shows that its numbers are right."""
    noisy = np.ascontiguousarray(camera_noise(demo_photo(128), seed=3)[:62, :85])
    path = tmp_path / "noisy.png"
    write_photo(Photo(noisy), path)
    adapter = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
    with (
        with_flags(browser, *adapter, "--enable-features=Vulkan") as other,
        served(site, ISOLATION) as (address, _),
        opened(other, f"{address}?webgpu") as page,
    ):
        if "WebGPU" not in page.inner_text("#engine"):
            pytest.skip("needs a Chromium with WebGPU in software")
        drop(page, path)
        page.check("input[value=draft]")
        until(page, "done")
        found = read_photo(download(page, tmp_path))
    wanted = read_photo(by_command(path, site, model="fast"))
    assert np.abs(found.pixels.astype(int) - wanted.pixels).max() <= 1
    assert (found.pixels != noisy).mean() > 0.5


def test_upright_on_the_screen(browser: Any, site: Path, jpeg: Path) -> None:
    height, width = apply_exif_orientation(np.zeros((150, 210)), 6).shape
    with served(site, ISOLATION) as (address, _), opened(browser, address) as page:
        drop(page, jpeg)
        until(page, "done")
        assert page.inner_text("#facts").startswith(f"{width} × {height}")
