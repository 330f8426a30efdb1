"""Send the service requests that schemathesis makes from its description, and judge the answers.

    python benchmarks/service_fuzz.py > benchmarks/results/service-fuzz.json
    python benchmarks/service_fuzz.py --cases 500

Rounds with other seeds, the first with a token, until as many cases were sent: every check of
schemathesis, its coverage of the schema's edges first, then random requests and chains of them.
(With a token it tries wrong ones, and is soon refused for a minute.) Random names of photographs
and jobs would only meet 404 and random bytes only 415: where schemathesis did not mean them to be
wrong, every second request outside of its chains gets a photograph and a job that exist.
schemathesis imports this module for that (`before_call`).

What is not checked: that whatever fits the description is taken (`positive_data_acceptance`),
since bytes are no photograph, and names of jobs are no jobs; and that what was deleted is gone
(`use_after_free`), since the first DELETE of a job that runs stops it, and keeps it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase

from invdn.evaluation.machine import describe_machine

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.service_faults import TOKEN, served, small_photograph

KNOWN = "INVDN_FUZZ_KNOWN"  # JSON: the names of a photograph and a job, the path of a JPEG
ROUND_SECONDS = 62


def main() -> None:
    """Fuzz and print JSON; progress goes to standard error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    options = parser.parse_args()
    cases, seed, rounds = 0, options.seed, []
    while cases < options.cases:
        with tempfile.TemporaryDirectory() as folder:
            rounds.append(fuzz(Path(folder), seed, token=None if rounds else TOKEN))
        print(json.dumps(rounds[-1]), file=sys.stderr)
        cases += rounds[-1]["cases"]
        seed += 1
    result = {
        "machine": describe_machine(),
        "schemathesis": schemathesis.__version__,
        "cases": cases,
        "failures": sum(one["with_failures"] for one in rounds),
        "rounds": rounds,
    }
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


def fuzz(folder: Path, seed: int, token: str | None) -> dict[str, Any]:
    """Send the cases of one seed to a fresh server: what was sent, answered and found."""
    limits = ("--max-megapixel-passes", "0.05", "--max-queue", "20000")
    photo = folder / "noisy.jpg"
    photo.write_bytes(small_photograph(folder, 24))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with (
        served(*limits, token=token) as (address, _),
        httpx.Client(base_url=address, headers=headers, timeout=120) as client,
    ):
        sent = client.post("api/v1/photos", content=photo.read_bytes()).json()
        job = client.post(f"api/v1/jobs?photo={sent['id']}").json()["id"]
        while client.get(f"api/v1/jobs/{job}").json()["state"] != "done":
            time.sleep(0.1)
        known = {"photos": sent["id"], "jobs": job, "body": str(photo)}
        command = [
            *(Path(sys.executable).with_name("st"), "run", f"{address}api/v1/openapi.json"),
            *("--seed", seed, "--phases", "coverage,fuzzing,stateful"),
            *("--max-time", ROUND_SECONDS, "--checks", "all"),
            *("--exclude-checks", "positive_data_acceptance,use_after_free"),
            "--continue-on-failure",
            *("--max-response-time", 60),  # a thousand samples may be asked for
            *("--request-timeout", 120, "--report", "json", "--report-dir", folder / "report"),
            *(("-H", f"Authorization: Bearer {token}") if token else ()),
        ]
        subprocess.run(
            [*map(str, command)],
            stdout=sys.stderr,
            cwd=folder,  # where it leaves what it remembers
            check=False,  # 1 says that something was found
            env={
                **os.environ,
                "SCHEMATHESIS_HOOKS": Path(__file__).stem,
                "PYTHONPATH": os.pathsep.join(
                    [str(Path(__file__).resolve().parent), os.environ.get("PYTHONPATH", "")]
                ),
                KNOWN: json.dumps(known),
            },
        )
        while (answer := client.get("metrics")).status_code == 429:
            time.sleep(5)  # it has had too many wrong tokens
        metrics = answer.raise_for_status().text
    report = json.loads(next((folder / "report").glob("json-*.json")).read_text())
    return {
        "seed": seed,
        "token": token is not None,
        "seconds": round(report["running_time"]),
        "operations": report["operations"]["tested"],
        "cases": report["test_cases"]["generated"],
        "with_failures": report["test_cases"]["with_failures"],
        "errors": report["errors"],
        "failures": report["failures"],
        "answers": answers(metrics),
        "workers_restarted": float(metrics.split("\ninvdn_worker_restarts ")[1].split()[0]),
    }


def answers(metrics: str) -> dict[str, int]:
    """How often the service gave each status, by its own metrics."""
    counts: Counter[str] = Counter()
    for line in metrics.splitlines():
        if line.startswith("invdn_requests_total{"):
            counts[line.split('status="')[1].split('"')[0]] += int(float(line.split()[-1]))
    return dict(sorted(counts.items()))


if KNOWN in os.environ:  # schemathesis imports this
    _known: dict[str, str] = json.loads(os.environ[KNOWN])
    _turn = iter(range(10**9))

    @schemathesis.hook
    def before_call(_context: Any, case: Any, _arguments: dict[str, Any]) -> None:
        """Give every second request a photograph and a job that exist."""
        if case.meta is None or case.meta.phase.name == TestPhase.STATEFUL:
            return  # its chains have names of their own
        if next(_turn) % 2 or case.method == "DELETE":
            return
        if "identifier" in (case.path_parameters or {}) and _meant(case, ParameterLocation.PATH):
            case.path_parameters["identifier"] = _known[case.path.split("/")[3]]
        if _meant(case, ParameterLocation.QUERY):
            if "photo" in (case.query or {}) and _meant(case, ParameterLocation.BODY):
                case.query["photo"] = _known["photos"]
            if case.path.endswith("/archive"):
                case.query["id"] = [_known["jobs"]]
        if isinstance(case.body, bytes) and _meant(case, ParameterLocation.BODY):
            case.body = Path(_known["body"]).read_bytes()


def _meant(case: Any, location: ParameterLocation) -> bool:
    """Whether schemathesis made this part of a request to fit the description."""
    return not case.meta.is_negative_at(location)


if __name__ == "__main__":
    main()
