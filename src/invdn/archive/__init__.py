"""Archives of millions of photographs: planned once, done by any number of machines.

::

    plan    list the source ── rows (key, size, etag) ── shards, balanced by bytes ── manifest
    shard   row ── is its result there? ── fetch ── denoise ── create, unless it exists ── ledger
    status  ledgers of all shards and attempts, merged

There is no database and no lock. A result says in its own metadata what it was made of (etag of the
source, settings, model); it is written on the condition that none is there. So a shard may be run
again, or twice at once, or be killed at any moment: work is wasted at worst, and no result is
lost, half, or made twice.
"""

from .estimate import Estimate, SizeSample, estimate_cost
from .manifest import Manifest, Shard, open_manifest
from .naming import Naming
from .planning import Planned, list_photographs, plan_archive, read_names
from .row import Row
from .row_files import read_parquet
from .rows import RowOutcome, RowWorker
from .settings import WorkSettings
from .shard_choice import ShardChoice
from .shard_run import FailureLimit, ShardSummary, run_shard
from .status import ArchiveStatus, archive_status, failures_of

__all__ = [
    "ArchiveStatus",
    "Estimate",
    "FailureLimit",
    "Manifest",
    "Naming",
    "Planned",
    "Row",
    "RowOutcome",
    "RowWorker",
    "Shard",
    "ShardChoice",
    "ShardSummary",
    "SizeSample",
    "WorkSettings",
    "archive_status",
    "estimate_cost",
    "failures_of",
    "list_photographs",
    "open_manifest",
    "plan_archive",
    "read_names",
    "read_parquet",
    "run_shard",
]
