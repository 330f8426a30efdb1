"""What a first visit to the page without a server weighs and takes, by Lighthouse.

    npm install lighthouse@12
    python benchmarks/browser_first_use.py --lighthouse node_modules/.bin/lighthouse \\
        > benchmarks/results/browser_first_use.json

It needs the built page (`.ci/wasm`), Chromium and node. The page is served as a static host
without isolation headers has it, uncompressed. Lighthouse slows processor and network down, as it
does unasked: once for a telephone, once for a desktop. Besides its scores and times, bytes and
requests of the page itself are told, and those of the whole first visit with what the service
worker keeps for the time offline.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from invdn.evaluation.machine import describe_machine
from support.chromium import NAMES
from support.static_host import served

SITE = Path(__file__).parents[1] / "build/browser"
_TIMES = {
    "first_contentful_paint": "first-contentful-paint",
    "largest_contentful_paint": "largest-contentful-paint",
    "speed_index": "speed-index",
    "total_blocking_time": "total-blocking-time",
    "interactive": "interactive",
}


def main() -> None:
    """Measure and print it as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lighthouse", required=True, help="its command")
    options = parser.parse_args()
    runs = {form: visited(options.lighthouse, form) for form in ("mobile", "desktop")}
    result = {"machine": describe_machine(), "load": os.getloadavg(), "runs": runs}
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


def visited(lighthouse: str, form: str) -> dict[str, Any]:
    """Visit the page once, as a telephone or a desktop."""
    flags = ["--chrome-flags=--headless --no-sandbox", "--output=json", "--quiet"]
    preset = ["--preset=desktop"] if form == "desktop" else []
    executable = next(filter(None, map(shutil.which, NAMES)), "")
    with served(SITE, {}) as (address, server):
        done = subprocess.run(
            [lighthouse, address, *flags, *preset],
            env={**os.environ, "CHROME_PATH": executable},
            capture_output=True,
            text=True,
        )
        sent = dict(server.sent)  # type: ignore[attr-defined]
    if done.returncode:
        raise SystemExit(done.stderr)
    report = json.loads(done.stdout)
    audits = report["audits"]
    requests = audits["network-requests"]["details"]["items"]
    failed = [
        name
        for name, audit in audits.items()
        if audit["score"] is not None
        and audit["score"] < 1
        and audit["scoreDisplayMode"] == "binary"
    ]
    return {
        "lighthouse": report["lighthouseVersion"],
        "scores": {name: found["score"] for name, found in report["categories"].items()},
        "seconds": {
            name: round(audits[audit]["numericValue"] / 1000, 2) for name, audit in _TIMES.items()
        },
        "layout_shift": round(audits["cumulative-layout-shift"]["numericValue"], 3),
        "failed": failed,
        "page": {
            "requests": len(requests),
            "bytes": sum(item.get("transferSize", 0) for item in requests),
        },
        "visit": {"files": len(sent), "sent": sum(sent.values())},
    }


if __name__ == "__main__":
    main()
