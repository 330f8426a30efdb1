"""A decoded frame <-> its planes of numbers and what they mean."""

import re

import numpy as np

from ..errors import VideoError
from .colour import LUMA_WEIGHTS, Coding, Plane
from .pyav import av

# Layouts in which the same samples stand side by side, and the planar one they are taken apart to.
_PACKED = {
    **dict.fromkeys(("nv12", "nv21"), "yuv420p"),
    **dict.fromkeys(("yuyv422", "uyvy422", "yvyu422", "nv16"), "yuv422p"),
    "nv24": "yuv444p",
    "p010le": "yuv420p10le",
    **dict.fromkeys(("p210le", "nv20le"), "yuv422p10le"),
    "p410le": "yuv444p10le",
    **dict.fromkeys(("rgb24", "bgr24", "rgb0", "bgr0", "0rgb", "0bgr"), "gbrp"),
}
_PLANAR = re.compile(r"(gray|gbrp|yuvj?(420|422|440|444|411|410)p)(9|10|12|14|16)?(le)?")
_HALVINGS = {"410": (2, 2), "411": (2, 0), "420": (1, 1), "422": (1, 0), "440": (0, 1)}

FULL_RANGE = 2  # AVCOL_RANGE_JPEG; numbers of H.273 and FFmpeg from here on
_UNSPECIFIED = (0, 2, 3)
_BT709, _SMPTE170M = 1, 6
_HIGH_DEFINITION = 720  # rows from which on an untagged video is taken for BT.709, as players do

#: Transfer characteristics that the network has not seen, by their number in H.273.
_UNSUITED_TRANSFER = {
    8: "linear light",
    9: "logarithmic",
    10: "logarithmic",
    16: "HDR (PQ)",
    17: "SMPTE 428 (cinema)",
    18: "HDR (HLG)",
}


def working_format(name: str) -> str:
    """Give the planar pixel format in which frames of a given one are worked on, sample for sample.

    Raises:
        VideoError: it has transparency or a palette, or is something else that would not be kept.

    Example:
        >>> working_format("yuvj420p"), working_format("nv12"), working_format("gbrp10le")
        ('yuv420p', 'yuv420p', 'gbrp10le')
        >>> working_format("yuva420p")
        Traceback (most recent call last):
            ...
        invdn.errors.VideoError: its pixel format yuva420p is not supported: only RGB, grey and \
YUV without transparency are
    """
    planar = _PACKED.get(name, name)
    if planar.endswith("be"):
        planar = planar[:-2] + "le"
    if not _PLANAR.fullmatch(planar):
        raise _unsupported(name)
    return planar.replace("yuvj", "yuv")


def coding_of(frame: "av.VideoFrame") -> Coding:
    """Return what the numbers of a frame mean, in its working format.

    A frame that does not say so is taken to have studio range, full for RGB and grey; and the
    matrix of BT.709 from 720 rows on, else of BT.601.

    Raises:
        VideoError: pixel format, matrix or transfer characteristics are not supported.
    """
    name = working_format(frame.format.name)
    if frame.color_trc in _UNSUITED_TRANSFER:
        raise VideoError(
            f"its brightness is coded as {_UNSUITED_TRANSFER[frame.color_trc]}, which the network "
            "has not been trained on; convert it to standard dynamic range (BT.709) first"
        )
    family, subsampling, depth = _parts(name)
    full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
    if subsampling is None:
        unsaid = frame.color_range == 0
        return Coding(depth, full=full or unsaid or family == "gbrp")
    matrix = frame.colorspace
    if matrix in _UNSPECIFIED:
        matrix = _BT709 if frame.height >= _HIGH_DEFINITION else _SMPTE170M
    if matrix not in LUMA_WEIGHTS:
        raise VideoError(
            f"its colour matrix (number {matrix} of ITU-T H.273) is not supported; "
            "convert it to BT.709 first"
        )
    return Coding(depth, full, LUMA_WEIGHTS[matrix], _HALVINGS.get(subsampling, (0, 0)))


def planes_of(frame: "av.VideoFrame") -> tuple[Plane, ...]:
    """Return the stored planes: luma, or luma and two of chroma, or red, green and blue."""
    if frame.format.name in _PACKED or frame.format.name.endswith("be"):
        frame = frame.reformat(format=working_format(frame.format.name))
    planes = tuple(_numbers(frame, number).copy() for number in range(len(frame.planes)))
    return _gbr_to_rgb(planes) if frame.format.name.startswith("gbr") else planes


def with_planes(frame: "av.VideoFrame", planes: tuple[Plane, ...]) -> "av.VideoFrame":
    """Return a frame with other numbers and the same size, time and colour tags.

    In the same format it keeps side data as well, closed captions among it.
    """
    name = working_format(frame.format.name)
    if frame.format.name == name:
        changed = frame
        changed.make_writable()
    else:
        changed = av.VideoFrame(frame.width, frame.height, name)
        changed.pts, changed.time_base = frame.pts, frame.time_base
        changed.duration = frame.duration
        changed.colorspace, changed.color_range = frame.colorspace, frame.color_range
        changed.color_trc, changed.color_primaries = frame.color_trc, frame.color_primaries
        if frame.format.name.startswith("yuvj"):
            changed.color_range = FULL_RANGE
    changed.pict_type = 0  # the encoder decides
    if name.startswith("gbr"):
        planes = _rgb_to_gbr(planes)
    for number, plane in enumerate(planes):
        _numbers(changed, number)[:] = plane
    return changed


def _numbers(frame: "av.VideoFrame", number: int) -> Plane:
    """Return a view of one plane of a planar frame."""
    plane = frame.planes[number]
    _, _, depth = _parts(frame.format.name)
    buffer = memoryview(plane)
    numbers: Plane = (
        np.frombuffer(buffer, np.uint8) if depth == 8 else np.frombuffer(buffer, np.uint16)
    )
    return numbers.reshape(plane.height, -1)[:, : plane.width]


def _parts(planar: str) -> tuple[str, str | None, int]:
    """Return family, chroma subsampling if any, and depth: ``("yuv420p", "420", 8)``."""
    match = _PLANAR.fullmatch(planar)
    if match is None:
        raise _unsupported(planar)
    return match[1], match[2], int(match[3] or 8)


def _unsupported(name: str) -> VideoError:
    return VideoError(
        f"its pixel format {name} is not supported: only RGB, grey and YUV without transparency are"
    )


def _gbr_to_rgb(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    green, blue, red = planes
    return red, green, blue


def _rgb_to_gbr(planes: tuple[Plane, ...]) -> tuple[Plane, ...]:
    red, green, blue = planes
    return green, blue, red
