"""Which encoder is taken, and what is said where none fits."""

from dataclasses import replace

import pytest

from invdn.errors import InputError, VideoError
from invdn.video import encoders
from invdn.video.encoders import Encoding, FrameSpec, choose

PLAIN = FrameSpec("mp4", "yuv420p", 64, 48, square=True)


@pytest.mark.parametrize(
    ("demand", "name"),
    [
        (PLAIN, "av1"),
        (replace(PLAIN, pixel_format="yuv420p10le", container="webm"), "av1"),
        (replace(PLAIN, pixel_format="yuv444p"), "vp9"),
        (replace(PLAIN, width=2, height=1), "vp9"),
        (replace(PLAIN, pixel_format="yuv422p10le"), "h264"),
        (replace(PLAIN, container="mov"), "h264"),
        (replace(PLAIN, container="matroska", square=False), "h264"),
        (replace(PLAIN, pixel_format="yuv420p12le"), "hevc"),
    ],
)
def test_the_first_that_fits(demand: FrameSpec, name: str) -> None:
    assert choose(Encoding(), demand).name == name


@pytest.mark.parametrize(
    ("codec", "demand", "message"),
    [
        (
            "av1",
            replace(PLAIN, container="mov"),
            "does not go into a mov file; choose h264 or hevc",
        ),
        ("av1", replace(PLAIN, pixel_format="yuv422p"), "cannot hold yuv422p frames; choose vp9"),
        ("h264", replace(PLAIN, width=63), "cannot hold frames of 63x48 pixels; choose av1"),
        ("ffv1", replace(PLAIN, container="webm"), "does not go into a webm file; choose av1"),
        ("auto", replace(PLAIN, pixel_format="gray16le"), "the codec ffv1, which loses nothing"),
    ],
)
def test_what_does_not_fit_is_told_with_what_does(
    codec: str, demand: FrameSpec, message: str
) -> None:
    with pytest.raises(VideoError, match=message):
        choose(Encoding(codec), demand)


def test_an_encoder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build of FFmpeg without the GPL's parts, for example."""
    gone = replace(encoders.CODECS["h264"], encoder="libx264_that_is_not_there")
    monkeypatch.setattr(encoders, "CODECS", {**encoders.CODECS, "h264": gone})
    with pytest.raises(VideoError, match="which this build of FFmpeg lacks; choose av1"):
        choose(Encoding("h264"), PLAIN)
    assert choose(Encoding(), replace(PLAIN, container="mov")).name == "hevc"


def test_quality_is_handed_on() -> None:
    assert choose(Encoding("h264", crf=3), PLAIN).options["crf"] == "3"
    assert choose(Encoding("av1"), PLAIN).options["crf"] == "20"
    assert "crf" not in choose(Encoding("ffv1"), replace(PLAIN, container="matroska")).options


@pytest.mark.parametrize(
    ("codec", "crf", "message"),
    [
        ("divx", None, "codec must be auto, av1"),
        ("auto", 20, "name the codec too"),
        ("ffv1", 1, "loses nothing"),
        ("av1", 64, "from 0 to 63"),
        ("h264", -1, "from 0 to 51"),
    ],
)
def test_impossible_wishes(codec: str, crf: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Encoding(codec, crf)
