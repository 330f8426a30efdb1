"""Archives: faults and what was lost, overhead of a photograph, memory by rows, cost.

    python benchmarks/archives.py serve 5123 # a server of S3; leave it running
    python benchmarks/archives.py fill  --server http://127.0.0.1:5123 --photographs 20000
    python benchmarks/archives.py chaos --server http://127.0.0.1:5123 --seconds 240  # till done
    python benchmarks/archives.py check --server http://127.0.0.1:5123
    python benchmarks/archives.py speed --server http://127.0.0.1:5123
    python benchmarks/archives.py rows 10000 100000 1000000 10000000
    python benchmarks/archives.py memory 100 1000 4000
    python benchmarks/archives.py cost --seconds-per-megapixel default=1.5 fast=0.4

Each adds its figures to benchmarks/results/archives.json.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from invdn.archive import (  # noqa: E402
    Naming,
    Row,
    WorkSettings,
    archive_status,
    open_manifest,
    plan_archive,
    run_shard,
)
from invdn.photo.photo import Photo  # noqa: E402
from invdn.photo.write import encode_photo  # noqa: E402
from invdn.stores import open_store  # noqa: E402
from support.fault_proxy import fault_proxy  # noqa: E402
from support.s3_server import environment, make_bucket  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "archives.json"
NAMING = Naming("{stem}_denoised{suffix}")
BUCKET = "s3://archive"
SHARDS, DISTINCT, WORKERS = 40, 100, 4
FAULTY = 0.02  # share of the requests that get a fault


def record(name: str, facts: Any) -> None:
    """Add figures to the results."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found[name] = facts
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps({name: facts}, indent=2))


def photograph(number: int, width: int = 16, height: int = 16) -> bytes:
    """A JPEG of noise."""
    pixels = np.random.default_rng(number).integers(60, 120, (height, width, 3), np.uint8)
    return encode_photo(Photo(pixels), "a.jpg")[0]


def key_of(number: int) -> str:
    """Where a photograph lies."""
    return f"{number // 1000:03d}/{number:06d}.jpg"


def serve(port: int) -> None:
    """Run the server in the place of this process."""
    program = str(Path(sys.executable).with_name("moto_server"))
    os.execv(program, [program, "-p", str(port)])  # noqa: S606


def fill(server: str, photographs: int) -> None:
    """Make the source and the plan."""
    from concurrent.futures import ThreadPoolExecutor

    make_bucket(server, BUCKET.removeprefix("s3://"))
    contents = [photograph(number) for number in range(DISTINCT)]
    store = open_store(f"{BUCKET}/in")
    start = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(
            lambda number: store.create(key_of(number), contents[number % DISTINCT]),
            range(photographs),
        ):
            pass
    filled = time.perf_counter() - start
    start = time.perf_counter()
    plan_archive(f"{BUCKET}/in", f"{BUCKET}/out", f"{BUCKET}/plan", NAMING, shards=SHARDS)
    seconds = time.perf_counter() - start
    record(
        "chaos",
        {
            "photographs": photographs,
            "shards": SHARDS,
            "fill_seconds": filled,
            "plan_seconds": seconds,
            "workers": WORKERS,
            "share_of_faulty_requests": FAULTY,
            "seconds": 0.0,
            "killed": 0,
            "ended": {},
            "faults": {},
            "requests": {},
        },
    )


def worker(share: str, model: str) -> subprocess.Popen[bytes]:
    """Start one worker, a process of the command."""
    command = [sys.executable, "-m", "invdn", "denoise", "--manifest", f"{BUCKET}/plan"]
    command += ["--shard", share, "--model", model, "--device", "cpu", "--quiet"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def chaos(server: str, seconds: float, model: str) -> None:
    """Play the scheduler of four workers, killed at random, behind a faulty server.

    Two of the four do the same shard at the same time.
    """
    facts = json.loads(RESULTS.read_text())["chaos"]
    finished = set(facts.setdefault("finished_shards", []))
    choice = random.Random(time.time())
    end = time.monotonic() + seconds
    with fault_proxy(server, FAULTY, seed=choice.randrange(1000)) as proxy:
        os.environ |= environment(proxy.address)
        waiting = [shard for shard in range(SHARDS) if shard not in finished]
        running: dict[int, tuple[int, subprocess.Popen[bytes]]] = {}

        def begin(number: int) -> None:
            if number == 1 and 0 in running:
                shard = running[0][0]
            elif waiting:
                shard = waiting.pop(0)
            else:
                return
            running[number] = shard, worker(str(shard), model)

        kill_at = time.monotonic() + choice.uniform(8, 25)
        while time.monotonic() < end:
            for number in range(WORKERS):
                if number not in running:
                    begin(number)
            if not running:
                break
            time.sleep(0.1)
            for number, (shard, process) in list(running.items()):
                if (code := process.poll()) is not None:
                    facts["ended"][str(code)] = facts["ended"].get(str(code), 0) + 1
                    del running[number]
                    if code == 0:
                        finished.add(shard)
                    elif shard not in waiting:
                        waiting.append(shard)
            if running and time.monotonic() > kill_at:
                number = choice.choice(sorted(running))
                shard, process = running.pop(number)
                process.kill()
                process.wait()
                facts["killed"] += 1
                if shard not in waiting:
                    waiting.insert(0, shard)
                kill_at = time.monotonic() + choice.uniform(8, 25)
        all_ended = not running
        for _, process in running.values():
            process.kill()
            process.wait()
            facts["killed"] += 1
        for kind, number in proxy.faults.items():
            if kind:
                facts["faults"][kind] = facts["faults"].get(kind, 0) + number
        for kind, number in proxy.requests.items():
            facts["requests"][kind] = facts["requests"].get(kind, 0) + number
        facts["seconds"] += seconds - max(0.0, end - time.monotonic())
    facts["all_ended"] = all_ended
    facts["finished_shards"] = sorted(finished)
    os.environ |= environment(server)
    facts["status"] = archive_status(open_manifest(f"{BUCKET}/plan")).as_dict()
    record("chaos", facts)


def check(model: str) -> None:
    """Compare every result with the plain command's, and the ledger with what is there."""
    facts = json.loads(RESULTS.read_text())["chaos"]
    expected = by_plain_command([photograph(number) for number in range(DISTINCT)], model)
    store = open_store(f"{BUCKET}/out")
    names = {
        key_of(number).replace(".jpg", "_denoised.jpg"): number
        for number in range(facts["photographs"])
    }
    seen: dict[str, int] = {}
    different = foreign = 0
    for entry in store.entries():
        seen[entry.key] = seen.get(entry.key, 0) + 1
        if entry.key not in names:
            foreign += 1
        elif store.fetch(entry.key)[0] != expected[names[entry.key] % DISTINCT]:
            different += 1
    status = archive_status(open_manifest(f"{BUCKET}/plan"))
    facts["check"] = {
        "missing": len(names.keys() - seen.keys()),
        "different_from_the_plain_command": different,
        "foreign_objects": foreign,
        "done_by_the_ledger": status.done,
        "failed": status.failed,
        "attempts": status.attempts,
    }
    record("chaos", facts)


def by_plain_command(contents: list[bytes], model: str) -> list[bytes]:
    """What the command makes of files."""
    with tempfile.TemporaryDirectory() as folder:
        before, behind = Path(folder, "before"), Path(folder, "behind")
        before.mkdir()
        for number, content in enumerate(contents):
            Path(before, f"{number}.jpg").write_bytes(content)
        command = [sys.executable, "-m", "invdn", "denoise", str(before), "-o", str(behind)]
        command += ["--model", model, "--device", "cpu", "--quiet"]
        subprocess.run(command, check=True)
        return [Path(behind, f"{n}_denoised.jpg").read_bytes() for n in range(len(contents))]


def speed(server: str, photographs: int, edge: int, model: str) -> None:
    """Photographs a second: plain command on files, one and two processes on a bucket."""
    bucket = make_bucket(server, f"speed{int(time.time())}")
    contents = [photograph(number, edge, edge) for number in range(photographs)]
    store = open_store(f"{bucket}/in")
    for number, content in enumerate(contents):
        store.create(f"{number:04d}.jpg", content)
    facts: dict[str, Any] = {"photographs": photographs, "edge": edge, "model": model}
    invdn = [
        sys.executable,
        "-m",
        "invdn",
        "denoise",
        "--model",
        model,
        "--device",
        "cpu",
        "--quiet",
    ]
    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder, "before")
        before.mkdir()
        for number, content in enumerate(contents):
            Path(before, f"{number:04d}.jpg").write_bytes(content)
        for name, inputs in (("empty", [str(before / "0000.jpg")]), ("plain", [str(before)])):
            start = time.perf_counter()
            subprocess.run([*invdn, *inputs, "-o", f"{folder}/{name}"], check=True)
            facts[f"{name}_seconds"] = time.perf_counter() - start
        results = sorted(Path(folder, "plain").iterdir())
        expected = {path.name: path.read_bytes() for path in results}
    for processes in (1, 2):
        plan, out = f"{bucket}/plan{processes}", f"{bucket}/out{processes}"
        plan_archive(f"{bucket}/in", out, plan, NAMING, shards=2)
        start = time.perf_counter()
        runs = [
            subprocess.Popen([*invdn, "--manifest", plan, "--shard", f"{number}/{processes}"])
            for number in range(processes)
        ]
        codes = [run.wait() for run in runs]
        facts[f"processes_{processes}_seconds"] = time.perf_counter() - start
        made = {
            entry.key: open_store(out).fetch(entry.key)[0] for entry in open_store(out).entries()
        }
        facts[f"processes_{processes}_equal"] = codes == [0] * processes and made == expected
    start = time.perf_counter()
    subprocess.run([*invdn, "--manifest", f"{bucket}/plan1"], check=True)
    facts["all_skipped_seconds"] = time.perf_counter() - start
    start_up = facts["empty_seconds"]
    facts["overhead_ms_a_photograph"] = (
        1000 * (facts["processes_1_seconds"] - facts["plain_seconds"]) / photographs
    )
    facts["skip_ms_a_photograph"] = 1000 * (facts["all_skipped_seconds"] - start_up) / photographs
    record(f"speed_{edge}", facts)


def rows(numbers: list[int]) -> None:
    """Memory and time of plans and of one shard, each in a process of its own."""
    found = []
    for number in numbers:
        command = [sys.executable, __file__, "one-plan", str(number)]
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
        record("rows", found)


def one_plan(number: int) -> None:
    """Plan so many rows in 500 shards, and read one of them."""

    def listing() -> Iterator[Row]:
        for place in range(number):
            yield Row(
                f"{place // 5000:05d}/IMG_{place:08d}.jpg", 3_000_000 + place % 977, f"{place:032x}"
            )

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as folder:
        where = [f"{folder}/in", f"{folder}/out", f"{folder}/plan"]
        start = time.perf_counter()
        plan_archive(*where, NAMING, rows=listing(), shards=500)
        planned = time.perf_counter() - start
        manifest = open_manifest(where[2])
        start = time.perf_counter()
        count = sum(1 for _ in manifest.rows_of(250))
        reading = time.perf_counter() - start
        size = sum(path.stat().st_size for path in Path(where[2]).rglob("*") if path.is_file())
    facts = {
        "rows": number,
        "plan_seconds": planned,
        "rows_of_one_shard": count,
        "shard_seconds": reading,
        "manifest_bytes": size,
        "start_memory_mb": before / 1024,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(facts))


def memory(numbers: list[int]) -> None:
    """Peak memory of a worker by the photographs that it does, each in a process of its own."""
    found = []
    for number in numbers:
        command = [sys.executable, __file__, "one-worker", str(number)]
        found.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
        record("worker_memory", found)


def one_worker(number: int) -> None:
    """Do a shard of so many photographs in a folder."""
    contents = [photograph(place) for place in range(DISTINCT)]
    with tempfile.TemporaryDirectory() as folder:
        where = [f"{folder}/in", f"{folder}/out", f"{folder}/plan"]
        for place in range(number):
            path = Path(where[0], key_of(place))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[place % DISTINCT])
        plan_archive(*where, NAMING, shards=1)
        start = time.perf_counter()
        summary = run_shard(where[2], 0, WorkSettings(model="fast", device="cpu"))
        seconds = time.perf_counter() - start
    facts = {
        "photographs": number,
        "done": summary.counts["done"],
        "seconds": seconds,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(facts))


def cost(speeds: list[str]) -> None:
    """Hours for a million photographs of 12 megapixels, by measured speeds."""
    table = {}
    for given in speeds:
        model, _, seconds = given.partition("=")
        table[model] = {
            "core_seconds_per_megapixel": float(seconds),
            "core_hours": 12e6 * float(seconds) / 3600,
        }
    record("a_million_of_12_megapixels", table)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("serve").add_argument("port", type=int)
    for name in ("fill", "chaos", "check", "speed"):
        kind = kinds.add_parser(name)
        kind.add_argument("--server", required=True)
        kind.add_argument("--photographs", type=int, default=20_000 if name == "fill" else 200)
        kind.add_argument("--seconds", type=float, default=240)
        kind.add_argument("--edge", type=int, default=16)
        kind.add_argument("--model", default="fast")
    kinds.add_parser("rows").add_argument("numbers", type=int, nargs="+")
    kinds.add_parser("memory").add_argument("numbers", type=int, nargs="+")
    kinds.add_parser("one-worker").add_argument("number", type=int)
    kinds.add_parser("one-plan").add_argument("number", type=int)
    kinds.add_parser("cost").add_argument("--seconds-per-megapixel", nargs="+", required=True)
    chosen = parser.parse_args()
    if hasattr(chosen, "server"):
        os.environ |= environment(chosen.server)
    match chosen.kind:
        case "serve":
            serve(chosen.port)
        case "fill":
            fill(chosen.server, chosen.photographs)
        case "chaos":
            chaos(chosen.server, chosen.seconds, chosen.model)
        case "check":
            check(chosen.model)
        case "speed":
            speed(chosen.server, chosen.photographs, chosen.edge, chosen.model)
        case "rows":
            rows(chosen.numbers)
        case "memory":
            memory(chosen.numbers)
        case "one-worker":
            one_worker(chosen.number)
        case "one-plan":
            one_plan(chosen.number)
        case "cost":
            cost(chosen.seconds_per_megapixel)


if __name__ == "__main__":
    main()
