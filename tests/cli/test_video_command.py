"""``invdn video`` as a user meets it."""

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner, Result

from invdn.cli import group


def _film(path: Path, frames: int, side: int = 32) -> Path:
    generator = np.random.default_rng(0)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", 25)
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        for number in range(frames):
            pixels = generator.integers(60, 120, (side, side, 3), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    _film(tmp_path / "sea.mp4", 3)
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mkv").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(group, ["video", "--device", "cpu", *arguments])


def _invdn(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "invdn", *arguments], capture_output=True, text=True, check=False
    )


def test_a_video_beside_itself_with_a_report(folder: Path) -> None:
    result = _run("sea.mp4", "--json", "--seed", "4", "-q", "balanced")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["source"], report["target"]) == ("sea.mp4", "sea_denoised.mp4")
    assert (report["frames"], report["codec"], report["pixel_format"]) == (3, "av1", "yuv420p")
    assert (report["options"]["seed"], report["options"]["num_samples"]) == (4, 4)
    with av.open("sea_denoised.mp4") as container:
        assert len(list(container.decode(video=0))) == 3


def test_nothing_but_the_result_is_said(folder: Path) -> None:
    """Encoders that talk past everybody are told not to."""
    for codec in ("av1", "hevc"):
        done = _invdn("video", "sea.mp4", "-o", f"{codec}.mp4", "--codec", codec)
        assert done.returncode == 0
        assert done.stderr == f"sea.mp4 -> {codec}.mp4 (3 frames, {codec})\n"
        assert done.stdout == ""


def test_lossless(folder: Path) -> None:
    assert _run("sea.mp4", "-o", "master.mkv", "--lossless").exit_code == 0
    assert _run("sea.mp4", "--lossless").exit_code == 0
    assert (folder / "sea_denoised.mkv").exists()
    with av.open("master.mkv") as container:
        assert container.streams.video[0].codec_context.name == "ffv1"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("gone.mp4",), 1, "no such file"),
        (("empty.mkv",), 1, "is empty"),
        (("text.mp4",), 1, "cannot be read as a video"),
        ((".",), 1, "not a file"),
        (("sea.mp4", "-o", "text.mp4"), 1, "exists already"),
        (("sea.mp4", "-o", "sea.mp4"), 1, "which is read here"),
        (("sea.mp4", "-o", "sea.gif"), 1, "names no known kind of video"),
        (("sea.mp4", "-o", "no/sea.mp4"), 1, "does not exist"),
        (("sea.mp4", "-o", "sea.webm", "--codec", "h264"), 1, "choose av1 or vp9"),
        (("sea.mp4", "--crf", "20"), 2, "name the codec too"),
        (("sea.mp4", "--codec", "av1", "--crf", "70"), 2, "from 0 to 63"),
        (("sea.mp4", "--lossless", "-o", "sea.mov"), 1, "choose h264 or hevc"),
        (("sea.mp4", "--max-megapixels", "0.001"), 1, "--max-megapixels"),
        (("sea.mp4", "--tile-size", "9"), 2, "tile_size must be 0"),
        (("sea.mp4", "--model", "nothing"), 2, "known: default"),
    ],
)
def test_what_cannot_be_done_is_one_clear_line(
    folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    done = _invdn("video", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_without_pyav_the_message_names_the_command(folder: Path) -> None:
    script = "import sys; sys.modules['av'] = None; from invdn.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, "video", "sea.mp4"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "invdn: videos need PyAV: pip install 'invdn[video]'\n"


def test_ctrl_c_leaves_no_half_written_file(folder: Path) -> None:
    _film(folder / "long.mp4", 80, side=160)
    before = {path.name for path in folder.iterdir()}
    work = subprocess.Popen(
        [sys.executable, "-m", "invdn", "video", "long.mp4"], stderr=subprocess.PIPE, text=True
    )
    while work.poll() is None and not list(folder.glob(".invdn-*.part")):
        time.sleep(0.05)
    time.sleep(0.5)
    work.send_signal(signal.SIGINT)
    _, errors = work.communicate(timeout=120)
    assert work.returncode != 0
    assert "Traceback" not in errors
    assert {path.name for path in folder.iterdir()} == before
