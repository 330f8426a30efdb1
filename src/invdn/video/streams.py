"""The streams of the result: pictures that are compressed anew, and all else copied as it is."""

import io
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..errors import VideoError
from .encoders import EncoderConfig
from .probe import VideoProbe, is_cover, opened
from .pyav import av

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

# What a container says of itself, which the new one says of its own.
_OWN_METADATA = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "ENCODER", "DURATION"}
)
# What MP4 and MOV have fields of their own for, as FFmpeg calls it.
_MP4_FIELDS = frozenset(
    {
        *("title", "artist", "album_artist", "composer", "album", "date", "comment", "genre"),
        *("copyright", "grouping", "lyrics", "description", "synopsis", "show", "episode_id"),
        *("network", "keywords", "creation_time", "timecode", "location"),
    }
)


def has_own_keys(source: "InputContainer") -> bool:
    """Return whether the video says of itself what MP4 has no field for, as telephones do.

    Such keys and a cover picture exclude each other in MP4 as FFmpeg writes it.
    """
    return not {name.lower() for name in _kept(source.metadata)} <= _MP4_FIELDS


def copy_description(source: "InputContainer", target: "OutputContainer") -> None:
    """Copy title, place, dates and chapters of the whole video."""
    target.metadata.update(_kept(source.metadata))
    chapters = source.chapters()
    if chapters:
        target.set_chapters(chapters)


@dataclass(frozen=True)
class Streams:
    """The streams of a result.

    Attributes:
        pictures: compressed anew.
        copies: of the source's other streams, by their number there.
        left_out: streams that the container cannot hold, in words.
    """

    pictures: "VideoStream"
    copies: dict[int, "Stream"]
    left_out: tuple[str, ...]


def add_streams(
    source: "InputContainer",
    target: "OutputContainer",
    pictures: "VideoStream",
    seen: VideoProbe,
    choice: EncoderConfig,
    *,
    drop: bool,
) -> Streams:
    """Return a stream of the target for every stream of the source, in the same order.

    Args:
        source: the video.
        target: the container to be written.
        pictures: the source's stream that is denoised.
        seen: what is known about it.
        choice: the encoder for it.
        drop: leave out what the target cannot hold, instead of failing.

    Raises:
        VideoError: the container cannot hold one of them.
    """
    made: VideoStream | None = None
    copies: dict[int, Stream] = {}
    left_out: list[str] = []
    for stream in source.streams:
        if stream.index == pictures.index:
            made = _add_pictures(target, choice, pictures, seen)
            continue
        if stream.type == "data" and _is_written_anew(stream):
            continue
        if is_cover(stream) and target.format.name == "matroska":
            _attach_cover(stream, target)
        elif _holds(target, stream, own_keys=has_own_keys(source)):
            copies[stream.index] = _add_copy(stream, target)
        elif drop:
            left_out.append(_describe(stream))
        else:
            raise VideoError(
                f"the {_describe(stream)} does not go into this kind of file; choose another "
                "(.mkv and .mov hold most), or leave such streams out with --drop-streams"
            )
    if made is None:
        raise VideoError("its pictures are not among its streams any more: it has changed")
    return Streams(made, copies, tuple(left_out))


def _add_pictures(
    target: "OutputContainer", choice: EncoderConfig, pictures: "VideoStream", seen: VideoProbe
) -> "VideoStream":
    """Return the stream of the denoised pictures, with everything that tells how to show them."""
    rate = pictures.average_rate or Fraction(25)
    made = cast(
        "VideoStream",
        target.add_stream(choice.codec.encoder, rate, options=dict(choice.options)),
    )
    look, context = seen.presentation, made.codec_context
    context.width, context.height = seen.width, seen.height
    context.pix_fmt = choice.pixel_format
    context.time_base = made.time_base = look.time_base
    context.color_range = look.colour_range
    context.colorspace = look.matrix
    context.color_primaries = look.primaries
    context.color_trc = look.transfer
    context.sample_aspect_ratio = look.pixel_shape
    if choice.codec.tag and target.format.name in ("mp4", "mov"):
        context.codec_tag = choice.codec.tag
    made.disposition = pictures.disposition
    made.metadata.update(_kept(pictures.metadata))
    made.set_display_matrix(look.display_matrix)
    return made


def _is_written_anew(stream: "Stream") -> bool:
    """Return whether the container makes a data stream again: timecode or chapters."""
    return "timecode" in stream.metadata or stream.discard == av.stream.Discard.all


def _holds(target: "OutputContainer", stream: "Stream", *, own_keys: bool) -> bool:
    """Return whether a kind of file can hold a copy of a stream: by trial, the only way to know."""
    kind = target.format.name
    if is_cover(stream) and kind in ("mp4", "mov") and own_keys:
        return False
    trial = av.open(io.BytesIO(), "w", format=kind)
    try:
        _add_copy(stream, trial)
        trial.start_encoding()
    except (ValueError, av.error.FFmpegError):
        return False
    finally:
        with suppress(av.error.FFmpegError):
            trial.close()
    return True


def _attach_cover(stream: "Stream", target: "OutputContainer") -> None:
    """Attach a cover picture as Matroska holds it."""
    with opened(Path(stream.container.name.removeprefix("file:"))) as again:
        picture = next(bytes(packet) for packet in again.demux(again.streams[stream.index]))
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    name = stream.metadata.get("filename", f"cover.{kind.replace('jpeg', 'jpg')}")
    target.add_attachment(name, stream.metadata.get("mimetype", f"image/{kind}"), picture)


def _add_copy(stream: "Stream", target: "OutputContainer") -> "Stream":
    if isinstance(stream, av.stream.AttachmentStream):
        return target.add_attachment(
            stream.name or "attachment",
            stream.mimetype or "application/octet-stream",
            stream.data,
        )
    copy = target.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(_kept(stream.metadata))
    copy.disposition = stream.disposition
    return copy


def _kept(metadata: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name not in _OWN_METADATA}


def _describe(stream: "Stream") -> str:
    """Return a stream in words: ``subtitle stream 3 (mov_text)``."""
    context = stream.codec_context
    kind = context.name if context is not None else getattr(stream, "name", None)
    return f"{stream.type} stream {stream.index} ({kind or 'unknown coding'})"
