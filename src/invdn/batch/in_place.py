"""Photographs that are changed in place, as editors hand them over: whole or not at all."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..atomic import output_error
from ..errors import InputError, OutputError
from ..photo.formats import SUFFIXES
from .plan import Job, Plan, is_folder
from .runner import free_name


def plan_in_place(inputs: Sequence[str]) -> Plan:
    """Return a plan that makes every photograph its own result.

    A link leads to the file that is changed. A photograph that is named twice is changed once.

    Args:
        inputs: files; editors name them one by one, so that a folder is a mistake.

    Raises:
        InputError: an input is a folder.

    Example:
        >>> [job.target.name for job in plan_in_place(["a.tif", "a.tif"]).jobs]
        ['a.tif']
    """
    jobs = {}
    for given in inputs:
        if is_folder(given):
            raise InputError(f"--in-place changes files, and {given} is a folder; name the files")
        path = Path(os.path.realpath(given))
        jobs[path] = Job(path, path)
    return Plan(tuple(jobs.values()))


def check_in_place(path: Path) -> None:
    """Refuse a file whose format would not stay what it is.

    Raises:
        ImageError: it is no photograph.
        OutputError: its ending does not tell the truth, or its format cannot be written.
    """
    from ..photo.read import format_of_file  # late: a quick --help

    name = format_of_file(path)
    if SUFFIXES.get(path.suffix.lower()) != name:
        can = name in SUFFIXES.values()
        raise OutputError(
            f"cannot change {str(path)!r} in place: it is {name.upper()} inside, "
            + ("which its ending does not say; rename it" if can else "which cannot be written")
        )


@contextmanager
def backed_up(path: Path) -> Iterator[Path]:
    """Keep a copy of a file, ``a_original.tif``, unless the block fails.

    A copy that exists stays: the next is called ``a_original-2.tif``.

    Raises:
        OutputError: the copy cannot be made; the block is not entered then.
    """
    copy = free_name(path.with_name(f"{path.stem}_original{path.suffix}"))
    made = False
    try:
        with path.open("rb") as source, copy.open("xb") as target:
            made = True
            copy.chmod(path.stat().st_mode & 0o777)
            shutil.copyfileobj(source, target, 1 << 20)
            target.flush()
            os.fsync(target.fileno())
        shutil.copystat(path, copy)
    except OSError as error:
        if made:
            copy.unlink(missing_ok=True)
        raise output_error(copy, error) from error
    try:
        yield copy
    except BaseException:
        with suppress(OSError):
            copy.unlink()
        raise
