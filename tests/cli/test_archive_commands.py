"""``invdn plan``, ``denoise`` on stores, and ``status``, as a user and a scheduler meet them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner, Result

from invdn.cli import group
from invdn.errors import AccessError, BusyStoreError
from invdn.photo.photo import Photo
from invdn.photo.write import encode_photo
from invdn.stores import open_store
from support.fault_proxy import fault_proxy


def _run(*arguments: str, **others) -> Result:
    return CliRunner().invoke(group, [str(argument) for argument in arguments], **others)


def _denoise(*arguments: str, **others) -> Result:
    return _run("denoise", "--model", "fast", "--device", "cpu", *arguments, **others)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three photographs in folders."""
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(60, 120, (16, 16, 3), np.uint8)
    store = open_store(str(tmp_path / "in"))
    for name in ("a.jpg", "rome/b.png", "rome/c.jpg"):
        store.create(name, encode_photo(Photo(pixels), name)[0])
    return tmp_path


def _names(path: Path) -> list[str]:
    return sorted(str(found.relative_to(path)) for found in path.rglob("*.*") if found.is_file())


RESULTS = ["a_denoised.jpg", "rome/b_denoised.png", "rome/c_denoised.jpg"]


def test_plan_denoise_status(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = _run("plan", "in", "-o", "out", "--manifest", "plan", "--shards", "2")
    assert planned.exit_code == 0, planned.output
    assert "3 photographs" in planned.output and "--shard I/2" in planned.output
    before = _run("status", "--manifest", "plan", "--json")
    assert before.exit_code == 1 and json.loads(before.stdout)["left"] == 3
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert _denoise("--manifest", "plan", "--shard", "auto").exit_code == 0
    assert 0 < len(_names(folder / "out")) < 3
    assert _denoise("--manifest", "plan").exit_code == 0
    assert _names(folder / "out") == RESULTS
    after = _run("status", "--manifest", "plan")
    assert after.exit_code == 0
    assert "3 of 3 photographs done (100.0 %), 0 failed, 0 left" in after.output


def test_exit_codes(folder: Path) -> None:
    assert _denoise("--manifest", "nowhere").exit_code == 2
    (folder / "in" / "bad.jpg").write_bytes(b"no photograph")
    assert _run("plan", "in", "-o", "out", "--manifest", "plan").exit_code == 0
    failed = _denoise("--manifest", "plan", "--quiet")
    assert failed.exit_code == 42 and "bad.jpg" in failed.stderr
    assert _denoise("--manifest", "plan", "--max-failures", "25%").exit_code == 0
    named = _run("status", "--manifest", "plan", "--failures")
    assert named.exit_code == 1
    assert json.loads(named.stdout)["key"] == "bad.jpg"
    assert _denoise("--manifest", "plan", "--shard", "5/5").exit_code == 2
    assert _run("plan", "in", "-o", "out", "--manifest", "plan").exit_code == 2
    for part in (folder / "plan").glob("shards-*/*"):
        part.write_bytes(part.read_bytes()[:20])
    damaged = _denoise("--manifest", "plan")
    assert damaged.exit_code == 42 and "plan again" in damaged.stderr


def test_a_bucket_without_a_plan(folder: Path, bucket: str) -> None:
    result = _denoise("in", "-o", f"{bucket}/clean", "--json-lines")
    assert result.exit_code == 0, result.output
    *photographs, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["status"] for line in photographs] == ["done"] * 3
    assert photographs[0]["target"] == f"{bucket}/clean/a_denoised.jpg"
    assert summary["done"] == 3
    assert [entry.key for entry in open_store(f"{bucket}/clean").entries()] == RESULTS
    again = _denoise("in", "-o", f"{bucket}/clean")
    assert again.exit_code == 0 and "3 skipped" in again.stderr
    assert _denoise(f"{bucket}/clean/a_denoised.jpg", "-o", str(folder / "twice")).exit_code == 0
    assert _names(folder / "twice") == ["a_denoised_denoised.jpg"]


def test_names_from_standard_input(folder: Path, bucket: str) -> None:
    (folder / "in" / "rome" / "b c.jpg").write_bytes((folder / "in" / "a.jpg").read_bytes())
    local = _denoise("--files-from", "-", "-o", "out", input="in/a.jpg\nin/rome/b c.jpg\n")
    assert local.exit_code == 0, local.output
    assert _names(folder / "out") == ["a_denoised.jpg", "b c_denoised.jpg"]
    stored = _denoise("in", "--files-from", "-", "-o", bucket, input="rome/b c.jpg\n")
    assert stored.exit_code == 0, stored.output
    assert [entry.key for entry in open_store(bucket).entries()] == ["rome/b c_denoised.jpg"]
    lines = f"{bucket}/rome/b c_denoised.jpg\n"
    assert _denoise("--files-from", "-", "-o", f"{bucket}/x", input=lines).exit_code == 0
    keys = [entry.key for entry in open_store(f"{bucket}/x").entries()]
    assert keys == ["rome/b c_denoised_denoised.jpg"]


def test_estimate(folder: Path) -> None:
    estimated = _run("plan", "in", "--estimate", "--json")
    assert estimated.exit_code == 0, estimated.output
    found = json.loads(estimated.stdout)["estimate"]
    assert found["megapixels"] == pytest.approx(3 * 256 / 1e6)
    default, fast = found["default"]["hours"], found["fast"]["hours"]
    assert default > fast > 0


def test_an_estimate_in_words(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = SimpleNamespace(throughput=0.25)  # megapixels a second; the test above measures
    monkeypatch.setattr("invdn.cli.bench.run_in_fresh_process", lambda *_: measured)
    told = _run("plan", "in", "--estimate").stdout
    assert "(4.00 s a megapixel" in told and "core-hours" in told
    assert "GPU-hours: not measured" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--manifest", "plan", "in"], "leave out the inputs"),
        (["--manifest", "plan", "-o", "out"], "leave out --output"),
        (["--manifest", "plan", "--watch"], "--watch is for files"),
        (["--manifest", "plan", "--shard", "x"], "17/500"),
        (["--manifest", "plan", "--max-failures", "x"], "0.1%"),
        (["s3://b/in", "-o", "s3://b/out", "--shard", "1/2"], "go with --manifest"),
        (["s3://b/in", "-o", "s3://b/out", "--on-conflict", "rename"], "rename is for files"),
        (["s3://b/in", "s3://c/in", "-o", "s3://b/out"], "one store at a time"),
        (["ftp://b/in", "-o", "out"], "use s3://"),
        ([], "--manifest"),
    ],
)
def test_what_does_not_go_together(folder: Path, arguments: list[str], message: str) -> None:
    result = _denoise(*arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_without_obstore_folders_work_and_buckets_say_why(folder: Path) -> None:
    script = "import sys; sys.modules['obstore'] = None; from invdn.cli import main; main()"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, "denoise", "--model", "fast", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)

    assert run(f"file://{folder}/in", "-o", f"file://{folder}/out").returncode == 0
    assert _names(folder / "out") == RESULTS
    refused = run("in", "-o", "s3://bucket/out")
    assert refused.returncode == 2
    assert "pip install 'invdn[cloud]'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_store_that_goes_away_ends_the_work(
    folder: Path, server: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_store(f"{bucket}/many")
    for number in range(12):
        source.create(f"{number:02d}.jpg", (folder / "in" / "a.jpg").read_bytes())

    refused: set[str] = set()

    def answer(method: str, path: str) -> tuple[int, str] | None:
        if not re.search(r"/many/(0[5-9]|1.)\.jpg", path):
            return None
        refused.add(path)
        return 503, ""

    monkeypatch.setattr("invdn.stores.objects._PAUSES", (0.01, 0.05))
    monkeypatch.setattr(
        "invdn.cli.archive.open_store", lambda url, wait: open_store(url, patience=0.2, wait=wait)
    )
    with fault_proxy(server, answer=answer) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        result = _denoise(f"{bucket}/many", "-o", f"{bucket}/clean", "--json-lines")
    assert result.exit_code == 75, result.output
    summary = json.loads(result.stdout.splitlines()[-1])
    assert summary["done"] == 5 and "cannot be reached" in summary["stopped"]
    assert 3 <= len(refused) < 7, "what comes behind is not asked for"


@pytest.mark.parametrize(
    ("error", "code"), [(BusyStoreError("down"), 75), (AccessError("denied"), 42)]
)
def test_a_cluster_whose_store_refuses(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("invdn.archive.ray_cluster.run_on_ray", refused)
    result = _denoise("--manifest", "s3://b/plan", "--cluster", "auto")
    assert (result.exit_code, str(error) in result.output) == (code, True)
