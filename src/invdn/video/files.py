"""The one road from a noisy video on disk to a clean one.

::

    source ─ demux ─┬─ pictures ─ decode ─ planes ─ RGB ─ network ─ planes ─ encode ─┬─ mux ─ target
                    └─ sound, subtitles, data, chapters: copied as they are ─────────┘

One frame is in the network at a time, and the encoder looks a fixed number of frames ahead, so the
memory does not grow with the length. Every frame is denoised with the same options and so with the
same latent field: what the network draws is drawn alike in every frame and does not flicker.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..atomic import atomic_output, ensure_output
from ..errors import OutputError, VideoError
from ..inference.engine import Engine
from ..inference.pipeline import Progress, denoise_pixels
from ..options import DenoiseOptions
from .encoders import CONTAINERS, EncoderConfig, Encoding, FrameSpec, choose
from .frames import coding_of, planes_of, with_planes
from .probe import VideoProbe, decoded, opened, packets_of, pictures, probe_video, stamp_of
from .pyav import av, own_priority
from .streams import add_streams, copy_description, has_own_keys

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_PIXELS = 40_000_000  # of a frame: somewhat more than 8K


@dataclass(frozen=True)
class VideoResult:
    """What became of one video.

    Attributes:
        source: the file that was read.
        target: the file that was written.
        width: pixels.
        height: pixels.
        frames: that were denoised.
        pixel_format: subsampling and depth, as FFmpeg calls them; the same in both files.
        codec: how the pictures are compressed, a key of ``CODECS``.
        seconds: wall time.
        notes: what the user should know: damage that was skipped, streams that were left out.
    """

    source: Path
    target: Path
    width: int
    height: int
    frames: int
    pixel_format: str
    codec: str
    seconds: float
    notes: tuple[str, ...]


def denoise_video(
    engine: Engine,
    source: Path,
    target: Path,
    options: DenoiseOptions = DenoiseOptions(),
    encoding: Encoding = Encoding(),
    *,
    overwrite: bool = False,
    keep_readable: bool = False,
    drop_streams: bool = False,
    max_pixels: int = MAX_PIXELS,
    progress: Progress | None = None,
) -> VideoResult:
    """Denoise the video ``source`` frame by frame into ``target``.

    Kept: the time of every frame, size, subsampling, depth, colour tags, pixel shape, rotation,
    sound, subtitles, data, chapters and titles. The target appears whole or not at all; its ending
    decides its container.

    Args:
        engine: the network, ready to run.
        source: a video that FFmpeg reads.
        target: the file to write, ``.mp4``, ``.m4v``, ``.mov``, ``.mkv`` or ``.webm``; its folder
            must exist.
        options: how frames are denoised; the same for all.
        encoding: how the result is compressed.
        overwrite: replace ``target`` if it exists.
        keep_readable: denoise what can be read of a damaged video, instead of failing.
        drop_streams: leave out sound, subtitles or data that the container cannot hold, instead of
            failing.
        max_pixels: refuse larger frames before decoding them.
        progress: called after every pass of the network, with all frames' passes in all.

    Raises:
        VideoError: the source is no video, damaged, interlaced or HDR, or cannot be kept as it is
            in such a target; said before the network runs.
        OutputError: the target exists, or cannot be written.
    """
    start = time.perf_counter()
    container = _container_of(target)
    ensure_output(target, overwrite, spare=[source])
    seen = probe_video(source, max_pixels=max_pixels)
    if seen.damage and not keep_readable:
        raise VideoError(
            f"{source} is damaged: {seen.damage}; "
            f"--keep-readable denoises the {seen.frames} frames that can be read"
        )
    with _explained(source):
        square = seen.presentation.pixel_shape == 1
        demand = FrameSpec(container, seen.pixel_format, seen.width, seen.height, square)
        choice = choose(encoding, demand)
    with (
        atomic_output(target, overwrite) as temporary,
        opened(source) as noisy,
        _explained(source),
        _writing(temporary, container, _muxing(container, noisy, seen)) as clean,
    ):
        work = _Work(engine, options, seen.frames, progress)
        left_out = work.run(noisy, clean, seen, choice, drop_streams)
    return VideoResult(
        source,
        target,
        seen.width,
        seen.height,
        work.done,
        seen.pixel_format,
        choice.name,
        time.perf_counter() - start,
        tuple(_notes(seen, choice, left_out)),
    )


class _Work:
    """The frames of one video on their way through the network."""

    def __init__(
        self, engine: Engine, options: DenoiseOptions, frames: int, progress: Progress | None
    ) -> None:
        self._engine = engine
        self._options = options
        self._frames = frames
        self._progress = progress
        self._durations: dict[int, int] = {}
        self.done = 0

    def run(
        self,
        noisy: "InputContainer",
        clean: "OutputContainer",
        seen: VideoProbe,
        choice: EncoderConfig,
        drop: bool,
    ) -> tuple[str, ...]:
        """Denoise and copy everything; the streams that were left out, in words."""
        source = pictures(noisy)
        copy_description(noisy, clean)
        streams = add_streams(noisy, clean, source, seen, choice, drop=drop)
        with own_priority():
            clean.start_encoding()
        for packet in packets_of(noisy):
            copy = streams.copies.get(packet.stream.index)
            if packet.stream.index == source.index:
                for frame in decoded(packet) or ():
                    self._write(clean, streams.pictures, self._denoised(frame))
            elif copy is not None and packet.size:
                packet.stream = copy
                clean.mux(packet)
        self._write(clean, streams.pictures, None)
        return streams.left_out

    def _denoised(self, frame: "VideoFrame") -> "VideoFrame":
        coding, planes = coding_of(frame), planes_of(frame)
        visible = coding.to_rgb(planes).clip(0, 1)
        pixels = denoise_pixels(self._engine, visible, self._options, progress=self._passed)
        if coding.weights is not None:  # brighter than white, as many cameras record
            pixels = pixels + np.maximum(coding.luma(planes[0]) - 1, 0)[..., None]
        self.done += 1
        return with_planes(frame, coding.to_planes(pixels.astype(np.float32, copy=False)))

    def _passed(self, passes: int, of: int) -> None:
        if self._progress is not None:
            self._progress(self.done * of + passes, self._frames * of)

    def _write(
        self, clean: "OutputContainer", made: "VideoStream", frame: "VideoFrame | None"
    ) -> None:
        """Encode a frame, or at the end what the encoder still holds."""
        if frame is not None:
            frame.pts = stamp_of(frame)
            self._durations[frame.pts] = frame.duration
        for packet in made.encode(frame):
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, 0)
            clean.mux(packet)


def default_target(source: Path, suffix: str) -> Path:
    """Return the file beside a video that its result goes to: of the same kind, or else Matroska.

    Example:
        >>> default_target(Path("holiday/sea.mov"), "_clean").name
        'sea_clean.mov'
        >>> default_target(Path("old.avi"), "_clean").name
        'old_clean.mkv'
    """
    ending = source.suffix if source.suffix.lower() in CONTAINERS else ".mkv"
    return source.parent / f"{source.stem}{suffix}{ending}"


def _container_of(target: Path) -> str:
    container = CONTAINERS.get(target.suffix.lower())
    if container is None:
        raise OutputError(
            f"cannot write {str(target)!r}: the ending {target.suffix!r} names no known kind of "
            f"video; use one of {', '.join(CONTAINERS)}"
        )
    return container


@contextmanager
def _explained(source: Path) -> Iterator[None]:
    """Name the video in what is said about it."""
    try:
        yield
    except VideoError as error:
        raise VideoError(f"{source}: {error}") from error


@contextmanager
def _writing(path: Path, container: str, options: dict[str, str]) -> Iterator["OutputContainer"]:
    """Yield a container that is completed if all goes well.

    Raises:
        VideoError: FFmpeg cannot put these streams together; a full disk stays an ``OSError``.
    """
    try:
        clean = av.open(
            f"file:{path}",
            "w",
            format=container,
            container_options=options,
            metadata_errors="surrogateescape",
        )
        try:
            yield clean
        except BaseException:
            with suppress(av.error.FFmpegError):
                clean.close()
            raise
        clean.close()
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise VideoError(
            f"FFmpeg cannot write it ({error.strerror}); try the ending .mkv"
        ) from error


def _muxing(container: str, noisy: "InputContainer", seen: VideoProbe) -> dict[str, str]:
    """Return options for the container.

    MP4 and MOV by themselves drop what they have no field for, and round the start of a stream to a
    thousandth of a second.
    """
    if container not in ("mp4", "mov"):
        return {}
    options = {"movie_timescale": str(seen.clock)}
    return options | ({"movflags": "use_metadata_tags"} if has_own_keys(noisy) else {})


def _notes(seen: VideoProbe, choice: EncoderConfig, left_out: tuple[str, ...]) -> Iterator[str]:
    if seen.damage:
        yield f"what could not be read is missing: {seen.damage}"
    for stream in left_out:
        yield f"left out, since the file cannot hold it: {stream}"
    if seen.captions and choice.name not in ("h264", "hevc"):
        yield f"closed captions inside the pictures are lost in {choice.name}; h264 keeps them"
