"""Two nodes: two real launchers at two loopback addresses, each with a folder of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from invdn.training.checkpoint import read_checkpoint
from support import tiny_run

# Without spinning threads and other programs' settings; the tests of a busy machine pass too.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
# torch 2.13 does not tell a launcher that joins later where the first process is; docs/training.md.
ENVIRONMENT["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"
PROGRAM = str(Path(tiny_run.__file__))
ADDRESSES = ("127.0.0.1", "127.0.0.2")
#: Real pairs alone: synthetic noise is drawn by each process for its own part.
SETTINGS = ("data.pair_fraction=1", "phases.0.decay=0", "validation.every=4",
            "log.checkpoint_every=4", "phases.0.steps=16")  # fmt: skip
_PATIENCE = 500  # seconds, for a busy machine


def program(*arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, PROGRAM, *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind((ADDRESSES[0], 0))
        port: int = free.getsockname()[1]
    return port


def start_node(
    node: int,
    port: int,
    data: Path,
    folder: Path,
    *settings: str,
    restarts: int = 0,
    killed: str | None = None,
) -> "subprocess.Popen[str]":
    """Start a launcher at the node's address, for one process of its own."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1",
        "--rdzv-backend=c10d", f"--rdzv-endpoint={ADDRESSES[0]}:{port}", "--rdzv-id=test",
        f"--rdzv-conf=is_host={1 - node}", f"--local-addr={ADDRESSES[node]}",
        f"--max-restarts={restarts}", PROGRAM, str(data), str(folder), *settings,
    ]  # fmt: skip
    return subprocess.Popen(
        command,
        env=ENVIRONMENT | ({"TINY_RUN_KILLS": killed} if killed else {}),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def launch(
    data: tuple[Path, Path],
    folders: tuple[Path, Path],
    *settings: str,
    restarts: int = 0,
    killed: str | None = None,
) -> list["subprocess.Popen[str]"]:
    """Start a launcher at each address."""
    port = free_port()
    return [
        start_node(
            node, port, data[node], folders[node], *settings, restarts=restarts, killed=killed
        )
        for node in (0, 1)
    ]


def finish(*processes: "subprocess.Popen[str]") -> list[tuple[int, str]]:
    found = []
    for process in processes:
        _, errors = process.communicate(timeout=_PATIENCE)
        found.append((process.returncode, errors))
    return found


def assert_same(first: Path, second: Path) -> None:
    a, b = read_checkpoint(first / "last.pt"), read_checkpoint(second / "last.pt")
    assert a["step"] == b["step"] and a["samples"] == b["samples"]
    for part in ("network", "ema"):
        for name, value in a[part].items():
            assert (value - b[part][name]).abs().max() < 1e-6, name


@pytest.fixture(scope="module")
def unbroken(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unbroken")
    ((code, errors),) = finish(program(data, folder, *SETTINGS))
    assert code == 0, errors[-6000:]
    return folder


@pytest.mark.slow
def test_only_the_first_node_has_the_checkpoint(unbroken: Path, data: Path, tmp_path: Path) -> None:
    folders = tmp_path / "a", tmp_path / "b"
    finish(program(data, folders[0], *SETTINGS, "phases.0.steps=8"))
    assert read_checkpoint(folders[0] / "last.pt")["step"] == 8
    for code, errors in finish(*launch((data, data), folders, *SETTINGS)):
        assert code == 0, errors[-6000:]
    assert_same(folders[0], unbroken)
    assert not folders[1].exists()  # the other node writes nothing


@pytest.mark.slow
def test_a_node_with_other_data_ends_all(data: Path, tmp_path: Path) -> None:
    other = tmp_path / "data"
    shutil.copytree(data, other)
    for side in ("Noisy", "GT"):
        (other / "pairs" / side / "0.png").unlink()
    folders = tmp_path / "a", tmp_path / "b"
    for code, errors in finish(*launch((data, other), folders, *SETTINGS)):
        assert code == 1
        (line,) = {line for line in errors.splitlines() if "RecipeError: " in line}
        assert "process 1" in line and "another set of pairs" in line and "2 images" in line
    assert not folders[0].exists()


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_the_launchers_restart_all_after_a_killed_process(
    unbroken: Path, data: Path, tmp_path: Path, rank: int
) -> None:
    folder = tmp_path / "shared"
    killed = f"{rank}:process:{tmp_path / 'killed'}"
    for code, errors in finish(
        *launch((data, data), (folder, folder), *SETTINGS, restarts=3, killed=killed)
    ):
        assert code == 0, errors[-6000:]
    assert (tmp_path / "killed").exists()
    assert_same(folder, unbroken)
    assert "going on after step" in (folder / "train.log").read_text()


@pytest.mark.slow
def test_a_node_that_was_killed_comes_back(unbroken: Path, data: Path, tmp_path: Path) -> None:
    """Launcher and process die; the other node waits for the launcher that takes its place."""
    folder, port = tmp_path / "shared", free_port()
    more = {"restarts": 3, "killed": f"1:node:{tmp_path / 'killed'}"}
    first = start_node(0, port, data, folder, *SETTINGS, **more)
    lost = start_node(1, port, data, folder, *SETTINGS, **more)
    assert lost.wait(timeout=_PATIENCE) == -signal.SIGKILL
    lost.communicate()
    again = start_node(1, port, data, folder, *SETTINGS, **more)
    for code, errors in finish(first, again):
        assert code == 0, errors[-6000:]
    assert_same(folder, unbroken)
