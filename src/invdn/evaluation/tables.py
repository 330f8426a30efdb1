"""The figures of an evaluation as files for other programs: CSV and JSON."""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .evaluate import Evaluation, MethodResult

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
    """Return JSON knows no infinity: the word ``"inf"`` stands for it."""
    if isinstance(value, dict):
        return {key: _without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_infinity(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
