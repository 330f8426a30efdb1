"""Small real videos, made with PyAV, and what a reader finds in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

THOUSANDTHS = Fraction(1, 1000)


@dataclass(frozen=True)
class Found:
    """What is in a video: the time and duration of every frame in seconds, their planes, what the
    first says of itself, and the packets of every other stream by its type."""

    times: list[Fraction]
    durations: list[Fraction]
    planes: list[tuple[NDArray[Any], ...]]
    look: dict[str, Any]
    others: dict[str, list[tuple[Fraction, bytes]]]


def film(
    path: Path,
    *,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (64, 48),
    stamps: Iterable[int] = range(0, 200, 40),
    time_base: Fraction = THOUSANDTHS,
    sound: str | None = None,
    matrix: Iterable[int] | None = None,
    options: dict[str, str] | None = None,
    container: str | None = None,
    muxing: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    seed: int | None = 0,
    **context: Any,
) -> Path:
    """Write noise over a ramp as a video; ``seed`` None repeats one frame."""
    generator = np.random.default_rng(seed or 0)
    # MP4 tells starts in thousandths of a second, unless asked for more.
    fine = (
        {"movie_timescale": str(time_base.denominator)} if path.suffix in (".mp4", ".mov") else {}
    )
    with av.open(
        str(path), "w", format=container, container_options=fine | (muxing or {})
    ) as output:
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, 25, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = time_base
        for name, value in context.items():
            setattr(stream.codec_context, name, value)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        voice = output.add_stream(sound, 48000, layout="mono") if sound else None
        output.start_encoding()
        still = _picture(generator, size)
        for stamp in stamps:
            pixels = still if seed is None else _picture(generator, size)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base = stamp, time_base
            output.mux(stream.encode(frame))
            if voice is not None:
                output.mux(_tone(voice, Fraction(stamp) * time_base))
        output.mux(stream.encode(None))
        if voice is not None:
            output.mux(voice.encode(None))
    return path


def found(path: Path) -> Found:
    """Read a video whole."""
    with av.open(str(path)) as container:
        pictures = container.streams.best("video")
        times, durations, planes, look = [], [], [], {}
        others: dict[str, list[tuple[Fraction, bytes]]] = {}
        for packet in container.demux():
            if packet.stream.index != pictures.index:
                if packet.size and packet.pts is not None:
                    kind = others.setdefault(packet.stream.type, [])
                    kind.append((packet.pts * packet.time_base, bytes(packet)))
                continue
            for frame in packet.decode():
                look = look or {
                    "size": (frame.width, frame.height),
                    "format": frame.format.name,
                    "colours": (
                        frame.color_range,
                        frame.colorspace,
                        frame.color_primaries,
                        frame.color_trc,
                    ),
                    "rotation": frame.rotation,
                    "shape": pictures.sample_aspect_ratio,
                    "codec": pictures.codec_context.name,
                }
                times.append(frame.pts * frame.time_base)
                durations.append(frame.duration * frame.time_base)
                planes.append(tuple(_plane(frame, plane) for plane in frame.planes))
    return Found(times, durations, planes, look, others)


def _plane(frame: av.VideoFrame, plane: Any) -> NDArray[Any]:
    kind = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    return np.frombuffer(plane, kind).reshape(plane.height, -1)[:, : plane.width].copy()


def _picture(generator: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    width, height = size
    ramp = np.linspace(60, 190, width)[None, :, None] * np.ones((height, 1, 3))
    return np.clip(ramp + generator.normal(0, 12, ramp.shape), 0, 255).astype(np.uint8)


def _tone(voice: Any, start: Fraction) -> list[av.Packet]:
    samples = (np.sin(np.arange(1920) / 9) * 8000).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
    frame.pts = round(start * 48000)
    return voice.encode(frame)
