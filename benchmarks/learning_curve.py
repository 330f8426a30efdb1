"""The learning curve of a model from the CSV files of its runs: no point is gathered by hand.

    python benchmarks/learning_curve.py RUN... --after benchmarks/results/learning-curve.json \\
        --log benchmarks/results/learning-log.csv > learning-curve.json
    python -m benchmarks --plots      # draws benchmarks/results/learning-curve.json

The runs' folders come in the order in which one went on from the other; each needs `run.json`,
`validation.csv`, and for `--log` also `train.csv`. Steps and pixels count from the first run on, or
from the end of the curve given by `--after`. The last run ends an edition of the model, and so does
each run named by `--edition`. Every point says which run it is of, because sets of synthetic noise
are those of the code as it was then: the plot joins points of one run alone.
"""

import argparse
import csv
import json
from itertools import accumulate
from pathlib import Path
from typing import Any

_SUFFIX = "_psnr"


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="a run's folder")
    parser.add_argument("--after", type=Path, metavar="JSON", help="a curve to go on with")
    parser.add_argument("--edition", type=Path, action="append", default=[], metavar="RUN")
    parser.add_argument("--log", type=Path, metavar="CSV", help="write all runs' losses here")
    options = parser.parse_args()
    unknown = set(options.edition) - set(options.runs)
    if unknown:
        parser.error(f"--edition names what is no run: {', '.join(map(str, sorted(unknown)))}")
    try:
        before = json.loads(options.after.read_text(encoding="utf-8")) if options.after else None
        curve, log = join(options.runs, before, [*options.edition, options.runs[-1]])
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"learning_curve: {type(error).__name__}: {error}") from error
    if options.log:
        with options.log.open("w", newline="", encoding="utf-8") as stream:
            names = list(dict.fromkeys(name for row in log for name in row))
            writer = csv.DictWriter(stream, names, lineterminator="\n")
            writer.writeheader()
            writer.writerows(log)
    print(json.dumps(curve, indent=1))


def join(
    runs: list[Path], before: dict[str, Any] | None, editions: list[Path]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the curve, and the losses of all runs with steps counted through.

    Args:
        runs: folders in order.
        before: a curve to go on with.
        editions: the runs whose end is an edition's.

    Raises:
        ValueError: a run has no validation.
        OSError: a file is missing.
    """
    points: list[dict[str, Any]] = list(before["points"]) if before else []
    ends: list[int] = list(before["editions"]) if before else []
    offset = max([*ends, *(point["step"] for point in points)], default=0)
    pixels = points[-1].get("megapixels", 0.0) if points else 0.0
    log: list[dict[str, Any]] = []
    for folder in runs:
        recipe = json.loads((folder / "run.json").read_text(encoding="utf-8"))[-1]["recipe"]
        rows = read(folder / "validation.csv")
        if not rows:
            raise ValueError(f"{folder} has no validation")
        for row in rows:
            step = int(row["step"])
            points.append(
                {
                    "run": f"{folder.name}: {recipe['title']}",
                    "step": offset + step,
                    "megapixels": round(pixels + megapixels(recipe, step), 1),
                    "psnr": {
                        name.removesuffix(_SUFFIX): round(float(value), 3)
                        for name, value in row.items()
                        if name.endswith(_SUFFIX) and value
                    },
                }
            )
        trained = read(folder / "train.csv") if (folder / "train.csv").exists() else []
        log += [{**row, "step": offset + int(row["step"])} for row in trained]
        last = max(int(row["step"]) for row in [*rows, *trained])
        offset += last
        pixels += megapixels(recipe, last)
        if folder in editions:
            ends.append(offset)
    what = "one draw, dB over RGB; every validation of every run"
    return {"what": what, "editions": ends, "points": points}, log


def read(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file of a run."""
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def megapixels(recipe: dict[str, Any], steps: int) -> float:
    """Return what a run saw in its first steps, by the crops and batches of its phases.

    With a budget a phase ends by the time, which the log does not tell: its share of the steps is
    taken then.
    """
    phases = recipe["phases"]
    ends = list(accumulate(phase["steps"] for phase in phases))
    scale = max(1.0, steps / ends[-1]) if recipe.get("budget") else 1.0
    total, start = 0.0, 0.0
    for phase, end in zip(phases, ends, strict=True):
        end = float("inf") if end == ends[-1] else end * scale
        done = max(0.0, min(steps, end) - start)
        total += done * phase["batch"] * phase["crop"] ** 2 / 1e6
        start = end
    return total


if __name__ == "__main__":
    main()
