"""An archive on a Dask cluster: python archive.py tcp://scheduler:8786 s3://clean/plan

Plan first: invdn plan SOURCE -o TARGET --manifest s3://clean/plan. Each worker needs invdn[cloud]
and access to the stores; start them with one thread and 2 to 4 cores each.
"""

import sys

from dask.distributed import Client, as_completed

from invdn.archive import WorkSettings, open_manifest, run_shard

TRY_AGAIN, ROUNDS = 75, 3


def main(scheduler: str, manifest: str, model: str = "default") -> int:
    """Do all shards; the exit code is 0 when every photograph has its result."""
    settings = WorkSettings(model=model)
    with Client(scheduler) as client:

        def start(shard: int):
            # a number goes out and counts come back, never pixels
            return client.submit(run_shard, manifest, shard, settings, pure=False, retries=5)

        rounds = dict.fromkeys(range(len(open_manifest(manifest).shards)), 1)
        running, failed = as_completed([start(shard) for shard in rounds]), 0
        for future in running:
            summary = future.result()
            print(f"shard {summary.shard}: {summary.counts} {summary.stopped}")
            if summary.exit_code == TRY_AGAIN and rounds[summary.shard] < ROUNDS:
                rounds[summary.shard] += 1
                running.add(start(summary.shard))
            elif summary.exit_code:
                failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
