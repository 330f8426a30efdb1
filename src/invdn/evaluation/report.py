"""An evaluation as files: CSV, JSON, and one HTML page that opens without a network.

The page holds figures, charts and the worst images.
"""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..inference.error_map import in_colour
from . import charts
from .evaluate import ERROR_LEVELS, Evaluation, FailureCase, MethodResult
from .methods import Floats
from .pictures import as_data_address, in_8_bit
from .protocols import Score, Summary
from .uncertainty import Calibration

_FULL_ERROR = 32 / 255  # the mean absolute error that is drawn brightest
_FULL_EXPECTED = 8 / 255

_STYLE = Path(__file__).with_name("report.css")
_COSTS = (
    "<p class='soft'>Time: median over the images. Memory: by how much the process grew at most "
    "while it worked on one image, over the size of the image; on small images that is mostly "
    "the fixed cost, and <code>invdn dev bench</code> tells both apart.</p>"
)
# Nothing but what stands in the file itself may load.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def as_html(evaluation: Evaluation, facts: Mapping[str, Any]) -> str:
    """Return the report.

    Args:
        evaluation: what was measured.
        facts: how and where, shown as a list; a nested mapping becomes one line.
    """
    parts = [
        f"<h1>InvDN evaluation</h1><p class='soft'>{escape(evaluation.title)}, "
        f"{evaluation.methods[0].summaries[evaluation.protocols[0].name].images} images</p>",
        _summary(evaluation),
        _protocols(evaluation),
        _distributions(evaluation),
        *(_uncertainty(m.name, m.calibration) for m in evaluation.methods if m.calibration),
        _worst(evaluation),
        _all_images(evaluation),
        f"<h2>How it was measured</h2>{_facts(facts)}",
    ]
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        "<meta name='color-scheme' content='light dark'>"
        f"<title>InvDN evaluation: {escape(evaluation.title)}</title>"
        f"<style>{charts.STYLE}{_STYLE.read_text(encoding='utf-8')}</style></head><body><main>\n"
        + "\n".join(parts)
        + "\n</main></body></html>\n"
    )


def decibels(summary: Summary | Score) -> str:
    """Return a PSNR for people: infinite ones, and those left out of a mean, are named."""
    if math.isinf(summary.psnr):
        return "infinite"
    identical = summary.identical if isinstance(summary, Summary) else 0
    return f"{summary.psnr:.2f}" + (f" (+{identical} infinite)" if identical else "")


def _summary(evaluation: Evaluation) -> str:
    head = ["Method"]
    for protocol in evaluation.protocols:
        head += [f"PSNR, dB<br>{escape(protocol.name)}", f"SSIM<br>{escape(protocol.name)}"]
    if len(evaluation.methods) > 1:
        head.append(f"Ahead of it by, dB<br>{escape(evaluation.protocols[0].name)}")
    head += ["Time<br>s / MP", "Memory<br>MB / MP"]
    rows = []
    for method in evaluation.methods:
        cells = [escape(method.name)]
        for summary in method.summaries.values():
            cells += [decibels(summary), f"{summary.ssim:.4f}"]
        if len(evaluation.methods) > 1:
            cells.append(_lead(method))
        cells.append(_quantity(method.seconds_per_megapixel, 1, ".2f"))
        cells.append(_quantity(method.bytes_per_megapixel, 1e6, ".0f"))
        rows.append(cells)
    first = escape(evaluation.methods[0].name)
    note = (
        f"<p class='soft'>“Ahead of it by”: mean PSNR of {first} minus that of the row, with the "
        "95 % interval of the paired bootstrap over images. An interval without 0 is a difference "
        "that other images of this kind would show too.</p>"
        if len(evaluation.methods) > 1
        else ""
    )
    return f"<h2>Result</h2>{_table(head, rows)}{note}{_COSTS}"


def _protocols(evaluation: Evaluation) -> str:
    lines = "".join(
        f"<dt>{escape(p.name)}</dt><dd>{escape(p.description)}. "
        f"<span class='soft'>{escape(p.source)}.</span></dd>"
        for p in evaluation.protocols
    )
    return f"<h3>Protocols</h3><dl>{lines}</dl>"


def _distributions(evaluation: Evaluation) -> str:
    protocol = evaluation.protocols[0].name
    scores = {
        method.name: np.array(
            [r.scores[protocol].psnr for r in evaluation.rows if r.method == method.name]
        )
        for method in evaluation.methods
    }
    levels = list(range(-ERROR_LEVELS, ERROR_LEVELS + 1))
    lines = [
        charts.Line(m.name, levels, (m.errors / m.errors.sum()).tolist(), "line", colour)
        for colour, m in enumerate(evaluation.methods)
    ]
    errors = charts.line_chart(lines, "error, 8-bit levels", "share of values", y_scale="log")
    return (
        "<h2>Distributions</h2><div class='pair'>"
        + _figure(
            charts.histograms(scores, f"PSNR of an image, dB ({protocol})"),
            "Images by PSNR; the upright line is the mean.",
        )
        + _figure(errors, "Values by their error; the ends hold all that lie beyond.")
        + "</div>"
    )


def _uncertainty(name: str, found: Calibration) -> str:
    lines = [
        charts.Line("largest prediction first", found.removed, found.by_prediction, "line", 0),
        charts.Line("largest error first", found.removed, found.by_error, "dashed", 2),
        charts.Line("at random", (0.0, found.removed[-1]), (1.0, 1.0), "dashed", 1),
    ]
    sparse = charts.line_chart(lines, "share of blocks taken away", "RMS error of the rest")
    predicted, observed = (
        [value * 255 for value in values] for values in (found.predicted, found.observed)
    )
    ends = [min(predicted), max(predicted)]
    reliable = charts.line_chart(
        [
            charts.Line("measured", predicted, observed, "dots", 0),
            charts.Line("predicted = true", ends, ends, "dashed", 2),
        ],
        "expected error, 8-bit levels",
        "RMS error, 8-bit levels",
    )
    coverage = charts.line_chart(
        [
            charts.Line("measured", predicted, [100 * v for v in found.covered], "dots", 0),
            charts.Line("promised", ends, [100 * found.nominal] * 2, "dashed", 2),
        ],
        "expected error, 8-bit levels",
        "values within the interval, %",
    )
    known = 1 - found.ause / found.ause_random if found.ause_random > 0 else 0.0
    return (
        f"<h2>Is the expected error the true one? {escape(name)}</h2>"
        f"<p>Over {found.blocks:,} blocks of 8x8 pixels the expected error correlates with the "
        f"true one by <b>{found.spearman:.3f}</b> (ranks, Spearman) and <b>{found.pearson:.3f}</b> "
        f"(Pearson). The area under the sparsification error (AUSE) is <b>{found.ause:.3f}</b>; "
        f"blocks taken away at random give {found.ause_random:.3f} and perfect knowledge 0, so it "
        f"holds <b>{known:.0%}</b> of what could be known. The intervals for "
        f"{found.nominal:.0%} cover <b>{found.coverage:.1%}</b> of the values.</p>"
        "<div class='pair'>"
        + _figure(sparse, "Sparsification: how the error falls when doubtful blocks are left out.")
        + _figure(reliable, "Reliability: true error in each tenth of the blocks by prediction.")
        + _figure(coverage, "Coverage: values within the interval, in each tenth of the blocks.")
        + "</div>"
    )


def _worst(evaluation: Evaluation) -> str:
    if not evaluation.exhibits:
        return ""
    first, protocol = evaluation.methods[0].name, evaluation.protocols[0].name
    return (
        f"<h2>Worst images first</h2><p class='soft'>By the PSNR of {escape(first)} ({protocol}), "
        "each with the part where its error is largest, pixel by pixel, and below it the error: "
        "the absolute difference to the reference, mean over the colours, "
        f"0 <span class='ramp'></span> {_FULL_ERROR * 255:.0f} levels of 255.</p>"
        + "".join(_exhibit(exhibit) for exhibit in evaluation.exhibits)
    )


def _exhibit(exhibit: FailureCase) -> str:
    """Return a column for each method: what it made of the part, and its error below."""
    columns = []
    if "noisy input" not in exhibit.restored:
        columns.append(_column("noisy", "", [_photograph(exhibit.noisy)]))
    for name, pixels in exhibit.restored.items():
        error = np.atleast_3d(np.abs(pixels - exhibit.clean)).mean(axis=2)
        remark = f"{decibels(exhibit.scores[name])} dB; here {error.mean() * 255:.1f} levels off"
        pictures = [_photograph(pixels), _map(error, _FULL_ERROR)]
        columns.append(_column(name, remark, pictures))
    maps = [_map(expected, _FULL_EXPECTED) for expected in exhibit.uncertainty.values()]
    remark = f"below: expected error, 0 to {_FULL_EXPECTED * 255:.0f} levels" if maps else ""
    columns.append(_column("reference", remark, [_photograph(exhibit.clean), *maps]))
    place = f"rows from {exhibit.row}, columns from {exhibit.column}"
    return (
        f"<h3>{escape(exhibit.image)} <span class='soft'>{place}</span></h3>"
        f"<div class='crops'>{''.join(columns)}</div>"
    )


def _all_images(evaluation: Evaluation) -> str:
    protocol = evaluation.protocols[0].name
    scores: dict[str, dict[str, Score]] = {}
    for row in evaluation.rows:
        scores.setdefault(row.image, {})[row.method] = row.scores[protocol]
    first = evaluation.methods[0].name
    head = ["Image", *(escape(m.name) for m in evaluation.methods)]
    rows = [
        [
            escape(image),
            *(f"{decibels(of[m.name])} / {of[m.name].ssim:.3f}" for m in evaluation.methods),
        ]
        for image, of in sorted(scores.items(), key=lambda item: item[1][first].psnr)
    ]
    return (
        f"<h2>All images</h2><details><summary>{len(rows)} images, PSNR in dB / SSIM by "
        f"{escape(protocol)}</summary>{_table(head, rows)}</details>"
    )


def _lead(method: MethodResult) -> str:
    if method.lead is None:
        return ""
    lead = method.lead
    left_out = f" ({lead.left_out} infinite left out)" if lead.left_out else ""
    return f"{lead.mean:+.2f} [{lead.low:+.2f}, {lead.high:+.2f}]{left_out}"


def _quantity(value: float | None, unit: float, form: str) -> str:
    return "" if value is None else format(value / unit, form)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return cells are HTML already."""
    top = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows)
    table = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    return f"<div class='scroll'>{table}</div>"


def _facts(facts: Mapping[str, Any]) -> str:
    lines = []
    for name, value in facts.items():
        shown = (
            ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, Mapping) else value
        )
        lines.append(f"<dt>{escape(name)}</dt><dd>{escape(str(shown))}</dd>")
    return f"<dl>{''.join(lines)}</dl>"


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


def _column(name: str, remark: str, pictures: Iterable[str]) -> str:
    images = "".join(f"<img src='{p}' alt='{escape(name, quote=True)}'>" for p in pictures)
    caption = f"<b>{escape(name)}</b> {escape(remark)}"
    return f"<figure>{images}<figcaption>{caption}</figcaption></figure>"


def _photograph(pixels: Floats) -> str:
    return as_data_address(in_8_bit(pixels))


def _map(values: Floats, full: float) -> str:
    return as_data_address(in_colour(values, full))


_COLUMNS = (
    "image", "method", "protocol", "psnr_db", "ssim", "megapixels", "seconds", "memory_bytes",
)  # fmt: skip


def as_csv(evaluation: Evaluation) -> str:
    """Return one line for every image, method and protocol; an infinite PSNR reads ``inf``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for row in evaluation.rows:
        for protocol, score in row.scores.items():
            writer.writerow(
                [row.image, row.method, protocol, _number(score.psnr), _number(score.ssim)]
                + [_number(v) for v in (row.megapixels, row.seconds, row.memory)]
            )
    return text.getvalue()


def as_json(evaluation: Evaluation, facts: Mapping[str, Any]) -> str:
    """Give everything but pixels: settings, protocols, means, intervals, calibration, every image.

    Args:
        evaluation: what was measured.
        facts: how and where: model, options, machine, versions, date.
    """
    content = {
        "set": evaluation.title,
        **facts,
        "protocols": {
            p.name: {"description": p.description, "source": p.source} for p in evaluation.protocols
        },
        "methods": [_method(method) for method in evaluation.methods],
        "images": [
            {
                "image": row.image,
                "method": row.method,
                "scores": {name: asdict(score) for name, score in row.scores.items()},
                "megapixels": row.megapixels,
                "seconds": row.seconds,
                "memory_bytes": row.memory,
            }
            for row in evaluation.rows
        ],
    }
    return json.dumps(_without_infinity(content), indent=2, allow_nan=False) + "\n"


def _method(method: MethodResult) -> dict[str, Any]:
    return {
        "name": method.name,
        "scores": {name: asdict(summary) for name, summary in method.summaries.items()},
        "seconds_per_megapixel": method.seconds_per_megapixel,
        "bytes_per_megapixel": method.bytes_per_megapixel,
        "psnr_lead_of_first_method": asdict(method.lead) if method.lead else None,
        "calibration": asdict(method.calibration) if method.calibration else None,
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}" if isinstance(value, float) else str(value)


def _without_infinity(value: Any) -> Any:
    """Return a value with the word ``"inf"`` for infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
