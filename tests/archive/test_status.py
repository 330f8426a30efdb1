"""How far an archive is, by ledgers of any attempts: a shard's summary tells what its lines do."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from invdn.archive import (
    Manifest,
    Row,
    RowOutcome,
    ShardSummary,
    archive_status,
    failures_of,
    open_manifest,
    plan_archive,
)
from invdn.archive.ledger import LedgerWriter
from invdn.archive.rows import RowFacts
from invdn.batch import Status

from .conftest import NAMING

ROWS = 6
FACTS = RowFacts(500, 400, "uint8", 0.1, 5.0)
Attempt = tuple[list[Status], bool]


def _plan(folder: Path, shards: int) -> Manifest:
    rows = [Row(f"{number:02d}.jpg", 1) for number in range(ROWS * shards)]
    where = [str(folder / name) for name in ("in", "out", "plan")]
    plan_archive(*where, NAMING, rows=rows, shards=shards)
    return open_manifest(where[2])


def _attempt(manifest: Manifest, shard: int, statuses: list[Status], *, ended: bool) -> None:
    """Write the ledger of an attempt, which came so far, and was killed where it has no end."""
    ledger = LedgerWriter(manifest.store, manifest.ledger, shard, {})
    for number, (row, status) in enumerate(zip(manifest.rows_of(shard), statuses, strict=False)):
        kind = {"failed": "unreadable", "left": "busy"}.get(status, "")
        facts = FACTS if status == "done" else None
        ledger.add(RowOutcome(row, number, "", status, kind, "since", facts))
    ledger.flush()
    if ended:
        counts = Counter(statuses)
        kinds = {"unreadable": counts["failed"], "busy": counts["left"]}
        summary = ShardSummary(shard, ledger.attempt, ROWS, dict(counts))
        summary.counts["left"] = ROWS - sum(counts[s] for s in ("done", "skipped", "failed"))
        summary.kinds = {kind: number for kind, number in kinds.items() if number}
        summary.megapixels, summary.seconds = 0.2 * counts["done"], 1.0
        ledger.finish(asdict(summary))


ATTEMPTS = st.tuples(
    st.lists(st.sampled_from(get_args(Status)), max_size=ROWS)
    | st.lists(st.sampled_from(["done", "skipped"]), min_size=ROWS, max_size=ROWS),
    st.booleans(),
)


@settings(max_examples=50)
@given(shards=st.lists(st.lists(ATTEMPTS, max_size=3), min_size=1, max_size=3))
def test_any_attempts(
    shards: list[list[Attempt]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    manifest = _plan(tmp_path_factory.mktemp("status"), len(shards))
    done = failed = denoised = attempts = finished = 0
    for shard, tried in enumerate(shards):
        told = [[s[row] for s, _ in tried if row < len(s)] for row in range(ROWS)]
        for statuses, ended in tried:
            _attempt(manifest, shard, statuses, ended=ended)
        of_row = [
            "done" if {"done", "skipped"} & {*each} else "failed" if "failed" in each else "left"
            for each in told
        ]
        done, failed = done + of_row.count("done"), failed + of_row.count("failed")
        denoised += sum(each.count("done") for each in told)
        attempts, finished = attempts + len(tried), finished + ("left" not in of_row)
    status = archive_status(manifest)
    assert (status.done, status.failed, status.attempts) == (done, failed, attempts)
    assert status.finished == finished
    assert status.kinds == ({"unreadable": failed} if failed else {})
    assert status.megapixels == pytest.approx(0.2 * denoised)
    assert len([*failures_of(manifest)]) == failed


@pytest.mark.parametrize("last", ["done", "failed"])
def test_lines_of_a_shard_that_its_summary_tells_are_not_read(tmp_path: Path, last: Status) -> None:
    manifest = _plan(tmp_path, 1)
    _attempt(manifest, 0, ["done"] * (ROWS - 1) + [last], ended=True)
    (lines,) = tmp_path.rglob("*.jsonl")
    named = [*failures_of(manifest)]
    assert [failure["key"] for failure in named] == ["05.jpg"] * (last == "failed")
    lines.write_bytes(b"none of ours")
    status = archive_status(manifest)
    assert (status.done, status.failed) == ((6, 0) if last == "done" else (5, 1))
