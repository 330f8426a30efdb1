"""A look through a whole video before any work: what it holds, and that all of it can be kept.

Decoding costs little beside the network. So what would end the work at the last frame is said
before the first, and the number of frames is known exactly.
"""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import VideoError
from .frames import FULL_RANGE, coding_of, working_format
from .pyav import av

if TYPE_CHECKING:
    from av.buffer import Buffer
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# Containers that are read; playlists, which name other files, and pictures are not among them.
_READABLE = (
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,asf,flv,ogg,mxf,ivf,nut,yuv4mpegpipe,dv"
)
_ENDS_EARLY = 0.02  # of the length that the file claims; containers round it
_ENDS_EARLY_SECONDS = 1.0


@dataclass(frozen=True)
class Presentation:
    """How frames are to be shown, as the first of them says.

    Attributes:
        time_base: seconds of a timestamp's unit.
        colour_range: number of FFmpeg: 0 unsaid, 1 studio, 2 full.
        matrix: number of H.273, as the next two.
        primaries: of red, green and blue.
        transfer: characteristics.
        pixel_shape: width of a pixel over its height.
        display_matrix: how a player turns and mirrors it: 9 numbers, or ``None``.
    """

    time_base: Fraction
    colour_range: int
    matrix: int
    primaries: int
    transfer: int
    pixel_shape: Fraction
    display_matrix: tuple[int, ...] | None


@dataclass(frozen=True)
class VideoProbe:
    """What a video holds.

    Attributes:
        presentation: how its frames are to be shown.
        width: pixels of a frame.
        height: pixels of a frame.
        frames: that can be decoded.
        pixel_format: in which they are worked on; see ``frames.working_format``.
        damage: what could not be read, in words; ``None`` where all could.
        clock: ticks of a second that count all streams' times exactly, or at least the pictures'.
        captions: whether closed captions lie inside the pictures' own data.
    """

    presentation: Presentation
    width: int
    height: int
    frames: int
    pixel_format: str
    damage: str | None
    clock: int
    captions: bool


@contextmanager
def opened(path: Path) -> Iterator["InputContainer"]:
    """Yield a video, open for reading; metadata bytes that are no text come through unchanged.

    Raises:
        VideoError: it is missing, or nothing that can be read as a video.
    """
    _check_file(path)
    options = {"protocol_whitelist": "file", "format_whitelist": _READABLE}
    try:
        container = av.open(f"file:{path}", "r", options=options, metadata_errors="surrogateescape")
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(
            f"{path} cannot be read as a video: it is of a kind that is not known here, or cut off "
            f"before its index ({error.strerror or error})"
        ) from error
    with container:
        yield container


def pictures(container: "InputContainer") -> "VideoStream":
    """Return the stream of moving pictures that a player would show.

    Raises:
        VideoError: there is none that can be decoded.
    """
    moving = [stream for stream in container.streams.video if not is_cover(stream)]
    if not moving:
        raise VideoError("it holds no moving pictures")
    stream = container.streams.best("video")
    if stream is None or stream not in moving:
        stream = moving[0]
    if stream.codec_context is None:
        raise VideoError("its pictures are compressed in a way that FFmpeg cannot decode here")
    return stream


def probe_video(path: Path, *, max_pixels: int) -> VideoProbe:
    """Decode every frame once and look at it.

    Args:
        path: the video.
        max_pixels: refuse larger frames.

    Raises:
        VideoError: it is no video, too large, interlaced, HDR, of changing size or depth, without
            timestamps, or not a single frame can be decoded.
    """
    with opened(path) as container, _capture_ffmpeg_log() as complaints:
        try:
            stream = pictures(container)
            if stream.width * stream.height > max_pixels:
                raise VideoError(
                    f"its frames of {stream.width}x{stream.height} pixels are larger than the "
                    f"limit of {max_pixels / 1e6:g} megapixels (--max-megapixels)"
                )
            look = _Look(stream)
            for packet in packets_of(container):
                if packet.is_corrupt:
                    look.complain(packet.pts, packet.time_base, "a damaged piece")
                if packet.stream.index == stream.index:
                    look.at_packet(packet)
            found = look.result(container, [text.strip() for _, _, text in complaints])
        except VideoError as error:
            raise VideoError(f"{path}: {error}") from error
    return found


class _Look:
    """What has been seen so far."""

    def __init__(self, stream: "VideoStream") -> None:
        self._stream = stream
        self._first: tuple[int, int, str] | None = None
        self._presentation: Presentation | None = None
        self._frames = 0
        self._last = Fraction(-1, 1)
        self._end = Fraction(0)
        self._damage: list[str] = []
        self._captions = False

    def complain(self, pts: int | None, time_base: Fraction | None, what: str) -> None:
        """Note a damage at a time, if it is known."""
        place = "" if pts is None or time_base is None else f" at {float(pts * time_base):.2f} s"
        self._damage.append(what + place)

    def at_packet(self, packet: "Packet[Stream]") -> None:
        """Decode one packet of the pictures."""
        frames = decoded(packet)
        if frames is None:
            self.complain(packet.pts, packet.time_base, "a frame that cannot be decoded")
        for frame in frames or ():
            self._at_frame(frame)

    def _at_frame(self, frame: "VideoFrame") -> None:
        coding_of(frame)
        kind = (frame.width, frame.height, working_format(frame.format.name))
        unit = frame.time_base or Fraction(0)
        time = stamp_of(frame) * unit
        if self._first is None:
            self._first, self._presentation = kind, _presentation(self._stream, frame)
        elif kind != self._first:
            before, now = ("{}x{} {}".format(*each) for each in (self._first, kind))
            raise VideoError(
                f"its frames change from {before} to {now} at {float(time):.2f} s; "
                "cut it there and denoise the parts"
            )
        elif time <= self._last:
            raise VideoError(f"its timestamps run backwards at {float(time):.2f} s; remux it first")
        if frame.interlaced_frame:
            raise VideoError(
                f"it is interlaced (at {float(time):.2f} s), and the network knows whole pictures "
                "only; deinterlace it first, for example with FFmpeg's filter bwdif"
            )
        if frame.is_corrupt:
            self.complain(frame.pts, frame.time_base, "a frame with holes")
        self._captions |= "A53_CC" in _side_data(frame)
        self._frames += 1
        self._last = time
        self._end = time + frame.duration * unit

    def result(self, container: "InputContainer", complaints: list[str]) -> VideoProbe:
        """Return all of it, when the end is reached."""
        if self._first is None or self._presentation is None:
            raise VideoError("not a single frame of it can be decoded")
        damage = [*self._damage, *(f"FFmpeg: {text}" for text in dict.fromkeys(complaints))]
        claimed = _claimed_end(self._stream)
        missing = float(claimed - self._end)
        counted = (
            self._stream.frames if "mp4" not in container.format.name else 0
        )  # edits may hide some
        if missing > max(_ENDS_EARLY_SECONDS, _ENDS_EARLY * float(claimed)):
            damage.append(f"it ends {missing:.1f} s before the length that it claims")
        elif self._frames < (1 - _ENDS_EARLY) * counted - 2:
            damage.append(f"{counted - self._frames} frames of {counted} are missing")
        width, height, pixel_format = self._first
        summary = None
        if damage:
            more = f", and {len(damage) - 1} more" if len(damage) > 1 else ""
            summary = damage[0] + more
        return VideoProbe(
            self._presentation,
            width,
            height,
            self._frames,
            pixel_format,
            summary,
            _clock(self._stream, container),
            self._captions,
        )


def packets_of(container: "InputContainer") -> Iterator["Packet[Stream]"]:
    """Yield everything in the file, in its order, up to the first error of reading."""
    with suppress(av.error.FFmpegError):
        yield from container.demux()


def decoded(packet: "Packet[Stream]") -> list["VideoFrame"] | None:
    """Give the frames that a packet of pictures completes; ``None`` where it cannot be decoded."""
    try:
        return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
    except av.error.FFmpegError:
        return None


def stamp_of(frame: "VideoFrame") -> int:
    """Return when a frame is shown, in units of its time base.

    Raises:
        VideoError: it does not say.
    """
    stamp = frame.pts if frame.pts is not None else frame.dts
    if stamp is None or frame.time_base is None:
        raise VideoError(
            "it carries no timestamps; put it into a container that does, with its frame rate: "
            "ffmpeg -r 25 -i INPUT -c copy OUTPUT.mkv"
        )
    return stamp


def _presentation(stream: "VideoStream", frame: "VideoFrame") -> Presentation:
    matrix = _side_data(frame).get("DISPLAYMATRIX")
    full = frame.format.name.startswith("yuvj")
    return Presentation(
        frame.time_base or Fraction(1),
        FULL_RANGE if full else frame.color_range,
        frame.colorspace,
        frame.color_primaries,
        frame.color_trc,
        stream.sample_aspect_ratio or Fraction(1),
        struct.unpack("=9i", bytes(matrix)) if matrix else None,
    )


def _clock(pictures: "VideoStream", container: "InputContainer") -> int:
    """Return the least common multiple of the streams' ticks a second, where 31 bits hold it."""
    units = [stream.time_base or Fraction(1) for stream in container.streams]
    common = math.lcm(*(unit.denominator for unit in units))
    own = (pictures.time_base or Fraction(1)).denominator
    return next((clock for clock in (common, own) if clock < 2**31), 1000)


def _side_data(frame: "VideoFrame") -> dict[str, "Buffer"]:
    """Return what travels with a frame beside its picture, by FFmpeg's names."""
    side_data: Any = frame.side_data  # typed as less than it is
    return {data.type.name: data for data in side_data}


def _claimed_end(stream: "VideoStream") -> Fraction:
    """Return when the pictures end by what the file says of itself; 0 where it says nothing."""
    if stream.duration is None or stream.time_base is None:
        return Fraction(0)
    return (stream.duration + (stream.start_time or 0)) * stream.time_base


def is_cover(stream: "Stream") -> bool:
    """Return whether a stream is a still picture that stands for the video."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise VideoError(f"there is no such file: {path}")
    if not path.is_file():
        raise VideoError(f"{path} is not a file; give a video")
    if path.stat().st_size == 0:
        raise VideoError(f"{path} is empty; fetch it again from where it came from")


@contextmanager
def _capture_ffmpeg_log() -> Iterator[list[tuple[int, str, str]]]:
    """Collect what FFmpeg complains about: some damage it mentions only there."""
    level, skipping = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.ERROR)
    av.logging.set_skip_repeated(False)  # or a second look at a file would hear nothing
    try:
        with av.logging.Capture(local=False) as complaints:
            yield complaints
    finally:
        av.logging.set_skip_repeated(skipping)
        av.logging.set_level(level)
