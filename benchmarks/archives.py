"""Archives: faults and what was lost, overhead of a photograph, memory by rows, cost.

    python benchmarks/archives.py serve seaweed # tells the address; leave it running
    python benchmarks/archives.py fill  --server http://127.0.0.1:5123 --photographs 20000
    python benchmarks/archives.py chaos --server http://127.0.0.1:5123 --seconds 240  # till done
    python benchmarks/archives.py check --server http://127.0.0.1:5123
    python benchmarks/archives.py speed --server http://127.0.0.1:5123
    python benchmarks/archives.py full-disk /mnt/small --photographs 2000
    python benchmarks/archives.py rows 10000 100000 1000000 10000000
    python benchmarks/archives.py memory 100 1000 4000
    python benchmarks/archives.py cost --seconds default=20.5 fast=9.6 --cores 2

In chaos, two of the workers have clocks ten minutes off where faketime is installed, and some
photographs are replaced while the archive is done.

Each adds its figures to benchmarks/results/archives.json.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from invdn.archive import (  # noqa: E402
    Naming,
    RowOutcome,
    ShardSummary,
    archive_status,
    failures_of,
    open_manifest,
    plan_archive,
)
from invdn.archive.ledger import SUMMARY, LedgerWriter, read_ledger  # noqa: E402
from invdn.archive.rows import RowFacts  # noqa: E402
from invdn.photo.photo import Photo  # noqa: E402
from invdn.photo.write import encode_photo  # noqa: E402
from invdn.stores import open_store  # noqa: E402
from support.fault_proxy import fault_proxy  # noqa: E402
from support.s3_server import (  # noqa: E402
    environment,
    make_bucket,
    s3_server,
    seaweed_server,
)

RESULTS = ROOT / "benchmarks" / "results" / "archives.json"
NAMING = Naming("{stem}_denoised{suffix}")
BUCKET = "s3://archive"
SHARDS, DISTINCT, WORKERS = 40, 100, 4
KILL = 25.0, 60.0  # seconds between two kills
FAULTY = 0.02  # share of the requests that get a fault
EDITED = 1000  # of so many photographs one is replaced while the archive is done
OFF = {2: "-10m", 3: "+10m"}  # clocks of workers; S3 bears a quarter of an hour


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


def serve(kind: str) -> None:
    """Run a server until this process is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    with seaweed_server() if kind == "seaweed" else s3_server() as address:
        print(address, flush=True)
        while True:
            time.sleep(60)


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
            "server": kind_of(server),
            "clocks": OFF if shutil.which("faketime") else {},
            "edited": [],
            "seconds": 0.0,
            "killed": 0,
            "ended": {},
            "faults": {},
            "requests": {},
            "results_written": 0,
        },
    )


def kind_of(server: str) -> str:
    """Return which server of S3 it is."""
    moto = httpx.get(f"{server}/moto-api/", timeout=30).status_code == 200
    return "moto" if moto else "SeaweedFS"


def worker(number: int, share: str, model: str) -> subprocess.Popen[bytes]:
    """Start one worker, a process of the command; some have wrong clocks."""
    clock = ["faketime", "-f", OFF[number]] if number in OFF and shutil.which("faketime") else []
    command = [*clock, sys.executable, "-m", "invdn", "denoise", "--manifest", f"{BUCKET}/plan"]
    command += ["--shard", share, "--model", model, "--device", "cpu", "--quiet"]
    command += ["--max-failures", "1%"]  # of those that are replaced
    env = {**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=env, start_new_session=True, **silent)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a worker as a machine that loses its power does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # faketime's own, by which the next process of this number would fail
    for left in Path("/dev/shm").glob(f"*faketime_*_{process.pid}"):  # noqa: S108
        left.unlink(missing_ok=True)


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
            running[number] = shard, worker(number, str(shard), model)

        kill_at = time.monotonic() + choice.uniform(*KILL)
        source = open_store(f"{BUCKET}/in")
        wanted = facts["photographs"] // EDITED
        while time.monotonic() < end:
            for number in range(WORKERS):
                if number not in running:
                    begin(number)
            if not running:
                break
            time.sleep(0.1)
            if len(facts["edited"]) < wanted and choice.random() < 0.02:
                edited = choice.randrange(facts["photographs"])
                source.replace(key_of(edited), photograph(facts["photographs"] + edited))
                facts["edited"].append(edited)
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
                kill(process)
                facts["killed"] += 1
                if shard not in waiting:
                    waiting.insert(0, shard)
                kill_at = time.monotonic() + choice.uniform(*KILL)
        all_ended = not running and not waiting
        for _, process in running.values():
            kill(process)
            facts["killed"] += 1
        time.sleep(1)
        while proxy.working:  # on what the killed had sent
            time.sleep(0.1)
        for kind, number in proxy.faults.items():
            if kind:
                facts["faults"][kind] = facts["faults"].get(kind, 0) + number
        for kind, number in proxy.requests.items():
            facts["requests"][kind] = facts["requests"].get(kind, 0) + number
        of_results = f"/{BUCKET.removeprefix('s3://')}/out/"
        facts["results_written"] += sum(
            number for path, number in proxy.written.items() if path.startswith(of_results)
        )
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
    manifest = open_manifest(f"{BUCKET}/plan")
    status = archive_status(manifest)
    told = {
        line["target"]
        for entry in manifest.store.entries(manifest.ledger)
        if entry.key.endswith(".jsonl")
        for line in read_ledger(manifest.store, entry.key)
        if line.get("status") in ("done", "skipped")
    }
    missing = names.keys() - seen.keys()
    changed = {key_of(number).replace(".jpg", "_denoised.jpg") for number in facts["edited"]}
    refused = {
        failure["key"].replace(".jpg", "_denoised.jpg")
        for failure in failures_of(manifest)
        if failure["kind"] == "changed"
    }
    facts["check"] = {
        "results": len(seen),
        "missing": len(missing - changed),
        "replaced_before_their_turn": len(missing & changed),
        "of_those_named_by_the_ledger": len(missing & changed & refused),
        "different_from_the_plain_command": different,
        "foreign_objects": foreign,
        "written_more_than_once": facts["results_written"] - len(seen),
        "told_by_the_ledger_and_not_there": len(told - seen.keys()),
        "there_and_not_told_by_the_ledger": len(seen.keys() - told),
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


def speed(server: str, photographs: int, edge: int, model: str, rounds: int) -> None:
    """Photographs a second: plain command on files, one and two processes on a bucket, in turn.

    Ratios are of the runs of one round, so that what the machine does besides touches both.
    """
    bucket = make_bucket(server, f"speed{int(time.time())}")
    contents = [photograph(number, edge, edge) for number in range(photographs)]
    store = open_store(f"{bucket}/in")
    for number, content in enumerate(contents):
        store.create(f"{number:04d}.jpg", content)
    invdn = [sys.executable, "-m", "invdn", "denoise", "--model", model, "--device", "cpu"]
    invdn.append("--quiet")
    taken: dict[str, list[tuple[float, float]]] = {}

    def timed(name: str, *calls: list[str]) -> None:
        start, used = time.perf_counter(), _processor_seconds()
        runs = [subprocess.Popen([*invdn, *call]) for call in calls]
        codes = [run.wait() for run in runs]
        if any(codes):
            sys.exit(f"{name} failed")
        facts = time.perf_counter() - start, _processor_seconds() - used
        taken.setdefault(name, []).append(facts)

    with tempfile.TemporaryDirectory() as folder:
        before = Path(folder, "before")
        before.mkdir()
        for number, content in enumerate(contents):
            Path(before, f"{number:04d}.jpg").write_bytes(content)
        for turn in range(rounds):
            timed("one_photograph", [str(before / "0000.jpg"), "-o", f"{folder}/one{turn}"])
            timed("plain_command", [str(before), "-o", f"{folder}/plain{turn}"])
            for processes in (1, 2):
                plan, out = f"{bucket}/plan{turn}{processes}", f"{bucket}/out{turn}{processes}"
                plan_archive(f"{bucket}/in", out, plan, NAMING, shards=2)
                shards = [f"{number}/{processes}" for number in range(processes)]
                timed(
                    f"processes_{processes}",
                    *(["--manifest", plan, "--shard", shard] for shard in shards),
                )
                for entry in open_store(out).entries():
                    expected = Path(folder, f"plain{turn}", entry.key).read_bytes()
                    if open_store(out).fetch(entry.key)[0] != expected:
                        sys.exit(f"{entry.key} is not the plain command's")
            timed("all_skipped", ["--manifest", plan])
    seconds, processor = (
        {name: [round(run[which], 3) for run in runs] for name, runs in taken.items()}
        for which in (0, 1)
    )

    def ratio(of: str, to: str) -> float:
        pairs = zip(seconds[of], seconds[to], strict=True)
        return round(median(one / other for one, other in pairs), 3)

    def beside(one: str, other: str) -> float:
        pairs = zip(processor[one], processor[other], strict=True)
        return round(median(1000 * (a - b) / photographs for a, b in pairs), 2)

    facts = {
        "photographs": photographs,
        "edge": edge,
        "model": model,
        "seconds": seconds,
        "processor_seconds": processor,
        "photographs_a_second": {
            name: round(photographs / median(seconds[name]), 1)
            for name in ("plain_command", "processes_1", "processes_2")
        },
        "one_process_to_plain": ratio("processes_1", "plain_command"),
        "two_processes_to_plain": ratio("processes_2", "plain_command"),
        "overhead_processor_ms_a_photograph": beside("processes_1", "plain_command"),
        "skip_processor_ms_a_photograph": beside("all_skipped", "one_photograph"),
    }
    record(f"speed_{edge}", facts)


def _processor_seconds() -> float:
    """Of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows(numbers: list[int]) -> None:
    """Memory and time of plan, one shard, and status, each the command in a process of its own.

    The source is a server of S3 that makes up its listing; only one shard is really done.
    """
    known = json.loads(RESULTS.read_text()).get("rows", []) if RESULTS.exists() else []
    found = {facts["rows"]: facts for facts in known}
    for number in numbers:
        server = subprocess.Popen(
            [sys.executable, __file__, "listing", str(number)], stdout=subprocess.PIPE, text=True
        )
        with tempfile.TemporaryDirectory() as folder:
            try:
                os.environ |= environment(server.stdout.readline().strip())
                plan = ["--manifest", f"{folder}/plan"]
                where = [f"{BUCKET}/in", "-o", f"{folder}/out", *plan]
                facts = {"rows": number, "plan": measured("plan", *where, "--shards", "500")}
                shard = ["--shard", "250/500", "--model", "fast", "--device", "cpu", "--quiet"]
                facts["one_shard"] = measured("denoise", *plan, *shard)
                facts["one_shard"]["results"] = sum(
                    1 for _ in open_store(f"{folder}/out").entries()
                )
            finally:
                server.terminate()
                server.wait()
            for name in ("lines", "ended"):
                command = [sys.executable, __file__, "ledgers", f"{folder}/plan", name]
                subprocess.run(command, check=True)
                facts[f"status_{name}"] = measured("status", *plan)
            for name in ("shards", "ledger"):
                paths = Path(folder, "plan").glob(f"{name}-*/**/*.*")
                facts[f"{name}_bytes"] = sum(path.stat().st_size for path in paths)
        found[number] = facts
        record("rows", [found[known] for known in sorted(found)])


def measured(*arguments: str) -> dict[str, Any]:
    """Run the command in a process of its own; what it took."""
    command = [sys.executable, __file__, "command", "--", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def one_command(arguments: list[str]) -> None:
    """Run the command in this process, and print what it took, and the last line that it said."""
    from click.testing import CliRunner

    from invdn.cli import group

    start = time.perf_counter()
    result = CliRunner().invoke(group, arguments)
    used = resource.getrusage(resource.RUSAGE_SELF)
    facts = {
        "exit_code": result.exit_code,
        "seconds": time.perf_counter() - start,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_memory_mb": peak_memory_mb(),
        "said": result.output.splitlines()[:1],
    }
    print(json.dumps(facts))


def peak_memory_mb() -> float:
    """The most that this process had; ru_maxrss counts its parent's as well."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


def listing(number: int) -> None:
    """Be a server of S3 with so many photographs, which are made up as they are asked for."""
    contents = [photograph(place) for place in range(DISTINCT)]

    def key(place: int) -> str:
        return f"in/{place // 5000:05d}/IMG_{place:08d}.jpg"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = parse_qs(url.query)
            if "list-type" in asked:
                first = int(asked.get("continuation-token", ["0"])[0])
                return self.reply(self.page(first).encode())
            place = int(url.path[-12:-4])
            return self.reply(contents[place % DISTINCT], ETag=f'"{place:032x}"')

        def page(self, first: int) -> str:
            last = min(first + 1000, number)
            objects = "".join(
                f"<Contents><Key>{key(place)}</Key><Size>{len(contents[place % DISTINCT])}</Size>"
                f"<ETag>&quot;{place:032x}&quot;</ETag>"
                "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
                for place in range(first, last)
            )
            more = f"<NextContinuationToken>{last}</NextContinuationToken>" if last < number else ""
            return f"<ListBucketResult>{objects}{more}</ListBucketResult>"

        def reply(self, content: bytes, **headers: str) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


def ledgers(plan: str, how: str) -> None:
    """Write ledgers as if all shards were done.

    Args:
        plan: URL of the manifest.
        how: ``lines``: of shards that were not begun, by attempts that were killed behind their
            last photograph; ``ended``: the summaries of these, as if they had come to their end.
    """
    manifest = open_manifest(plan)
    begun = {entry.key.split("/")[1]: entry for entry in manifest.store.entries(manifest.ledger)}
    facts = RowFacts(16, 16, "uint8", 0.0123, 17.25)
    for shard, planned in enumerate(manifest.shards):
        last = begun.get(f"{shard:05d}")
        if how == "ended" and last and not last.key.endswith(SUMMARY):
            folder, attempt = last.key.rsplit("/", 1)[0], last.key.split("/")[2]
            done = {"done": planned.rows}
            summary = ShardSummary(shard, attempt, planned.rows, done, {}, 1.0, 1.0)
            manifest.store.create(f"{folder}/{SUMMARY}", json.dumps(asdict(summary)).encode())
        elif how == "lines" and not last:
            ledger = LedgerWriter(manifest.store, manifest.ledger, shard, {"engine": "none"})
            for number, row in enumerate(manifest.rows_of(shard)):
                target = manifest.naming.target(row.key)
                ledger.add(RowOutcome(row, number, target, "done", facts=facts, etag=row.etag))
            ledger.flush()


def memory(numbers: list[int]) -> None:
    """Peak memory of a worker by the photographs that it does, each in a process of its own."""
    contents = [photograph(place) for place in range(DISTINCT)]
    found = []
    for number in numbers:
        with tempfile.TemporaryDirectory() as folder:
            where = [f"{folder}/in", f"{folder}/out", f"{folder}/plan"]
            for place in range(number):
                path = Path(where[0], key_of(place))
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(contents[place % DISTINCT])
            plan_archive(*where, NAMING, shards=1)
            how = ["--model", "fast", "--device", "cpu", "--quiet"]
            facts = measured("denoise", "--manifest", where[2], *how)
        found.append({"photographs": number, **facts})
        record("worker_memory", found)


def full_disk(folder: Path, photographs: int, model: str) -> None:
    """Do an archive into a folder of a small file system that is full before the end, twice.

    The rest of the file system is filled first, but for 200 kB; after the first attempt half of it
    is freed, then all.
    """
    before = [photograph(number) for number in range(DISTINCT)]
    expected = by_plain_command(before, model)
    filler, left = folder / "filler", 200_000
    with filler.open("wb") as file:
        file.write(bytes(shutil.disk_usage(folder).free - left))
    room, codes, results, different = [left], [], [], 0
    with tempfile.TemporaryDirectory() as elsewhere:
        source, target, plan = f"{elsewhere}/in", str(folder / "out"), f"{elsewhere}/plan"
        for number in range(photographs):
            path = Path(source, key_of(number))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(before[number % DISTINCT])
        plan_archive(source, target, plan, NAMING, shards=1)
        command = [sys.executable, "-m", "invdn", "denoise", "--manifest", plan, "--quiet"]
        command += ["--model", model, "--device", "cpu"]
        for size in (None, filler.stat().st_size // 2, 0):
            if size is not None:
                os.truncate(filler, size)
                room.append(shutil.disk_usage(folder).free)
            codes.append(subprocess.run(command, check=False, stderr=subprocess.PIPE).returncode)
            made = {entry.key: entry for entry in open_store(target).entries()}
            results.append(len(made))
            for number in range(photographs):
                name = key_of(number).replace(".jpg", "_denoised.jpg")
                if name in made:
                    different += Path(target, name).read_bytes() != expected[number % DISTINCT]
        hidden = [path.name for path in Path(target).rglob(".*")]
        status = archive_status(open_manifest(plan))
    facts = {
        "photographs": photographs,
        "room_bytes": room,
        "exit_codes": codes,
        "results": results,
        "different_from_the_plain_command": different,
        "left_over_files": len(hidden),
        "done_by_the_ledger": status.done,
    }
    record("full_disk", facts)


def cost(speeds: list[str], cores: int) -> None:
    """Hours for a million photographs of 12 megapixels, by measured seconds for one."""
    table: dict[str, Any] = {"cores": cores, "from": "time invdn denoise IMG.jpg, file to file"}
    for given in speeds:
        model, _, seconds = given.partition("=")
        table[model] = {
            "seconds": float(seconds),
            "core_hours": round(1e6 * float(seconds) * cores / 3600),
            "days_on_100_such_machines": round(1e6 * float(seconds) / 100 / 86400, 2),
        }
    table["gpu_hours"] = None  # not measured
    record("a_million_of_12_megapixels", table)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    kinds.add_parser("serve").add_argument("server_kind", choices=("seaweed", "moto"))
    small = kinds.add_parser("full-disk")
    small.add_argument("folder", type=Path)
    small.add_argument("--photographs", type=int, default=2000)
    small.add_argument("--model", default="fast")
    for name in ("fill", "chaos", "check", "speed"):
        kind = kinds.add_parser(name)
        kind.add_argument("--server", required=True)
        kind.add_argument("--photographs", type=int, default=20_000 if name == "fill" else 200)
        kind.add_argument("--seconds", type=float, default=240)
        kind.add_argument("--edge", type=int, default=16)
        kind.add_argument("--rounds", type=int, default=3)
        kind.add_argument("--model", default="fast")
    kinds.add_parser("rows").add_argument("numbers", type=int, nargs="+")
    kinds.add_parser("memory").add_argument("numbers", type=int, nargs="+")
    kinds.add_parser("listing").add_argument("number", type=int)
    written = kinds.add_parser("ledgers")
    written.add_argument("plan")
    written.add_argument("how", choices=("lines", "ended"))
    kinds.add_parser("command").add_argument("arguments", nargs=argparse.REMAINDER)
    costs = kinds.add_parser("cost")
    costs.add_argument("--seconds", nargs="+", required=True)
    costs.add_argument("--cores", type=int, required=True)
    chosen = parser.parse_args()
    if hasattr(chosen, "server"):
        os.environ |= environment(chosen.server)
    match chosen.kind:
        case "serve":
            serve(chosen.server_kind)
        case "fill":
            fill(chosen.server, chosen.photographs)
        case "chaos":
            chaos(chosen.server, chosen.seconds, chosen.model)
        case "check":
            check(chosen.model)
        case "speed":
            speed(chosen.server, chosen.photographs, chosen.edge, chosen.model, chosen.rounds)
        case "rows":
            rows(chosen.numbers)
        case "memory":
            memory(chosen.numbers)
        case "listing":
            listing(chosen.number)
        case "ledgers":
            ledgers(chosen.plan, chosen.how)
        case "command":
            one_command([given for given in chosen.arguments if given != "--"])
        case "cost":
            cost(chosen.seconds, chosen.cores)
        case "full-disk":
            full_disk(chosen.folder, chosen.photographs, chosen.model)


if __name__ == "__main__":
    main()
