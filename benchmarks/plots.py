"""What was measured, drawn: engines side by side, cost by size and depth, the model's course."""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

from invdn.inference.blocks import WHOLE

COLOURS = ("#8a8a8a", "#c98a2b", "#2b6cb0", "#7fb2e5")


def draw(results: Path) -> None:
    """Draw every plot whose results are in the folder, as SVG beside them."""
    pyplot.rcParams.update({"svg.hashsalt": "invdn", "font.size": 9, "axes.spines.top": False})
    plots = {
        "engines": _engines,
        "peers": _peers,
        "growth": _growth,
        "training-step": _training_step,
        "learning-curve": _learning_curve,
        "uncertainty": _uncertainty,
    }
    for name, plot in plots.items():
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


def _peers(result: dict[str, Any]) -> Any:
    """How many times as long as native's default each engine takes, a panel for each case."""
    cases = result["cases"]
    figure, axes = pyplot.subplots(
        1, len(cases), figsize=(3.6 * len(cases), 2.8), sharex=True, squeeze=False
    )
    for axis, case in zip(axes[0], cases, strict=True):
        engines = sorted(case["engines"].items(), key=lambda item: -item[1]["times_native"])
        names = [name for name, _ in engines]
        own = [COLOURS[2] if name.startswith("native") else COLOURS[0] for name in names]
        bars = axis.barh(names, [row["times_native"] for _, row in engines], color=own)
        axis.bar_label(bars, fmt="%.2f", fontsize=7)
        threads = "one thread" if case["threads"] == 1 else f"{case['threads']} threads"
        axis.set_title(f"{case['size']} x {case['size']}, {threads}")
        axis.set_xlabel("time, native's default = 1")
    figure.tight_layout()
    return figure


def _uncertainty(result: dict[str, Any]) -> Any:
    """Predicted and true error, and coverage, in tenths of the blocks of every set not learned."""
    figure, (reliable, covered) = pyplot.subplots(1, 2, figsize=(9.5, 3.4))
    rows = [row for row in result["rows"] if row["strength"] == "auto"]
    for row in rows:
        (line,) = reliable.plot(row["predicted"], row["observed"], "o-", ms=3, lw=0.8)
        shares = [100 * share for share in row["covered"]]
        covered.plot(row["predicted"], shares, "o-", ms=3, lw=0.8, color=line.get_color())
        line.set_label(row["set"])
    ends = [min(min(row["predicted"]) for row in rows), max(max(row["predicted"]) for row in rows)]
    reliable.plot(ends, ends, "--", color="#8a8a8a", lw=0.8)
    covered.axhline(90, ls="--", color="#8a8a8a", lw=0.8)
    name = "expected error, of 255"
    reliable.set(xscale="log", yscale="log", xlabel=name, ylabel="true error, of 255")
    covered.set(xscale="log", xlabel=name, ylabel="values within the interval, %", ylim=(50, 100))
    reliable.legend(frameon=False, fontsize=7)
    return figure


def _growth(result: dict[str, Any]) -> Any:
    """Time and memory by megapixels, time by draws, speed by threads, with their straight lines."""
    figure, (time, memory, draws, threads) = pyplot.subplots(1, 4, figsize=(14, 2.9))
    pixels = result["pixels"]
    points = pixels["points"]
    sizes = [point["megapixels"] for point in points]
    _dots(time, sizes, [point["steady_seconds"] for point in points])
    _line(time, sizes, sizes, pixels["steady_seconds_by_megapixels"])
    _dots(memory, sizes, [point["mib"] for point in points])
    bend = WHOLE / 1e6
    few, large = (
        [point for point in points if (point["megapixels"] > bend) == beyond]
        for beyond in (False, True)
    )
    x = [point["megapixels"] for point in few]
    _line(memory, x, x, pixels["mib_by_megapixels"])
    x = [point["megapixels"] for point in large]
    own = [point["mib"] - point["beside_mib"] for point in large]
    _line(memory, x, [point["side"] for point in large], pixels["beside_mib_by_columns"], own)
    for axis, unit in ((time, "seconds"), (memory, "MiB above the open engine")):
        axis.set(xscale="log", yscale="log", xlabel="megapixels", ylabel=unit)
    for axis, group, what, unit in (
        (draws, "draws", "steady_seconds", "seconds"),
        (threads, "threads", "speed", "photographs a second"),
    ):
        x = [point[group] for point in result[group]["points"]]
        _dots(axis, x, [point[what] for point in result[group]["points"]])
        _line(axis, x, x, result[group][f"{what}_by_{group}"])
        axis.set(xlabel=group, ylabel=unit, ylim=(0, None), xticks=x)
    figure.tight_layout()
    return figure


def _training_step(result: dict[str, Any]) -> Any:
    """Memory and time of a training step by depth, with activations kept and rebuilt."""
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 2.9))
    for recompute, name, colour in ((False, "kept", COLOURS[0]), (True, "rebuilt", COLOURS[2])):
        found = [point for point in result["depths"] if point["recompute"] == recompute]
        blocks = [point["blocks"] for point in found]
        for axis, what, unit in zip(
            axes, ("activation_bytes", "peak_bytes", "seconds"), (1e6, 1e6, 1), strict=True
        ):
            values = [point[what] / unit for point in found]
            axis.plot(blocks, values, "o-", color=colour, markersize=4, label=f"activations {name}")
            axis.set(xlabel="blocks a level", xticks=blocks)
    for axis in axes:
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel("MB for the gradient")
    axes[1].set_ylabel("MB, parameters and Adam included")
    axes[2].set_ylabel("seconds a step")
    axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return figure


def _learning_curve(result: dict[str, Any]) -> Any:
    """PSNR of the running mean by steps, and where the editions of the shipped model end."""
    figure, (real, synthetic) = pyplot.subplots(1, 2, figsize=(11, 3))
    points = result["points"]
    runs = list(dict.fromkeys(point.get("run", "") for point in points))
    first, *others = points[0]["psnr"]
    for axis, names in ((real, [first]), (synthetic, others)):
        for name, colour in zip(names, (*COLOURS[2:], *COLOURS[:2]), strict=False):
            for run in runs:  # each a line of its own: another run may measure other noise
                found = [p for p in points if p.get("run", "") == run and name in p["psnr"]]
                steps = [point["step"] / 1000 for point in found]
                values = [point["psnr"][name] for point in found]
                label = name if run == runs[0] else None
                axis.plot(steps, values, "o-", color=colour, markersize=2, linewidth=1, label=label)
        for end in result["editions"]:
            axis.axvline(end / 1000, color=COLOURS[0], linewidth=0.5, linestyle=":")
        axis.set(xlabel="thousand steps; dotted: an edition", ylabel="PSNR in dB, one draw")
        axis.legend(frameon=False, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1), ncol=4)
    figure.tight_layout()
    return figure


def _dots(axis: Any, x: list[float], y: list[float]) -> None:
    axis.plot(x, y, "o", color=COLOURS[2], markersize=4)


def _line(
    axis: Any,
    place: list[float],
    x: list[float],
    fit: dict[str, Any] | None,
    more: list[float] | None = None,
) -> None:
    """The fitted line of ``x``, drawn at ``place``; ``more`` is added to it."""
    if fit:
        added = more or [0.0] * len(x)
        y = [fit["intercept"] + fit["slope"] * a + b for a, b in zip(x, added, strict=True)]
        axis.plot(place, y, color=COLOURS[0], zorder=0)
