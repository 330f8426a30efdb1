"""The list of jobs: every photograph once, with the file that it becomes."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter

from ..errors import InputError
from ..photo.formats import SUFFIXES
from .file_identity import InputIndex, is_folder, is_regular
from .sources import Source, find_sources

#: Bytes of a name on nearly all file systems.
LONGEST = 255
_FIELDS = {
    "stem": "the photograph's name without its ending",
    "suffix": "the result's ending, with the dot",
    "parent": "the name of the photograph's folder",
    "extension": "the photograph's ending, without the dot",
}


@dataclass(frozen=True)
class NameTemplate:
    """A text like ``{stem}_clean{suffix}``.

    A name depends on its photograph only, and not on the others or the day: so that a second run
    finds what the first one made.

    Attributes:
        text: file name with the fields ``{stem}``, ``{suffix}`` (of the result), ``{parent}`` and
            ``{extension}`` (of the photograph). ``{stem}`` must be there; ``{{`` is a brace.

    Raises:
        InputError: the text is no such template.

    Example:
        >>> NameTemplate("{parent}-{stem}_clean{suffix}").name(Path("rome/IMG_1.tif"), ".jpg")
        'rome-IMG_1_clean.jpg'
        >>> NameTemplate("{stem}{index}.jpg")
        Traceback (most recent call last):
            ...
        invdn.errors.InputError: the name '{stem}{index}.jpg' holds {index}; there are {stem}, \
{suffix}, {parent} and {extension}
    """

    text: str

    def __post_init__(self) -> None:
        try:
            parts = list(Formatter().parse(self.text))
        except ValueError as error:
            raise InputError(f"the name {self.text!r} is no template: {error}") from error
        fields = [field for _, field, _, _ in parts if field is not None]
        wrong = [field for field in fields if field not in _FIELDS]
        if wrong or any(form or conversion for _, _, form, conversion in parts):
            found = f"{{{wrong[0]}}}" if wrong else "a field with a format"
            raise InputError(
                f"the name {self.text!r} holds {found}; there are {{stem}}, {{suffix}}, {{parent}} "
                "and {extension}"
            )
        if re.search(r"[/\\\0]", self.text):
            raise InputError(
                f"the name {self.text!r} holds a slash or backslash, and it names a file, not a "
                "folder: choose the folder with --output"
            )
        if "stem" not in fields:
            raise InputError(f"the name {self.text!r} lacks {{stem}}: all results would be one")
        if parts[-1][1] != "suffix" and Path(self.text).suffix.lower() not in SUFFIXES:
            raise InputError(
                f"the name {self.text!r} must end in {{suffix}} or in one of {', '.join(SUFFIXES)}"
            )

    @classmethod
    def adding(cls, suffix: str) -> "NameTemplate":
        """Return the photograph's own name with something added.

        Example:
            >>> NameTemplate.adding("_denoised").name(Path("a.png"), ".png")
            'a_denoised.png'
        """
        return cls("{stem}" + suffix.replace("{", "{{").replace("}", "}}") + "{suffix}")

    def name(self, source: Path, suffix: str, longest: int = LONGEST) -> str:
        """Return the name of a photograph's result that ends in ``suffix``.

        Where it would be longer than a name may be, the photograph's own part is cut short, and
        eight digits that stand for the whole of it keep it apart from others.

        Args:
            source: the photograph.
            suffix: the result's ending.
            longest: bytes of a name, or fewer where the system's are longer letters.
        """
        parent = source.parent.name or source.absolute().parent.name
        extension = source.suffix.removeprefix(".")
        stem = source.stem
        mark = f"~{hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]}"
        cut = len(stem)
        while True:
            name = self.text.format(stem=stem, suffix=suffix, parent=parent, extension=extension)
            if len(os.fsencode(name)) <= longest or not cut:
                return name
            cut -= 1
            stem = source.stem[:cut] + mark

    def made(self, name: str) -> bool:
        """Return whether a name looks as if this template had made it.

        That is known of a template that adds something to the end of a name; of any other the
        answer is no.
        """
        added = self.text.removeprefix("{stem}").replace("{suffix}", ".x")
        if added == self.text or "{" in added.replace("{{", ""):
            return False
        ending = Path("a" + added.format()).stem[1:]
        stem = re.sub(r"-[0-9]+$", "", Path(name).stem)  # of several results of one photograph
        return bool(ending) and (stem.endswith(ending) or Path(name).stem.endswith(ending))


_NAMED = 5  # files that a note names


@dataclass(frozen=True)
class Job:
    """One photograph to read and the file to write.

    Attributes:
        source: the photograph.
        target: the file to write.
        makes_folder: the target's folder is ours to make.
    """

    source: Path
    target: Path
    makes_folder: bool = False


@dataclass(frozen=True)
class Plan:
    """What a batch will do.

    Attributes:
        jobs: in the order in which they are reported.
        unreadable: what was found and cannot be read, and why.
        linked: linked folders that were not entered.
        results: what was named and is the result of a photograph here, and that photograph.
        passed_over: files in folders that have no photograph's ending.
    """

    jobs: tuple[Job, ...]
    unreadable: tuple[tuple[Path, str], ...] = ()
    linked: tuple[Path, ...] = ()
    results: tuple[tuple[Path, Path], ...] = ()
    passed_over: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Assignment:
    """Photographs and their targets.

    Attributes:
        jobs: one for each photograph; no two have the same target.
        results: what was named and is the result of a photograph here, and that photograph.
        clashes: pairs of jobs that would have the same target; the first one is in ``jobs``.
    """

    jobs: tuple[Job, ...]
    results: tuple[tuple[Path, Path], ...]
    clashes: tuple[tuple[Job, Job], ...]


def own_suffix(source: Path) -> str:
    """Return the ending of the photograph itself: a result has the format of its source."""
    return source.suffix


def plan(
    inputs: Sequence[str],
    output: Path | None,
    *,
    name: NameTemplate,
    recursive: bool = False,
    suffix_of: Callable[[Path], str] = own_suffix,
) -> Plan:
    """Return every photograph that the inputs name, once, with its target.

    Args:
        inputs: files, folders and globs (which a shell may not have expanded).
        output: a file (for a single input file), a folder, or None: beside each photograph.
        name: makes the names of the results.
        recursive: descend into folders; an output folder then mirrors their structure.
        suffix_of: the ending of a photograph's result.

    Raises:
        InputError: an input names nothing, two photographs would have the same target, or a
            photograph would be written over.
    """
    if output is not None and is_file(output, inputs):
        job = Job(Path(inputs[0]), output)
        _refuse_originals((job,))
        return Plan((job,))
    findings = find_sources(inputs, recursive=recursive, leave_out=output)
    assigned = assign_targets(findings.sources, output, name=name, suffix_of=suffix_of)
    jobs = assigned.jobs
    for first, second in assigned.clashes:
        raise InputError(describe_clash(first, second))
    _refuse_originals(jobs)
    if not jobs and not findings.unreadable:
        raise InputError(_nothing(inputs, recursive) + passed_over(findings.passed_over, "; "))
    unreadable, linked = tuple(findings.unreadable), tuple(findings.linked)
    return Plan(jobs, unreadable, linked, assigned.results, tuple(findings.passed_over))


def assign_targets(
    sources: Iterable[Source],
    output: Path | None,
    *,
    name: NameTemplate,
    suffix_of: Callable[[Path], str] = own_suffix,
) -> Assignment:
    """Return a job for each photograph, once.

    What is itself the result of another photograph is set apart: a second run does not denoise
    what the first one made.
    """
    jobs: dict[Path, tuple[Source, Job]] = {}
    for source in sources:
        folder_of_result = source.path.parent if output is None else output
        result = name.name(source.path, suffix_of(source.path), longest_name(folder_of_result))
        if output is None and source.searched and name.made(source.path.name):
            continue
        target = source.path.with_name(result) if output is None else output / source.place / result
        job = Job(source.path, target, makes_folder=output is not None)
        jobs.setdefault(source.path, (source, job))
    folder = cache(os.path.realpath)
    targets: dict[tuple[str, str], Job] = {}
    for _, job in jobs.values():
        targets.setdefault((folder(job.target.parent), job.target.name), job)
    kept, results, clashes = [], [], []
    for source, job in jobs.values():
        maker = targets.get((folder(job.source.parent), job.source.name), job)
        winner = targets[folder(job.target.parent), job.target.name]
        if maker is not job and os.path.lexists(job.source):
            if not source.searched:
                results.append((job.source, maker.source))
        elif winner is not job:
            clashes.append((winner, job))
        else:
            kept.append(job)
    return Assignment(tuple(kept), tuple(results), tuple(clashes))


@cache
def longest_name(folder: Path) -> int:
    """Return how many bytes a name in a folder may have.

    Example:
        >>> longest_name(Path()) > 100
        True
    """
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # not there yet, or no such question
        return LONGEST


def is_file(output: Path, inputs: Sequence[str]) -> bool:
    """Tell whether an output names a file: one goes in, and no folder has that name."""
    single = len(inputs) == 1 and is_regular(inputs[0])
    return single and bool(output.suffix) and not is_folder(output)


def passed_over(files: Sequence[Path], start: str = "") -> str:
    """Return how many files were passed over and the names of some; empty: none were.

    Example:
        >>> passed_over([Path("a.psd"), Path("notes.txt")])
        'passed over, since they are no photographs here: 2 files (a.psd, notes.txt)'
    """
    if not files:
        return ""
    names = ", ".join(path.name for path in files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    number = f"{len(files)} file{'s' * (len(files) > 1)}"
    return f"{start}passed over, since they are no photographs here: {number} ({names}{more})"


def describe_clash(first: Job, second: Job) -> str:
    """Return what is wrong with two jobs of one target, and what to do."""
    return (
        f"{first.source} and {second.source} would both become {second.target}; denoise them into "
        "different folders, or tell them apart with --name, by {parent} or {extension}"
    )


def _refuse_originals(jobs: Sequence[Job]) -> None:
    """Raise if a target is one of the photographs, under whatever name."""
    originals = InputIndex(job.source for job in jobs)
    for job in jobs:
        if original := originals.behind(job.target):
            raise InputError(
                f"{job.source} would be written over the photograph {original}; choose another "
                "name or folder"
            )


def _nothing(inputs: Sequence[str], recursive: bool) -> str:
    folders = ", ".join(inputs)
    hint = "" if recursive else "; --recursive descends into its folders"
    return f"{folders} holds no photograph that is not a result{hint}"
