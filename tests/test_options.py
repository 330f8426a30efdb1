"""One schema: what Python, the command and the service offer is the same."""

from dataclasses import fields
from typing import Any

import click
import pytest
from click.testing import CliRunner

from invdn.cli import group
from invdn.cli.denoise import command as denoise
from invdn.errors import InputError
from invdn.options import QUALITIES, SHARES, DenoiseOptions, Overrides, option_help
from invdn.web.query_params import options_document

NAMES = {option.name for option in fields(DenoiseOptions)}


def test_every_option_is_in_the_command_the_service_and_python() -> None:
    assert {option.name for option in denoise.params} >= NAMES
    assert set(options_document()) == NAMES | {"quality"}
    assert set(Overrides.__annotations__) == NAMES | {"quality"}


def test_every_option_has_its_help_everywhere() -> None:
    assert set(option_help()) == NAMES
    options = {option.name: option for option in denoise.params}
    document = options_document()
    for name in NAMES:
        option = options[name]
        assert isinstance(option, click.Option)
        start = option_help()[name][:12].lower()
        assert start in str(option.help).lower()
        assert document[name]["description"] == option_help()[name]


@pytest.mark.parametrize("name", sorted(SHARES))
@pytest.mark.parametrize(
    ("given", "share"), [(0, 0), (1, 1), (0.25, 0.25), (2, 0.02), (60, 0.6), (100, 1), ("60%", 0.6)]
)
def test_shares_are_also_percent(name: str, given: Any, share: float) -> None:
    assert getattr(DenoiseOptions(**{name: given}), name) == share


@pytest.mark.parametrize("name", sorted(SHARES))
@pytest.mark.parametrize("wrong", [-0.1, 1.5, 62.5, 101, "101%", "much", float("nan"), "-1%"])
def test_other_shares_are_refused(name: str, wrong: Any) -> None:
    with pytest.raises(InputError, match=name):
        DenoiseOptions(**{name: wrong})


def test_qualities_are_options() -> None:
    assert [DenoiseOptions(**chosen).total_samples for chosen in QUALITIES.values()] == [1, 1, 4, 8]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["denois"], "did you mean 'denoise'?"),
        (["denoise", "x.png", "--draws", "2"], "it is called --num-samples now"),
        (["denoise", "x.png", "--symmetries", "8"], "it is called --self-ensemble now"),
        (["video", "x.mp4", "--tile", "64"], "it is called --tile-size now"),
        (["denoise", "x.png", "--runtime", "torch"], "it is called --backend now"),
        (["denoise", "x.png", "--recursiv"], "did you mean --recursive?"),
        (["gone.png"], "gone.png"),
    ],
)
def test_a_wrong_word_is_told_the_right_one(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code in (1, 2)
    assert message in result.output


def test_the_help_of_a_command_is_in_groups() -> None:
    text = CliRunner().invoke(group, ["denoise", "--help"]).output
    headings = ["Input:", "Output:", "Look:", "Quality:", "Engine:", "Report:", "Other:"]
    places = [text.index(f"\n{heading}\n") for heading in headings]
    assert places == sorted(places)
    assert "INPUT" not in text[places[-1] :]


def test_a_file_alone_is_denoised(tmp_path: Any) -> None:
    import numpy as np

    from invdn.photo.photo import Photo
    from invdn.photo.write import write_photo

    write_photo(Photo(np.zeros((16, 16, 3), np.uint8)), tmp_path / "a.png")
    result = CliRunner().invoke(group, [str(tmp_path / "a.png"), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a_denoised.png").exists()


def test_commands_of_developers_stand_apart() -> None:
    text = CliRunner().invoke(group, ["--help"]).output
    for name in ("bench", "smoke", "demo", "doctor"):
        assert f"\n  {name} " not in text
        assert CliRunner().invoke(group, ["dev", name, "--help"]).exit_code == 0
        assert CliRunner().invoke(group, [name, "--help"]).exit_code == 0
