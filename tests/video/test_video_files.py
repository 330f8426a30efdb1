"""The road from video to video."""

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from invdn.engines import open_engine
from invdn.engines.torch_engine import TorchEngine
from invdn.errors import OutputError, VideoError
from invdn.inference import DenoiseOptions, denoise_pixels
from invdn.video import Encoding, default_target, denoise_video
from invdn.video.colour import LUMA_WEIGHTS, Coding
from support.films import film, found
from support.systems import ROOT

LOSSLESS = Encoding("ffv1")
UNEVEN = (0, 40, 55, 200, 201, 1000)


def test_frames_are_denoised_one_by_one(engine: TorchEngine, tmp_path: Path) -> None:
    source = film(tmp_path / "noisy.mkv", codec="ffv1", pixel_format="yuv422p10le")
    options = DenoiseOptions(seed=5, strength=1)
    result = denoise_video(engine, source, tmp_path / "clean.mkv", options, LOSSLESS)
    coding = Coding(10, full=False, weights=LUMA_WEIGHTS[6], halvings=(1, 0))
    noisy, clean = found(source), found(tmp_path / "clean.mkv")
    assert len(clean.planes) == result.frames == 5
    for before, after in zip(noisy.planes, clean.planes, strict=True):
        pixels = denoise_pixels(engine, coding.to_rgb(before).clip(0, 1), options)
        for expected, plane in zip(coding.to_planes(pixels), after, strict=True):
            assert np.array_equal(expected, plane)


def test_blotches_are_taken_off_every_frame(engine: TorchEngine, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    source = tmp_path / "blotches.mkv"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 256, 224, "yuv444p"
        for _ in range(2):
            waves = gaussian_filter(random.normal(size=(224, 256, 3)), (5, 5, 0))
            waves -= waves.mean(axis=2, keepdims=True)
            pixels = 120 + random.normal(0, 3, waves.shape) + 6 * waves / waves.std()
            frame = av.VideoFrame.from_ndarray(np.rint(pixels).astype(np.uint8), "rgb24")
            output.mux(stream.encode(frame.reformat(format="yuv444p")))
        output.mux(stream.encode())
    made = {}
    for taken in (True, False):
        target = tmp_path / f"{taken}.mkv"
        denoise_video(engine, source, target, DenoiseOptions(blotches=taken), LOSSLESS)
        made[taken] = found(target).planes
    assert len(made[True]) == 2
    for ones, others in zip(made[True], made[False], strict=True):
        assert np.abs(np.subtract(ones[1].astype(int), others[1])).mean() > 0.5


@pytest.mark.skipif(
    not (ROOT and hasattr(os, "sched_getscheduler")),
    reason="only an administrator's process can become one of real time, on Linux",
)
def test_the_process_stays_an_ordinary_one(engine: TorchEngine, tmp_path: Path) -> None:
    found: set[int] = set()

    def look(*_: int) -> None:
        threads = Path("/proc/self/task").iterdir()
        found.update(os.sched_getscheduler(int(thread.name)) for thread in threads)

    before = os.sched_getscheduler(0)
    source = film(tmp_path / "noisy.mp4")
    denoise_video(engine, source, tmp_path / "clean.mp4", encoding=Encoding("av1"), progress=look)
    assert found == {before} == {os.sched_getscheduler(0)}


def test_one_latent_for_all_frames(engine: TorchEngine, tmp_path: Path) -> None:
    """What does not move does not flicker: equal frames stay equal."""
    source = film(tmp_path / "still.mkv", codec="ffv1", seed=None)
    denoise_video(engine, source, tmp_path / "clean.mkv", encoding=LOSSLESS)
    first, *others = found(tmp_path / "clean.mkv").planes
    for frame in others:
        for expected, plane in zip(first, frame, strict=True):
            assert np.array_equal(expected, plane)


def test_a_latent_for_each_frame_would_flicker_more() -> None:
    """The reason for it, with the shipped weights on a still scene under fresh noise."""
    engine = open_engine(device="cpu")
    generator = np.random.default_rng(3)
    scene = np.linspace(0.2, 0.8, 64, dtype=np.float32)[None, :, None].repeat(32, 0).repeat(3, 2)
    noisy = [(scene + generator.normal(0, 0.02, scene.shape)).astype(np.float32) for _ in range(6)]
    one = DenoiseOptions(latent_std=1, strength=1)
    fixed = [denoise_pixels(engine, frame, one) for frame in noisy]
    drawn = [denoise_pixels(engine, frame, replace(one, seed=t)) for t, frame in enumerate(noisy)]
    flicker = [float(np.sqrt(np.var(frames, axis=0).mean())) for frames in (noisy, drawn, fixed)]
    assert flicker[0] > flicker[1] > flicker[2], flicker


@pytest.mark.parametrize(
    ("ending", "codec", "time_base"),
    [
        (".mp4", "auto", Fraction(1, 1000)),
        (".mp4", "h264", Fraction(1, 90000)),
        (".mp4", "vp9", Fraction(1, 12800)),
        (".mov", "hevc", Fraction(1, 600)),
        (".mkv", "auto", Fraction(1, 1000)),
        (".webm", "vp9", Fraction(1, 1000)),
    ],
)
def test_uneven_times_are_kept_exactly(
    engine: TorchEngine, tmp_path: Path, ending: str, codec: str, time_base: Fraction
) -> None:
    source = film(
        tmp_path / f"noisy{'.mkv' if ending in ('.mkv', '.webm') else '.mp4'}",
        stamps=[37 + stamp for stamp in UNEVEN],
        time_base=time_base,
    )
    target = tmp_path / f"clean{ending}"
    denoise_video(engine, source, target, encoding=Encoding(codec))
    before, after = found(source), found(target)
    assert before.times == [(37 + stamp) * time_base for stamp in UNEVEN]
    assert after.times == before.times


@pytest.mark.parametrize(
    ("pixel_format", "codec"),
    [
        ("yuv420p", "av1"),
        ("yuv420p10le", "av1"),
        ("yuv444p", "vp9"),
        ("yuv422p10le", "h264"),
        ("yuv420p10le", "hevc"),
        ("yuv444p12le", "hevc"),
        ("yuv422p", "ffv1"),
        ("gbrp10le", "ffv1"),
        ("gray", "ffv1"),
    ],
)
def test_subsampling_depth_and_colours_are_kept(
    engine: TorchEngine, tmp_path: Path, pixel_format: str, codec: str
) -> None:
    rgb = pixel_format.startswith("gb")
    colours = (2, 0, 9, 14) if rgb else (1, 9, 9, 14)
    if pixel_format == "gray":
        colours = (2, 2, 9, 14)
    names = ("color_range", "colorspace", "color_primaries", "color_trc")
    source = film(
        tmp_path / "noisy.mkv",
        codec="ffv1",
        pixel_format=pixel_format,
        **dict(zip(names, colours, strict=True)),
    )
    result = denoise_video(engine, source, tmp_path / "clean.mkv", encoding=Encoding(codec))
    assert (result.pixel_format, result.codec) == (pixel_format, codec)
    look = found(tmp_path / "clean.mkv").look
    assert (look["size"], look["format"]) == ((64, 48), pixel_format)
    assert look["colours"] == colours


def test_full_range_stays_full(engine: TorchEngine, tmp_path: Path) -> None:
    source = film(tmp_path / "noisy.mov", codec="mjpeg", pixel_format="yuvj422p")
    denoise_video(engine, source, tmp_path / "clean.mov", encoding=Encoding("h264", crf=1))
    before, after = found(source), found(tmp_path / "clean.mov")
    assert before.look["format"] == after.look["format"] == "yuvj422p"
    assert abs(float(before.planes[0][0].mean()) - float(after.planes[0][0].mean())) < 40


@pytest.mark.parametrize("size", [(63, 47), (65, 2), (5, 5)])
def test_odd_sizes(engine: TorchEngine, tmp_path: Path, size: tuple[int, int]) -> None:
    source = film(tmp_path / "noisy.mkv", codec="ffv1", size=size)
    result = denoise_video(engine, source, tmp_path / "clean.mkv")
    assert result.codec in ("av1", "vp9")
    assert found(tmp_path / "clean.mkv").look["size"] == size
    with pytest.raises(VideoError, match=r"h264 cannot hold frames of .*choose (av1|vp9)"):
        denoise_video(engine, source, tmp_path / "other.mkv", encoding=Encoding("h264"))


def test_a_single_frame(engine: TorchEngine, tmp_path: Path) -> None:
    source = film(tmp_path / "noisy.mp4", stamps=[0])
    assert denoise_video(engine, source, tmp_path / "clean.mp4").frames == 1
    assert len(found(tmp_path / "clean.mp4").planes) == 1


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_rotation_and_pixel_shape(engine: TorchEngine, tmp_path: Path, codec: str) -> None:
    quarter = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    source = film(tmp_path / "noisy.mp4", matrix=quarter, sample_aspect_ratio=Fraction(16, 11))
    denoise_video(engine, source, tmp_path / "clean.mp4", encoding=Encoding(codec))
    before, after = found(source).look, found(tmp_path / "clean.mp4").look
    assert before["rotation"] == after["rotation"] == -90
    assert before["shape"] == after["shape"] == Fraction(16, 11)


def test_oblong_pixels_go_where_they_can_be_told(engine: TorchEngine, tmp_path: Path) -> None:
    source = film(tmp_path / "noisy.mkv", sample_aspect_ratio=Fraction(4, 3))
    with pytest.raises(VideoError, match="not square; choose h264 or hevc"):
        denoise_video(engine, source, tmp_path / "clean.mkv", encoding=Encoding("av1"))
    assert denoise_video(engine, source, tmp_path / "clean.mkv").codec == "h264"
    assert found(tmp_path / "clean.mkv").look["shape"] == Fraction(4, 3)


@pytest.mark.parametrize(
    ("ending", "sound"), [(".mp4", "aac"), (".mkv", "pcm_s16le"), (".webm", "libopus")]
)
def test_sound_is_copied_packet_by_packet(
    engine: TorchEngine, tmp_path: Path, ending: str, sound: str
) -> None:
    codec = "libvpx-vp9" if ending == ".webm" else "libx264"
    source = film(tmp_path / f"noisy{ending}", codec=codec, sound=sound, stamps=range(0, 480, 40))
    denoise_video(engine, source, tmp_path / f"clean{ending}")
    before, after = (
        found(source).others["audio"],
        found(tmp_path / f"clean{ending}").others["audio"],
    )
    assert len(before) > 5
    assert after == before


def _png() -> bytes:
    encoder = av.CodecContext.create("png", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 8, 8, "rgb24"
    encoder.time_base = Fraction(1)
    (packet,) = encoder.encode(av.VideoFrame(8, 8, "rgb24"))
    return bytes(packet)


def _rich(path: Path) -> Path:
    """A Matroska file with subtitles, a font, a cover, chapters and titles."""
    with av.open(str(path), "w") as output:
        pictures = output.add_stream("libx264", 25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        words = output.add_mux_stream("subrip")
        words.time_base = Fraction(1, 1000)
        words.metadata["language"] = "deu"
        output.add_attachment("letters.ttf", "application/x-truetype-font", b"glyphs" * 50)
        output.add_attachment("cover.png", "image/png", _png())
        output.metadata.update(title="Sea", comment="caf\u00e9")
        output.set_chapters(
            [
                {
                    "id": 1,
                    "start": 0,
                    "end": 90,
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": "one"},
                }
            ]
        )
        for number in range(4):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane in frame.planes:
                np.frombuffer(memoryview(plane), np.uint8)[:] = 100 + number
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(pictures.encode(frame))
        packet = av.Packet(b"hello\n")
        packet.stream, packet.pts, packet.dts, packet.duration = words, 40, 40, 50
        packet.time_base = Fraction(1, 1000)
        output.mux(packet)
        output.mux(pictures.encode(None))
    return path


def test_everything_else_is_kept(engine: TorchEngine, tmp_path: Path) -> None:
    source = _rich(tmp_path / "noisy.mkv")
    result = denoise_video(engine, source, tmp_path / "clean.mkv")
    assert result.notes == ()
    assert found(tmp_path / "clean.mkv").others == found(source).others
    with av.open(str(source)) as before, av.open(str(tmp_path / "clean.mkv")) as after:
        assert [stream.type for stream in after.streams] == [s.type for s in before.streams]
        assert after.metadata["title"] == "Sea"
        assert after.metadata["COMMENT"] == "caf\u00e9"
        assert after.streams.subtitles[0].metadata["language"] == "deu"
        assert after.streams.attachments[0].data == before.streams.attachments[0].data
        assert after.streams.video[1].metadata["filename"] == "cover.png"
        (chapter,) = after.chapters()
        assert chapter["metadata"] == {"title": "one"}
        assert chapter["end"] * chapter["time_base"] == Fraction(90, 1000)


def test_what_the_container_cannot_hold(engine: TorchEngine, tmp_path: Path) -> None:
    source = _rich(tmp_path / "noisy.mkv")
    with pytest.raises(VideoError, match=r"subtitle stream 1 .* does not go.*drop-streams"):
        denoise_video(engine, source, tmp_path / "clean.mp4")
    assert not (tmp_path / "clean.mp4").exists()
    result = denoise_video(engine, source, tmp_path / "clean.mp4", drop_streams=True)
    assert [note.split(": ")[1].split()[0] for note in result.notes] == ["subtitle", "attachment"]
    with av.open(str(tmp_path / "clean.mp4")) as after:
        assert after.metadata["title"] == "Sea"
        _, cover = after.streams.video
        assert cover.disposition == av.stream.Disposition.attached_pic


def test_what_a_telephone_writes_of_itself(engine: TorchEngine, tmp_path: Path) -> None:
    own = {"com.apple.quicktime.location.ISO6709": "+48.2+16.4/", "title": "Sea"}
    source = film(tmp_path / "noisy.mov", metadata=own, container="mov", stamps=[0, 40])
    with av.open(str(source)) as before:
        kept = {name: value for name, value in before.metadata.items() if name in own}
    denoise_video(engine, source, tmp_path / "clean.mov")
    with av.open(str(tmp_path / "clean.mov")) as after:
        assert kept
        assert kept.items() <= after.metadata.items()


def test_brighter_than_white_is_kept(tmp_path: Path) -> None:
    """Cameras record up to 254 where white is 235; screens cut it off, editors need it."""
    source = tmp_path / "noisy.mkv"
    with av.open(str(source), "w") as output:
        stream = output.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(2):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane, value in zip(frame.planes, (250, 128, 128), strict=True):
                np.frombuffer(memoryview(plane), np.uint8)[:] = value
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    denoise_video(open_engine(device="cpu"), source, tmp_path / "clean.mkv", encoding=LOSSLESS)
    luma = found(tmp_path / "clean.mkv").planes[0][0]
    assert abs(float(np.median(luma)) - 250) < 5


def test_progress_counts_every_pass(engine: TorchEngine, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    source = film(tmp_path / "noisy.mp4", stamps=range(0, 120, 40))
    denoise_video(
        engine,
        source,
        tmp_path / "clean.mp4",
        DenoiseOptions(num_samples=2, strength=1),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(number, 9) for number in range(1, 10)]


def test_an_interrupt_leaves_nothing_behind(engine: TorchEngine, tmp_path: Path) -> None:
    source = film(tmp_path / "noisy.mp4", sound="aac")

    def interrupt(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    for name in ("clean.mp4", "clean.mkv"):
        with pytest.raises(KeyboardInterrupt):
            denoise_video(engine, source, tmp_path / name, progress=interrupt)
    assert [path.name for path in tmp_path.iterdir()] == ["noisy.mp4"]


def _no_work(done: int, total: int) -> None:
    raise AssertionError("the network ran")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("taken.mp4", "exists already"),
        ("no/such/folder.mp4", "create the folder"),
        ("clean.gif", "names no known kind of video; use one of .mp4"),
        ("clean", "names no known kind"),
    ],
)
def test_targets_that_cannot_be_written(
    engine: TorchEngine, tmp_path: Path, name: str, message: str
) -> None:
    source = film(tmp_path / "noisy.mp4", stamps=[0])
    (tmp_path / "taken.mp4").write_bytes(b"precious")
    with pytest.raises(OutputError, match=message):
        denoise_video(engine, source, tmp_path / name, progress=_no_work)
    assert (tmp_path / "taken.mp4").read_bytes() == b"precious"


def test_overwriting_when_asked(engine: TorchEngine, tmp_path: Path) -> None:
    source = film(tmp_path / "noisy.mp4", stamps=[0])
    original = source.read_bytes()
    (tmp_path / "taken.mp4").write_bytes(b"old")
    denoise_video(engine, source, tmp_path / "taken.mp4", overwrite=True)
    assert len(found(tmp_path / "taken.mp4").planes) == 1
    with pytest.raises(OutputError, match="which is read here"):
        denoise_video(engine, source, source, overwrite=True)
    assert source.read_bytes() == original


def test_where_results_go_by_themselves() -> None:
    assert default_target(Path("a/SEA.MP4"), "_x") == Path("a/SEA_x.MP4")
    assert default_target(Path("a/sea.ts"), "_x") == Path("a/sea_x.mkv")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length(
    engine: TorchEngine, tmp_path: Path, peak: Callable[[Path, Path], int]
) -> None:
    """Four times the frames, whose 120 more take 28 MB; one run differs from another by 5."""
    pytest.importorskip("invdn.engines._native", reason="the native engine was not built")
    size: dict[str, Any] = {"codec": "ffv1", "size": (320, 240)}
    short = film(tmp_path / "short.mkv", stamps=range(0, 40 * 40, 40), **size)
    long = film(tmp_path / "long.mkv", stamps=range(0, 160 * 40, 40), **size)
    peaks = [peak(path, tmp_path / f"clean_{path.name}") for path in (short, long)]
    assert peaks[1] - peaks[0] < 10_000_000
