"""The shards of an archive on a Ray cluster.

A task is a shard: it is sent the URL of the manifest and a number, and gives back a summary. Pixels
never pass through Ray's object store. Ray may run a task twice, and does when a node is lost; what
the first run finished, the second finds in the target and skips.
"""

import logging
import os
from collections.abc import Iterator
from typing import Any

from ..batch import StopEvent
from ..errors import InputError, MissingDependencyError
from .manifest import open_manifest
from .settings import WorkSettings
from .shard_choice import ShardChoice
from .shard_run import TRY_AGAIN, FailureLimit, ShardSummary, run_shard

_ROUNDS = 3  # of shards that are to be tried again
_LOOK = 1.0  # seconds between two looks at whether it is to stop


def run_on_ray(
    address: str,
    manifest: str,
    settings: WorkSettings = WorkSettings(),
    *,
    choice: ShardChoice | None = None,
    cores: int = 4,
    limit: FailureLimit | None = None,
    jobs: int = 1,
    stop: StopEvent | None = None,
) -> Iterator[ShardSummary]:
    """Do the shards of a plan on a cluster.

    All shards are handed over at once, so that an autoscaler sees how much there is to do. A task
    whose node is lost runs again elsewhere, any number of times; a shard that ends with "try again"
    is handed over up to twice more.

    Args:
        address: ``ray://host:10001``, ``host:6379``, or ``auto``: the cluster that this machine
            belongs to.
        manifest: URL of the plan; every node must reach it, and the stores in it.
        settings: how to denoise.
        choice: which shards; None: all.
        cores: processors of one engine; on a CUDA device it has a GPU besides.
        limit: as of :func:`~invdn.archive.run_shard`.
        jobs: photographs in the network at a time.
        stop: ends it: tasks that have not begun are taken back, and others stop after a step.

    Yields:
        How each shard ended, as they end.

    Raises:
        MissingDependencyError: Ray is not installed.
        InputError: there is no such cluster, or no plan.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingDependencyError(
            "--cluster needs the package ray: pip install 'invdn[ray]'"
        ) from error
    stop = stop or StopEvent()
    shards = list((choice or ShardChoice(0, 1)).of_plan(len(open_manifest(manifest).shards)))
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:
        raise InputError(f"--cluster {address}: no Ray cluster answers there: {error}") from error
    gpus = 1 if settings.device.startswith("cuda") else 0
    task: Any = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=-1)(_shard)

    def hand_over(shard: int) -> Any:
        return task.remote(manifest, shard, settings, limit, jobs, cores)

    try:
        waiting = {hand_over(shard): (shard, 1) for shard in shards}
        while waiting:
            ready, _ = ray.wait(list(waiting), num_returns=1, timeout=_LOOK)
            if stop.requested:
                for reference in waiting:
                    ray.cancel(reference)
                return
            for reference in ready:
                shard, attempt = waiting.pop(reference)
                summary: ShardSummary = ray.get(reference)
                if summary.exit_code == TRY_AGAIN and attempt < _ROUNDS:
                    waiting[hand_over(shard)] = shard, attempt + 1
                else:
                    yield summary
    finally:
        ray.shutdown()


def _shard(
    manifest: str,
    shard: int,
    settings: WorkSettings,
    limit: FailureLimit | None,
    jobs: int,
    cores: int,
) -> ShardSummary:
    """Run on a node: one shard, on as many processors as were asked for."""
    if hasattr(os, "sched_setaffinity"):
        free = sorted(os.sched_getaffinity(0))
        if len(free) > cores:  # engines take the processors that the process is bound to
            os.sched_setaffinity(0, _share(free, cores))
    return run_shard(manifest, shard, settings, limit=limit, jobs=jobs)


def _share(processors: list[int], number: int) -> list[int]:
    """Some of the processors: neighbours, chosen by the process, so that engines spread.

    Example:
        >>> len(_share([0, 1, 2, 3], 2))
        2
    """
    first = os.getpid() * number % len(processors)
    return [processors[(first + place) % len(processors)] for place in range(number)]
