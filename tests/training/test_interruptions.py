"""What happens to real processes: killed ones, and two that share a batch."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.launchers.subprocess_script import _ChildProcessObserver

from invdn.training.hardware import launch
from invdn.weights import read_parameters
from support import tiny_run
from support.systems import needs_posix
from support.tiny_run import TINY

PROGRAM = Path(tiny_run.__file__)
# Without spinning threads and other programs' settings; the tests of a busy machine pass too.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"}


def start(*arguments: object, launcher: tuple[str, ...] = ()) -> "subprocess.Popen[bytes]":
    command = [sys.executable, *launcher, str(PROGRAM), *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE)


def finish(process: "subprocess.Popen[bytes]") -> None:
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors.decode()[-2000:]


@needs_posix
@pytest.mark.slow
def test_a_killed_and_resumed_run_equals_an_unbroken_one(data: Path, tmp_path: Path) -> None:
    unbroken = start(data, tmp_path / "unbroken")

    broken = tmp_path / "broken"
    killed = start(data, broken, "hardware.workers=2")
    deadline = time.monotonic() + 60
    while not (broken / "last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert torch.load(broken / "last.pt", weights_only=True)["step"] < 40

    finish(start(data, broken))  # other workers, too: none
    finish(unbroken)
    a, b = (torch.load(tmp_path / n / "last.pt", weights_only=True) for n in ("unbroken", "broken"))
    assert a["step"] == b["step"] == 40
    for part in ("network", "ema"):
        assert all(torch.equal(value, b[part][name]) for name, value in a[part].items())
    for index, moments in a["optimiser"]["state"].items():
        for name, value in moments.items():
            assert torch.equal(value, b["optimiser"]["state"][index][name])
    assert a["best"] == b["best"] and a["lowest"] == b["lowest"]
    logs = [(tmp_path / name / "train.csv").read_text() for name in ("unbroken", "broken")]
    columns = [[line.rsplit(",", 1)[0] for line in log.splitlines()] for log in logs]
    assert columns[0] == columns[1]  # all but images per second
    assert (tmp_path / "unbroken" / "validation.csv").read_text() == (
        broken / "validation.csv"
    ).read_text()
    assert (broken / "weights-ema.safetensors").read_bytes() == (
        tmp_path / "unbroken" / "weights-ema.safetensors"
    ).read_bytes()


@needs_posix
@pytest.mark.slow
def test_one_folder_takes_one_run_at_a_time(data: Path, tmp_path: Path) -> None:
    first = start(data, tmp_path, "phases.0.steps=100000")
    deadline = time.monotonic() + 60
    while not (tmp_path / "last.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    second = start(data, tmp_path, "phases.0.steps=100000")
    _, errors = second.communicate(timeout=600)
    assert second.returncode == 1 and b"another training is writing into" in errors
    first.send_signal(signal.SIGKILL)
    first.communicate()
    third = start(data, tmp_path, "phases.0.steps=100000")  # a killed run holds nothing
    log, deadline = tmp_path / "run.json", time.monotonic() + 60
    while len(json.loads(log.read_text())) < 2 and time.monotonic() < deadline:
        assert third.poll() is None
        time.sleep(0.05)
    assert len(json.loads(log.read_text())) == 2
    third.send_signal(signal.SIGKILL)
    third.communicate()


@pytest.mark.slow
def test_where_one_process_fails_no_other_shows_a_traceback(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "pairs", tmp_path / "pairs")
    file = tmp_path / "pairs" / "GT" / "1.png"
    file.write_bytes(file.read_bytes()[:-100])
    command = [sys.executable, "-m", "invdn", "train", "smoke", "-o", str(tmp_path / "run")]
    settings = ("validation.limit=1", "hardware.devices=2", f"data.root={str(tmp_path)!r}")
    for setting in (*TINY, *settings):
        command += ["--set", setting]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert run.stderr.count("GT/1.png") == 1
    assert "the first process could not begin" in run.stderr


@pytest.mark.parametrize(("device", "watched"), [("cpu", False), ("cuda", True)])
def test_on_cpus_no_process_is_killed_before_it_saved(
    device: str, watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lightning's observer ends all within seconds of the first failure; gloo tells of it too."""
    killed: list[int] = []
    monkeypatch.setattr(os, "kill", lambda process, _: killed.append(process))
    failed = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    failed.wait()
    observers: list[_ChildProcessObserver] = []

    class Launcher:
        def __init__(self) -> None:
            self.device = torch.device(device)

        def launch(self) -> None:
            observers.append(_ChildProcessObserver(os.getpid(), [failed], sleep_period=1))
            observers[0].start()

    launch(cast(Fabric, Launcher()))
    observers[0].join(20)
    assert bool(killed) == watched


@pytest.mark.slow
def test_two_processes_make_the_same_updates_as_one(data: Path, tmp_path: Path) -> None:
    settings = (
        "data.pair_fraction=1",
        "phases.0.steps=6",
        "phases.0.decay=0",
        "validation.every=2",
    )
    one = start(data, tmp_path / "one", *settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}")
    finish(start(data, tmp_path / "two", *settings, launcher=torchrun))
    finish(one)
    first, second = (
        read_parameters(tmp_path / name / "weights-ema.safetensors").tensors
        for name in ("one", "two")
    )
    assert all(abs(first[name] - second[name]).max() < 1e-6 for name in first)
    states = [torch.load(tmp_path / n / "last.pt", weights_only=True) for n in ("one", "two")]
    for name, value in states[0]["network"].items():
        assert (value - states[1]["network"][name]).abs().max() < 1e-6
    moved = torch.load(tmp_path / "two" / "last.pt", weights_only=True)["step"]
    assert moved == 6
    scores = [(tmp_path / n / "validation.csv").read_text().splitlines() for n in ("one", "two")]
    for a, b in zip(
        *(line.splitlines()[0].split(",") for line in (s[-1] for s in scores)), strict=True
    ):
        assert float(a) == pytest.approx(float(b), abs=1e-3)
