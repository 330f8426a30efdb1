"""What a photograph costs: time of every stage and memory, by size, draws, runtime and threads."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..architecture import Architecture
from ..inference import DenoiseOptions, Engine, denoise_pixels
from ..photo.photo import Photo
from ..photo.read import read_photo
from ..photo.write import write_photo
from .charts import Line, line_chart
from .profiling import peak_memory

Floats = NDArray[np.float32]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes:
        runtime: ``"native"``, ``"onnxruntime"``, ``"torch"``, or ``"auto"`` for the one that a
            photograph gets.
        device: ``"cpu"``, ``"cuda"`` ...
        precision: of the convolutions, as ``open_engine`` takes it; ``"auto"`` for what a
            photograph gets.
        threads: processor cores that may be used; 0 for all.
        width: of the photograph in pixels.
        height: of the photograph in pixels.
        draws: samples for each symmetry.
        symmetries: 1 or 8.
        tile: edge of a tile in pixels; 0 for none, None for what suits the engine.
        repeats: measured runs after a first one that only warms up.
    """

    runtime: str
    device: str
    precision: str
    threads: int
    width: int
    height: int
    draws: int
    symmetries: int
    tile: int | None
    repeats: int

    @property
    def megapixels(self) -> float:
        """Millions of pixels."""
        return self.width * self.height / 1e6

    @property
    def series(self) -> str:
        """What stays the same along a curve of cost against pixels."""
        parts = [self.runtime, "" if self.device == "cpu" else self.device]
        parts.append("" if self.precision == "auto" else self.precision)
        parts.append(f"{self.threads} threads" if self.threads else "")
        parts.append(f"{self.draws} draws" if self.draws > 1 else "")
        parts.append(f"x{self.symmetries}" if self.symmetries > 1 else "")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Stages:
    """Seconds of one photograph from file to file.

    Attributes:
        reading: decoding the file.
        preprocessing: tiles, floats, symmetries, and drawing the latent.
        inference: inside the network's runtime.
        postprocessing: undoing symmetries, means, rounding.
        writing: encoding the file.
    """

    reading: float
    preprocessing: float
    inference: float
    postprocessing: float
    writing: float

    @property
    def total(self) -> float:
        """From file to file."""
        processing = self.preprocessing + self.inference + self.postprocessing
        return self.reading + processing + self.writing


@dataclass(frozen=True)
class Outcome:
    """What a case took.

    Attributes:
        case: what was measured.
        engine: what ran, in its own words.
        opening: seconds to open the engine in a fresh process, imports of the runtime included.
        first: seconds of the first photograph, before anything is warm.
        stages: of the run whose total is the median.
        totals: seconds of every measured run.
        peak_memory: bytes that the process held at most, from its start.
        accelerator_memory: bytes that torch held at most on a GPU; None on a CPU.
    """

    case: Case
    engine: str
    opening: float
    first: float
    stages: Stages
    totals: tuple[float, ...]
    peak_memory: int
    accelerator_memory: int | None

    @property
    def latency(self) -> float:
        """Median seconds for one photograph from file to file."""
        return median(self.totals)

    @property
    def throughput(self) -> float:
        """Megapixels per second."""
        return self.case.megapixels / self.latency


class StopwatchEngine:
    """Passes everything on to an engine and sorts the seconds by stage.

    An engine that works row by row needs :class:`StopwatchRows`.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine: Any = engine
        self._since = 0.0
        self.seconds: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        """Return what the engine says of its tiles and memory."""
        return getattr(self._engine, name)

    @property
    def architecture(self) -> Architecture:
        """Of the engine."""
        return self._engine.architecture  # type: ignore[no-any-return]

    @property
    def description(self) -> str:
        """Of the engine."""
        return self._engine.description  # type: ignore[no-any-return]

    def start(self) -> None:
        """Forget what was measured and start anew."""
        self.seconds = dict.fromkeys(("preprocessing", "inference", "postprocessing"), 0.0)
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Count the seconds since the last lap for a stage."""
        now = time.perf_counter()
        self.seconds[stage] += now - self._since
        self._since = now

    def encode(self, noisy: Floats) -> Floats:
        """Do what the engine does, and stop the time."""
        return self.inside(lambda: self._engine.encode(noisy))

    def decode(self, low: Floats, latent: Floats) -> Floats:
        """Do what the engine does, and stop the time."""
        return self.inside(lambda: self._engine.decode(low, latent))

    def inside(self, work: Callable[[], Result]) -> Result:
        """Do the engine's work; what came before it was preparation."""
        self.lap("preprocessing")
        result = work()
        self.lap("inference")
        return result


class StopwatchRows(StopwatchEngine):
    """The same of an engine that works row by row."""

    def encode_rows(self, *size: int) -> "_StopwatchPushes":
        """Do what the engine does, and stop the time."""
        return _StopwatchPushes(self, self.inside(lambda: self._engine.encode_rows(*size)))

    def decode_rows(self, *size: int) -> "_StopwatchPushes":
        """Do what the engine does, and stop the time."""
        return _StopwatchPushes(self, self.inside(lambda: self._engine.decode_rows(*size)))


class _StopwatchPushes:
    """An encoder or decoder of rows."""

    def __init__(self, stopwatch: StopwatchEngine, rows: Any) -> None:
        self._stopwatch, self._rows = stopwatch, rows

    def push(self, *rows: Floats) -> Floats:
        """Do what the engine does, and stop the time."""
        return self._stopwatch.inside(lambda: self._rows.push(*rows))


def stopwatch(engine: Engine) -> StopwatchEngine:
    """Return the engine with a stopwatch, on the same way through a photograph as without."""
    return (StopwatchRows if hasattr(engine, "decode_rows") else StopwatchEngine)(engine)


def measure_case(case: Case, open_engine: Callable[[], Engine], folder: Path) -> Outcome:
    """Measure a case in this process, which should be fresh.

    Args:
        case: what to measure.
        open_engine: loads the model and its runtime.
        folder: for the photographs; files in it are replaced.

    Raises:
        EngineError: the runtime fails.
        OutputError: the folder cannot be written.
    """
    start = time.perf_counter()
    engine = stopwatch(open_engine())
    opening = time.perf_counter() - start
    source = folder / "noisy.png"
    write_photo(Photo(noisy_photograph(case.width, case.height)), source, overwrite=True)
    runs = [_run(engine, case, source) for _ in range(case.repeats + 1)]
    measured = sorted(runs[1:], key=lambda stages: stages.total)
    return Outcome(
        case,
        engine.description,
        opening,
        runs[0].total,
        measured[(len(measured) - 1) // 2],
        tuple(stages.total for stages in runs[1:]),
        peak_memory(),
        _accelerator_memory(case),
    )


def noisy_photograph(width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture of soft shapes with noise, always the same: ``(height, width, 3)`` uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / 64
    planes = [
        0.5 + 0.3 * np.sin(x * a) * np.cos(y * b) for a, b in ((1, 1), (0.7, 1.3), (1.9, 0.4))
    ]
    noise = np.random.default_rng(0).normal(0, 0.06, (height, width, 3))
    return np.asarray(np.clip((np.stack(planes, -1) + noise) * 255, 0, 255), np.uint8)


def cost_chart(outcomes: Sequence[Outcome]) -> str:
    """Return seconds for a photograph against its megapixels, a curve for each series, as SVG."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for outcome in outcomes:
        place = (outcome.case.megapixels, outcome.latency)
        curves.setdefault(outcome.case.series, []).append(place)
    lines = []
    for colour, (name, places) in enumerate(curves.items()):
        places.sort()
        xs, ys = [x for x, _ in places], [y for _, y in places]
        lines.append(Line(name, xs, ys, "dots", colour))
    return line_chart(
        lines, "megapixels", "seconds from file to file", x_scale="log", y_scale="log"
    )


def as_record(outcome: Outcome) -> Mapping[str, object]:
    """Return the outcome as plain values for JSON."""
    return {
        **asdict(outcome),
        "megapixels": outcome.case.megapixels,
        "latency": outcome.latency,
        "megapixels_per_second": outcome.throughput,
    }


def _run(engine: StopwatchEngine, case: Case, source: Path) -> Stages:
    options = DenoiseOptions(
        self_ensemble=case.symmetries == 8, num_samples=case.draws, tile_size=case.tile, strength=1
    ).of_the_network()
    start = time.perf_counter()
    photo = read_photo(source)
    reading = time.perf_counter() - start
    engine.start()
    pixels = denoise_pixels(
        engine, photo.pixels, options, progress=lambda done, total: engine.lap("postprocessing")
    )
    engine.lap("postprocessing")
    start = time.perf_counter()
    write_photo(Photo(np.asarray(pixels, np.uint8)), source.with_name("clean.png"), overwrite=True)
    return Stages(reading=reading, writing=time.perf_counter() - start, **engine.seconds)


def _accelerator_memory(case: Case) -> int | None:
    if not case.device.startswith("cuda"):
        return None
    import torch  # late: loaded already by the engine of this case

    return int(torch.cuda.max_memory_allocated(case.device))
