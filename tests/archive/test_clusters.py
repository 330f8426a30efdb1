"""Real clusters on this machine: two nodes of Ray, one lost in the middle; Dask."""

import importlib.util
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from invdn.archive import Manifest, archive_status, plan_archive
from invdn.archive.ledger import read_ledger
from invdn.stores import open_store

from .conftest import NAMING, contents, photograph

EXAMPLE = Path(__file__).parents[2] / "deploy" / "dask" / "archive.py"


@pytest.mark.slow
def test_ray_loses_a_node(filled: str, by_command: Callable[[str], dict[str, bytes]]) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    store = open_store(f"{filled}/many")
    for number in range(120):
        store.create(f"{number:03d}.jpg", photograph(number))
    where = [f"{filled}/many", f"{filled}/out", f"{filled}/plan"]
    manifest = plan_archive(*where, NAMING, shards=2).manifest
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        second = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
        cluster.wait_for_nodes()
        command = [sys.executable, "-m", "invdn", "denoise", "--manifest", manifest.store.url]
        command += ["--model", "fast", "--device", "cpu", "--cluster", cluster.address]
        process = subprocess.Popen(
            [*command, "--cores-per-engine", "1"], stderr=subprocess.PIPE, text=True
        )
        _wait_for_two_shards(manifest, process)
        assert process.poll() is None, process.stderr.read()
        cluster.remove_node(second, allow_graceful=False)
        _, messages = process.communicate(timeout=240)
        assert process.returncode == 0, messages
    finally:
        cluster.shutdown()
    assert contents(manifest.target) == by_command(manifest.source)
    status = archive_status(manifest)
    assert (status.done, status.failed) == (120, 0)
    told = _statuses(manifest)
    assert told["done"] + told["skipped"] == 120
    assert told["skipped"] > 0, "the second run of the lost shard found what the first had done"


def _statuses(manifest: Manifest) -> Counter[str]:
    """How often the ledgers tell of each status."""
    return Counter(
        line["status"]
        for entry in manifest.store.entries(manifest.ledger)
        if entry.key.endswith("jsonl")
        for line in read_ledger(manifest.store, entry.key)
        if line["event"] == "photograph"
    )


def _wait_for_two_shards(manifest: Manifest, process: subprocess.Popen) -> None:
    """Wait until both nodes have results of a shard that they have not ended."""
    shards = [
        {NAMING.target(row.key) for row in manifest.rows_of(shard)}
        for shard in range(len(manifest.shards))
    ]
    target = open_store(manifest.target)
    while process.poll() is None:
        results = {entry.key for entry in target.entries()}
        begun = [shard for shard in shards if results & shard and not shard <= results]
        if len(begun) >= 2:
            return
        time.sleep(0.1)


@pytest.mark.slow
def test_the_example_for_dask(
    planned: Manifest, by_command: Callable[[str], dict[str, bytes]]
) -> None:
    distributed = pytest.importorskip("distributed")
    spec = importlib.util.spec_from_file_location("archive_on_dask", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)

    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None
    ) as cluster:
        assert example.main(cluster.scheduler_address, planned.store.url, "fast") == 0
    assert contents(planned.target) == by_command(planned.source)
    assert archive_status(planned).done == 24
