"""Frames of every layout, and which are refused."""

from fractions import Fraction

import av
import numpy as np
import pytest

from invdn.errors import VideoError
from invdn.video.frames import coding_of, planes_of, with_planes, working_format

LAYOUTS = [
    *("yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuvj420p", "gray", "gbrp"),
    *("yuv420p10le", "yuv422p12le", "yuv444p16le", "gray10le", "gbrp12le"),
    *("nv12", "nv21", "nv16", "nv24", "yuyv422", "uyvy422", "yvyu422"),
    *("p010le", "p210le", "p410le", "nv20le"),
    *("rgb24", "bgr24", "rgb0", "bgr0", "0rgb", "0bgr"),
    *("yuv420p10be", "gbrp10be", "gray16be"),
]


def _frame(layout: str) -> av.VideoFrame:
    """Noise in a layout, made from the planar one so that no colour is converted."""
    planar = working_format(layout)
    frame = av.VideoFrame(50, 38, planar)
    generator = np.random.default_rng(1)
    bits = frame.format.components[0].bits
    for plane in frame.planes:
        kind = np.uint8 if bits == 8 else np.uint16
        numbers = np.frombuffer(memoryview(plane), kind)
        numbers[:] = generator.integers(0, 1 << bits, numbers.shape, kind)
    return frame if layout.startswith("yuvj") else frame.reformat(format=layout)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_sample_comes_through(layout: str) -> None:
    frame = _frame(layout)
    frame.pts, frame.time_base, frame.color_trc = 7, Fraction(1, 25), 1
    planes = planes_of(frame)
    mirrored = with_planes(frame, tuple(plane[:, ::-1] for plane in planes))
    assert mirrored.format.name == working_format(layout)
    assert (mirrored.pts, mirrored.color_trc) == (7, 1)
    for before, after in zip(planes, planes_of(mirrored), strict=True):
        assert np.array_equal(before[:, ::-1], after)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_a_layout_means(layout: str) -> None:
    frame = _frame(layout)
    coding, planes = coding_of(frame), planes_of(frame)
    rgb = coding.to_rgb(planes)
    for before, after in zip(planes, coding.to_planes(rgb), strict=True):
        assert before.shape == after.shape
        if coding.halvings == (0, 0):
            assert np.abs(before.astype(int) - after).max() <= 1


def test_what_a_frame_does_not_say() -> None:
    low, high = av.VideoFrame(64, 576, "yuv420p"), av.VideoFrame(64, 720, "yuv420p")
    assert coding_of(low).weights == (0.299, 0.114)
    assert coding_of(high).weights == (0.2126, 0.0722)
    assert not coding_of(low).full
    assert coding_of(av.VideoFrame(8, 8, "gray")).full
    assert coding_of(av.VideoFrame(8, 8, "gbrp")).full


def test_colours_by_another_reader() -> None:
    """FFmpeg's own conversion agrees within what it rounds."""
    frame = _frame("yuv444p")
    frame.colorspace, frame.color_range = 1, 1
    ours = np.rint(coding_of(frame).to_rgb(planes_of(frame)).clip(0, 1) * 255)
    theirs = frame.to_ndarray(format="rgb24", src_colorspace="itu709")
    assert np.abs(ours - theirs).mean() < 1


@pytest.mark.parametrize("layout", ["yuva420p", "bgra", "pal8", "monob", "ya8", "gbrap", "xyz12le"])
def test_layouts_that_would_lose_something(layout: str) -> None:
    with pytest.raises(VideoError, match=layout):
        working_format(layout)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG"), (8, "linear")])
def test_high_dynamic_range(transfer: int, name: str) -> None:
    frame = av.VideoFrame(8, 8, "yuv420p10le")
    frame.color_trc = transfer
    with pytest.raises(VideoError, match=name):
        coding_of(frame)


def test_a_matrix_that_is_not_known() -> None:
    frame = av.VideoFrame(8, 8, "yuv444p")
    frame.colorspace = 8
    with pytest.raises(VideoError, match="number 8"):
        coding_of(frame)
