"""Videos that cannot be read, or not be kept as they are: one clear line before any work."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from invdn.engines.torch_engine import TorchEngine
from invdn.errors import VideoError
from invdn.video import denoise_video
from invdn.video.probe import probe_video
from support.films import film, found

LIMIT = 1_000_000


def _sound_alone(path: Path) -> Path:
    with av.open(str(path), "w") as output:
        voice = output.add_stream("pcm_s16le", 8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=800)
        frame.sample_rate = 8000
        output.mux(voice.encode(frame))
        output.mux(voice.encode(None))
    return path


def test_what_is_seen(tmp_path: Path) -> None:
    seen = probe_video(film(tmp_path / "a.mp4", sound="aac"), max_pixels=LIMIT)
    assert (seen.width, seen.height, seen.frames) == (64, 48, 5)
    assert (seen.pixel_format, seen.damage, seen.captions) == ("yuv420p", None, False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("zero.mp4", b"", "is empty"),
        ("text.mp4", b"this is no video\n" * 100, "cannot be read as a video"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\nnoisy.mp4\n", "cannot be read as a video"),
        ("concat.mp4", b"ffconcat version 1.0\nfile noisy.mp4\n", "cannot be read as a video"),
        ("picture.mkv", b"\x89PNG\r\n\x1a\n" + bytes(200), "cannot be read as a video"),
        ("words.mkv", b"1\n00:00:00,000 --> 00:00:01,000\nhello\n", "cannot be read"),
    ],
)
def test_no_video_at_all(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    film(tmp_path / "noisy.mp4", stamps=[0])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=message):
        probe_video(tmp_path / name, max_pixels=LIMIT)


def test_missing_and_folder(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no such file"):
        probe_video(tmp_path / "gone.mp4", max_pixels=LIMIT)
    with pytest.raises(VideoError, match="not a file"):
        probe_video(tmp_path, max_pixels=LIMIT)


def test_sound_alone(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match="no moving pictures"):
        probe_video(_sound_alone(tmp_path / "voice.mkv"), max_pixels=LIMIT)


def test_too_large(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mp4", stamps=[0])
    with pytest.raises(VideoError, match=r"64x48 .*--max-megapixels"):
        probe_video(source, max_pixels=64 * 48 - 1)


def test_no_timestamps(tmp_path: Path) -> None:
    source = film(tmp_path / "a.h264", container="h264")
    with pytest.raises(VideoError, match="no timestamps"):
        probe_video(source, max_pixels=LIMIT)


def test_interlaced(tmp_path: Path) -> None:
    source = film(
        tmp_path / "a.mkv", options={"x264-params": "tff=1"}, flags=1 << 18 | 1 << 22 | 1 << 29
    )
    with pytest.raises(VideoError, match=r"interlaced .*bwdif"):
        probe_video(source, max_pixels=LIMIT)


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range(tmp_path: Path, transfer: int) -> None:
    source = film(tmp_path / "a.mkv", pixel_format="yuv420p10le", color_trc=transfer)
    with pytest.raises(VideoError, match="HDR"):
        probe_video(source, max_pixels=LIMIT)


def test_transparency(tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", codec="ffv1", pixel_format="yuva444p")
    with pytest.raises(VideoError, match="without transparency"):
        probe_video(source, max_pixels=LIMIT)


def test_a_size_that_changes(tmp_path: Path) -> None:
    plain = {"container": "mpegts", "codec": "mpeg2video", "time_base": Fraction(1, 25)}
    first = film(tmp_path / "a.ts", stamps=range(5), **plain)
    second = film(tmp_path / "b.ts", stamps=range(10, 15), size=(80, 48), **plain)
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(VideoError, match=r"change from 64x48 .* to 80x48"):
        probe_video(both, max_pixels=LIMIT)


def _damaged(source: Path, how: str) -> Path:
    content = bytearray(source.read_bytes())
    if how == "cut":
        del content[len(content) * 6 // 10 :]
    else:
        middle = len(content) // 2
        for place in range(middle, middle + 400):
            content[place] ^= 0x5A
    path = source.with_name(f"{how}_{source.name}")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("how", ["cut", "flipped"])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_damage_is_told_and_the_rest_kept_on_demand(
    engine: TorchEngine, tmp_path: Path, how: str, name: str
) -> None:
    front = {"movflags": "faststart"} if name == "a.mp4" else {}
    source = film(tmp_path / name, stamps=range(0, 800, 40), muxing=front)
    damaged = _damaged(source, how)
    before = damaged.read_bytes()
    with pytest.raises(VideoError, match=r"is damaged: .*--keep-readable denoises the \d+ frames"):
        denoise_video(engine, damaged, tmp_path / "clean.mkv")
    assert not (tmp_path / "clean.mkv").exists()
    result = denoise_video(engine, damaged, tmp_path / "clean.mkv", keep_readable=True)
    assert "could not be read" in result.notes[0]
    kept = found(tmp_path / "clean.mkv").times
    assert 5 <= len(kept) == result.frames <= 20
    assert set(kept) <= set(found(source).times)
    assert damaged.read_bytes() == before


def test_cut_before_its_index(tmp_path: Path) -> None:
    damaged = _damaged(film(tmp_path / "a.mp4"), "cut")
    with pytest.raises(VideoError, match="cut off before its index"):
        probe_video(damaged, max_pixels=LIMIT)
