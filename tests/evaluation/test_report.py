"""What an evaluation's files and charts hold: every number that was found, in the unit it names."""

import csv
import io
import json
import math
import re
import sys
from typing import Any

import numpy as np
import pytest

from invdn.evaluation import charts
from invdn.evaluation.evaluate import (
    Evaluation,
    FailureCase,
    Interval,
    MethodResult,
    Row,
    evaluate,
)
from invdn.evaluation.machine import describe_machine
from invdn.evaluation.methods import Method, Restoration
from invdn.evaluation.protocols import Score, Summary, find_protocol
from invdn.evaluation.report import as_csv, as_html, as_json, decibels
from invdn.evaluation.samples import Sample, Samples
from invdn.evaluation.uncertainty import Calibration

PROTOCOL = find_protocol("paddle")


def method(name: str, psnr: float, *, first: bool = False) -> MethodResult:
    errors = np.zeros(97, np.int64)
    errors[[47, 48, 50]] = 1, 2, 1
    calibration = Calibration(
        blocks=1234, pearson=0.25, spearman=0.5, removed=(0.0, 0.5), by_prediction=(1.0, 0.8),
        by_error=(1.0, 0.4), ause=0.1, ause_random=0.4, predicted=(0.01, 0.02),
        observed=(0.02, 0.03), nominal=0.9, coverage=0.875, covered=(0.85, 0.9),
    )  # fmt: skip
    return MethodResult(
        name,
        {PROTOCOL.name: Summary(psnr, 0.91234, 2, 1)},
        None if first else 1.256,
        None if first else 81_400_000.0,
        None if first else Interval(1.234, 0.5, 2.0, 0.95, 2, 1),
        errors,
        calibration if first else None,
    )


@pytest.fixture
def found() -> Evaluation:
    rows = tuple(
        Row(image, name, {PROTOCOL.name: Score(psnr, 0.9)}, 0.25, seconds, memory)
        for image, name, psnr, seconds, memory in (
            ("a<b", "one", 31.5, None, None),
            ("a<b", "two", math.inf, 0.125, 1000),
            ("c", "one", 29.25, None, None),
            ("c", "two", 28.0, 0.5, 2000),
        )
    )
    shade = np.full((8, 8, 3), 0.5, np.float32)
    off = shade + np.float32(3 / 255)
    case = FailureCase(
        "c", 16, 24, shade, shade, {"one": off}, {"one": off[:, :, 0]},
        {"one": Score(29.25, 0.9)},
    )  # fmt: skip
    methods = (method("one", 30.375, first=True), method("two", 28.0))
    return Evaluation("a set", (PROTOCOL,), methods, rows, (case,))


def test_the_page_says_every_figure(found: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Any] = {}
    draw = charts.line_chart

    def spy(lines: Any, x: str, y: str, **how: Any) -> str:
        drawn[y] = lines
        return draw(lines, x, y, **how)

    monkeypatch.setattr(charts, "line_chart", spy)
    page = as_html(found, {"model": "m", "machine": {"cores": 2, "python": 3}})
    cells = re.findall(r"<td>(.*?)</td>", page)
    assert cells[:6] == ["one", "30.38 (+1 infinite)", "0.9123", "", "", ""]
    second = cells.index("two")
    assert cells[second : second + 6] == [
        "two", "28.00 (+1 infinite)", "0.9123", "+1.23 [+0.50, +2.00] (1 infinite left out)",
        "1.26", "81",
    ]  # fmt: skip
    assert cells[-6:] == ["c", "29.25 / 0.900", "28.00 / 0.900",
                          "a&lt;b", "31.50 / 0.900", "infinite / 0.900"]  # fmt: skip
    assert "a set, 2 images" in page and "cores 2, python 3" in page
    for figure in ("1,234 blocks", "0.500", "0.250", "0.100", "0.400", "75%", "90%", "87.5%"):
        assert figure in page, figure
    assert "29.25 dB; here 3.0 levels off" in page and "expected error, 0 to 8 levels" in page
    assert "rows from 16, columns from 24" in page and "32 levels of 255" in page

    shares = drawn["share of values"][0]
    assert list(shares.x) == list(range(-48, 49)) and sum(shares.y) == pytest.approx(1)
    assert [shares.y[47], shares.y[48], shares.y[50]] == [0.25, 0.5, 0.25]
    measured, promised = drawn["values within the interval, %"]
    assert list(measured.x) == pytest.approx([2.55, 5.1])
    assert list(measured.y) == pytest.approx([85, 90])
    assert list(promised.x) == pytest.approx([2.55, 5.1])
    assert list(promised.y) == pytest.approx([90, 90])
    true, same = drawn["RMS error, 8-bit levels"]
    assert list(true.y) == pytest.approx([5.1, 7.65]) and list(same.x) == list(same.y)
    rest = drawn["RMS error of the rest"]
    assert [list(line.y) for line in rest] == [[1.0, 0.8], [1.0, 0.4], [1.0, 1.0]]
    assert list(rest[2].x) == [0.0, 0.5]


def test_a_file_of_lines_holds_the_rows(found: Evaluation) -> None:
    rows = list(csv.reader(io.StringIO(as_csv(found))))
    assert rows[1] == ["a<b", "one", "paddle", "31.500000", "0.900000", "0.250000", "", ""]
    assert rows[2] == ["a<b", "two", "paddle", "inf", "0.900000", "0.250000", "0.125000", "1000"]
    assert len(rows) == 5


def test_the_object_holds_what_the_page_says(found: Evaluation) -> None:
    content = json.loads(as_json(found, {"model": "m"}))
    assert content["set"] == "a set" and content["model"] == "m"
    one, two = content["methods"]
    assert one["calibration"]["covered"] == [0.85, 0.9] and two["calibration"] is None
    assert two["psnr_lead_of_first_method"]["mean"] == 1.234
    assert (two["seconds_per_megapixel"], two["bytes_per_megapixel"]) == (1.256, 81_400_000.0)
    assert [image["scores"]["paddle"]["psnr"] for image in content["images"]] == [
        31.5, "inf", 29.25, 28.0,
    ]  # fmt: skip
    assert decibels(Score(math.inf, 1.0)) == "infinite"


def test_errors_are_counted_by_level_and_time_and_memory_by_size() -> None:
    clean = np.full((16, 16, 3), 100, np.uint8)
    steps = np.array([0, 1, -2, 60, -60], np.float32)

    def off(sample: Sample) -> Restoration:
        result = np.full(clean.shape, 100 / 255, np.float32)
        result[0, :5, 0] += steps / 255
        return Restoration(result)

    samples = Samples("s", ("a", "b"), lambda index: Sample("ab"[index], clean, clean))
    done = evaluate(samples, [Method("off", off)], [PROTOCOL])
    (result,) = done.methods
    counts = {level - 48: int(n) for level, n in enumerate(result.errors) if n}
    assert counts == {0: 2 * (768 - 4), 1: 2, -2: 2, 48: 2, -48: 2}  # the ends hold the rest
    assert all(row.megapixels == 256 / 1e6 for row in done.rows)
    paces = [(row.seconds or 0) / row.megapixels for row in done.rows]
    assert result.seconds_per_megapixel == pytest.approx(sum(paces) / 2)
    growth = [(row.memory or 0) / row.megapixels for row in done.rows]
    assert result.bytes_per_megapixel == pytest.approx(max(growth))
    assert result.lead is None


def test_torch_is_named_only_where_it_is_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys.modules.get("torch") or json)
    assert "torch" in describe_machine()
    monkeypatch.delitem(sys.modules, "torch")
    facts = describe_machine()
    assert "torch" not in facts and "numpy" in facts
