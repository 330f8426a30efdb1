"""Charts: well-formed, with every value where it belongs."""

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from invdn.errors import MissingDependencyError
from invdn.evaluation.charts import Line, histograms, line_chart, require_matplotlib, standalone


def dots(chart: str) -> list[tuple[float, float]]:
    """Places of what is drawn in the colour of a series and used again and again: its dots."""
    uses = ElementTree.fromstring(chart).iter(  # noqa: S314 - our own text
        "{http://www.w3.org/2000/svg}use"
    )
    return [
        (float(use.attrib["x"]), float(use.attrib["y"]))
        for use in uses
        if re.search(r"var\(--s[0-9]\)", use.attrib["style"])
    ]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_larger_values_lie_to_the_right_and_higher(scale: str) -> None:
    line = Line("a < b", [1, 10, 100], [2, 3, 50], "dots")
    places = dots(line_chart([line], "x & y", "y", x_scale=scale, y_scale=scale))  # type: ignore[arg-type]
    assert len(places) == 3
    assert sorted(places) == places
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


def test_logarithmic_steps_are_even() -> None:
    first, second, third = (
        x
        for x, _ in dots(
            line_chart([Line("a", [1, 10, 100], [1, 1, 1], "dots")], "x", "y", x_scale="log")
        )
    )
    assert second - first == pytest.approx(third - second, abs=0.11)


def test_what_cannot_be_drawn_is_left_out() -> None:
    line = Line("a", [1, 2, 3, 0], [math.inf, math.nan, 4, 1], "dots")
    assert len(dots(line_chart([line], "x", "y", x_scale="log"))) == 1


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0], [math.inf], [1.0, 2.0, 500.0]])
def test_any_histogram_is_well_formed(values: list[float]) -> None:
    chart = histograms({"<one>": np.array(values), "two": np.array([1.0])}, "dB")
    text = "".join(ElementTree.fromstring(chart).itertext())  # noqa: S314 - our own text
    assert "<one>" in text
    assert "dB" in text


def test_a_lone_file_carries_its_own_style() -> None:
    document = standalone(line_chart([Line("a", [1, 2], [1, 2])], "x", "y"))
    root = ElementTree.fromstring(document.encode())  # noqa: S314 - our own text
    assert root.tag.endswith("svg")
    assert "prefers-color-scheme: dark" in document


def test_without_matplotlib_nothing_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invdn.evaluation.charts.find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match="evaluate"):
        require_matplotlib()
