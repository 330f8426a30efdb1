"""``invdn weights``: what it prints and what it writes."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from invdn.architecture import Architecture
from invdn.cli.weights import command
from invdn.errors import InputError, OutputError, WeightsError
from invdn.weights import Parameters, read_parameters, write_parameters
from invdn.weights.parameters import tensor_shapes


@pytest.fixture
def source(tmp_path: Path) -> Path:
    shapes = tensor_shapes(Architecture(blocks=(1, 2), features=4))
    tensors = {name: np.ones(shape) for name, shape in shapes.items()}
    parameters = Parameters.from_tensors(
        tensors, {"licence": "CC0\x1b[31m", "provenance": "a test"}
    )
    path = tmp_path / "source.safetensors"
    write_parameters(parameters, path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_info_for_people(source: Path) -> None:
    result = run("info", source)
    assert result.exit_code == 0
    lines = dict(line.split(maxsplit=1) for line in result.output.splitlines())
    assert lines["format"] == "safetensors"
    assert lines["blocks"] == "1 + 2"
    assert lines["features"] == "4"
    assert lines["provenance"] == "a test"
    assert lines["licence"] == "CC0?[31m"  # no terminal obeys a file


def test_info_for_programs(source: Path) -> None:
    facts = json.loads(run("info", source, "--json").output)
    parameters = read_parameters(source)
    assert facts["blocks"] == [1, 2]
    assert facts["parameters"] == parameters.count
    assert facts["bytes"] == source.stat().st_size
    assert facts["stored_as"] == "float32"
    assert facts["metadata"] == parameters.metadata
    assert len(facts["sha256"]) == 64


def test_convert_writes_what_it_says(source: Path) -> None:
    target = source.with_suffix(".pdparams")
    result = run("convert", source, target)
    assert result.exit_code == 0
    assert str(target) in result.output
    assert read_parameters(target).architecture == read_parameters(source).architecture


def test_convert_overwrites_only_on_request(source: Path) -> None:
    target = source.with_suffix(".pdparams")
    target.write_text("precious")
    assert isinstance(run("convert", source, target).exception, OutputError)
    assert target.read_text() == "precious"
    assert run("convert", source, target, "--overwrite").exit_code == 0


def test_mistakes_are_typed_errors(source: Path, tmp_path: Path) -> None:
    assert isinstance(run("info", tmp_path / "missing.pth").exception, WeightsError)
    assert isinstance(run("convert", source, tmp_path / "a.onnx").exception, InputError)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(source.read_bytes()[:-1])
    assert isinstance(run("info", broken).exception, WeightsError)
    assert run("convert", source).exit_code == 2
