"""A file appears whole or not at all, and nothing of the user's is lost."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from invdn.atomic import atomic_output, claim_folder, ensure_folder, ensure_output
from invdn.errors import OutputError
from support.systems import ROOT, needs_posix

NAMES = ["plain.txt", "two\nlines.txt", "😀 ünï.png", "-dash", "a[page=1].tif", "x" * 250]


def write(path: Path, text: str = "new", overwrite: bool = False) -> None:
    with atomic_output(path, overwrite) as temporary:
        temporary.write_text(text)


@pytest.mark.parametrize("name", NAMES)
def test_any_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "new"


def test_nothing_is_there_before_the_end(tmp_path: Path) -> None:
    with atomic_output(tmp_path / "a", overwrite=False) as temporary:
        assert not (tmp_path / "a").exists()
        assert temporary.parent == tmp_path and temporary.name.startswith(".")


def test_an_existing_file_is_safe_unless_allowed(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_text("old")
    with pytest.raises(OutputError, match="exists already"):
        write(target)
    assert target.read_text() == "old"
    write(target, overwrite=True)
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_the_contents_are_on_the_disk_before_the_name_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the rename must not leave an empty file under the final name."""
    flushed: list[tuple[int, bool]] = []
    flush = os.fsync

    def record(descriptor: int) -> None:
        flushed.append((os.fstat(descriptor).st_ino, (tmp_path / "a").exists()))
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    for overwrite in (False, True):
        flushed.clear()
        write(tmp_path / "a", overwrite=overwrite)
        file, folder = (tmp_path / "a").stat().st_ino, tmp_path.stat().st_ino
        assert flushed == [(file, overwrite), (folder, True)]


@pytest.mark.parametrize("hard_links", [True, False])
def test_a_file_that_appears_meanwhile_is_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    if not hard_links:
        monkeypatch.setattr(os, "link", no_links)
    with (
        pytest.raises(OutputError, match="exists already"),
        atomic_output(tmp_path / "a", overwrite=False) as temporary,
    ):
        temporary.write_text("new")
        (tmp_path / "a").write_text("somebody else's")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["somebody else's"]


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "as on a memory card")


def test_without_hard_links_it_works_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", no_links)
    write(tmp_path / "a")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["new"]


def test_a_network_drive_that_loses_its_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link(source: Path, target: Path) -> None:
        real(source, target)
        real(source, target)  # as a client of NFS that asks again

    monkeypatch.setattr(os, "link", link)
    write(tmp_path / "a", "mine")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(OutputError, match="exists already"):
        write(tmp_path / "a")


def test_of_many_writers_one_wins(tmp_path: Path) -> None:
    won: list[int] = []

    def attempt(number: int) -> None:
        try:
            write(tmp_path / "a", str(number))
        except OutputError:
            return
        won.append(number)

    threads = [threading.Thread(target=attempt, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [p.read_text() for p in tmp_path.iterdir()] == [str(number) for number in won]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_interruption_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), atomic_output(tmp_path / "a", overwrite=False) as temporary:
        temporary.write_text("half")
        raise error
    assert not list(tmp_path.iterdir())


def test_a_real_interruption_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom invdn.atomic import atomic_output\n"
        "with atomic_output(sys.argv[1], False) as t:\n"
        "    t.write_text('half'); print('ready', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "a")], stdout=-1, stderr=-1
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode != 0
    assert not list(tmp_path.iterdir())


def test_permissions_follow_the_umask_or_the_replaced_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write(tmp_path / "new")
        (tmp_path / "old").write_text("old")
        (tmp_path / "old").chmod(0o604)
        write(tmp_path / "old", overwrite=True)
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o604


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"


def test_a_dangling_link_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OutputError, match="exists already"):
        write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "circle").symlink_to("circle")
    for path, reason in [
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "a", "create the folder"),
        (tmp_path / "file" / "a", "not a folder"),
        (tmp_path / ("x" * 300), "shorter"),
        (tmp_path / "circle" / "a", "circle"),
        (tmp_path / "nul\0", "null"),
    ]:
        for overwrite in (False, True):
            with pytest.raises(OutputError, match=reason) as caught:
                write(path, overwrite=overwrite)
            assert "\n" not in str(caught.value)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["circle", "file"]


@pytest.fixture
def read_only_folder() -> Iterator[Path]:
    """A folder that this process may not write to, even where the tests run as root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        root = ROOT
        if root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


@needs_posix
def test_a_read_only_folder(read_only_folder: Path) -> None:
    with pytest.raises(OutputError, match="permission is denied"):
        write(read_only_folder / "a")
    assert not list(read_only_folder.iterdir())


@needs_posix
def test_a_full_disk(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OutputError, match="too large"):
            write(tmp_path / "a", "x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs it")
def test_no_space_left_is_explained(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="disk is full; free some space"),
        atomic_output(tmp_path / "a", overwrite=False),
        Path("/dev/full").open("wb") as file,
    ):
        file.write(b"x")
    assert not list(tmp_path.iterdir())


def test_what_can_be_known_before(tmp_path: Path) -> None:
    ensure_output(tmp_path / "a", overwrite=False)
    (tmp_path / "a").write_text("old")
    ensure_output(tmp_path / "a", overwrite=True)
    with pytest.raises(OutputError, match="exists already"):
        ensure_output(tmp_path / "a", overwrite=False)
    assert (tmp_path / "a").read_text() == "old"


@pytest.mark.parametrize("url", ["s3://bucket/a", "gs://b/c/d.png", "az://b", "https://x.org/a"])
def test_a_store_is_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.chdir(tmp_path)
    tries: list[Callable[[Path], object]] = [
        lambda path: ensure_output(path, overwrite=True),
        ensure_folder,
        lambda path: claim_folder(path, {}),
    ]
    for act in tries:
        with pytest.raises(OutputError, match="write into stores"):
            act(Path(url))
    assert not list(tmp_path.iterdir())


def test_what_is_read_is_never_replaced(tmp_path: Path) -> None:
    source, link = tmp_path / "a", tmp_path / "link"
    source.write_text("old")
    link.hardlink_to(source)
    for path in (source, tmp_path / "." / "a", link):
        with pytest.raises(OutputError, match="which is read here; choose another name"):
            ensure_output(path, overwrite=True, spare=[tmp_path / "b", source])
    ensure_output(tmp_path / "b", overwrite=True, spare=[source])
    with pytest.raises(OutputError, match="take the place"):  # though none of them exists
        ensure_output(tmp_path / "b", overwrite=False, spare=[tmp_path / "x" / ".." / "b"])
