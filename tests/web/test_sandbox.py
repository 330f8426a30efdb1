"""The processes that look into photographs have no rights to misuse."""

import subprocess
import sys
from pathlib import Path

import pytest

from invdn.web.errors import ProblemError
from invdn.web.sandbox import confine
from invdn.web.tasks import Denoised, Inspection
from invdn.web.wire import Done, Progressed, Ready, receive, send
from support.serving import Server, running

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
_ATTEMPTS = """
import ctypes, os, socket, subprocess, sys
from pathlib import Path
from invdn.web.sandbox import confine
allowed, secret = map(Path, sys.argv[1:])
print(*confine([], [allowed]), sep=",")
def attempt(name, act):
    try:
        act()
    except OSError:
        return
    print("possible:", name)
attempt("a socket", socket.socket)
attempt("another program", lambda: subprocess.run(["/bin/true"]))
attempt("a foreign file", secret.read_text)
attempt("the token", lambda: Path(f"/proc/{os.getppid()}/environ").read_bytes())
attempt("writing elsewhere", lambda: secret.with_name("new").write_text("x"))
attempt("a signal", lambda: os.kill(os.getppid(), 0))
if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0:
    print("possible: a look into another process")
(allowed / "result").write_text("fine")
import numpy
print(numpy.ones(2).sum())
"""


@linux
def test_nothing_but_the_work_is_possible(tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    allowed.mkdir()
    secret.write_text("token")
    ran = subprocess.run(
        [sys.executable, "-c", _ATTEMPTS, allowed, secret],
        capture_output=True,
        text=True,
        check=True,
    )
    done, *possible, total = ran.stdout.split("\n")[:-1]
    assert total == "2.0"
    assert (allowed / "result").read_text() == "fine"
    if "landlock" not in done:
        possible = [one for one in possible if "socket" in one or "program" in one]
    if "seccomp" not in done:
        pytest.skip(f"this kernel knows only: {done}")
    assert not possible


@linux
def test_every_thread_of_every_worker_is_confined(server: Server) -> None:
    if "seccomp" not in server.client.get("/api/v1/service").json()["sandbox"]:
        pytest.skip("this kernel has no seccomp")
    for worker in server.workers():
        for thread in Path(f"/proc/{worker}/task").iterdir():
            status = dict(
                line.split(":\t", 1)
                for line in (thread / "status").read_text().splitlines()
                if ":\t" in line
            )
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")


@linux
def test_no_worker_fills_memory_or_disk_without_end(server: Server) -> None:
    for pid in server.workers():
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        limits = {line[:26].strip(): line[26:].split()[0] for line in lines}
        assert int(limits["Max file size"]) == 4096 << 20  # as --max-memory says
        assert int(limits["Max address space"]) < 64 << 30
        assert (limits["Max core file size"], limits["Max open files"]) == ("0", "512")


@linux
def test_workers_do_not_have_the_token(tmp_path: Path) -> None:
    environment = {"INVDN_TOKEN": "open-sesame-7"}
    with running(tmp_path, "--max-queue", "3", environment=environment) as server:
        assert server.client.get("/api/v1/models").status_code == 401
        assert len(server.workers()) == 4
        for worker in server.workers():
            for name in ("environ", "cmdline"):
                assert b"open-sesame" not in Path(f"/proc/{worker}/{name}").read_bytes()


def test_answers_are_the_same_on_the_other_side() -> None:
    from multiprocessing import Pipe

    here, there = Pipe()
    problem = ProblemError("invalid", "why", (("strength", "too high"),), 2.5)
    for answer in (
        Ready("engine", None, ("seccomp",)),
        Ready("", "no engine"),
        Progressed(3, 1, 9),
        Done(4),
        Done(5, Inspection("jpeg", 30, 20, "uint8")),
        Done(6, Denoised(9, 10, 1.5, 1, 4.2, "moderate", 0.7, ("warning",))),
    ):
        send(there, answer)
        assert receive(here) == answer
    send(there, Done(7, problem=problem))
    told = receive(here)
    assert isinstance(told, Done) and told.problem
    assert told.problem.args == problem.args


@pytest.mark.parametrize(
    "body",
    [
        b"cos\nsystem\n(S'true'\ntR.",  # a pickle that runs a program
        b"null",
        b'["done", 1, "inspection", {"format": "png", "width": -1, "height": 2, "depth": "uint8"}]',
        b'["done", 1, "inspection", {"format": "exe", "width": 1, "height": 2, "depth": "uint8"}]',
        b'["done", 1, "inspection", {"__class__": "x"}]',
        b'["done", 1, "problem", ["no-kind", "x", [], null]]',
        b'["progressed", 1, 9, 3]',
        b'["done", 1, "denoised", {"bytes": "../../etc"}]',
        b"[" * 100_000,
    ],
)
def test_nonsense_is_no_answer(body: bytes) -> None:
    from multiprocessing import Pipe

    here, there = Pipe()
    there.send_bytes(body)
    with pytest.raises((ValueError, RecursionError)):
        receive(here)


def test_elsewhere_nothing_is_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert confine([], []) == ()
