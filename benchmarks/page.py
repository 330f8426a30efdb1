"""How heavy the page of the service is, and how long one waits for the first thing to see.

    python benchmarks/page.py > benchmarks/results/page.json
    python benchmarks/page.py --megapixels 1 --runs 1

It needs Chromium and playwright. A noisy JPEG of each size is chosen on a fresh page of a service
on this machine: how many seconds until the photograph is seen as it is, and until the whole visible
part is seen denoised (coarsely; a finer one follows). Once the service has nothing else to do, and
once while it denoises another photograph. The weight counts what a first visit fetches.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.service import photograph, served
from playwright.sync_api import Browser, Page, sync_playwright

from invdn.evaluation.machine import describe_machine
from support.chromium import ARGUMENTS, NAMES

_CHOSEN = """() => document.getElementById("files").addEventListener("change", () => {
  globalThis.times = { chosen: performance.now() };
  const watch = () => {
    const { seen, after } = document.body.dataset;
    if (seen === "true") times.seen ??= performance.now();
    if (after === "preview" || after === "result") times.denoised ??= performance.now();
    if (!times.denoised) requestAnimationFrame(watch);
  };
  watch();
})"""


def main() -> None:
    """Measure both and print them as JSON; progress goes to standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megapixels", type=float, nargs="*", default=[1, 6, 12, 24])
    parser.add_argument("--runs", type=int, default=3, help="of each size")
    options = parser.parse_args()
    path = next(filter(None, map(shutil.which, NAMES)))
    with (
        tempfile.TemporaryDirectory() as name,
        served(Path(name)) as (address, _),
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        result = {
            "machine": describe_machine(),
            "load_average": os.getloadavg()[0],
            "weight": weight(browser, address),
            "first_preview": [
                first_preview(browser, address, Path(name), size, options.runs)
                for size in options.megapixels
            ],
        }
        browser.close()
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


def weight(browser: Browser, address: str) -> dict[str, Any]:
    """Requests and bytes of a first visit, by kind."""
    context = browser.new_context(service_workers="block")  # which fetches the same once more
    page = context.new_page()
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer))
    start = time.monotonic()
    page.goto(address)
    page.wait_for_selector("body[data-ready]")
    seconds = time.monotonic() - start
    sizes: dict[str, list[int]] = {}
    for answer in answers:
        sizes.setdefault(answer.request.resource_type, []).append(len(answer.body()))
    context.close()
    return {
        "seconds": round(seconds, 2),
        "requests": sum(map(len, sizes.values())),
        "bytes": sum(map(sum, sizes.values())),
        "bytes_by_kind": {kind: sum(bytes_) for kind, bytes_ in sorted(sizes.items())},
    }


def first_preview(
    browser: Browser, address: str, folder: Path, megapixels: float, runs: int
) -> dict[str, Any]:
    """Seconds from choosing a photograph to what is seen of it, free and while another is made."""
    width = round((megapixels * 1e6 * 3 / 2) ** 0.5)
    path = photograph(folder, width, round(width * 2 / 3))
    rows: dict[str, list[dict[str, float]]] = {"free": [], "busy": []}
    for _ in range(runs):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        rows["free"].append(_choose(page, path))
        page.wait_for_selector('body[data-state="running"], body[data-state="done"]')
        other = context.new_page()
        other.goto(address)
        other.wait_for_selector("body[data-ready]")
        rows["busy"].append(_choose(other, path))
        for one in (page, other):
            if one.locator("#cancel").is_visible():
                one.locator("#cancel").click()
        time.sleep(1)
        context.close()
        print(f"{megapixels:g} megapixels: {rows}", file=sys.stderr)
    return {
        "megapixels": megapixels,
        "file_megabytes": round(path.stat().st_size / 1e6, 1),
        **{
            kind: {
                name: {
                    "median": round(statistics.median(one[name] for one in found), 2),
                    "all": [round(one[name], 2) for one in found],
                }
                for name in ("seen", "denoised")
            }
            for kind, found in rows.items()
        },
    }


def _choose(page: Page, path: Path) -> dict[str, float]:
    page.evaluate(_CHOSEN)
    page.locator("#files").set_input_files(path)
    page.wait_for_function("() => globalThis.times?.denoised", timeout=300_000)
    times = page.evaluate("() => times")
    return {name: (times[name] - times["chosen"]) / 1000 for name in ("seen", "denoised")}


if __name__ == "__main__":
    main()
