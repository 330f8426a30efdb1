"""A whole evaluation on small pairs: figures, files, report."""

import csv
import io
import json
import math
import re

import numpy as np
import pytest

from invdn.errors import DataError, InputError
from invdn.evaluation.evaluate import Evaluation, evaluate, paired_bootstrap
from invdn.evaluation.methods import Method, Restoration, noisy_input, unit_floats
from invdn.evaluation.protocols import find_protocol, measure
from invdn.evaluation.report import as_csv, as_html, as_json
from invdn.evaluation.samples import Sample, Samples

PROTOCOLS = [find_protocol("paddle"), find_protocol("rgb-8bit")]


def make_samples(count: int = 5) -> Samples:
    def load(index: int) -> Sample:
        random = np.random.default_rng(index)
        clean = np.full((24, 32, 3), 120, np.uint8)
        noise = random.normal(0, 6 + 6 * index, clean.shape)
        return Sample(f"photo {index}", np.clip(clean + noise, 0, 255).astype(np.uint8), clean)

    return Samples("a set", tuple(f"photo {i}" for i in range(count)), load)


def halves_noise(sample: Sample) -> Restoration:
    noisy, clean = unit_floats(sample.noisy), unit_floats(sample.clean)
    squares = np.square(noisy - clean).mean(2).reshape(3, 8, 4, 8).mean((1, 3)) / 4
    expected = np.sqrt(squares).repeat(8, 0).repeat(8, 1).astype(np.float32)
    return Restoration((noisy + clean) / 2, expected)


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluate(make_samples(), [Method("half", halves_noise), noisy_input()], PROTOCOLS)


def test_figures_are_the_protocols_own(found: Evaluation) -> None:
    sample = make_samples().load(1)
    row = next(r for r in found.rows if r.image == "photo 1" and r.method == "half")
    assert row.scores["paddle"] == measure(PROTOCOLS[0], halves_noise(sample).pixels, sample.clean)
    half, noisy = found.methods
    expected = [r.scores["paddle"].psnr for r in found.rows if r.method == "half"]
    assert half.summaries["paddle"].psnr == pytest.approx(sum(expected) / 5)
    assert noisy.lead is not None
    assert half.lead is None
    assert noisy.lead.mean == pytest.approx(20 * math.log10(2), abs=1e-4)
    assert noisy.lead.low <= noisy.lead.mean <= noisy.lead.high


def test_time_is_told_of_methods_that_work_and_of_no_other(found: Evaluation) -> None:
    half, noisy = found.methods
    assert half.seconds_per_megapixel is not None
    assert half.seconds_per_megapixel > 0
    assert noisy.seconds_per_megapixel is None


def test_worst_images_come_first(found: Evaluation) -> None:
    assert [exhibit.image for exhibit in found.exhibits] == [f"photo {n}" for n in (4, 3, 2, 1, 0)]


def test_a_prediction_that_is_the_error_is_perfectly_calibrated(found: Evaluation) -> None:
    calibration = found.methods[0].calibration
    assert calibration is not None
    assert calibration.spearman == pytest.approx(1, abs=1e-4)
    assert calibration.ause == pytest.approx(0, abs=1e-4)
    assert calibration.observed == pytest.approx(calibration.predicted, rel=0.05)


def test_csv_has_a_line_for_each_image_method_and_protocol(found: Evaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert len(rows) == 5 * 2 * 2
    assert {row["protocol"] for row in rows} == {"paddle", "rgb-8bit"}
    assert float(rows[0]["psnr_db"]) == pytest.approx(found.rows[0].scores["paddle"].psnr, abs=1e-6)


def test_infinite_scores_reach_every_output() -> None:
    found = evaluate(
        make_samples(2), [Method("oracle", lambda sample: Restoration(sample.clean))], PROTOCOLS
    )
    content = json.loads(as_json(found, {"model": "none"}))
    assert content["methods"][0]["scores"]["paddle"] == {
        "psnr": "inf", "ssim": 1.0, "images": 2, "identical": 2,
    }  # fmt: skip
    assert as_csv(found).splitlines()[1].startswith("photo 0,oracle,paddle,inf,1.0")
    assert "infinite" in as_html(found, {})


def test_report_loads_nothing_from_elsewhere(found: Evaluation) -> None:
    page = as_html(found, {"model": "<b>default</b>", "machine": {"cores": "2"}})
    assert not re.search(r"(src|href)=['\"](?!data:|#)", page)
    assert "default-src 'none'" in page
    page = re.sub(r"xmlns(:xlink)?=['\"]http://www.w3.org/[0-9]+/(svg|xlink)['\"]", "", page)
    assert "http" not in page.replace("http-equiv", "")
    assert "&lt;b&gt;default" in page
    for shown in ("photo 2", "rgb-8bit", "half", "noisy input", "Sparsification"):
        assert shown in page


def test_results_are_handed_on(found: Evaluation) -> None:
    seen: list[tuple[str, str]] = []
    progress: list[tuple[int, int]] = []
    evaluate(
        make_samples(2),
        [noisy_input()],
        PROTOCOLS[:1],
        keep=lambda sample, method, restored: seen.append((sample.name, method.name)),
        progress=lambda done, total: progress.append((done, total)),
    )
    assert seen == [("photo 0", "noisy input"), ("photo 1", "noisy input")]
    assert progress == [(1, 2), (2, 2)]


def test_what_cannot_be_measured_is_named() -> None:
    broken = Method("broken", lambda s: Restoration(np.full(s.noisy.shape, np.nan, np.float32)))
    with pytest.raises(DataError, match=r"'photo 0' with broken.*NaN"):
        evaluate(make_samples(), [broken], PROTOCOLS)
    small = Samples("small", ("a",), lambda i: Sample("a", *2 * [np.zeros((5, 5, 3), np.uint8)]))
    with pytest.raises(DataError, match=r"'a' with noisy input.*too small"):
        evaluate(small, [noisy_input()], PROTOCOLS)


def test_nothing_to_measure_is_an_error() -> None:
    for methods, protocols, samples in (
        ([], PROTOCOLS, make_samples()),
        ([noisy_input()], [], make_samples()),
        ([noisy_input()], PROTOCOLS, make_samples(0)),
        ([noisy_input(), noisy_input()], PROTOCOLS, make_samples()),
    ):
        with pytest.raises(InputError):
            evaluate(samples, methods, protocols)


def test_bootstrap_covers_the_true_difference() -> None:
    random = np.random.default_rng(0)
    hits = 0
    for seed in range(60):
        base = random.normal(30, 3, 40)
        better = base + random.normal(0.5, 0.4, 40)
        interval = paired_bootstrap(better.tolist(), base.tolist(), resamples=500, seed=seed)
        hits += interval.low <= 0.5 <= interval.high
    assert 50 <= hits <= 60


def test_bootstrap_tells_of_pairs_left_out() -> None:
    interval = paired_bootstrap([1.0, math.inf, 3.0], [0.0, 1.0, 2.0])
    assert (interval.images, interval.left_out, interval.mean) == (2, 1, 1.0)
    with pytest.raises(InputError):
        paired_bootstrap([math.inf], [1.0])
    with pytest.raises(InputError):
        paired_bootstrap([1.0], [1.0, 2.0])
