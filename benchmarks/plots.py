"""What the benchmarks found, drawn: engines side by side, and cost against size."""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = ("#8a8a8a", "#c98a2b", "#2b6cb0", "#7fb2e5")


def draw(results: Path) -> None:
    """Draw every plot whose results are in the folder, as SVG beside them."""
    pyplot.rcParams.update({"svg.hashsalt": "invdn", "font.size": 9, "axes.spines.top": False})
    for name, plot in (("engines", _engines), ("growth", _growth)):
        source = results / f"{name}.json"
        if source.exists():
            figure = plot(json.loads(source.read_text(encoding="utf-8")))
            figure.savefig(results / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
            pyplot.close(figure)


def _engines(result: dict[str, Any]) -> Any:
    """How many times as fast as plain eager torch, by size, a panel for each number of threads."""
    threads = sorted({case["threads"] for case in result["cases"]})
    figure, axes = pyplot.subplots(
        1, len(threads), figsize=(4 * len(threads), 2.8), sharey=True, squeeze=False
    )
    for axis, count in zip(axes[0], threads, strict=True):
        cases = [case for case in result["cases"] if case["threads"] == count]
        names = list(cases[0]["engines"])
        width = 0.8 / len(names)
        for place, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
            heights = [case["engines"][name]["times_torch"] for case in cases]
            at = [index + (place - (len(names) - 1) / 2) * width for index in range(len(cases))]
            bars = axis.bar(at, heights, width, color=colour, label=name)
            axis.bar_label(bars, fmt="%.1f", fontsize=7)
        axis.set_xticks(range(len(cases)), [f"{case['size']} x {case['size']}" for case in cases])
        axis.set_title("one thread" if count == 1 else f"{count} threads")
    axes[0][0].set_ylabel("times as fast as plain torch")
    axes[0][0].legend(frameon=False, fontsize=8)
    return figure


def _growth(result: dict[str, Any]) -> Any:
    """Time and memory by megapixels, and time by draws, with their straight lines."""
    figure, (time, memory, draws) = pyplot.subplots(1, 3, figsize=(11, 2.9))
    pixels = result["pixels"]
    sizes = [point["megapixels"] for point in pixels["points"]]
    for axis, what, unit, fit in (
        (time, "seconds", "seconds", pixels["seconds_by_megapixels"]),
        (memory, "mib", "MiB above the open engine", pixels["mib_by_megapixels"]),
    ):
        _line(axis, sizes, [point[what] for point in pixels["points"]], fit)
        axis.set(xscale="log", yscale="log", xlabel="megapixels", ylabel=unit)
    found = result["draws"]["points"]
    counts = [point["draws"] for point in found]
    _line(draws, counts, [point["seconds"] for point in found], result["draws"]["seconds_by_draws"])
    draws.set(xlabel="draws", ylabel="seconds", ylim=(0, None))
    figure.tight_layout()
    return figure


def _line(axis: Any, x: list[float], y: list[float], fit: dict[str, float]) -> None:
    axis.plot(x, y, "o", color=COLOURS[2], markersize=4)
    axis.plot(x, [fit["intercept"] + fit["slope"] * each for each in x], color=COLOURS[0], zorder=0)
