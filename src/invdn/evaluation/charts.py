"""Small charts as SVG text, drawn by matplotlib, for reports that open without a network.

Their colours are variables of CSS, so that a chart is light or dark as the page around it.
"""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scale = Literal["linear", "log"]

_WIDTH, _HEIGHT, _ROW = 8.0, 4.3, 0.75  # inches; the last one of a histogram
#: Variable -> its colour on light paper and on dark.
_COLOURS = {
    "ink": ("#1c2430", "#e7ecf2"), "soft": ("#5b6675", "#9aa6b5"), "grid": ("#e3e7ec", "#2b3440"),
    "paper": ("#ffffff", "#14191f"), "s0": ("#0b62c4", "#6cb0ff"), "s1": ("#c2410c", "#ff9a62"),
    "s2": ("#0f7b5f", "#4fd0a9"), "s3": ("#8b3fb0", "#d59cf2"), "s4": ("#a16207", "#e6bd4d"),
    "s5": ("#be185d", "#ff85b8"),
}  # fmt: skip


def _variables(theme: int) -> str:
    return " ".join(f"--{name}: {colours[theme]};" for name, colours in _COLOURS.items())


#: Colours of lines and text for the page around the charts or the lone file.
STYLE = (
    f":root {{ {_variables(0)} }}\n"
    f"@media (prefers-color-scheme: dark) {{ :root {{ {_variables(1)} }} }}\n"
    "svg.chart { width: 100%; max-width: 620px; height: auto; }\n"
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


def require_matplotlib() -> None:
    """Refuse to begin what ends in charts that cannot be drawn.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    if not find_spec("matplotlib"):
        raise MissingDependencyError("charts need matplotlib: pip install 'invdn[evaluate]'")


def line_chart(
    lines: Sequence[Line],
    x_label: str,
    y_label: str,
    *,
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
) -> str:
    """Draw an ``<svg>`` of curves, axes and a legend; points that are no numbers are left out.

    Raises:
        MissingDependencyError: matplotlib is not installed.

    Example:
        >>> chart = line_chart([Line("cost", [1, 2, 4], [3, 5, 9])], "pixels", "seconds")
        >>> chart.startswith("<svg") and "seconds" in chart
        True
    """
    figure, axes = _figure(_HEIGHT)
    for line in lines:
        points = [
            point
            for point in zip(line.x, line.y, strict=True)
            if all(map(_drawable, point, (x_scale, y_scale)))
        ]
        x, y = zip(*points, strict=True) if points else ((), ())
        look = {"linestyle": "--" if line.drawn == "dashed" else "-", "color": _series(line.colour)}
        axes.plot(x, y, marker="o" if line.drawn == "dots" else "", **look)
        axes.plot([], [], label=line.label, **look)  # for the legend
        if line.drawn == "area":
            axes.fill_between(x, y, color=_series(line.colour), alpha=0.14, linewidth=0)
    axes.set(xlabel=x_label, ylabel=y_label, xscale=x_scale, yscale=y_scale)
    for axis, scale in ((axes.xaxis, x_scale), (axes.yaxis, y_scale)):
        if scale == "log":
            _number(axis)
    if lines:
        ink = _COLOURS["ink"][0]
        figure.legend(loc="outside upper left", ncols=3, frameon=False, labelcolor=ink)
    return _drawing(figure, f"{y_label} against {x_label}")


def histograms(groups: Mapping[str, NDArray[np.float64]], x_label: str, bins: int = 36) -> str:
    """Draw one histogram below the other over a common axis, each with a mark at its mean.

    Infinite values are left out, and every histogram is as high as its fullest bin.

    Raises:
        MissingDependencyError: matplotlib is not installed.

    Example:
        >>> import numpy as np
        >>> "PSNR" in histograms({"a": np.arange(9.0), "b": np.arange(5.0)}, "PSNR, dB")
        True
    """
    figure, axes = _figure(0.9 + _ROW * max(1, len(groups)))
    finite = {label: values[np.isfinite(values)] for label, values in groups.items()}
    together = np.concatenate([*finite.values(), np.zeros(0)])
    edges = np.histogram_bin_edges(together if together.size else [0.0, 1.0], bins)
    for row, (label, values) in enumerate(finite.items()):
        counts = np.histogram(values, edges)[0]
        heights = 0.7 * counts / max(counts.max(), 1)
        axes.stairs(heights - row, edges, baseline=-row, fill=True, alpha=0.3, color=_series(row))
        if values.size:
            axes.plot([values.mean()] * 2, [-row, 0.75 - row], color=_series(row))
        place = {"transform": axes.get_yaxis_transform(), "color": _COLOURS["ink"][0]}
        axes.text(0.01, 0.55 - row, label.replace("$", r"\$"), **place)
    axes.set(xlabel=x_label, yticks=[])
    return _drawing(figure, f"shares by {x_label}")


def standalone(chart: str) -> str:
    """Return the chart as an SVG file of its own, with its style and a background."""
    head, rest = chart.split(">", 1)
    paper = '<rect width="100%" height="100%" style="fill: var(--paper)"/>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{head}><style>{STYLE}</style>{paper}{rest}\n'


def _figure(height: float) -> tuple["Figure", Any]:
    require_matplotlib()
    from matplotlib.figure import Figure  # late: half a second

    figure = Figure((_WIDTH, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[:].set_visible(False)
    axes.grid(color=_COLOURS["grid"][0])
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=_COLOURS["soft"][0])
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(_COLOURS["soft"][0])
    return figure, axes


def _number(axis: Any) -> None:
    """Have a logarithmic axis show 1, 2, 5, 10 as plain numbers."""
    from matplotlib import ticker

    axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ticker.StrMethodFormatter("{x:.6g}"))
    axis.set_minor_locator(ticker.NullLocator())


def _drawing(figure: "Figure", title: str) -> str:
    from matplotlib import rc_context

    text = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "invdn"}):  # the same text each time
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(text, format="svg", transparent=True, metadata=nothing)
    drawing = text.getvalue().strip()
    drawing = drawing[drawing.index("<svg") :]
    for name, (light, _) in _COLOURS.items():
        drawing = drawing.replace(light, f"var(--{name})")
    head = f'<svg class="chart" role="img" aria-label="{escape(title)}"'
    return head + drawing.removeprefix("<svg")


def _series(number: int) -> str:
    return _COLOURS[f"s{number % 6}"][0]


def _drawable(value: float, scale: Scale) -> bool:
    return math.isfinite(value) and (scale == "linear" or value > 0)
