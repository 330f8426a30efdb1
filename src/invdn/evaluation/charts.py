"""Small charts as SVG text: axes, lines and histograms, for reports that open without a network."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["linear", "log"]

_WIDTH, _HEIGHT = 560, 300
_LEFT, _RIGHT, _BOTTOM = 72, 16, 46
_LETTER = 6.7  # mean width of a letter of the font, in units of the drawing
_ROW = 52  # height of one histogram

#: Colours of lines and text, light and dark, for the page around the charts or the lone file.
STYLE = """
:root { --ink: #1c2430; --soft: #5b6675; --grid: #e3e7ec; --paper: #ffffff;
  --s0: #0b62c4; --s1: #c2410c; --s2: #0f7b5f; --s3: #8b3fb0; --s4: #a16207; --s5: #be185d; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ecf2; --soft: #9aa6b5; --grid: #2b3440;
  --paper: #14191f; --s0: #6cb0ff; --s1: #ff9a62; --s2: #4fd0a9; --s3: #d59cf2; --s4: #e6bd4d;
  --s5: #ff85b8; } }
svg.chart { width: 100%; max-width: 620px; height: auto; font: 12px system-ui, sans-serif; }
svg.chart text { fill: var(--soft); } svg.chart text.key { fill: var(--ink); }
svg.chart .grid { stroke: var(--grid); } svg.chart .line { fill: none; stroke-width: 2; }
svg.chart .area { fill-opacity: .14; stroke: none; } svg.chart .dashed { stroke-dasharray: 5 4; }
""" + "".join(
    f"svg.chart .s{i} {{ stroke: var(--s{i}); fill: var(--s{i}); }}\n"
    f"svg.chart .line.s{i} {{ fill: none; }}\n"
    for i in range(6)
)


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        label: its name in the legend.
        x: places.
        y: values, as many as places.
        drawn: what is seen: the line, with dots, dashed, or with the area below it.
        colour: which of the six colours of the style.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    drawn: Literal["line", "dots", "dashed", "area"] = "line"
    colour: int = 0


@dataclass(frozen=True)
class _Axis:
    scale: Scale
    low: float
    high: float
    start: float  # where ``low`` lies, in units of the drawing
    end: float

    def __call__(self, value: float) -> float:
        move: Callable[[float], float] = math.log10 if self.scale == "log" else float
        low, high = move(self.low), move(self.high)
        return self.start + (move(value) - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.scale == "linear":
            step = _nice_step((self.high - self.low) / 5)
            first = math.ceil(self.low / step - 1e-9)
            return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        marks = (1, 2, 5) if len(decades) <= 4 else (1,)
        all_ticks = (mark * 10.0**decade for decade in decades for mark in marks)
        return [
            tick for tick in all_ticks if self.low <= tick * 1.0001 and tick <= self.high * 1.0001
        ]


def line_chart(
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    *,
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
) -> str:
    """Draw an ``<svg>`` of curves, axes and a legend; points that are no numbers are left out.

    Example:
        >>> chart = line_chart([Line("cost", [1, 2, 4], [3, 5, 9])], "pixels", "seconds")
        >>> chart.startswith("<svg") and "seconds" in chart
        True
    """
    kept = [(line, _points(line, x_scale, y_scale)) for line in lines]
    xs = [x for _, points in kept for x, _ in points] or [0.1, 1.0]
    ys = [y for _, points in kept for _, y in points] or [0.1, 1.0]
    horizontal = _Axis(x_scale, *_span(xs, x_scale), _LEFT, _WIDTH - _RIGHT)
    top = (_legend_places(lines)[-1][1] if lines else 0) + 14
    vertical = _Axis(y_scale, *_span(ys, y_scale), _HEIGHT - _BOTTOM, top)
    parts = [*_grid(horizontal, vertical, x_label), *_vertical_labels(vertical, y_label)]
    for line, points in kept:
        parts += _curve(line, [(horizontal(x), vertical(y)) for x, y in points], vertical.start)
    parts += _legend(lines)
    return _drawing(f"{y_label} against {x_label}", _HEIGHT, parts)


def histograms(groups: Mapping[str, NDArray[np.float64]], x_label: str, bins: int = 36) -> str:
    """Return one histogram below the other over a common axis, each with a mark at its mean.

    Infinite values are left out, and every histogram is as high as its fullest bin.

    Example:
        >>> import numpy as np
        >>> "PSNR" in histograms({"a": np.arange(9.0), "b": np.arange(5.0)}, "PSNR, dB")
        True
    """
    finite = {label: values[np.isfinite(values)] for label, values in groups.items()}
    together = np.concatenate([*finite.values(), np.zeros(0)])
    low, high = (float(together.min()), float(together.max())) if together.size else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, bins + 1)
    bottom = 8 + _ROW * len(finite)
    horizontal = _Axis("linear", *_span([low, high], "linear"), _LEFT / 2, _WIDTH - _RIGHT)
    parts = _grid(horizontal, _Axis("linear", 0, 1, bottom, 8), x_label)
    for row, (label, values) in enumerate(finite.items()):
        base = 8 + _ROW * (row + 1)
        counts = np.histogram(values, edges)[0]
        heights = np.repeat(counts / max(counts.max(), 1), 2) * (_ROW - 24)
        outline = [base, *(base - heights), base]
        xs = [horizontal(edge) for edge in np.repeat(edges, 2).tolist()]
        places = list(zip(xs, outline, strict=True))
        parts += _curve(Line(label, (), (), "area", row), places, base)
        if values.size:
            middle = horizontal(float(values.mean()))
            parts.append(f'<path class="line s{row % 6}" d="M{middle:.1f} {base}v-{_ROW - 22}"/>')
        parts.append(
            f'<text class="key" x="{_LEFT / 2 + 4}" y="{base - _ROW + 20}">{escape(label)}</text>'
        )
    return _drawing(f"shares by {x_label}", bottom + _BOTTOM, parts)


def standalone(chart: str) -> str:
    """Return the chart as an SVG file of its own, with its style and a background."""
    head, rest = chart.split(">", 1)
    paper = '<rect width="100%" height="100%" style="fill: var(--paper)"/>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{STYLE}</style>{paper}{rest}\n'


def _drawing(title: str, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _points(line: Line, x_scale: Scale, y_scale: Scale) -> list[tuple[float, float]]:
    def drawable(value: float, scale: Scale) -> bool:
        return math.isfinite(value) and (scale == "linear" or value > 0)

    return [
        (float(x), float(y))
        for x, y in zip(line.x, line.y, strict=True)
        if drawable(x, x_scale) and drawable(y, y_scale)
    ]


def _span(values: Sequence[float], scale: Scale) -> tuple[float, float]:
    low, high = min(values), max(values)
    if scale == "log":
        return low / 1.25, high * 1.25
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return (0.0 if 0 <= low <= (high - low) * 0.5 else low - room), high + room


def _nice_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(mark * power for mark in (1, 2, 2.5, 5, 10) if mark * power >= rough * 0.999)


def _grid(horizontal: _Axis, vertical: _Axis, x_label: str) -> list[str]:
    """Return upright lines with their numbers, and what they count."""
    bottom, top = vertical.start, vertical.end
    parts = []
    for tick in horizontal.ticks():
        x = f"{horizontal(tick):.1f}"
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{tick:.6g}</text>')
    middle = (horizontal.start + horizontal.end) / 2
    parts.append(
        f'<text x="{middle}" y="{bottom + 38}" text-anchor="middle">{escape(x_label)}</text>'
    )
    return parts


def _vertical_labels(vertical: _Axis, y_label: str) -> list[str]:
    """Return level lines with their numbers, and what they count."""
    right = _WIDTH - _RIGHT
    parts = []
    for tick in vertical.ticks():
        y = vertical(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    middle = (vertical.start + vertical.end) / 2
    parts.append(
        f'<text transform="translate(13 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return parts


def _curve(line: Line, places: list[tuple[float, float]], bottom: float) -> list[str]:
    if not places:
        return []
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    colour = f"s{line.colour % 6}"
    dashed = " dashed" if line.drawn == "dashed" else ""
    parts = [f'<path class="line {colour}{dashed}" d="{path}"/>']
    if line.drawn == "area":
        ends = f"L{places[-1][0]:.1f} {bottom} L{places[0][0]:.1f} {bottom}Z"
        parts.insert(0, f'<path class="area {colour}" d="{path}{ends}"/>')
    if line.drawn == "dots":
        parts += [f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
    return parts


def _legend(lines: Sequence[Line]) -> list[str]:
    """Return keys in rows above the plot, as many in a row as fit."""
    parts = []
    for line, (x, y) in zip(lines, _legend_places(lines), strict=True):
        dashed = " dashed" if line.drawn == "dashed" else ""
        parts.append(
            f'<path class="line s{line.colour % 6}{dashed}" d="M{x:.0f} {y - 4}h20"/>'
            f'<text class="key" x="{x + 26:.0f}" y="{y}">{escape(line.label)}</text>'
        )
    return parts


def _legend_places(lines: Sequence[Line]) -> list[tuple[float, int]]:
    places: list[tuple[float, int]] = []
    x, y = float(_LEFT), 14
    for line in lines:
        width = 26 + _LETTER * len(line.label) + 18
        if x > _LEFT and x + width > _WIDTH - _RIGHT:
            x, y = float(_LEFT), y + 18
        places.append((x, y))
        x += width
    return places
