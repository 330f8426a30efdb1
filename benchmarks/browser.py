"""How long the page without a server takes in Chromium, and how much memory.

    python benchmarks/browser.py > benchmarks/results/browser.json
    python benchmarks/browser.py --megapixels 0.066 --models fast --threads 1

It needs the built page (`.ci/wasm`), Chromium and playwright. A noisy JPEG of each size goes
through the page's worker, as the page sends it: decoded, denoised by automatic strength, encoded.
Without isolation headers the network runs on one thread, with them on as many as the page takes.
Besides the wall time, the processor time of the browser's renderer is told, which a busy machine
changes less; and the most that the renderer had resident, with the memory of the network's module.
"""

import argparse
import base64
import gzip
import json
import math
import os
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from invdn.evaluation.machine import describe_machine
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from support.static_host import ISOLATION, served

SITE = Path(__file__).parents[1] / "build/browser"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_AUTO = {"strength": "auto", "luminance": 1, "chroma": 1, "detail": 0}
_BEGIN = """async () => {
  const { Remote } = await import("./invdn/remote_engine.js");
  globalThis.studio = new Remote(new Worker("./invdn/studio_worker.js"));
}"""
_SEND = """async ([text, model, look]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const about = await studio.call("about", [model]);
  const timed = async (name, values) => {
    const begun = performance.now();
    const value = await studio.call(name, values);
    return [value, (performance.now() - begun) / 1000];
  };
  const [{ id }, open] = await timed("open", [bytes]);
  const [, denoise] = await timed("denoise", [id, model]);
  const [, encode] = await timed("product", [id, look]);
  const module = (await studio.call("memory", []))[model];
  await studio.call("forget", [id]);
  return { threads: about.threads, told: about.pace, open, denoise, encode, module };
}"""


def main() -> None:
    """Measure what the arguments ask for and print it as JSON; progress goes to standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, nargs="*", default=[0.066, 0.262, 1, 6, 12])
    parser.add_argument("--models", nargs="*", default=["fast", "default"])
    parser.add_argument("--threads", nargs="*", default=["1", "more"], choices=["1", "more"])
    parser.add_argument("--repeats", type=int, default=1, help="the best is told")
    parser.add_argument("--site", type=Path, default=SITE, help="the built page")
    options = parser.parse_args()
    if not (options.site / "sw.js").exists():
        raise SystemExit("the page is missing: .ci/wasm builds it")
    executable = next(filter(None, map(shutil.which, _NAMES)), None)
    rows = []
    site, repeats = options.site, options.repeats
    with sync_playwright() as driver:
        for megapixels in options.megapixels:
            photograph = jpeg(megapixels)
            for model in options.models:
                for threads in options.threads:
                    browser = driver.chromium.launch(
                        executable_path=executable, args=["--headless", "--no-sandbox"]
                    )
                    row = measure(browser, site, photograph, model, threads, repeats)
                    browser.close()
                    rows.append({"megapixels": megapixels, "model": model, **row})
                    sys.stderr.write(f"{rows[-1]}\n")
    result = {
        "machine": describe_machine(),
        "load": os.getloadavg(),
        "runs": rows,
        "files": files(options.site),
    }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


def jpeg(megapixels: float) -> bytes:
    """Return a noisy photograph of 4:3 as a JPEG."""
    height = 4 * round(math.sqrt(megapixels * 1e6 * 3 / 4) / 4)
    width = 4 * round(height / 3)
    noisy = camera_noise(demo_photo(512), seed=1)
    repeats = (-(-height // 512), -(-width // 512), 1)
    pixels = np.ascontiguousarray(np.tile(noisy, repeats)[:height, :width])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noisy.jpg"
        write_photo(Photo(pixels), path)
        return path.read_bytes()


def measure(
    browser: Browser, site: Path, photograph: bytes, model: str, threads: str, repeats: int
) -> dict[str, Any]:
    """Send a photograph through a page that is opened for it."""
    with served(site, {} if threads == "1" else ISOLATION) as (address, _):
        window = browser.new_context(service_workers="block")
        page = window.new_page()
        page.goto(address)
        page.set_default_timeout(0)
        page.evaluate(_BEGIN)
        best: dict[str, Any] = {}
        for _ in range(repeats):
            row = observed(page, photograph, model)
            if not best or row["seconds"] < best["seconds"]:
                best = row
        window.close()
    return best


def observed(page: Page, photograph: bytes, model: str) -> dict[str, Any]:
    """Send a photograph once, and watch the renderer meanwhile."""
    peak, over = 0, threading.Event()
    before = sum(cpu(process) for process in renderers())

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.25):
            peak = max(peak, *(resident(process) for process in renderers()), 0)

    watcher = threading.Thread(target=watch)
    watcher.start()
    text = base64.b64encode(photograph).decode()
    begun = time.perf_counter()
    try:
        found = page.evaluate(_SEND, [text, model, _AUTO])
    finally:
        over.set()
        watcher.join()
    used = sum(cpu(process) for process in renderers()) - before
    steps = {name: round(found[name], 3) for name in ("open", "denoise", "encode")}
    return {
        "threads": found["threads"],
        "seconds": round(sum(steps.values()), 3),
        **steps,
        "elapsed": round(time.perf_counter() - begun, 3),
        "processor_seconds": round(used, 2),
        "told_seconds_per_megapixel": round(found["told"] * 1e6, 2),
        "module_megabytes": round(found["module"] / 1e6),
        "renderer_megabytes": round(peak / 1e6),
    }


def renderers() -> list[psutil.Process]:
    """Return the renderers of the browser that this process has started."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "--type=renderer" in " ".join(arguments(child))]


def arguments(process: psutil.Process) -> list[str]:
    """Return the arguments of a process; none where it has ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def cpu(process: psutil.Process) -> float:
    """Return the processor time that a process has used, in seconds."""
    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0
    return float(times.user + times.system)


def resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def files(site: Path) -> dict[str, tuple[int, int]]:
    """Return the bytes of the larger files of the page, and how many they are under gzip."""
    found = {}
    for path in sorted(site.rglob("*")):
        if path.is_file() and path.stat().st_size >= 1 << 15:
            data = path.read_bytes()
            found[str(path.relative_to(site))] = (len(data), len(gzip.compress(data, 9)))
    return found


if __name__ == "__main__":
    main()
