"""What of a photograph goes into a file of a format, and what is left out, with a note.

::

    photograph ── what the user wants left out ── what the format cannot hold ── what is made anew
                  (strip_metadata)                (a note for each)              (thumbnails)

A result also gets a trace of the work: who did it, for whoever finds the file later.
"""

import os
import struct
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..atomic import atomic_output
from ..errors import OutputError
from ..image.orientation import apply_exif_orientation
from .color.hdr import as_normal
from .containers import jpeg, png, tiff
from .containers.gain_map import GainMap
from .containers.heif import GAIN_MAP
from .containers.ifd import (
    ORIENTATION,
    Directory,
    Entry,
    has_thumbnail,
    serialise,
    software,
    thumbnail_size,
    upright,
    with_resolution,
    with_software,
    with_thumbnail,
    without_thumbnail,
)
from .containers.jpeg_attachments import OTHER, PRIMARY, Attachment, index_of, new_index
from .formats import RAW_SUFFIXES, SETTINGS_SUFFIXES, XMP_SUFFIX
from .gain_maps import (
    auxiliary_avif,
    gain_map_of_jpeg,
    iso_segment,
    jpeg_of,
    pixels_of,
    turned,
)
from .iptc import xmp_with_iptc
from .linear_raw import OF_THE_WHOLE, PRIVATE, without_tags
from .photo import Metadata, Photo, WriteOptions
from .reduced import reduced_jpeg
from .xmp import (
    agents,
    promises,
    with_event,
    with_gain_map,
    with_lengths,
    without_promises,
    without_thumbnails,
)

_MOST_EXIF, _MOST_XMP = 65527, 65502  # bytes in a segment of JPEG
_FORMATS = {"jpeg": "JPEG", "png": "PNG", "tiff": "TIFF", "webp": "WebP", "avif": "AVIF"}
_FORMATS |= {"jxl": "JPEG XL", "dng": "DNG"}


def fitted(photo: Photo, name: str, choices: WriteOptions) -> tuple[Photo, tuple[str, ...]]:
    """Fit a photograph to a format and to the user's wishes.

    Args:
        photo: what is to be written.
        name: the format.
        choices: what the user wants of the file.

    Returns:
        The photograph as the file will hold it, its own pixels where they allow it; and what is
        left out, for people.
    """
    notes: list[str] = []
    metadata = photo.metadata
    if choices.strip_metadata:
        left = _beside(metadata)
        metadata = stripped(photo, name)
        if left:
            notes.append(f"left out with the metadata: {_listed(left)}")
    elif photo.format != name:
        metadata, left = _in_another_format(photo, name)
        if left:
            notes.append(f"left out, since {_FORMATS[name]} has no place for it: {_listed(left)}")
    if name == "avif" and metadata.auxiliary:
        metadata, left = _with_auxiliary(metadata)
        if left:
            notes.append(f"left out, since it cannot be decoded: {_listed(left)}")
    if photo.alpha is not None and not photo.transparency and name != "tiff":
        photo = replace(photo, alpha=None, transparency=True)
        notes.append(f"left out, since {_FORMATS[name]} has no place for it: its fourth channel")
    metadata = _without_empty_promises(metadata)
    if name in ("webp", "avif", "jxl"):  # which hold nothing but profile, EXIF and XMP
        if metadata.iptc:
            metadata = replace(metadata, xmp=xmp_with_iptc(metadata.iptc, metadata.xmp))
        if metadata.resolution:
            exif = with_resolution(metadata.exif, metadata.resolution)
            metadata = replace(metadata, exif=exif)
    photo = replace(photo, metadata=metadata)
    if name in ("avif", "jxl") and photo.orientation != 1:
        photo = _turned(photo)
    return photo, tuple(notes)


def with_new_copies(photo: Photo, name: str) -> Photo:
    """Make the small copies that a file holds anew, from the photograph's pixels.

    Args:
        photo: as :func:`fitted` gives it.
        name: the format.
    """
    metadata = photo.metadata
    exif = metadata.exif
    look = as_normal(metadata.codes) if metadata.codes else None
    if exif and name not in ("tiff", "dng") and has_thumbnail(exif):
        size = thumbnail_size(exif)
        small = with_thumbnail(exif, reduced_jpeg(photo.pixels, size, look=look)) if size else exif
        fits = size and (name != "jpeg" or len(small) <= _MOST_EXIF)
        metadata = replace(metadata, exif=small if fits else without_thumbnail(exif))
    metadata = replace(metadata, xmp=without_thumbnails(metadata.xmp))
    if metadata.attachments:
        copies = tuple(_anew(photo, attachment) for attachment in metadata.attachments)
        sizes = [len(attachment.data) for attachment in copies]
        kinds = [attachment.kind for attachment in copies]
        from_end = sum(sizes[kinds.index("video") :]) if "video" in kinds else None
        xmp = with_lengths(metadata.xmp, list(zip(kinds, sizes, strict=True)), from_end)
        metadata = replace(metadata, attachments=copies, xmp=xmp)
    return replace(photo, metadata=metadata)


def of_a_part(photo: Photo) -> Photo:
    """Return a photograph, of which a part will be cut out, without what belongs to the whole.

    Its remarks tell what that is.
    """
    camera = without_tags(photo.metadata.camera, OF_THE_WHOLE)
    photo = replace(photo, metadata=replace(photo.metadata, camera=camera))
    left = _beside(photo.metadata)
    if not left:
        return photo
    metadata = replace(photo.metadata, attachments=(), mpf=None, gain_map=None, auxiliary=())
    metadata = _without_empty_promises(metadata)
    remark = f"left out, since it belongs to the whole: {_listed(left)}"
    return replace(photo, metadata=metadata, remarks=(*photo.remarks, remark))


def label(attachment: Attachment) -> str:
    """Name an attachment for people.

    Example:
        >>> label(Attachment("gain map", b""))
        'its gain map (HDR)'
    """
    match attachment.kind:
        case "gain map":
            return GAIN_MAP
        case "depth map":
            return "its depth map"
        case "preview":
            return "its preview"
        case "video":
            return f"its video ({len(attachment.data) / 1e6:.1f} MB)"
        case "data" if attachment.data.endswith(b"SEFT"):
            video = b"MotionPhoto_Data" in attachment.data
            return "Samsung's trailer" + (" with its video" if video else "")
        case "data":
            return f"{len(attachment.data)} bytes of unknown data behind the picture"
        case _:
            size = attachment.size
            return f"a further picture ({size[0]}x{size[1]})" if size else "a further picture"


def _beside(metadata: Metadata) -> list[str]:
    """Name the pictures, videos and data beside the picture, for people."""
    auxiliary = [item.label for item in metadata.auxiliary]
    return [*map(label, metadata.attachments), *[GAIN_MAP] * bool(metadata.gain_map), *auxiliary]


def _with_auxiliary(metadata: Metadata) -> tuple[Metadata, list[str]]:
    """Return metadata whose auxiliary pictures are AVIFs, and what cannot become one."""
    kept, left = [], []
    for auxiliary in metadata.auxiliary:
        try:
            kept.append(auxiliary_avif(auxiliary))
        except (ValueError, ImportError):
            left.append(auxiliary.label)
    return replace(metadata, auxiliary=tuple(kept)), left


def _in_another_format(photo: Photo, name: str) -> tuple[Metadata, list[str]]:
    """Return metadata without what only the source's format knows, and what that is."""
    metadata = photo.metadata
    left = [label(attachment) for attachment in metadata.attachments]
    if name != "avif":
        left += [auxiliary.label for auxiliary in metadata.auxiliary]
        metadata = replace(metadata, auxiliary=())
    if photo.format == "jpeg":
        left += jpeg.names_of(metadata.native)
    elif photo.format == "png":
        left += png.names_of(metadata.native)
    elif photo.format == "tiff":
        left += tiff.names_of(metadata.native)
    if name in ("tiff", "dng") and has_thumbnail(metadata.exif):
        left.append("the thumbnail in EXIF")
    gain_map = metadata.gain_map
    from_jpeg = next((a for a in metadata.attachments if a.kind == "gain map"), None)
    if name == "avif" and from_jpeg:
        gain_map = gain_map_of_jpeg(from_jpeg)
    metadata = replace(metadata, native=b"", attachments=(), mpf=None, gain_map=None)
    if gain_map is None:
        return metadata, left
    try:
        metadata = _with_gain_map(metadata, gain_map, name)
        left = [thing for thing in left if thing != GAIN_MAP]
    except ValueError:
        left.append(GAIN_MAP)
    return metadata, left


def _with_gain_map(metadata: Metadata, gain_map: GainMap, name: str) -> Metadata:
    """Return metadata with a gain map of another format.

    Raises:
        ValueError: the format has no place for one, or it is damaged.
    """
    if name == "avif":
        pixels_of(gain_map)
        return replace(metadata, gain_map=gain_map)
    if name != "jpeg":
        raise ValueError("no place")
    attachment = Attachment("gain map", jpeg_of(gain_map), 1)
    return replace(
        metadata,
        attachments=(attachment,),
        mpf=new_index([PRIMARY, OTHER]),
        native=iso_segment(),
        xmp=with_gain_map(metadata.xmp, len(attachment.data)),
    )


def _without_empty_promises(metadata: Metadata) -> Metadata:
    """Correct what XMP, segments and index say of attachments that the file will not have."""
    kinds = {attachment.kind for attachment in metadata.attachments}
    if any(a.kind == "data" and b"MotionPhoto_Data" in a.data for a in metadata.attachments):
        kinds.add("video")
    empty = promises(metadata.xmp) - kinds
    metadata = replace(metadata, xmp=without_promises(metadata.xmp, empty))
    if "gain map" not in kinds and metadata.native[:1] == b"\xff":  # a JPEG's
        metadata = replace(metadata, native=jpeg.without_gain_map(metadata.native))
    if metadata.mpf:
        listed = any(attachment.entry is not None for attachment in metadata.attachments)
        mpf, held = index_of(metadata.mpf, metadata.attachments)
        metadata = replace(metadata, mpf=mpf if listed else None, attachments=held)
    return metadata


def _anew(photo: Photo, attachment: Attachment) -> Attachment:
    """Return a smaller copy of the picture, made from its pixels; anything else as it is."""
    size = attachment.size if attachment.kind == "preview" else None
    if size is None:
        return attachment
    quality = photo.compression.quality or 90
    return replace(attachment, data=reduced_jpeg(photo.pixels, size, quality))


def _turned(photo: Photo) -> Photo:
    """Return the photograph upright: readers of AVIF and JPEG XL ignore EXIF's orientation."""
    metadata, alpha = photo.metadata, photo.alpha
    if alpha is not None:
        alpha = apply_exif_orientation(alpha, photo.orientation).copy()
    if metadata.exif:
        metadata = replace(metadata, exif=upright(metadata.exif))
    if metadata.gain_map:
        metadata = replace(metadata, gain_map=turned(metadata.gain_map, photo.orientation))
    pixels = apply_exif_orientation(photo.pixels, photo.orientation).copy()
    return replace(photo, pixels=pixels, alpha=alpha, metadata=metadata)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


_NAME = "InvDN"


def marked(photo: Photo, parameters: str) -> Photo:
    """Return the photograph with the work noted in XMP's history and EXIF's ``Software``.

    What ``Software`` said before stays in front. Blocks that are damaged, or would become too
    large for a JPEG, stay as they are.

    Args:
        photo: the result.
        parameters: how it was made, for people.

    Example:
        >>> import numpy as np
        >>> photo = marked(Photo(np.zeros((4, 4), np.uint8)), "strength 1")
        >>> is_marked(photo)
        True
    """
    metadata = photo.metadata
    xmp = with_event(metadata.xmp, "edited", agent(), parameters)
    if xmp and (not metadata.xmp or len(xmp) <= _MOST_XMP):
        metadata = replace(metadata, xmp=xmp)
    before = software(metadata.exif)
    if _NAME not in before:
        exif = with_software(metadata.exif, f"{before}; {agent()}" if before else agent())
        if len(exif) <= _MOST_EXIF:
            metadata = replace(metadata, exif=exif)
    return replace(photo, metadata=metadata)


def is_marked(photo: Photo) -> bool:
    """Return whether the photograph is a result already."""
    said = (software(photo.metadata.exif), *agents(photo.metadata.xmp))
    return any(_NAME in text for text in said)


@cache
def agent() -> str:
    """Return name and version of this program."""
    try:
        return f"{_NAME} {version('invdn')}"
    except PackageNotFoundError:  # run from a checkout
        return _NAME


def stripped(photo: Photo, name: str) -> Metadata:
    """Keep only what decides the look: colour profile, orientation, a PNG's colour chunks.

    Args:
        photo: whose metadata.
        name: the format it will be written in.

    Example:
        >>> import numpy as np
        >>> grey = np.zeros((8, 8), np.uint8)
        >>> photo = Photo(grey, metadata=Metadata(icc=b"profile", xmp=b"who"))
        >>> stripped(photo, "jpeg") == Metadata(icc=b"profile")
        True
    """
    exif = None
    if photo.orientation != 1:
        exif = serialise(Directory({ORIENTATION: Entry(3, struct.pack("<H", photo.orientation))}))
    native = b""
    if photo.format == name == "png":
        native = png.colour_chunks(photo.metadata.native)
    camera = without_tags(photo.metadata.camera, PRIVATE)
    return Metadata(
        icc=photo.metadata.icc,
        exif=exif,
        native=native,
        codes=photo.metadata.codes,
        light=photo.metadata.light,
        camera=camera,
    )


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
        (source.stem + XMP_SUFFIX, target.stem + XMP_SUFFIX),
        (source.name + XMP_SUFFIX, target.name + XMP_SUFFIX),
    ):
        found = names.get(name.casefold())
        if found is None or (name == source.stem + XMP_SUFFIX and _is_of_a_raw_file(source, names)):
            continue
        if developed:
            left.append(found)
        else:
            copies.append((found, copy))
    for name, found in names.items():
        stem, suffix = os.path.splitext(name)  # noqa: PTH122  folded names, not paths
        if suffix in SETTINGS_SUFFIXES and stem in (source.stem.casefold(), source.name.casefold()):
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
