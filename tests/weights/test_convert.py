"""The door of all formats: it looks at contents, guards targets, and helps with mistakes."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from invdn.errors import InputError, OutputError, WeightsError
from invdn.weights import (
    Parameters,
    open_weights,
    read_parameters,
    shipped_model,
    shipped_models,
    write_parameters,
)
from invdn.weights.convert import convert

SUFFIXES = [".safetensors", ".pth", ".pdparams"]


def assert_equal(read: Parameters, expected: Parameters) -> None:
    assert read.architecture == expected.architecture
    assert list(read.tensors) == list(expected.tensors)
    assert all(np.array_equal(read.tensors[n], t) for n, t in expected.tensors.items())


@pytest.mark.parametrize("last", SUFFIXES)
@pytest.mark.parametrize("first", SUFFIXES)
def test_every_format_into_every_format(
    parameters: Parameters, tmp_path: Path, first: str, last: str
) -> None:
    if ".pth" in (first, last):
        pytest.importorskip("torch")
    source, target = tmp_path / f"a{first}", tmp_path / f"b{last}"
    write_parameters(parameters, source)
    convert(source, target)
    assert_equal(read_parameters(target), parameters)


def test_the_content_decides_not_the_suffix(parameters: Parameters, tmp_path: Path) -> None:
    write_parameters(parameters, tmp_path / "a.pdparams")
    renamed = (tmp_path / "a.pdparams").rename(tmp_path / "a.safetensors")
    assert open_weights(str(renamed)).format == "Paddle pickle"


def test_metadata_are_kept_and_provenance_is_added(parameters: Parameters, tmp_path: Path) -> None:
    first, second, third = (
        tmp_path / name for name in ("a.pdparams", "b.safetensors", "c.SAFETENSORS")
    )
    write_parameters(parameters, first)
    convert(first, second)
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    provenance = f"converted from a.pdparams (Paddle pickle, SHA-256 {digest})"
    assert read_parameters(second).metadata == {"provenance": provenance}
    convert(second, third)
    assert read_parameters(third).metadata == {"provenance": provenance}
    assert second.read_bytes() == third.read_bytes()


def test_what_is_told_of_a_file(parameters: Parameters, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_parameters(parameters, path)
    read = open_weights(path)
    assert (read.path, read.format, read.size) == (path, "safetensors", path.stat().st_size)
    assert read.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert read.stored_types == ("float32",)
    assert read.parameters.metadata == parameters.metadata


def test_an_existing_target_is_kept(parameters: Parameters, tmp_path: Path) -> None:
    target = tmp_path / "a.safetensors"
    target.write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        write_parameters(parameters, target)
    assert target.read_text() == "precious"
    write_parameters(parameters, target, overwrite=True)
    assert_equal(read_parameters(target), parameters)
    convert(target, target, overwrite=True)
    assert_equal(read_parameters(target), parameters)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_failed_write_leaves_nothing(
    parameters: Parameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.safetensors"
    target.write_text("precious")

    def fail(self: Path, data: bytes) -> None:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(OutputError, match="disk is full"):
        write_parameters(parameters, target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]
    assert target.read_text() == "precious"


def test_a_bad_source_leaves_the_target(tmp_path: Path) -> None:
    source, target = tmp_path / "a.pth", tmp_path / "b.safetensors"
    source.write_text("no weights")
    target.write_text("precious")
    with pytest.raises(WeightsError):
        convert(source, target, overwrite=True)
    assert target.read_text() == "precious"


@pytest.mark.parametrize("name", ["a", "a.onnx", "a.safetensors.zip"])
def test_unknown_suffixes(parameters: Parameters, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"one of \.safetensors, \.pth, \.pdparams"):
        write_parameters(parameters, tmp_path / name)


@pytest.mark.parametrize("name", ["missing/a.pth", "file/a.pth", "a" * 300 + ".pth"])
def test_targets_that_cannot_be(parameters: Parameters, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_parameters(parameters, tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "an empty file"),
        (b"x" * 100, "something else"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"\x08\x08\x12\x07pytorch", "an ONNX graph"),
        (b"PK\x03\x04", "damaged archive"),
    ],
)
def test_strangers_are_recognised(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        read_parameters(path)
    assert str(path) in str(caught.value)


def test_messages_obey_no_terminal_escapes(tmp_path: Path) -> None:
    path = tmp_path / "a.pdparams"
    path.write_bytes(b"\x80\x02}X\x08\x00\x00\x00\x1b[31mredK\x01s.")
    with pytest.raises(WeightsError, match=r"but \?\[31mred"):
        read_parameters(path)


def test_what_is_not_a_file(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "missing.pth", "a" * 300, "no-such-model"):
        with pytest.raises(WeightsError):
            read_parameters(source)


def test_absurd_sizes_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: takes no room
    with pytest.raises(WeightsError, match="larger than 1024 MiB"):
        read_parameters(path)


def test_shipped_models_by_name(
    parameters: Parameters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["invdn.weights.convert"], "MODELS", tmp_path / "none")
    assert shipped_models() == ()
    with pytest.raises(WeightsError, match=r"'default' is shipped; known: none"):
        shipped_model("default")
    monkeypatch.setattr(sys.modules["invdn.weights.convert"], "MODELS", tmp_path)
    write_parameters(parameters, tmp_path / "default.safetensors")
    write_parameters(parameters, tmp_path / "another.safetensors")
    (tmp_path / "MODEL_CARD.md").touch()
    assert shipped_models() == ("another", "default")
    for name in ("default", Path("default")):
        assert open_weights(name).path == shipped_model("default")
    for name in ("best", "../default", "default.safetensors", ""):
        with pytest.raises(WeightsError, match="known: another, default"):
            shipped_model(name)
    with pytest.raises(WeightsError, match="known: another, default"):
        read_parameters("best")


def test_reading_and_writing_need_no_torch(parameters: Parameters, tmp_path: Path) -> None:
    source, target = tmp_path / "a.pdparams", tmp_path / "b.safetensors"
    write_parameters(parameters, source)
    program = (
        "import sys\n"
        "from invdn.weights.convert import convert\n"
        f"convert({str(source)!r}, {str(target)!r})\n"
        "sys.exit(bool({'torch', 'paddle', 'onnxruntime'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert_equal(read_parameters(target), parameters)
