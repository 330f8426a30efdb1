"""The list of jobs: every photograph once, with the file that it becomes.

Results are never written over photographs, whatever these are called. The same file may go by
several names: through links, or because the drive does not tell large letters from small ones.
Some drives give a file a new number for each of its names as well, so that the names have to be
looked at too.
"""

import glob
import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Formatter

from ..errors import InputError
from ..photo.formats import PHOTOGRAPH_SUFFIXES, SIDECARS, SUFFIXES

Identity = tuple[int, int]
Stamp = tuple[int, int, int]
#: Bytes of a name on nearly all file systems.
LONGEST = 255
_FIELDS = {
    "stem": "the photograph's name without its ending",
    "suffix": "the result's ending, with the dot",
    "parent": "the name of the photograph's folder",
    "extension": "the photograph's ending, without the dot",
}
_NAMED = 5  # files that a note names


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


@dataclass(frozen=True)
class Source:
    """One photograph.

    Attributes:
        path: where it is.
        place: its folder, relative to the folder that was searched.
        searched: it was found in a folder, and not named.
    """

    path: Path
    place: Path = Path()
    searched: bool = False


@dataclass
class Findings:
    """What the inputs led to.

    Attributes:
        sources: photographs in a stable order: as the inputs are named, folders by name.
        unreadable: what looks like a photograph or folder and cannot be read, and why.
        linked: linked folders that were not entered.
        passed_over: files in folders that have no photograph's ending.
    """

    sources: list[Source] = field(default_factory=list)
    unreadable: list[tuple[Path, str]] = field(default_factory=list)
    linked: list[Path] = field(default_factory=list)
    passed_over: list[Path] = field(default_factory=list)


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


def find_sources(
    inputs: Sequence[str], *, recursive: bool = False, leave_out: Path | None = None
) -> Findings:
    """Return every photograph that the inputs name.

    Nothing is opened. Of a folder, regular files count (and links to them) that have the ending
    of a photograph and are not hidden; linked folders in it are not entered, so that no circle of
    links has no end.

    Args:
        inputs: files, folders and globs (which a shell may not have expanded).
        recursive: descend into folders.
        leave_out: a folder that is not searched: the one that results go to.

    Raises:
        InputError: a glob matches nothing, or an input is empty.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.jpg", "a.PNG", ".hidden.jpg", "notes.txt"):
        ...     (folder / name).touch()
        >>> [source.path.name for source in find_sources([str(folder)]).sources]
        ['a.PNG', 'b.jpg']
    """
    findings = Findings()
    avoided = identity(leave_out) if leave_out else None
    for path in _expanded(inputs):
        if is_folder(path):
            _search(path, findings, recursive=recursive, avoided=avoided)
        else:  # a missing file fails when it is read, like any unreadable one
            findings.sources.append(Source(path))
    findings.passed_over.sort()
    return findings


def _expanded(inputs: Iterable[str]) -> Iterator[Path]:
    for given in inputs:
        if not given:  # an unset variable of a script, and not the current folder
            raise InputError("an input is empty; name a file or a folder ('.' for this one)")
        if os.path.lexists(given) or not glob.has_magic(given):
            yield Path(given)
            continue
        matches = sorted(glob.glob(given, recursive=True))  # noqa: PTH207  Path.glob takes no '/x/*'
        if not matches:
            raise InputError(f"nothing matches {given}")
        yield from map(Path, matches)


def _search(folder: Path, findings: Findings, *, recursive: bool, avoided: Identity | None) -> None:
    """Add the photographs in a folder; folders in it in their place among the files."""
    waiting: list[tuple[Path, Path, bool]] = [(folder, Path(), True)]
    while waiting:
        path, place, is_folder = waiting.pop()
        if not is_folder:
            findings.sources.append(Source(path, place, searched=True))
            continue
        if avoided and identity(path) == avoided and path != folder:
            continue
        try:
            with os.scandir(path) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            findings.unreadable.append((path, f"cannot search {str(path)!r}: {error.strerror}"))
            continue
        inner = place if path == folder else place / path.name
        for entry in entries:
            kind = _kind(entry, path / entry.name, findings)
            if kind == "photograph":
                waiting.append((path / entry.name, inner, False))
            elif kind == "folder" and recursive:
                waiting.append((path / entry.name, inner, True))


def _kind(entry: os.DirEntry[str], path: Path, findings: Findings) -> str:
    """Return ``"photograph"``, ``"folder"`` or ``""``."""
    if entry.name.startswith("."):
        return ""
    looks_right = path.suffix.lower() in PHOTOGRAPH_SUFFIXES
    try:
        if entry.is_dir(follow_symlinks=False):
            return "folder"
        if not looks_right and not entry.is_symlink():
            if entry.is_file() and path.suffix.lower() not in SIDECARS:
                findings.passed_over.append(path)
            return ""
        mode = entry.stat().st_mode
    except OSError as error:
        if looks_right:
            reason = "the link leads nowhere" if entry.is_symlink() else error.strerror
            findings.unreadable.append((path, f"cannot read {str(path)!r}: {reason}"))
        return ""
    if stat.S_ISDIR(mode):
        findings.linked.append(path)
        return ""
    return "photograph" if looks_right and stat.S_ISREG(mode) else ""


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Return whether it is a folder, or a link to one; no, where permission is denied.

    Example:
        >>> is_folder(".")
        True
    """
    found = _stat(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def is_regular(path: str | os.PathLike[str]) -> bool:
    """Return whether it is a regular file, or a link to one; no, where permission is denied.

    Example:
        >>> is_regular(".")
        False
    """
    found = _stat(path)
    return found is not None and stat.S_ISREG(found.st_mode)


def identity(path: str | os.PathLike[str]) -> Identity | None:
    """Return what is the same under every name of a file, links too; None: it is not there.

    Example:
        >>> identity(".") == identity(Path.cwd())
        True
    """
    found = _stat(path)
    return found and (found.st_dev, found.st_ino)


def stamp_of(path: str | os.PathLike[str]) -> Stamp | None:
    """Return what changes with the contents of a file: inode, size, time; None: it is not there.

    Example:
        >>> stamp_of("no such file")
    """
    found = _stat(path)
    return found and (found.st_ino, found.st_size, found.st_mtime_ns)


def modified(path: str | os.PathLike[str]) -> int:
    """Return when it was changed last, in nanoseconds; 0: it is not there.

    Example:
        >>> modified("no such file")
        0
    """
    found = _stat(path)
    return found.st_mtime_ns if found else 0


def _stat(path: str | os.PathLike[str]) -> os.stat_result | None:
    try:
        return Path(path).stat()
    except (OSError, ValueError):
        return None


class InputIndex:
    """The photographs of a batch.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> (folder / "link.jpg").symlink_to("a.jpg")
        >>> originals = InputIndex([folder / "a.jpg"])
        >>> originals.behind(folder / "link.jpg").name, originals.behind(folder / "b.jpg")
        ('a.jpg', None)
    """

    def __init__(self, photographs: Iterable[Path]) -> None:
        self._located = cache(os.path.realpath)
        self._identities = {}
        self._names = {}
        for path in photographs:
            if found := identity(path):
                self._identities[found] = path
                self._names[self._name(path)] = path

    def behind(self, target: Path) -> Path | None:
        """Return the photograph that would be written over with a target; None: there is none."""
        found = identity(target)
        if found is None:
            return None
        if original := self._identities.get(found):
            return original
        other = self._names.get(self._name(target))
        if other is None:
            return None
        here, there = stamp_of(target), stamp_of(other)
        return other if here and there and here[1:] == there[1:] else None

    def _name(self, path: Path) -> str:
        return _folded(os.path.join(self._located(path.parent), path.name))  # noqa: PTH118


class Listing:
    """The names in folders, listed when they are asked for.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> Listing().other_spelling(folder / "a.jpg")  # so it is called
    """

    def __init__(self) -> None:
        self._names: dict[Path, frozenset[str]] = {}

    def other_spelling(self, path: Path) -> str | None:
        """Return what a file that exists is really called; None: as the path says.

        A drive that does not tell large letters from small ones finds it under either.
        """
        name, folder = _composed(path.name), path.parent
        if name in self._names.get(folder, ()) or name in self._list(folder):
            return None
        alike = (other for other in self._names[folder] if _folded(other) == _folded(name))
        return next(alike, None)

    def _list(self, folder: Path) -> frozenset[str]:
        try:
            self._names[folder] = frozenset(map(_composed, os.listdir(folder)))  # noqa: PTH208
        except OSError:
            self._names[folder] = frozenset()
        return self._names[folder]


def _composed(name: str) -> str:
    """Return an accent and its letter as one, whichever way the drive stores them."""
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return _composed(name).casefold()
