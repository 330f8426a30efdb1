"""The examples of docs/service.md, executed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from invdn.photo.read import read_photo
from invdn.web.errors import KINDS
from support.serving import Server

DOCUMENT = (Path(__file__).parents[2] / "docs" / "service.md").read_text()


@pytest.mark.parametrize("number", range(4))
def test_examples(server: Server, pictures: Path, tmp_path: Path, number: int) -> None:
    blocks = re.findall(r"^```(sh|python)\n(.+?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    language, code = blocks[number]
    if language == "sh" and not shutil.which("curl"):
        pytest.skip("needs curl")
    shutil.copy(pictures / "turned.jpg", tmp_path / "photo.jpg")
    code = code.replace("http://127.0.0.1:8642", f"http://127.0.0.1:{server.port}")
    code = code.replace("| python -c", f"| {sys.executable} -c")
    shell = ["bash", "-euo", "pipefail", "-c", code]
    command = shell if language == "sh" else [sys.executable, "-c", code]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    for picture in [path for path in tmp_path.iterdir() if path.name != "photo.jpg"]:
        assert read_photo(picture).width


def test_every_problem_is_told_of() -> None:
    for kind, (status, _) in KINDS.items():
        assert re.search(rf"^\| {status} \|.*`{kind}`", DOCUMENT, re.MULTILINE), kind


def test_every_option_of_the_command_is_told_of() -> None:
    from invdn.cli.serve import command

    limits = [name for option in command.params for name in option.opts if "max" in name]
    assert len(limits) == 7
    work = ["--state", "--workers", "--device", "--root-path", "--forwarded-allow-ips"]
    others = ["--lifetime", "--grace", "--host", "--allow-host", "--open", "--token-file"]
    logs = ["--log-format", "--access-log"]
    for name in [*limits, *work, *others, *logs]:
        assert name in DOCUMENT
