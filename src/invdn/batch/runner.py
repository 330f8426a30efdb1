"""A batch: jobs shared by several workers, outcomes in the order of the plan."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from ..leftovers import remove_stale_temporary_files
from .attempt import IN_WORK, Existing, JobRunner, Outcome, Progress, Watch, Work
from .file_facts import stamp_of
from .locks import remove_old_claims
from .originals import InputIndex
from .plan import Job
from .stop import StopEvent


def _unwatched(_: Job) -> AbstractContextManager[Progress]:
    return nullcontext(lambda done, total: None)


def run_batch(
    jobs: Sequence[Job],
    work: Work,
    *,
    existing: Existing = "refuse",
    workers: int = 1,
    stop: StopEvent | None = None,
    watch: Watch = _unwatched,
) -> Iterator[Outcome]:
    """Do all jobs; a photograph that fails does not stop the others.

    Workers are threads that share what the work uses: while one waits for the network, another
    decodes or encodes. Every one holds a photograph in memory. A second batch on the same
    photographs, in this process or another, takes those that are not yet taken.

    Args:
        jobs: what to do; no two with the same target.
        work: makes a result; called from several threads at once if there are several workers.
        existing: what is done where a result exists.
        workers: photographs at a time, 1 or more.
        stop: ends the batch soon and cleanly, from any thread. A full disk requests it too.
        watch: shows the work on a photograph; called in the worker's thread.

    Yields:
        An outcome for every job in the order of the jobs, except that those that another run
        works on come last.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> folder = Path(tempfile.mkdtemp())
        >>> job = Job(folder / "a.jpg", folder / "b.jpg")
        >>> [outcome.status for outcome in run_batch([job], lambda job, overwrite, progress: 1)]
        ['done']
    """
    stop = stop or StopEvent()
    for folder in {job.target.parent for job in jobs}:
        remove_stale_temporary_files(folder)
        remove_old_claims(folder)
    attempt = JobRunner(
        work,
        existing,
        stop,
        watch,
        present={job.target: stamp for job in jobs if (stamp := stamp_of(job.target))},
        originals=InputIndex(job.source for job in jobs),
    )
    busy = []
    with ThreadPoolExecutor(workers, thread_name_prefix="invdn") as pool:
        try:
            for job, outcome in zip(jobs, pool.map(attempt, jobs), strict=True):
                if outcome is None:
                    busy.append(job)
                else:
                    yield outcome
        except BaseException:  # nobody asks for outcomes any more: do not wait for all of them
            stop.request("it was abandoned")
            raise
    for job in busy:
        yield attempt(job) or Outcome(job.source, job.target, "skipped", IN_WORK)
