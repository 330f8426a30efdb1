"""What appears in a folder is given once, and whole."""

import os
from pathlib import Path

from invdn.batch import Job, StopEvent
from invdn.batch.watching import FolderWatch


def _watch(folder: Path) -> FolderWatch:
    return FolderWatch(
        lambda: [Job(path, path.with_suffix(".out")) for path in sorted(folder.glob("*.jpg"))], 0
    )


def _ready(watch: FolderWatch) -> list[str]:
    return [job.source.name for job in watch.ready()]


def test_a_growing_file_waits(tmp_path: Path) -> None:
    watch = _watch(tmp_path)
    photograph = tmp_path / "a.jpg"
    for size in (0, 10, 20, 30):
        photograph.write_bytes(bytes(size))
        assert _ready(watch) == []
    assert _ready(watch) == ["a.jpg"]
    assert _ready(watch) == []


def test_a_changed_file_comes_again(tmp_path: Path) -> None:
    watch = _watch(tmp_path)
    photograph = tmp_path / "a.jpg"
    photograph.write_text("cut sh")
    assert (_ready(watch), _ready(watch)) == ([], ["a.jpg"])
    photograph.write_text("cut short no more")
    assert (_ready(watch), _ready(watch), _ready(watch)) == ([], ["a.jpg"], [])


def test_a_file_that_comes_back_unchanged_is_known(tmp_path: Path) -> None:
    """As on a network drive that is away for a while."""
    watch = _watch(tmp_path)
    photograph, aside = tmp_path / "a.jpg", tmp_path / "aside"
    photograph.write_text("whole")
    assert (_ready(watch), _ready(watch)) == ([], ["a.jpg"])
    photograph.rename(aside)
    assert _ready(watch) == []
    aside.rename(photograph)
    assert (_ready(watch), _ready(watch)) == ([], [])


def test_an_empty_file_waits(tmp_path: Path) -> None:
    watch = _watch(tmp_path)
    (tmp_path / "a.jpg").touch()
    assert [_ready(watch) for _ in range(3)] == [[], [], []]


def test_rounds_until_it_is_to_stop(tmp_path: Path) -> None:
    stop = StopEvent()
    found = []
    (tmp_path / "0.jpg").write_text("first")
    for jobs in _watch(tmp_path).rounds(stop):
        found += [job.source.name for job in jobs]
        os.link(tmp_path / "0.jpg", tmp_path / f"{len(found)}.jpg")
        if len(found) == 3:
            stop.request("enough")
    assert found == ["0.jpg", "1.jpg", "2.jpg"]
