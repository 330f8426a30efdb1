"""Which shard a worker does: named, or given by the scheduler that started it."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import InputError

#: Variables of schedulers: the number of a task, counted from where, and how many there are.
# from: the manuals of the schedulers, under "array job" or "indexed job"
SCHEDULERS: tuple[tuple[str, str, str, int, str | None], ...] = (
    ("Kubernetes", "JOB_COMPLETION_INDEX", "an indexed job", 0, None),
    ("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", "an array job", 0, "AWS_BATCH_JOB_ARRAY_SIZE"),
    ("SLURM", "SLURM_ARRAY_TASK_ID", "sbatch --array=0-N", 0, None),
    ("Google Cloud Run", "CLOUD_RUN_TASK_INDEX", "--tasks", 0, "CLOUD_RUN_TASK_COUNT"),
    ("Google Batch", "BATCH_TASK_INDEX", "taskCount", 0, "BATCH_TASK_COUNT"),
    ("Nomad", "NOMAD_ALLOC_INDEX", "count", 0, None),
    ("PBS", "PBS_ARRAY_INDEX", "qsub -J 0-N", 0, None),
    ("LSF", "LSB_JOBINDEX", 'bsub -J "name[1-N]"', 1, None),
    ("Grid Engine", "SGE_TASK_ID", "qsub -t 1-N", 1, None),
)
_FORM = re.compile(r"(auto|[0-9]+)(?:/([0-9]+))?")


@dataclass(frozen=True)
class ShardChoice:
    """The planned shards that one worker does: every ``of``-th one, from ``index`` on.

    Attributes:
        index: 0 for the first.
        of: how many workers share the plan; None: one for each planned shard.

    Example:
        >>> ShardChoice.parse("17/500", {})
        ShardChoice(index=17, of=500)
        >>> ShardChoice.parse("auto", {"SLURM_ARRAY_TASK_ID": "3"})
        ShardChoice(index=3, of=None)
        >>> list(ShardChoice(1, 3).of_plan(8))
        [1, 4, 7]
    """

    index: int
    of: int | None = None

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> "ShardChoice":
        """Read ``17``, ``17/500``, ``auto`` or ``auto/500``.

        Raises:
            InputError: it is none of these, or no scheduler has given a number.
        """
        found = _FORM.fullmatch(text.strip())
        if not found:
            raise InputError(f"--shard {text}: it is 17/500, counted from 0, or auto")
        of = int(found[2]) if found[2] else None
        if found[1] != "auto":
            return cls(int(found[1]), of)
        if "SKYPILOT_NODE_RANK" in environment:
            return _of_skypilot(environment, of)
        for scheduler, variable, how, first, total in SCHEDULERS:
            value = environment.get(variable, "")
            if not value or value == "undefined":  # Grid Engine, outside an array
                continue
            if not value.isdigit() or int(value) < first:
                raise InputError(
                    f"--shard auto: {variable} of {scheduler} is {value!r}, and not a number from "
                    f"{first}; start the job with {how}"
                )
            count = environment.get(total, "") if total else ""
            if of is None and count.isdigit() and int(count):
                of = int(count)
            return cls(int(value) - first, of)
        raise InputError(
            "--shard auto: no scheduler has said which shard is meant; set one of "
            f"{', '.join(variable for _, variable, *_ in SCHEDULERS)}, SKYPILOT_NODE_RANK, or name "
            "it: --shard 17/500"
        )

    def of_plan(self, shards: int) -> Iterator[int]:
        """The numbers of the planned shards that are meant.

        Args:
            shards: how many were planned.

        Raises:
            InputError: there is no such share.
        """
        of = self.of or shards
        if self.index >= of:
            raise InputError(
                f"there is no shard {self.index} of {of}: they are counted from 0 to {of - 1}"
            )
        return iter(range(self.index, shards, of))


def _of_skypilot(environment: Mapping[str, str], of: int | None) -> ShardChoice:
    """Return the share of a node among all nodes of all jobs.

    A managed job has a rank even where it is the only one: 0. So jobs and nodes count together.
    """

    def number(name: str, otherwise: int) -> int:
        value = environment.get(f"SKYPILOT_{name}", "")
        return int(value) if value.isdigit() else otherwise

    nodes, jobs = max(1, number("NUM_NODES", 1)), max(1, number("NUM_JOBS", 1))
    index = number("JOB_RANK", 0) * nodes + number("NODE_RANK", 0)
    return ShardChoice(index, of or jobs * nodes)
