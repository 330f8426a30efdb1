"""Batches whose work is a copy: what is done, skipped, refused, shared, stopped."""

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from invdn.atomic import atomic_output
from invdn.batch import Existing, Job, Outcome, StopEvent, run_batch
from invdn.batch.runner import Progress, lock_output
from invdn.errors import ImageError, OutputError
from support.systems import needs_posix, not_for_root


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    found = []
    for number in range(6):
        source = tmp_path / f"{number}.jpg"
        source.write_text(f"photograph {number}")
        found.append(Job(source, tmp_path / "out" / source.name, makes_folder=True))
    return found


def copy(job: Job, overwrite: bool, progress: Progress) -> str:
    text = job.source.read_text()
    progress(1, 2)
    progress(2, 2)
    with atomic_output(job.target, overwrite) as temporary:
        temporary.write_text(text)
    return text


def _run(jobs: list[Job], existing: Existing = "refuse", **how: object) -> list[Outcome]:
    return list(run_batch(jobs, copy, existing=existing, **how))  # type: ignore[arg-type]


def _statuses(outcomes: list[Outcome]) -> str:
    return "".join(outcome.status[0] for outcome in outcomes)


@pytest.mark.parametrize("workers", [1, 3])
def test_outcomes_come_in_the_order_of_the_jobs(jobs: list[Job], workers: int) -> None:
    def slow_at_first(job: Job, overwrite: bool, progress: Progress) -> None:
        if job is jobs[0] and workers > 1:
            assert others.wait(60)
        if job is jobs[2]:
            others.set()

    others = threading.Event()
    outcomes = list(run_batch(jobs, slow_at_first, workers=workers))
    assert [outcome.source for outcome in outcomes] == [job.source for job in jobs]
    assert _statuses(outcomes) == "dddddd"


def test_one_failure_of_any_kind_does_not_stop_the_others(jobs: list[Job]) -> None:
    errors = [ImageError("damaged"), MemoryError(), RecursionError("too deep"), OSError(5, "disk")]

    def work(job: Job, overwrite: bool, progress: Progress) -> None:
        if errors:
            raise errors.pop(0)
        copy(job, overwrite, progress)

    outcomes = list(run_batch(jobs, work))
    assert _statuses(outcomes) == "ffffdd"
    assert outcomes[0].reason == "damaged"
    assert outcomes[1].reason.endswith("0.jpg': MemoryError".replace("0", "1"))
    assert "RecursionError: too deep" in outcomes[2].reason


class TestExisting:
    def test_refused(self, jobs: list[Job]) -> None:
        _run(jobs[:2])
        jobs[0].target.write_text("precious")
        outcomes = _run(jobs)
        assert _statuses(outcomes) == "ffdddd"
        assert "--on-conflict skip" in outcomes[0].reason
        assert jobs[0].target.read_text() == "precious"

    def test_skipped(self, jobs: list[Job]) -> None:
        _run(jobs[:2])
        before = jobs[0].target.stat()
        assert _statuses(_run(jobs, "skip")) == "ssdddd"
        assert jobs[0].target.stat() == before

    def test_older_than_its_photograph(self, jobs: list[Job]) -> None:
        _run(jobs)
        os.utime(jobs[1].source, (time.time() + 9,) * 2)
        jobs[1].source.write_text("edited")
        os.utime(jobs[1].source, (time.time() + 9,) * 2)
        skipped = _run(jobs, "skip")
        assert _statuses(skipped) == "ssssss"
        assert "older" in skipped[1].reason and "older" not in skipped[0].reason
        assert _statuses(_run(jobs, "renew")) == "sdssss"
        assert jobs[1].target.read_text() == "edited"

    def test_as_old_as_its_photograph(self, jobs: list[Job]) -> None:
        """A copy that kept its time is not denoised again for ever."""
        _run(jobs)
        result = jobs[1].target.stat()
        os.utime(jobs[1].source, ns=(result.st_atime_ns, result.st_mtime_ns))
        assert _statuses(_run(jobs, "renew")) == "ssssss"

    def test_replaced(self, jobs: list[Job]) -> None:
        _run(jobs)
        jobs[0].target.write_text("old")
        assert _statuses(_run(jobs, "replace")) == "dddddd"
        assert jobs[0].target.read_text() == "photograph 0"

    def test_a_name_that_a_killed_run_reserved(self, jobs: list[Job]) -> None:
        jobs[0].target.parent.mkdir()
        jobs[0].target.touch()
        assert _statuses(_run(jobs[:1], "skip")) == "d"
        assert jobs[0].target.read_text() == "photograph 0"

    @pytest.mark.parametrize("existing", ["refuse", "skip", "replace", "renew"])
    def test_made_by_another_run_meanwhile(self, jobs: list[Job], existing: Existing) -> None:
        outcomes = run_batch(jobs, copy, existing=existing)
        assert next(outcomes).status == "done"
        jobs[5].target.write_text("theirs")  # the worker may be at the second job by now
        *_, last = outcomes
        if last.status == "done":
            pytest.skip("the batch was faster")
        assert (last.status, last.reason) == ("skipped", "another run made it meanwhile")
        assert jobs[5].target.read_text() == "theirs"


class TestOriginals:
    @pytest.mark.parametrize("link", [os.symlink, os.link])
    def test_a_link_to_a_photograph_in_the_place_of_a_result(
        self, jobs: list[Job], link: Callable[[Path, Path], None]
    ) -> None:
        jobs[0].target.parent.mkdir()
        link(jobs[3].source, jobs[0].target)
        outcomes = _run(jobs, "replace")
        assert _statuses(outcomes) == "fddddd"
        assert "it is the photograph" in outcomes[0].reason
        assert jobs[3].source.read_text() == "photograph 3"

    @needs_posix
    def test_a_link_to_another_file(self, jobs: list[Job], tmp_path: Path) -> None:
        jobs[0].target.parent.mkdir()
        (tmp_path / "precious").write_text("mine")
        jobs[0].target.symlink_to(tmp_path / "precious")
        jobs[1].target.symlink_to(tmp_path / "nowhere")
        os.mkfifo(jobs[2].target)
        jobs[3].target.mkdir()
        assert _statuses(_run(jobs[:4], "skip")) == "sfff"
        assert _statuses(_run(jobs[:4], "replace")) == "ffff"
        assert (tmp_path / "precious").read_text() == "mine"
        assert not (tmp_path / "nowhere").exists()

    def test_two_results_that_a_drive_takes_for_one(self, jobs: list[Job]) -> None:
        """As where a.jpg and A.jpg are the same: the second name leads to the first's file."""

        def work(job: Job, overwrite: bool, progress: Progress) -> None:
            copy(job, overwrite, progress)
            if job is jobs[0]:
                os.link(job.target, jobs[1].target)

        outcomes = list(run_batch(jobs[:2], work, existing="replace"))
        assert _statuses(outcomes) == "df"
        assert "became it in this run" in outcomes[1].reason
        assert jobs[0].target.read_text() == "photograph 0"


class TestTwoRuns:
    def test_what_another_run_works_on_comes_last(self, jobs: list[Job]) -> None:
        jobs[0].target.parent.mkdir()
        with lock_output(jobs[1].target):
            outcomes = _run(jobs)
        assert [outcome.source.stem for outcome in outcomes] == list("023451")
        assert (outcomes[-1].status, outcomes[-1].reason) == (
            "skipped",
            "another run is working on it",
        )
        assert not jobs[1].target.exists()

    def test_what_it_gave_up_meanwhile_is_done(self, jobs: list[Job]) -> None:
        jobs[0].target.parent.mkdir()
        with lock_output(jobs[1].target):
            outcomes = run_batch(jobs, copy)
            seen = [next(outcomes) for _ in range(5)]
        seen.extend(outcomes)
        assert _statuses(seen) == "dddddd"

    @pytest.mark.parametrize("existing", ["refuse", "skip", "replace"])
    def test_no_photograph_is_done_twice(self, jobs: list[Job], existing: Existing) -> None:
        together = threading.Barrier(2)
        made: list[Path] = []

        def work(job: Job, overwrite: bool, progress: Progress) -> None:
            made.append(job.source)
            time.sleep(0.01)
            copy(job, overwrite, progress)

        def run() -> None:
            together.wait()
            found = list(run_batch(jobs, work, existing=existing))
            assert {outcome.status for outcome in found} <= {"done", "skipped"}

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(made) == [job.source for job in jobs]
        assert {path.name for path in jobs[0].target.parent.iterdir()} == {
            job.target.name for job in jobs
        }


class TestStopping:
    @pytest.mark.parametrize("workers", [1, 2])
    def test_in_the_middle(self, jobs: list[Job], workers: int) -> None:
        stop = StopEvent()

        def work(job: Job, overwrite: bool, progress: Progress) -> None:
            if job is jobs[2]:
                stop.request("enough")
            copy(job, overwrite, progress)

        outcomes = list(run_batch(jobs, work, workers=workers, stop=stop))
        assert len(outcomes) == 6
        assert outcomes[2].status == outcomes[5].status == "left"
        assert "done" in {outcome.status for outcome in outcomes[:2]}
        again = _run(jobs, "skip")
        assert {outcome.status for outcome in again} == {"done", "skipped"}
        assert [job.target.read_text() for job in jobs] == [f"photograph {n}" for n in range(6)]

    def test_a_batch_that_nobody_asks_any_more_ends(self, jobs: list[Job]) -> None:
        before = set(threading.enumerate())
        outcomes = run_batch(jobs, copy)
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
        assert set(threading.enumerate()) <= before

    def test_a_full_disk_ends_it(self, jobs: list[Job]) -> None:
        def work(job: Job, overwrite: bool, progress: Progress) -> None:
            if job is jobs[1]:
                error = OSError(errno.ENOSPC, "No space left on device")
                raise OutputError("cannot write: the disk is full") from error
            copy(job, overwrite, progress)

        stop = StopEvent()
        assert _statuses(list(run_batch(jobs, work, stop=stop))) == "dfllll"
        assert stop.reason == "the disk is full"


@not_for_root
def test_a_read_only_folder_is_known_before_the_work(jobs: list[Job]) -> None:
    def work(job: Job, overwrite: bool, progress: Progress) -> None:
        raise AssertionError("it worked in vain")

    jobs[0].target.parent.mkdir(0o500)
    (outcome,) = run_batch(jobs[:1], work)
    assert outcome.status == "failed" and "permission is denied" in outcome.reason


class TestAPhotographThatChanges:
    def test_while_it_is_read(self, jobs: list[Job]) -> None:
        def work(job: Job, overwrite: bool, progress: Progress) -> None:
            if job is jobs[0]:
                with job.source.open("a") as file:
                    file.write(" grows")
            copy(job, overwrite, progress)

        outcomes = list(run_batch(jobs, work))
        assert _statuses(outcomes) == "fddddd"
        assert "it changed meanwhile" in outcomes[0].reason
        assert not jobs[0].target.exists()

    def test_that_vanishes(self, jobs: list[Job]) -> None:
        jobs[0].source.unlink()

        def work(job: Job, overwrite: bool, progress: Progress) -> None:
            if not job.source.exists():
                raise ImageError("there is no such file")
            copy(job, overwrite, progress)

        assert _statuses(list(run_batch(jobs, work))) == "fddddd"
