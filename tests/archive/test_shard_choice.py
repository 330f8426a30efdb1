"""Which shard is meant, as schedulers tell."""

import pytest

from invdn.archive import FailureLimit, ShardChoice
from invdn.errors import InputError


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"JOB_COMPLETION_INDEX": "4"}, (4, None)),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "9"}, (0, 9)),
        ({"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "2"}, (7, None)),
        ({"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NUM_NODES": "3"}, (1, 3)),
        # a managed job of its own has a rank as well, and no number of jobs
        (
            {"SKYPILOT_JOB_RANK": "0", "SKYPILOT_NUM_JOBS": "None"}
            | {"SKYPILOT_NODE_RANK": "2", "SKYPILOT_NUM_NODES": "3"},
            (2, 3),
        ),
        (
            {"SKYPILOT_JOB_RANK": "2", "SKYPILOT_NUM_JOBS": "5"}
            | {"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NUM_NODES": "2"},
            (5, 10),
        ),
        ({"CLOUD_RUN_TASK_INDEX": "2", "CLOUD_RUN_TASK_COUNT": "4"}, (2, 4)),
        ({"SGE_TASK_ID": "1"}, (0, None)),
        ({"SGE_TASK_ID": "undefined", "LSB_JOBINDEX": "12"}, (11, None)),
    ],
)
def test_schedulers(variables: dict[str, str], expected: tuple[int, int | None]) -> None:
    choice = ShardChoice.parse("auto", variables)
    assert (choice.index, choice.of) == expected


def test_a_number_of_workers_beats_the_scheduler() -> None:
    assert ShardChoice.parse("auto/20", {"SLURM_ARRAY_TASK_ID": "7"}) == ShardChoice(7, 20)


@pytest.mark.parametrize("text", ["", "17/", "-1/5", "a", "1/2/3", "auto/x"])
def test_nonsense(text: str) -> None:
    with pytest.raises(InputError, match="--shard"):
        ShardChoice.parse(text, {})


def test_nobody_told() -> None:
    with pytest.raises(InputError, match=r"JOB_COMPLETION_INDEX.*--shard 17/500"):
        ShardChoice.parse("auto", {})
    with pytest.raises(InputError, match="SLURM_ARRAY_TASK_ID of SLURM is '%a'"):
        ShardChoice.parse("auto", {"SLURM_ARRAY_TASK_ID": "%a"})


def test_every_shard_has_one_worker() -> None:
    done = [shard for index in range(7) for shard in ShardChoice(index, 7).of_plan(40)]
    assert sorted(done) == list(range(40))
    assert [*ShardChoice(3).of_plan(8)] == [3]
    assert [*ShardChoice(9, 10).of_plan(4)] == []
    with pytest.raises(InputError, match="from 0 to 7"):
        ShardChoice(8).of_plan(8)


@pytest.mark.parametrize("text", ["", "%", "0.5", "-1", "101%", "1e3"])
def test_no_limit(text: str) -> None:
    with pytest.raises(InputError, match="--max-failures"):
        FailureLimit.parse(text)


def test_limits() -> None:
    assert FailureLimit.parse("0").of(9) == 0
    assert FailureLimit.parse("0.1%").of(999) == 0
    assert FailureLimit.parse("10%").of(50) == 5
