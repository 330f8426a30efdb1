"""Shards against a real server: every output exactly once, whole, and that of the plain command."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from invdn.archive import (
    FailureLimit,
    Manifest,
    RowOutcome,
    WorkSettings,
    archive_status,
    failures_of,
    open_manifest,
    plan_archive,
    read_names,
    run_shard,
)
from invdn.batch import StopEvent
from invdn.inference import DenoiseOptions, Engine
from invdn.photo.photo import Photo
from invdn.photo.read import output_suffix
from invdn.photo.write import encode_photo
from invdn.stores import open_store
from support.fault_proxy import fault_proxy

from .conftest import NAMING, contents, photograph

SETTINGS = WorkSettings(model="fast", device="cpu")
ByCommand = Callable[[str], dict[str, bytes]]


def _run_all(manifest: Manifest | str, engine: Engine, **others) -> list[int]:
    if isinstance(manifest, str):
        manifest = open_manifest(manifest)
    return [
        run_shard(manifest, shard, SETTINGS, engine=engine, **others).exit_code
        for shard in range(len(manifest.shards))
    ]


def test_the_same_as_the_command(planned: Manifest, engine: Engine, by_command: ByCommand) -> None:
    assert _run_all(planned, engine) == [0, 0, 0, 0]
    made, expected = contents(planned.target), by_command(planned.source)
    assert made == expected
    assert len(made) == 25, "24 photographs and a sidecar"
    status = archive_status(planned)
    assert (status.done, status.failed, status.left, status.finished) == (24, 0, 0, 4)


def test_again_does_nothing(planned: Manifest, engine: Engine) -> None:
    _run_all(planned, engine)
    store = open_store(planned.target)
    before = {entry.key: entry.modified for entry in store.entries()}
    outcomes: list[RowOutcome] = []
    assert _run_all(planned, engine, on_outcome=outcomes.append) == [0, 0, 0, 0]
    assert {outcome.status for outcome in outcomes} == {"skipped"}
    assert {entry.key: entry.modified for entry in store.entries()} == before


def test_two_workers_on_the_same_shards(
    planned: Manifest, engine: Engine, by_command: ByCommand
) -> None:
    outcomes: list[RowOutcome] = []
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(_run_all, planned, engine, on_outcome=outcomes.append) for _ in range(2)
        ]
        assert [run.result() for run in runs] == [[0] * 4, [0] * 4]
    done = Counter(outcome.row.key for outcome in outcomes if outcome.status == "done")
    assert len(done) == 24 and set(done.values()) == {1}, "every result was written once"
    assert contents(planned.target) == by_command(planned.source)
    assert archive_status(planned).done == 24


def test_faults_of_the_server(
    server: str,
    planned: Manifest,
    engine: Engine,
    by_command: ByCommand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with fault_proxy(server, share=0.2, seed=1) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        assert _run_all(planned.store.url, engine) == [0, 0, 0, 0]
        assert {"busy", "conflict", "cut", "lost"} <= set(proxy.faults)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert contents(planned.target) == by_command(planned.source)
    assert archive_status(planned).done == 24


def _worker(manifest: Manifest, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "invdn", "denoise", "--manifest", manifest.store.url]
    command += ["--model", "fast", "--device", "cpu", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _wait_for_results(manifest: Manifest, number: int, process: subprocess.Popen) -> None:
    while process.poll() is None:
        if len(list(open_store(manifest.target).entries())) >= number:
            return
        time.sleep(0.02)


@pytest.mark.slow
def test_killed_workers(planned: Manifest, engine: Engine, by_command: ByCommand) -> None:
    for number in (3, 9, 15):
        process = _worker(planned)
        _wait_for_results(planned, number, process)
        process.kill()
        process.wait()
    assert 15 <= len(contents(planned.target)) < 25
    told = {line["key"] for line in _done_lines(planned)}
    assert {f"{key[:-4]}_denoised.jpg" for key in told} <= set(contents(planned.target))
    assert _run_all(planned, engine) == [0, 0, 0, 0]
    assert contents(planned.target) == by_command(planned.source)
    assert archive_status(planned).done == 24


def _done_lines(manifest: Manifest) -> list[dict]:
    from invdn.archive.ledger import read_ledger

    return [
        line
        for entry in manifest.store.entries(manifest.ledger)
        if entry.key.endswith("jsonl")
        for line in read_ledger(manifest.store, entry.key)
        if line.get("status") == "done"
    ]


@pytest.mark.slow
def test_a_scheduler_that_wants_its_machine_back(planned: Manifest) -> None:
    process = _worker(planned, "--shard", "0/1")
    _wait_for_results(planned, 4, process)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 75, messages
    made = [key for key in contents(planned.target) if key.endswith(".jpg")]
    assert 3 <= len(made) < 24  # one of four may have been the sidecar
    told = sorted(line["target"] for line in _done_lines(planned))
    assert told == sorted(made), "the ledger was written, and is true"
    process = _worker(planned, "--shard", "0/1")
    _, messages = process.communicate(timeout=120)
    assert process.returncode == 0, messages
    assert archive_status(planned).done == 24


@pytest.mark.parametrize(("lines", "objects"), [(500, 1), (10, 3)])
def test_a_slow_worker_writes_its_ledger_often_and_into_few_objects(
    filled: str, engine: Engine, monkeypatch: pytest.MonkeyPatch, lines: int, objects: int
) -> None:
    monkeypatch.setattr("invdn.archive.ledger._LINES", lines)
    monkeypatch.setattr("invdn.archive.ledger._SECONDS", 0)  # half a minute for each photograph
    where = [f"{filled}/in", f"{filled}/out", f"{filled}/plan"]
    manifest = plan_archive(*where, NAMING, shards=1).manifest
    known: list[int] = []
    summary = run_shard(
        manifest,
        0,
        SETTINGS,
        engine=engine,
        on_outcome=lambda outcome: known.append(archive_status(manifest).done),
    )
    assert summary.exit_code == 0
    assert known == list(range(1, 25)), "each is known when the next is done"
    written = [entry.key for entry in manifest.store.entries(manifest.ledger)]
    assert sum(key.endswith("jsonl") for key in written) == objects
    assert len(_done_lines(manifest)) == 24, "every line once"
    assert archive_status(manifest).megapixels == pytest.approx(24 * 256e-6)


def test_a_stop_from_the_start(planned: Manifest, engine: Engine) -> None:
    stop = StopEvent()
    stop.request("enough")
    summary = run_shard(planned, 0, SETTINGS, engine=engine, stop=stop)
    assert (summary.exit_code, summary.counts["left"], summary.stopped) == (75, 6, "enough")
    assert contents(planned.target) == {}


def test_a_photograph_that_changed_since_the_plan(planned: Manifest, engine: Engine) -> None:
    open_store(planned.source).replace("0/03.jpg", photograph(99))
    codes = _run_all(planned, engine)
    assert sorted(codes) == [0, 0, 0, 42]
    (failure,) = failures_of(planned)
    assert (failure["key"], failure["kind"]) == ("0/03.jpg", "changed")
    assert "0/03_denoised.jpg" not in contents(planned.target)


def test_a_photograph_that_is_gone_and_one_that_is_none(
    filled: str, engine: Engine, tmp_path: Path
) -> None:
    store = open_store(f"{filled}/in")
    store.create("1/bad.jpg", b"no photograph")
    rows = ["0/00.jpg", "1/bad.jpg", "1/missing.jpg", "1/01.jpg"]
    where = [f"{filled}/in", f"{filled}/out", f"{filled}/plan"]
    plan_archive(*where, NAMING, rows=read_names(rows, f"{filled}/in"), shards=1)
    manifest = open_manifest(where[2])
    assert _run_all(manifest, engine) == [42]
    assert _run_all(manifest, engine, limit=FailureLimit.parse("50%")) == [0]
    status = archive_status(manifest)
    assert (status.done, status.failed, status.left) == (2, 2, 0)
    assert status.kinds == {"unreadable": 1, "missing": 1}
    assert not status.seconds_left
    store.create("1/missing.jpg", photograph(5))
    store.replace("1/bad.jpg", photograph(6))
    assert _run_all(manifest, engine) == [0]
    assert archive_status(manifest).failed == 0, "a later attempt made good"


def test_too_many_failures_end_a_shard(filled: str, engine: Engine) -> None:
    store = open_store(f"{filled}/bad")
    for number in range(30):
        store.create(f"{number:02d}.jpg", b"no photograph" if number < 10 else photograph(number))
    where = [f"{filled}/bad", f"{filled}/out", f"{filled}/plan"]
    manifest = plan_archive(*where, NAMING, shards=1).manifest
    summary = run_shard(manifest, 0, SETTINGS, engine=engine, limit=FailureLimit.parse("10%"))
    assert summary.exit_code == 42
    assert summary.counts["failed"] >= 4 and summary.counts["left"] > 10
    assert "more than 3 photographs failed" in summary.stopped


def test_a_store_that_goes_away(
    server: str, filled: str, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = [f"{filled}/in", f"{filled}/out", f"{filled}/plan"]
    planned = plan_archive(*where, NAMING, shards=1).manifest
    import invdn.stores.objects as objects

    monkeypatch.setattr(objects, "_PAUSES", (0.01, 0.05))
    monkeypatch.setattr("invdn.archive.shard_run.open_store", _impatient)
    down: list[bool] = []

    def answer(method: str, path: str) -> tuple[int, str] | None:
        return (503, "") if down and "/in/" in path else None

    with fault_proxy(server, answer=answer) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        manifest = open_manifest(planned.store.url)
        summary = run_shard(
            manifest, 0, SETTINGS, engine=engine, on_outcome=lambda outcome: down.append(True)
        )
    assert summary.exit_code == 75
    assert summary.counts["done"] >= 1 and summary.counts["left"] >= 1
    assert "cannot be reached" in summary.stopped
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    assert run_shard(planned.store.url, 0, SETTINGS, engine=engine).exit_code == 0


def _impatient(url, *, wait=None):
    return open_store(url, patience=0.3, wait=wait)


def test_no_access_ends_at_once(
    server: str, planned: Manifest, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(method: str, path: str) -> tuple[int, str] | None:
        return (403, "<Error><Code>AccessDenied</Code></Error>") if "/out/" in path else None

    with fault_proxy(server, answer=answer) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        summary = run_shard(planned.store.url, 0, SETTINGS, engine=engine)
    assert summary.exit_code == 42
    assert "denied" in summary.stopped


def test_what_has_the_name_of_a_result(planned: Manifest, engine: Engine) -> None:
    target = open_store(planned.target)
    target.create("0/00_denoised.jpg", b"somebody's")
    summary = run_shard(planned, 0, SETTINGS, engine=engine)
    assert summary.exit_code == 42 and summary.kinds == {"conflict": 1}
    assert target.fetch("0/00_denoised.jpg")[0] == b"somebody's"
    skipping = replace(SETTINGS, existing="skip")
    assert run_shard(planned, 0, skipping, engine=engine).exit_code == 0
    assert target.fetch("0/00_denoised.jpg")[0] == b"somebody's"
    replacing = replace(SETTINGS, existing="replace")
    assert run_shard(planned, 0, replacing, engine=engine).exit_code == 0
    assert target.fetch("0/00_denoised.jpg")[0] != b"somebody's"


@pytest.mark.parametrize("what", ["settings", "model", "photograph", "version"])
def test_a_result_of_something_else_is_told_and_renewed(
    planned: Manifest, engine: Engine, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        if what == "version":
            patched.setattr(WorkSettings, "edition", "0.1")
        assert run_shard(planned, 0, SETTINGS, engine=engine).exit_code == 0
    settings, manifest = SETTINGS, planned
    if what == "settings":
        settings = replace(SETTINGS, options=DenoiseOptions(strength=0.5))
    elif what == "model":
        settings = replace(SETTINGS, model="default")
    elif what == "photograph":
        open_store(planned.source).replace("0/00.jpg", photograph(77))
        where = [planned.source, planned.target, planned.store.url + "2"]
        manifest = plan_archive(*where, NAMING, shards=4).manifest
    engine = settings.open_engine()
    reasons: list[str] = []
    summary = run_shard(
        manifest,
        0,
        settings,
        engine=engine,
        on_outcome=lambda outcome: reasons.append(outcome.reason),
    )
    expected = {"settings": "other settings", "model": "another model", "photograph": "earlier"}
    expected["version"] = "by version 0.1"
    assert summary.exit_code == 42
    assert any(expected[what] in reason for reason in reasons), reasons
    renewing = replace(settings, existing="replace")
    renewed = run_shard(manifest, 0, renewing, engine=engine)
    assert renewed.exit_code == 0
    assert renewed.counts["done"] == (1 if what == "photograph" else 6)
    assert run_shard(manifest, 0, settings, engine=engine).counts["skipped"] == 6


def test_an_ending_that_lies(filled: str, engine: Engine, by_command: ByCommand) -> None:
    png = encode_photo(Photo(np.full((16, 16, 3), 90, np.uint8)), "a.png")[0]
    open_store(f"{filled}/lies").create("a.jpg", png)
    where = [f"{filled}/lies", f"{filled}/out", f"{filled}/plan"]
    manifest = plan_archive(*where, NAMING, shards=1).manifest
    assert _run_all(manifest, engine) == [0]
    assert _run_all(manifest, engine) == [0]
    assert contents(manifest.target) == by_command(manifest.source)
    assert [*contents(manifest.target)] == ["a_denoised.png"]
    assert output_suffix(Path("a.jpg")) == ".jpg"


def test_clocks_are_not_believed(
    planned: Manifest, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_shard(planned, 0, SETTINGS, engine=engine)
    monkeypatch.setattr(time, "time", lambda: 1e9)  # twenty years ago
    run_shard(planned, 1, SETTINGS, engine=engine)
    status = archive_status(planned)
    assert status.done == 12
    assert status.seconds_left is not None and 0 < status.seconds_left < 3600


def test_a_full_disk(filled: str, engine: Engine, tmp_path: Path) -> None:
    """The results' own file system is full: nothing half, and the scheduler may try again."""
    where = [f"{filled}/in", str(tmp_path / "out"), f"{filled}/plan"]
    manifest = plan_archive(*where, NAMING, shards=1).manifest
    full = StopEvent()

    def told(outcome: RowOutcome) -> None:
        if outcome.number == 2:
            patch.setattr(Path, "write_bytes", _no_room)

    with pytest.MonkeyPatch.context() as patch:
        summary = run_shard(manifest, 0, SETTINGS, engine=engine, stop=full, on_outcome=told)
    assert summary.exit_code == 75
    assert full.requested and summary.counts["left"] > 10
    made = list((tmp_path / "out").rglob("*"))
    assert all(path.stat().st_size > 300 for path in made if path.suffix == ".jpg")
    assert not [path for path in made if path.name.endswith(".part")]
    assert run_shard(manifest, 0, SETTINGS, engine=engine).exit_code == 0


def _no_room(path: Path, content: bytes) -> int:
    with Path("/dev/full").open("wb", buffering=0) as file:
        return file.write(content)


def test_a_folder_is_a_store_as_well(tmp_path: Path, engine: Engine, by_command: ByCommand) -> None:
    store = open_store(str(tmp_path / "in"))
    for number in range(5):
        store.create(f"{number}/a.jpg", photograph(number), mode=0o640)
    where = [str(tmp_path / name) for name in ("in", "out", "plan")]
    manifest = plan_archive(*where, NAMING, shards=2).manifest
    assert _run_all(manifest, engine) == [0, 0]
    assert contents(manifest.target) == by_command(manifest.source)
    assert _run_all(manifest, engine) == [0, 0]
    for path in (tmp_path / "out").rglob("*.jpg"):
        assert path.stat().st_mode & 0o037 == 0, "no wider than its photograph"


def test_the_ledger_of_a_stopped_shard_waits_for_its_store(
    server: str, planned: Manifest, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def answer(method: str, path: str) -> tuple[int, str] | None:
        if method == "PUT" and "/ledger-" in path and len(refused) < 2:
            refused.append(path)
            return 503, "<Error><Code>SlowDown</Code></Error>"
        return None

    with fault_proxy(server, answer=answer) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        stop = StopEvent()
        summary = run_shard(
            planned.store.url,
            0,
            SETTINGS,
            engine=engine,
            stop=stop,
            on_outcome=lambda outcome: stop.request("the machine is taken away"),
        )
    assert (summary.exit_code, len(refused)) == (75, 2)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    told = {line["target"] for line in _done_lines(planned)}
    assert told == {key for key in contents(planned.target) if key.endswith("jpg")}
