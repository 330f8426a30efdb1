"""What all commands have in common: help in groups, names explained, one policy of reports."""

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner

from invdn.cli import group
from invdn.cli.options import Command
from invdn.photo.photo import Photo
from invdn.photo.write import write_photo

#: These make nothing that could be reported: a service, and a chain that tells of each step.
_WITHOUT_REPORT = {"serve", "dev smoke"}


def _commands(parent: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(parent)
    for name in parent.list_commands(context):
        command = parent.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from _commands(command, f"{path}{name} ")
        else:
            yield path + name, command


EVERY = dict(_commands(group))


def _run(*arguments: object) -> click.testing.Result:
    return CliRunner().invoke(group, [*map(str, arguments)])


@pytest.mark.parametrize("name", EVERY)
def test_help_names_every_option_once(name: str) -> None:
    command = EVERY[name]
    assert isinstance(command, Command)
    text = _run(*name.split(), "--help").output
    text = re.split(r"^[A-Z][a-z ]+:$", text, maxsplit=1, flags=re.MULTILINE)[1]
    listed = [line.split()[0].rstrip(",") for line in text.splitlines() if line[:3] == "  -"]
    shown = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    assert len(listed) == len(set(listed)) == len(shown) + 1  # and --help
    assert all(parameter.help for parameter in shown)


@pytest.mark.parametrize("name", EVERY)
def test_an_option_of_old_names_the_new_one(name: str) -> None:
    spellings = {opt for parameter in EVERY[name].params for opt in parameter.opts}
    for old, new in (("--draws", "--num-samples"), ("--precision", "--dtype")):
        error = _run(*name.split(), old)
        assert error.exit_code == 2
        assert (f"called {new} now" in error.output) == (new in spellings)


def test_what_makes_or_finds_something_reports_as_json() -> None:
    without = {
        name
        for name, command in EVERY.items()
        if not any("--json" in parameter.opts for parameter in command.params)
    }
    assert without == _WITHOUT_REPORT


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for folder in ("Noisy", "GT"):
        (tmp_path / folder).mkdir()
        for name in "ab":
            pixels = random.integers(0, 255, (20, 24, 3), dtype=np.uint8)
            write_photo(Photo(pixels), tmp_path / folder / f"{name}.png")
    return tmp_path


def _facts(*arguments: object) -> dict[str, Any]:
    result = _run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    return facts


def test_a_batch_as_one_object(pictures: Path) -> None:
    facts = _facts("denoise", pictures / "Noisy", "-o", pictures / "out", "-d", "cpu")
    assert facts["done"] == 2 and facts["failed"] == 0
    assert [Path(photo["source"]).name for photo in facts["photographs"]] == ["a.png", "b.png"]
    again = _facts("denoise", pictures / "Noisy", "-o", pictures / "out", "-d", "cpu")
    assert again["skipped"] == 2
    for command in ("denoise", "noise"):
        assert _run(command, pictures / "Noisy", "--json", "--json-lines").exit_code == 2
    assert _run("denoise", pictures / "Noisy", "--json", "--watch").exit_code == 2


def test_figures_of_other_commands(pictures: Path) -> None:
    noisy, clean = pictures / "Noisy", pictures / "GT"
    differences = json.loads(_run("compare", noisy, clean, "--json").stdout)["differences"]
    assert len(differences) == 2 and not differences[0]["passes"]
    packed = _facts("data", "pack", pictures, pictures / "pack")
    assert packed["pairs"] == 2 and packed["target"] == str(pictures / "pack")
    start = pictures / "start.safetensors"
    made = _facts("weights", "init", start, "--blocks", "1", "--features", "2")
    assert made["parameters"] == _facts("weights", "info", start)["parameters"] == 1518
    found = _facts(
        *("evaluate", noisy, clean, "-o", pictures / "figures", "--without-model"),
        *("-a", "nlm", "--quiet"),
    )
    assert found == json.loads((pictures / "figures" / "evaluation.json").read_text())
    assert "devices" in _facts("dev", "doctor")


_ENDING = """
import atexit, sys, tempfile
from pathlib import Path
import torch.distributed as distributed
from invdn.cli import _exit

class Kept:
    def __del__(self):
        print("taken apart")

kept = Kept()
if sys.argv[1] == "together":
    store = Path(tempfile.mkdtemp(), "store").as_uri()
    distributed.init_process_group("gloo", init_method=store, rank=0, world_size=1)
atexit.register(print, "last words")
_exit(3)
"""


@pytest.mark.parametrize("how", ["together", "alone"])
def test_one_of_several_processes_ends_without_taking_python_apart(how: str) -> None:
    command = [sys.executable, "-c", _ENDING, how]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ended.returncode == 3, ended.stderr
    assert "last words" in ended.stdout
    assert ("taken apart" in ended.stdout) == (how == "alone")


def test_click_of_8_1_does() -> None:
    """``click.ParamType`` has no parameter before 8.4; ``options.ParamType`` has."""
    package = Path(inspect.getfile(Command)).parent
    wrong = [path.name for path in package.glob("*.py") if "(click.ParamType[" in path.read_text()]
    assert wrong == []
