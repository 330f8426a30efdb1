"""Cameras' raw files in the camera's own colours, for a DNG that keeps all latitude.

::

    mosaic ── black and white level, defects, demosaicing (AHD, under the camera's white balance)
           ── the white balance taken back: linear camera colours, saturation at 1, nothing clipped
           ── a profile of the camera's matrix, by which the network sees the usual rendering
           ── denoised ── a linear DNG with the tags that describe the camera

White balance, exposure and highlights are then a matter for the raw converter, as with the source.

Source: Digital Negative Specification 1.7.1 (Adobe 2023).
"""

import io
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..errors import ImageError
from ..image.curves import LINEAR
from ..image.dtype import Pixels
from ..image.noise_estimation import NoiseEstimate
from .color.icc import SRGB_PRIMARIES, make_matrix_profile, to_pcs
from .color.spaces import ColourSpace
from .containers.ifd import (
    ORIENTATION,
    Directory,
    DirectoryError,
    Entry,
    Layout,
    read_directory,
    serialise,
)
from .containers.opcodes import GainsByPlace, OpcodeError, apply_gains, read_gains
from .containers.tiff import DESCRIPTIVE, IPTC, XMP
from .photo import Metadata, Photo
from .raw import import_rawpy, metadata_of_tags, opened_raw, preview_exif
from .raw_codecs import mosaic_of
from .raw_noise import known_noise
from .read import MAX_PIXELS, format_of_file

_FULL = 65535
_ROWS = 256  # converted in one go
_SUBFILE, _PHOTOMETRIC, _MAKE, _MODEL = 254, 262, 271, 272
_VERSION, _BACKWARD, _UNIQUE_MODEL = 50706, 50707, 50708
_MATRIX, _NEUTRAL, _ILLUMINANT, _D65 = 50721, 50728, 50778, 21
_CROP_ORIGIN, _CROP_SIZE, _USER_CROP, _OPCODES_2, _OPCODES_3 = 50719, 50720, 51125, 51009, 51022
_BLACK, _WHITE, _ACTIVE_AREA = 50714, 50717, 50829
_OPCODES_1, _NOISE_PROFILE, _NOISE_REDUCED = 51008, 51041, 50935
_LOSSLESS_JPEG, _TILE = 7, 256  # pixels a side
_LEAST_NOISE = 0.01  # share of a profile's variance that a result keeps, whatever was removed
# what describes the camera and how its colours are meant; of the first directory
_OF_THE_CAMERA = frozenset(
    {_UNIQUE_MODEL, 50709, *range(50721, 50733), 50734, 50735, 50736, 50739, 50740, 50741}
    | {_ILLUMINANT, 50779, 50827, *range(50831, 50835), 50879, 50931, 50932, 50934, 50936}
    | {*range(50937, 50943), 50964, 50965, 50981, 50982, 51107, 51108, 51109, 51110, 51111}
    | {*range(52529, 52538)}
)
# what describes the picture; of the directory that holds it
_OF_THE_PICTURE = frozenset(
    {50718, 50780, _NOISE_PROFILE, _OPCODES_3, _USER_CROP, _CROP_ORIGIN, _CROP_SIZE}
)
#: Tags that tell of a person or a particular camera, and are left out with the metadata.
PRIVATE = frozenset({50735, 50740, 50827})
_LARGEST_FILE = 4_200_000_000  # bytes
_MOST = 1000.0  # by which no camera's colours differ, and its matrices' condition is below
#: Tags that are true of the whole picture only.
OF_THE_WHOLE = frozenset({_CROP_ORIGIN, _CROP_SIZE, _USER_CROP, _OPCODES_3})
_SRGB_TO_XYZ = np.array(  # from: IEC 61966-2-1, under D65
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
_TURNED = {0: 1, 3: 3, 5: 8, 6: 6}  # LibRaw's number, EXIF's


def read_linear_raw(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = MAX_PIXELS,
    content: BinaryIO | None = None,
) -> Photo:
    """Read a camera's raw file as the drawing above says.

    Args:
        path: the file.
        max_pixels: refuse larger ones before developing them.
        content: what the file holds, where it lies elsewhere than on a disk.

    Returns:
        Linear camera colours as ``(H, W, 3)`` uint16 as the sensor lies, 65535 where it saturates,
        with a profile of the camera, and in ``metadata.camera`` the tags of a DNG.

    Raises:
        ImageError: no raw file, damaged, too large, of a camera that LibRaw does not know, or of
            one whose sensor has not the three colours red, green and blue.
        MissingDependencyError: ``rawpy`` is not installed.
    """
    path = Path(path)
    try:
        if format_of_file(path, content) != "raw":
            raise ImageError(
                "a DNG is made of a camera's raw file only; choose another format for its result"
            )
        if content is not None:
            return _read(content, max_pixels)
        with path.open("rb") as file:
            return _read(file, max_pixels)
    except ImageError as error:
        if str(error).startswith("cannot read"):
            raise
        raise ImageError(f"cannot read {str(path)!r}: {error}") from error
    except OSError as error:
        raise ImageError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def _read(file: BinaryIO, max_pixels: int) -> Photo:
    rawpy = import_rawpy()
    with opened_raw(file, max_pixels, "convert it with Adobe's DNG Converter") as raw:
        if raw.num_colors != 3 or raw.color_desc.decode()[:3] != "RGB":
            raise ImageError("its sensor has not red, green and blue; write a TIFF instead")
        to_srgb = _to_srgb(raw)
        balance = _balance(raw)
        metadata, remarks, gains_by_place = _metadata(file, raw, rawpy, balance)
        stored = raw.postprocess(
            demosaic_algorithm=rawpy.DemosaicAlgorithm.AHD,
            user_wb=[*balance, balance[1]],
            output_color=rawpy.ColorSpace.raw,
            gamma=(1, 1),
            no_auto_bright=True,
            adjust_maximum_thr=0.0,  # white is the camera's, not the brightest pixel
            highlight_mode=rawpy.HighlightMode.Ignore,  # the largest gain is 1: none clips
            user_flip=0,
            output_bps=16,
        )
    gains = balance / balance.max()
    linear: Any = stored
    pixels = _unbalanced(linear, gains)
    apply_gains(pixels, gains_by_place)
    to_profile = to_pcs(SRGB_PRIMARIES) @ to_srgb @ np.diag(gains / gains.min())
    icc = make_matrix_profile("Linear camera colours", to_profile, LINEAR)
    return Photo(pixels, None, replace(metadata, icc=icc), "raw", remarks=remarks)


def noise_of_raw(photo: Photo, estimate: NoiseEstimate, space: ColourSpace) -> NoiseEstimate:
    """Return an estimate of the noise by which the file's own word is believed, if it has one.

    Args:
        photo: any; without linear camera colours the estimate comes back.
        estimate: from the pixels.
        space: of its colours.
    """
    profile = _camera_tags(photo.metadata.camera).get(_NOISE_PROFILE)
    if profile is None:
        return estimate
    values = np.frombuffer(profile.data, "<f8")
    if not np.isfinite(values).all():
        return estimate
    return known_noise(estimate, values, space.from_srgb, space.to_srgb)


def with_noise_removed(photo: Photo, strength: float) -> Photo:
    """Return a result that says how much of its noise was removed (NoiseReductionApplied).

    Its NoiseProfile, where the source has one, is that of the noise that is left.

    Args:
        photo: linear camera colours, denoised.
        strength: 0 to 1.
    """
    camera = _camera_tags(photo.metadata.camera)
    camera[_NOISE_REDUCED] = Entry(5, struct.pack("<2I", round(strength * 10000), 10000))
    if profile := camera.get(_NOISE_PROFILE):
        left = max((1 - strength) ** 2, _LEAST_NOISE)
        values = np.frombuffer(profile.data, "<f8") * left
        camera[_NOISE_PROFILE] = Entry(12, values.astype("<f8").tobytes())
    metadata = replace(photo.metadata, camera=serialise(Directory(camera)))
    return replace(photo, metadata=metadata)


def _balance(raw: Any) -> NDArray[np.float64]:
    """Return gains of red, green and blue: as the camera set them, else of daylight."""
    for gains in (raw.camera_whitebalance, raw.daylight_whitebalance):
        found = np.array(gains[:3], np.float64)
        if np.isfinite(found).all() and found.min() > 0 and found.max() < _MOST * found.min():
            balance: NDArray[np.float64] = found / found[1]
            return balance
    return np.ones(3)


def _unbalanced(stored: NDArray[np.uint16], gains: NDArray[np.float64]) -> Pixels:
    """Return camera colours without white balance, in place."""
    scale = (1 / gains).astype(np.float32)
    for top in range(0, len(stored), _ROWS):
        rows = stored[top : top + _ROWS]
        rows[...] = np.minimum(np.rint(rows * scale), _FULL).astype(np.uint16)
    return stored


def _metadata(
    file: BinaryIO, raw: Any, rawpy: Any, balance: NDArray[np.float64]
) -> tuple[Metadata, tuple[str, ...], tuple[GainsByPlace, ...]]:
    """Return EXIF, XMP, IPTC, the camera's tags; what cannot be kept of it; the lens shading."""
    found, first, picture = Metadata(), Directory(), Directory()
    with suppress(DirectoryError):
        found = metadata_of_tags(file)
        first = read_directory(file)[1]
        picture = mosaic_of(file)[1]
    if found.exif is None:
        found = replace(found, exif=preview_exif(raw, rawpy))
    exif = _directory(found.exif)
    if ORIENTATION not in exif.entries:
        turned = _TURNED.get(raw.sizes.flip, 1)
        exif.entries[ORIENTATION] = Entry(3, struct.pack("<H", turned))
    entries = {}
    remarks: list[str] = []
    shading: tuple[GainsByPlace, ...] = ()
    if _VERSION in first.entries:
        for wanted, directory in ((_OF_THE_CAMERA, first), (_OF_THE_PICTURE, picture)):
            entries.update({t: e for t, e in directory.entries.items() if t in wanted})
        whole = _whole_area(picture, raw)
        if not whole:
            for tag in OF_THE_WHOLE:
                entries.pop(tag, None)
        profile = entries.get(_NOISE_PROFILE)
        if profile and (profile.type != 12 or len(profile.data) not in (16, 48)):
            del entries[_NOISE_PROFILE]
        if _OPCODES_1 in picture.entries:
            remarks.append("left out: its list of bad sensor pixels (OpcodeList1)")
        if _OPCODES_3 in picture.entries and not whole:
            remarks.append("left out: its correction of the lens (OpcodeList3), of another area")
        if opcodes := picture.entries.get(_OPCODES_2):
            try:
                shading = read_gains(opcodes.data, raw.raw_pattern, _size(raw))
                left_out = bool(shading) and not whole
            except OpcodeError as error:
                if whole and not error.optional:
                    raise ImageError(f"{error}; write a TIFF instead") from error
                left_out = True
            if left_out:
                shading = ()
                remarks.append("left out: its correction of lens shading (OpcodeList2)")
            elif shading:
                entries.pop(_NOISE_PROFILE, None)  # it is true of the noise before
    elif crop := _crop(raw):
        entries[_CROP_ORIGIN], entries[_CROP_SIZE] = (
            Entry(4, struct.pack("<2I", *pair)) for pair in crop
        )
    entries.setdefault(_MATRIX, _fractions(_camera_matrix(raw).ravel(), signed=True))
    entries.setdefault(_ILLUMINANT, Entry(3, struct.pack("<H", _D65)))
    entries.setdefault(_NEUTRAL, _fractions(1 / balance))
    names = [_text_of(exif, tag) for tag in (_MAKE, _MODEL)]
    model = names[1] if names[1].startswith(names[0]) else " ".join(names)
    entries.setdefault(_UNIQUE_MODEL, Entry(2, (model.strip() or "Camera").encode() + b"\0"))
    camera = serialise(Directory(entries))
    return replace(found, exif=serialise(exif), camera=camera), tuple(remarks), shading


def _whole_area(picture: Directory, raw: Any) -> bool:
    """Return whether LibRaw gives just the area that the crop counts from."""
    area = picture.entries.get(_ACTIVE_AREA)
    if area is None:
        return bool((raw.sizes.raw_height, raw.sizes.raw_width) == _size(raw))
    form = "<4H" if area.type == 3 else "<4I"
    if len(area.data) != struct.calcsize(form):
        return False
    top, left, bottom, right = struct.unpack(form, area.data)
    return (bottom - top, right - left) == _size(raw)


def _crop(raw: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the camera's own frame: left and top within what LibRaw gives, width and height."""
    sizes = raw.sizes
    left, top = sizes.crop_left_margin - sizes.left_margin, sizes.crop_top_margin - sizes.top_margin
    width, height = sizes.crop_width, sizes.crop_height
    inside = min(left, top) >= 0 and left + width <= sizes.width and top + height <= sizes.height
    return ((left, top), (width, height)) if inside and min(width, height) > 0 else None


def _size(raw: Any) -> tuple[int, int]:
    return raw.sizes.height, raw.sizes.width


def _to_srgb(raw: Any) -> NDArray[np.float64]:
    """Return balanced camera colours to linear sRGB: the file's own, else by LibRaw's table."""
    found = np.array(raw.color_matrix, np.float64)[:3, :3]
    if not found.any():  # a file that holds no matrix of its camera
        seen = np.array(raw.rgb_xyz_matrix, np.float64)[:3] @ _SRGB_TO_XYZ
        white = seen.sum(axis=1, keepdims=True)
        if white.all() and _is_of_a_camera(seen / white):
            found = np.linalg.inv(seen / white)
    if not _is_of_a_camera(found):
        raise ImageError("the colours of its camera are damaged or unknown; write a TIFF instead")
    return found


def _camera_matrix(raw: Any) -> NDArray[np.float64]:
    """Return XYZ under D65 to camera colours, as DNG has it."""
    known = np.array(raw.rgb_xyz_matrix, np.float64)[:3]
    if _is_of_a_camera(known):
        return known
    daylight = np.array(raw.daylight_whitebalance[:3], np.float64)
    to_xyz = _SRGB_TO_XYZ @ _to_srgb(raw) @ np.diag(daylight)
    if not _is_of_a_camera(to_xyz):
        raise ImageError("the colours of its camera are unknown; write a TIFF instead")
    return np.asarray(np.linalg.inv(to_xyz))


def _is_of_a_camera(matrix: NDArray[np.float64]) -> bool:
    """Tell whether colours can be converted by a matrix, and back."""
    if not np.isfinite(matrix).all() or np.abs(matrix).max() > _MOST:
        return False
    return bool(np.linalg.cond(matrix) < _MOST)


def _directory(exif: bytes | None) -> Directory:
    """Return EXIF as tags that belong into a DNG's first directory."""
    try:
        found = read_directory(io.BytesIO(exif or b""))[1]
    except DirectoryError:
        return Directory()
    kept = {tag: entry for tag, entry in found.entries.items() if tag in DESCRIPTIVE}
    return Directory(kept, found.children)


def _text_of(directory: Directory, tag: int) -> str:
    entry = directory.entries.get(tag)
    return entry.data.split(b"\0")[0].decode("utf-8", "replace").strip() if entry else ""


def _fractions(numbers: Any, *, signed: bool = False) -> Entry:
    form = "<2i" if signed else "<2I"
    data = b"".join(struct.pack(form, round(float(n) * 10000), 10000) for n in numbers)
    return Entry(10 if signed else 5, data)


def write_dng(file: BinaryIO, photo: Photo) -> None:
    """Write linear camera colours as a DNG.

    The samples are 16 bits, in tiles of lossless JPEG, as Adobe's converter writes them: of the
    lossless kinds that DNG allows, LibRaw, darktable and RawTherapee open only this one all three.
    Without the package ``imagecodecs`` they are not compressed.

    Args:
        file: empty, open for writing.
        photo: as :func:`read_linear_raw` gives it.
    """
    height, width = photo.pixels.shape[:2]
    if height * width * 6 > _LARGEST_FILE:
        raise ImageError("it is too large for a DNG; write a TIFF instead")
    exif = _directory(photo.metadata.exif)
    camera = _camera_tags(photo.metadata.camera)

    def number(kind: int, *values: int) -> Entry:
        return Entry(kind, struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values))

    entries = exif.entries | camera
    entries |= {
        _SUBFILE: number(4, 0),
        256: number(4, width),
        257: number(4, height),
        258: number(3, 16, 16, 16),
        _PHOTOMETRIC: number(3, 34892),
        277: number(3, 3),
        284: number(3, 1),
        _VERSION: Entry(1, bytes((1, 4, 0, 0))),
        _BACKWARD: Entry(1, bytes((1, 1, 0, 0))),
        _BLACK: number(3, 0, 0, 0),
        _WHITE: number(4, _FULL, _FULL, _FULL),
    }
    for tag, kind, blob in ((XMP, 1, photo.metadata.xmp), (IPTC, 7, photo.metadata.iptc)):
        if blob:
            entries[tag] = Entry(kind, blob)
    file.write(b"II*\0" + bytes(4))
    compressed = _write_tiles if _lossless_jpeg() else _write_strips
    entries |= compressed(file, photo.pixels, number)
    end = file.tell() + file.tell() % 2
    file.seek(end)
    file.write(serialise(Directory(entries, exif.children), Layout(), end))
    file.seek(4)
    file.write(struct.pack("<I", end))


_Number = Callable[..., Entry]


def _lossless_jpeg() -> Any:
    """The encoder, which is of an extra; None where it is not installed."""
    try:
        import imagecodecs
    except ImportError:
        return None
    return imagecodecs.jpeg_encode


def _write_strips(file: BinaryIO, pixels: Pixels, number: _Number) -> dict[int, Entry]:
    height = len(pixels)
    starts, sizes = [], []
    for top in range(0, height, _ROWS):
        data = np.ascontiguousarray(pixels[top : top + _ROWS], "<u2").data
        starts.append(file.tell())
        sizes.append(data.nbytes)
        file.write(data)
    rows = number(4, min(_ROWS, height))
    return {259: number(3, 1), 273: number(4, *starts), 278: rows, 279: number(4, *sizes)}


def _write_tiles(file: BinaryIO, pixels: Pixels, number: _Number) -> dict[int, Entry]:
    encode = _lossless_jpeg()
    height, width = pixels.shape[:2]
    if width < _TILE:  # LibRaw and dcraw decode no tile that is wider than the picture
        data = encode(np.ascontiguousarray(pixels), lossless=True, bitspersample=16)
        file.write(data)
        strip = {273: number(4, 8), 278: number(4, height), 279: number(4, len(data))}
        return {259: number(3, _LOSSLESS_JPEG), **strip}
    starts, sizes = [], []
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile: Any = pixels[top : top + _TILE, left : left + _TILE]
            below, beside = _TILE - tile.shape[0], _TILE - tile.shape[1]
            if below or beside:
                tile = np.pad(tile, ((0, below), (0, beside), (0, 0)))
            data = encode(np.ascontiguousarray(tile), lossless=True, bitspersample=16)
            starts.append(file.tell())
            sizes.append(len(data))
            file.write(data)
            file.write(bytes(len(data) % 2))
    return {
        259: number(3, _LOSSLESS_JPEG),
        322: number(4, _TILE),
        323: number(4, _TILE),
        324: number(4, *starts),
        325: number(4, *sizes),
    }


def _camera_tags(camera: bytes | None) -> dict[int, Entry]:
    try:
        return dict(read_directory(io.BytesIO(camera or b""))[1].entries)
    except DirectoryError:
        return {}


def without_tags(camera: bytes | None, tags: frozenset[int]) -> bytes | None:
    """Return the tags of a camera without some of them."""
    if not camera:
        return camera
    kept = {tag: entry for tag, entry in _camera_tags(camera).items() if tag not in tags}
    return serialise(Directory(kept))
