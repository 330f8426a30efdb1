"""How long photographs take without a server, and how much memory, beside the native command.

    python benchmarks/browser.py > benchmarks/results/browser.json
    python benchmarks/browser.py --megapixels 0.066 --models fast --threads 1 --places Chromium

It needs the built page and npm package (`.ci/wasm`), Chromium, playwright and node. A noisy JPEG of
each size is decoded, denoised by automatic strength and encoded: in Chromium by the page's worker,
as the page sends it; in node by the package; in Python by the native engine (AVX2, float32), which
the command uses. One thread, or two; in Chromium isolation headers make them two. Besides the wall
time, the processor time is told, which a busy machine changes less, and the most that the process
had resident, in Chromium the renderer. `load` is the machine's average of a minute at the end, the
measured process in it.
"""

import argparse
import base64
import gzip
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np
from playwright.sync_api import Page, sync_playwright

from invdn.evaluation.machine import describe_machine
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo
from support.chromium import NAMES
from support.renderers import cpu, renderers, resident
from support.static_host import ISOLATION, served

SITE = Path(__file__).parents[1] / "build/browser"
PACKAGE = SITE.with_name("browser-npm")
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
  const id = "photograph";
  const [, open] = await timed("open", [bytes, id]);
  const [, denoise] = await timed("denoise", [id, model]);
  const [, encode] = await timed("product", [id, look]);
  const module = (await studio.call("memory", []))[model];
  await studio.call("forget", [id]);
  return { threads: about.threads, pace: about.pace, open, denoise, encode, module };
}"""
_NODE = """
const [, path, folder, model, threads] = process.argv;
const { Denoiser } = await import(`${folder}/index.js`);
const { readFileSync } = await import("node:fs");
const denoiser = await Denoiser.open({ model, threads: Number(threads) });
const [bytes, begun, before] = [readFileSync(path), performance.now(), process.cpuUsage()];
await denoiser.denoise(bytes);
const { user, system } = process.cpuUsage(before);
const seconds = (performance.now() - begun) / 1000;
const peak = 1024 * process.resourceUsage().maxRSS;
const found = { seconds, processor: (user + system) / 1e6, peak };
process.stdout.write(JSON.stringify(found), () => process.exit());
"""
#: Run in a process of its own, for its memory.
_PYTHON = """
import json, resource, sys, time
from pathlib import Path
from invdn.engines.native_engine import NativeEngine
from invdn.inference.files import denoise_file
from invdn.weights import read_parameters
source, weights, threads = sys.argv[1:]
engine = NativeEngine(read_parameters(Path(weights)), threads=int(threads), instructions="avx2")
begun, before = time.perf_counter(), time.process_time()
denoise_file(engine, Path(source), Path(source).with_name("denoised.jpg"))
seconds, processor = time.perf_counter() - begun, time.process_time() - before
peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "processor": processor, "peak": peak}))
"""


def main() -> None:
    """Measure what the arguments ask for and print it as JSON; progress goes to standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, nargs="*", default=[0.066, 0.262, 1, 6, 12])
    parser.add_argument("--models", nargs="*", default=["fast", "default"])
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2], choices=[1, 2])
    places = {"Chromium": in_chromium, "node": in_node, "command": in_python}
    parser.add_argument("--places", nargs="*", default=[*places], choices=[*places])
    options = parser.parse_args()
    if not (SITE / "sw.js").exists():
        raise SystemExit("the page is missing: .ci/wasm builds it")
    rows = []
    for megapixels in options.megapixels:
        photograph = jpeg(megapixels)
        for model in options.models:
            for threads in options.threads:
                for place in options.places:
                    row = {"place": place, "megapixels": megapixels, "model": model}
                    row |= {"threads": threads, **places[place](photograph, model, threads)}
                    rows.append({**row, "load": round(os.getloadavg()[0], 1)})
                    sys.stderr.write(f"{rows[-1]}\n")
    result = {"machine": describe_machine(), "runs": rows, "files": files(SITE)}
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


def in_chromium(photograph: bytes, model: str, threads: int) -> dict[str, Any]:
    """Send a photograph through a page that is opened for it."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    headers = {} if threads == 1 else ISOLATION
    with sync_playwright() as driver, served(SITE, headers) as (address, _):
        flags = ["--headless", "--no-sandbox"]
        browser = driver.chromium.launch(executable_path=executable, args=flags)
        page = browser.new_context(service_workers="block").new_page()
        page.goto(address)
        page.set_default_timeout(0)
        page.evaluate(_BEGIN)
        row = observed(page, photograph, model)
        browser.close()
    return row


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
        "processor_seconds": round(used, 2),  # the opening of engine and model in it
        "expected_seconds_per_megapixel": round(found["pace"] * 1e6, 2),
        "module_megabytes": round(found["module"] / 1e6),
        "resident_megabytes": round(peak / 1e6),
    }


def in_node(photograph: bytes, model: str, threads: int) -> dict[str, Any]:
    """Send a photograph through the npm package."""
    arguments = [str(PACKAGE), model, str(threads)]
    return apart(["node", "--input-type=module", "-e", _NODE], photograph, arguments)


def in_python(photograph: bytes, model: str, threads: int) -> dict[str, Any]:
    """Send a photograph through the native engine, with the page's weights."""
    arguments = [str(SITE / f"models/{model}.safetensors"), str(threads)]
    return apart([sys.executable, "-c", _PYTHON], photograph, arguments)


def apart(command: list[str], photograph: bytes, arguments: list[str]) -> dict[str, Any]:
    """Run a command on a photograph; it writes what it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noisy.jpg"
        path.write_bytes(photograph)
        done = subprocess.run([*command, str(path), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout)
    return {
        "seconds": round(found["seconds"], 3),
        "processor_seconds": round(found["processor"], 2),
        "resident_megabytes": round(found["peak"] / 1e6),
    }


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
