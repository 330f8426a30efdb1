"""Files beside a photograph that belong to it: XMP sidecars, editors' settings, Live Photos."""

import os
from pathlib import Path

from ..atomic import atomic_output
from ..errors import OutputError
from .formats import RAW_SUFFIXES

_XMP = ".xmp"
# settings of RawTherapee, DxO, ON1, Capture One, Apple
_SETTINGS = (".pp3", ".dop", ".on1", ".cos", ".aae")
#: Endings of files that belong to a photograph.
SIDECARS = frozenset({_XMP, *_SETTINGS})
_VIDEOS = (".mov", ".mp4")
_LARGEST = 1 << 26  # bytes


def copy_sidecars(source: Path, target: Path, *, developed: bool) -> tuple[str, ...]:
    """Copy the XMP sidecars of a photograph for its result; nothing is replaced.

    ``a.xmp`` becomes ``a_denoised.xmp`` and ``a.jpg.xmp`` ``a_denoised.jpg.xmp``. The sidecar of a
    raw file holds its development, which is wrong for a picture that is developed already, and
    stays behind.

    Args:
        source: the photograph.
        target: its result, which exists.
        developed: whether the photograph was a raw file and the result is none.

    Returns:
        What lies beside the photograph and was not copied, for people.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg.xmp").touch()
        >>> copy_sidecars(folder / "a.jpg", folder / "b.jpg", developed=False)
        ()
        >>> (folder / "b.jpg.xmp").exists()
        True
    """
    if source.parent.resolve() == target.parent.resolve() and source.name == target.name:
        return ()
    copies, left = choose_sidecars(source, target, _names(source.parent), developed=developed)
    notes = []
    for found, copy in copies:
        if problem := _copied(source.with_name(found), target.with_name(copy)):
            notes.append(problem)
    return (*notes, *left)


def choose_sidecars(
    source: Path, target: Path, names: dict[str, str], *, developed: bool
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Choose what is copied of the files beside a photograph, as :func:`copy_sidecars` says.

    Args:
        source: the photograph; only its name counts, as of the target.
        target: its result.
        names: the names of the files beside it, by their folded names.
        developed: whether the photograph was a raw file and the result is none.

    Returns:
        Pairs of a sidecar's name and its copy's; what is not copied, for people.

    Example:
        >>> choose_sidecars(Path("a.jpg"), Path("b.jpg"), {"a.xmp": "a.XMP"}, developed=False)
        ([('a.XMP', 'b.xmp')], ())
    """
    copies, left = [], []
    for name, copy in (
        (source.stem + _XMP, target.stem + _XMP),
        (source.name + _XMP, target.name + _XMP),
    ):
        found = names.get(name.casefold())
        if found is None or (name == source.stem + _XMP and _is_of_a_raw_file(source, names)):
            continue
        if developed:
            left.append(found)
        else:
            copies.append((found, copy))
    for name, found in names.items():
        stem, suffix = os.path.splitext(name)  # noqa: PTH122  folded names, not paths
        if suffix in _SETTINGS and stem in (source.stem.casefold(), source.name.casefold()):
            left.append(found)
        elif suffix in _VIDEOS and stem == source.stem.casefold() and found != source.name:
            left.append(f"{found} (the video of a Live Photo)")
    notes = (f"beside it, and not copied: {', '.join(sorted(left))}",) if left else ()
    return copies, notes


def _names(folder: Path) -> dict[str, str]:
    try:
        return {name.casefold(): name for name in os.listdir(folder)}  # noqa: PTH208
    except OSError:
        return {}


def _is_of_a_raw_file(source: Path, names: dict[str, str]) -> bool:
    """Whether a raw file of the same name is there, which the shorter name of a sidecar means."""
    suffix = source.suffix.lower()
    stem = source.stem.casefold()
    return suffix not in RAW_SUFFIXES and any(stem + raw in names for raw in RAW_SUFFIXES)


def _copied(sidecar: Path, copy: Path) -> str:
    """Copy a file; returns what went wrong, for people."""
    try:
        if os.path.lexists(copy):
            same = copy.read_bytes() == sidecar.read_bytes()
            return "" if same else f"{copy.name} exists already and is left as it is"
        if sidecar.stat().st_size > _LARGEST:
            return f"beside it, and not copied: {sidecar.name}, which is too large for a sidecar"
        data = sidecar.read_bytes()
        with atomic_output(copy, overwrite=False) as temporary:
            temporary.write_bytes(data)
    except (OSError, OutputError) as error:
        return f"its sidecar {sidecar.name} could not be copied: {error}"
    return ""
