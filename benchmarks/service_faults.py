"""What the service loses when parts of it are killed or clients stall, and what bombs cost others.

    python benchmarks/service_faults.py > benchmarks/results/service-faults.json
    python benchmarks/service_faults.py --only stalled bombs --seconds 10

* workers: 32 clients ask for a minute, by jobs and at once; all workers are killed three times.
* server: 20 jobs, the server is killed in their middle and started again on its state folder.
* shared: two servers on one state folder, 20 jobs, one is killed.
* stalled: 1,000 connections with half a head and 300 bodies that do not come, without a token;
  another client asks for /healthz and denoises meanwhile.
* bombs: small files that unpack to much, of every format; their answer, and how long another
  client's upload takes meanwhile.
* cancel: how long after a DELETE the engine takes another client's work; free, and with a busy
  program for every core.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import imagecodecs
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from invdn.evaluation.machine import describe_machine
from invdn.photo.demo_photo import camera_noise, demo_photo
from invdn.photo.photo import Photo
from invdn.photo.vips import pyvips
from invdn.photo.write import write_photo
from support.bombs import dng_deflated, dng_of_one_tile, heic_of_one_tile

CLIENTS = 32
JOBS = 20
HALF_HEADS = 1000
SLOW_BODIES = 300
TOKEN = "a-token-for-measuring"  # noqa: S105
FINAL = ("done", "failed", "cancelled")


def main() -> None:
    """Measure and print JSON; progress goes to standard error."""
    scenes: dict[str, Callable[[Path, float], dict[str, Any]]] = {
        "workers": workers_killed,
        "server": server_killed,
        "shared": one_of_two_killed,
        "stalled": stalled,
        "bombs": lambda _, __: bombs(options.kinds),
        "cancel": cancelled,
    }
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=list(scenes), default=list(scenes))
    parser.add_argument("--seconds", type=float, default=60, help="of load")
    parser.add_argument("--kinds", nargs="*", default=[], help="of bombs: heic, dng and so on")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "machine": describe_machine(),
        "load_average": os.getloadavg()[0],
    }
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            print(name, file=sys.stderr)
            result[name] = scenes[name](Path(folder), options.seconds)
    json.dump(result, sys.stdout, indent=1)
    sys.stdout.write("\n")


@contextmanager
def served(
    *arguments: str, token: str | None = None
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server for the time of the block: its address and process."""
    environment = {**os.environ, **({"INVDN_TOKEN": token} if token else {})}
    process = subprocess.Popen(
        [sys.executable, "-m", "invdn", "serve", "--port", "0", "--device", "cpu", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout  # noqa: S101 - it is a pipe
        yield process.stdout.readline().strip(), process
    finally:
        process.terminate()
        process.wait()


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """The processes that a server has started for its work."""
    found = []
    for thread in Path(f"/proc/{process.pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            name = Path(f"/proc/{child}/comm").read_text()
            if name.startswith("invdn-"):
                found.append(int(child))
    return found


def small_photograph(folder: Path, side: int = 64) -> bytes:
    """A noisy JPEG."""
    path = folder / f"{side}.jpg"
    write_photo(Photo(np.ascontiguousarray(camera_noise(demo_photo(side), seed=1))), path)
    return path.read_bytes()


def ends_of(client: httpx.Client, jobs: list[str], seconds: float = 240) -> Counter[str]:
    """How jobs ended; those that did not count as ``lost``."""
    states: Counter[str] = Counter()
    end = time.monotonic() + seconds
    for job in jobs:
        state = "lost"
        while time.monotonic() < end:
            answer = client.get(f"api/v1/jobs/{job}")
            state = answer.json()["state"] if answer.status_code == 200 else "lost"
            if state in (*FINAL, "lost"):
                break
            time.sleep(0.1)
        states[state if state in FINAL else "lost"] += 1
    return states


def workers_killed(folder: Path, seconds: float) -> dict[str, Any]:
    """Have 32 clients ask while all workers are killed three times."""
    body = small_photograph(folder)
    statuses: Counter[str] = Counter()
    jobs: list[str] = []
    with served("--max-queue", "256") as (address, process):
        expected = httpx.post(f"{address}api/v1/denoise", content=body, timeout=120).content
        end = time.monotonic() + seconds

        def ask(number: int) -> None:
            with httpx.Client(base_url=address, timeout=240) as client:
                while time.monotonic() < end:
                    path = "jobs" if number % 4 == 0 else "denoise"
                    try:
                        answer = client.post(f"api/v1/{path}", content=body)
                    except httpx.HTTPError as error:
                        statuses[type(error).__name__] += 1
                        continue
                    wrong = answer.status_code == 200 and answer.content != expected
                    statuses["wrong pixels" if wrong else f"{path} {answer.status_code}"] += 1
                    if answer.status_code == 202:
                        jobs.append(answer.json()["id"])
                        time.sleep(1)

        asking = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
        for one in asking:
            one.start()
        killed = 0
        for _ in range(3):
            time.sleep(seconds / 4)
            for worker in workers_of(process):
                os.kill(worker, signal.SIGKILL)
                killed += 1
        for one in asking:
            one.join()
        with httpx.Client(base_url=address, timeout=60) as client:
            ended = ends_of(client, jobs)
            metrics = client.get("metrics").text
    restarts = float(metrics.split("\ninvdn_worker_restarts ")[1].split()[0])
    return {
        "seconds": seconds,
        "answers": dict(statuses),
        "jobs": dict(ended),
        "workers_killed": killed,
        "workers_restarted": restarts,
    }


def server_killed(folder: Path, _: float) -> dict[str, Any]:
    """Kill the server in the middle of 20 jobs, and start it again."""
    body = small_photograph(folder, 128)
    state = ("--state", str(folder / "state"))
    with served(*state) as (address, process), httpx.Client(base_url=address, timeout=60) as client:
        jobs = start_jobs(client, body)
        time.sleep(2)
        before = Counter(client.get(f"api/v1/jobs/{job}").json()["state"] for job in jobs)
        process.kill()
        process.wait()
    start = time.monotonic()
    with served(*state) as (address, _process):
        ready = time.monotonic() - start
        with httpx.Client(base_url=address, timeout=60) as client:
            ended = ends_of(client, jobs)
            results = {client.get(f"api/v1/jobs/{job}/result").content for job in jobs}
    return {
        "before": dict(before),
        "after": dict(ended),
        "different_results": len(results),
        "ready_again_seconds": round(ready, 2),
    }


def start_jobs(client: httpx.Client, body: bytes) -> list[str]:
    """Queue 20 jobs that differ."""
    return [
        client.post("api/v1/jobs", params={"seed": n, "num_samples": 2}, content=body).json()["id"]
        for n in range(JOBS)
    ]


def one_of_two_killed(folder: Path, _: float) -> dict[str, Any]:
    """Kill one of two servers that share the work."""
    body = small_photograph(folder, 128)
    state = ("--state", str(folder / "state"))
    with ExitStack() as stack:
        first, process = stack.enter_context(served(*state))
        second, _process = stack.enter_context(served(*state))
        with httpx.Client(base_url=first, timeout=60) as client:
            jobs = start_jobs(client, body)
        time.sleep(2)
        process.kill()
        process.wait()
        with httpx.Client(base_url=second, timeout=60) as client:
            ended = ends_of(client, jobs)
            results = {client.get(f"api/v1/jobs/{job}/result").content for job in jobs}
    return {"after": dict(ended), "different_results": len(results)}


def stalled(folder: Path, _: float) -> dict[str, Any]:
    """Ask for /healthz, and denoise, beside clients that stall."""
    body = small_photograph(folder)
    with served(token=TOKEN) as (address, _process):
        url = httpx.URL(address)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        held: list[socket.socket] = []
        probes: Counter[str] = Counter()
        times: list[float] = []
        stop = threading.Event()

        def probe() -> None:
            while not stop.is_set():
                start = time.monotonic()
                try:
                    answer = httpx.get(f"{address}healthz", timeout=30)
                    probes[str(answer.status_code)] += 1
                except httpx.HTTPError as error:
                    probes[type(error).__name__] += 1
                times.append(time.monotonic() - start)
                time.sleep(0.1)

        prober = threading.Thread(target=probe)
        prober.start()
        half = b"POST /api/v1/photos HTTP/1.1\r\nHost: 127.0.0.1\r\nX-"
        slow = b"POST /api/v1/photos HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
        for head in [half] * HALF_HEADS + [slow] * SLOW_BODIES:
            connection = socket.create_connection((url.host, url.port or 80), timeout=30)
            connection.sendall(head)
            held.append(connection)
        denoised = httpx.post(
            f"{address}api/v1/denoise", content=body, headers=headers, timeout=120
        )
        time.sleep(2)
        stop.set()
        prober.join()
        for connection in held:
            connection.close()
    return {
        "half_heads": HALF_HEADS,
        "slow_bodies": SLOW_BODIES,
        "healthz": dict(probes),
        "healthz_seconds": {
            "median": round(statistics.median(times), 3),
            "max": round(max(times), 3),
        },
        "denoise": denoised.status_code,
    }


def bombs(kinds: Sequence[str]) -> dict[str, Any]:
    """Send small files that unpack to much, and something small beside each."""
    makers: dict[str, Callable[[], Any]] = {
        "png 98 MP": lambda: black(9900).pngsave_buffer(compression=9),
        "jpeg 98 MP": lambda: black(9900).jpegsave_buffer(Q=20),
        "webp 98 MP": lambda: black(9900).webpsave_buffer(Q=10),
        "tiff 98 MP": lambda: black(9900).tiffsave_buffer(compression="deflate"),
        "avif 64 MP": lambda: black(8000).heifsave_buffer(compression="av1", Q=1, effort=0),
        "gif 98 MP": lambda: pyvips.Image.black(9900, 9900).gifsave_buffer(),
        "bmp 98 MP, run lengths": lambda: bmp_of_runs(9900),
        "jxl 98 MP": lambda: imagecodecs.jpegxl_encode(black(9900).numpy(), effort=1),
        "jp2 64 MP": lambda: imagecodecs.jpeg2k_encode(black(8000).numpy(), level=20),
        "heic 100 MP": lambda: heic_of_one_tile(12, 8, (12_288, 8130)),
        "dng 98 MP, lossless JPEG": lambda: dng_of_one_tile(9900, 9900),
        "dng 98 MP, deflate": lambda: dng_deflated(9900),
        "heic 268 MP": lambda: heic_of_one_tile(16, 16),
        "dng of 900 MP that shows 0.15": lambda: dng_of_one_tile(30_000, 30_000, (500, 300)),
        "png 50,000,000 x 2": lambda: pyvips.Image.black(50_000_000, 2).pngsave_buffer(),
        "png 400 MP": lambda: pyvips.Image.black(20_000, 20_000).pngsave_buffer(),
    }
    made = {name: make() for name, make in makers.items() if name.split()[0] in kinds or not kinds}
    small = pyvips.Image.black(40, 30).pngsave_buffer()
    rows = {}
    with served() as (address, process):
        for name, bomb in made.items():
            times: list[float] = []
            stop = threading.Event()

            def beside(times: list[float] = times, stop: threading.Event = stop) -> None:
                transport = httpx.HTTPTransport(local_address="127.0.0.2")
                with httpx.Client(base_url=address, timeout=120, transport=transport) as other:
                    while not stop.is_set():
                        start = time.monotonic()
                        other.post("api/v1/photos", content=small).raise_for_status()
                        times.append(time.monotonic() - start)
                        time.sleep(0.2)

            other = threading.Thread(target=beside)
            other.start()
            start = time.monotonic()
            with httpx.Client(base_url=address, timeout=300) as client:
                answer = client.post("api/v1/photos", content=bomb)
                picture = None
                if answer.status_code == 201:
                    link = answer.json()["links"]["rendering"]
                    picture = client.get(link, params={"max_side": 160}).status_code
                    client.delete(answer.json()["links"]["self"])
            took = time.monotonic() - start
            memory = [
                int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                for pid in workers_of(process)
            ]
            stop.set()
            other.join()
            rows[name] = {
                "bytes": len(bomb),
                "photo": answer.status_code,
                "picture": picture,
                "seconds": round(took, 2),
                "largest_worker_mib": round(max(memory) * os.sysconf("SC_PAGE_SIZE") / 2**20),
                "another_client_longest_seconds": round(max(times, default=0.0), 2),
            }
            print(name, rows[name], file=sys.stderr)
    return rows


def black(side: int) -> Any:
    """A black square in sRGB, of libvips."""
    return pyvips.Image.black(side, side, bands=3).copy(interpretation="srgb")


def bmp_of_runs(side: int) -> bytes:
    """A black BMP of 8 bits, every row coded as runs of 255."""
    runs, rest = divmod(side, 255)
    row = b"\xff\0" * runs + (bytes((rest, 0)) if rest else b"") + b"\0\0"
    pixels = row * side + b"\0\1"
    start = 14 + 40 + 4 * 256
    head = struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start)
    info = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(pixels), 2835, 2835, 256, 0)
    return head + info + b"".join(bytes((v, v, v, 0)) for v in range(256)) + pixels


def cancelled(folder: Path, _: float) -> dict[str, Any]:
    """Cancel long jobs, and see when another client's work is begun; beside busy programs too."""
    body, small = small_photograph(folder, 1400), small_photograph(folder)
    rows = {}
    with served() as (address, process), httpx.Client(base_url=address, timeout=120) as client:
        for name, programs in (("free", 0), ("busy", os.cpu_count() or 1)):
            workers = workers_of(process)
            others = [
                subprocess.Popen([sys.executable, "-c", "while True: pass"])
                for _ in range(programs)
            ]
            try:
                found = [_cancel(client, body, small) for _round in range(5)]
            finally:
                for other in others:
                    other.kill()
                    other.wait()
            rows[name] = {
                "busy_programs": programs,
                "answer_seconds": [row[0] for row in found],
                "engine_free_seconds": [row[1] for row in found],
                "workers_ended": len(set(workers) - set(workers_of(process))),
            }
    return rows


def _cancel(client: httpx.Client, body: bytes, small: bytes) -> tuple[float, float]:
    """Seconds from a DELETE to its answer, and until the engine takes another job."""
    job = client.post("api/v1/jobs?num_samples=8", content=body).json()["id"]
    while client.get(f"api/v1/jobs/{job}").json()["state"] == "queued":
        time.sleep(0.02)
    time.sleep(1.5)  # within the first passes of the network
    other = client.post("api/v1/jobs", content=small).json()["id"]
    start = time.monotonic()
    client.delete(f"api/v1/jobs/{job}")
    answered = time.monotonic() - start
    while client.get(f"api/v1/jobs/{other}").json()["state"] == "queued":
        time.sleep(0.01)
    free = time.monotonic() - start
    ends_of(client, [other])
    return round(answered, 3), round(free, 3)


if __name__ == "__main__":
    main()
