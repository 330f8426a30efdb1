"""Measure every method on every pair by every protocol in one pass, and how sure a lead is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, InputError
from .methods import Floats, Method, Restoration, unit_floats
from .pictures import worst_place
from .profiling import profile_block
from .protocols import Protocol, Score, Summary, measure, summarise
from .samples import Sample, Samples
from .uncertainty import BlockSamples, Calibration, block_samples, calibrate


@dataclass(frozen=True)
class Interval:
    """The mean difference of paired scores, and where it would lie on other images of this kind.

    Attributes:
        mean: mean of ``first - second`` over the images.
        low: lower end of the interval.
        high: upper end.
        confidence: share of resampled sets whose mean lies inside.
        images: pairs that entered.
        left_out: pairs that did not, because a score is infinite.
    """

    mean: float
    low: float
    high: float
    confidence: float
    images: int
    left_out: int


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Return percentile interval of the mean difference, images being resampled in pairs.

    Args:
        first: scores of one method, an image each.
        second: scores of the other on the same images in the same order.
        confidence: share of the resampled means to cover.
        resamples: how many sets are drawn.
        seed: of the drawing.

    Raises:
        InputError: the lengths differ, or no pair of finite scores is left.

    Reference:
        Efron and Tibshirani, An introduction to the bootstrap, 1993, chapter 13.

    Example:
        >>> interval = paired_bootstrap([31.0, 33.0, 32.5], [30.0, 32.0, 31.5])
        >>> interval.mean, interval.low, interval.high
        (1.0, 1.0, 1.0)
    """
    if len(first) != len(second):
        raise InputError(f"{len(first)} scores cannot be paired with {len(second)}")
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    finite = np.isfinite(a) & np.isfinite(b)
    difference = a[finite] - b[finite]
    if difference.size == 0:
        raise InputError("no image has a finite score in both methods")
    random = np.random.default_rng(seed)
    count = difference.size
    means = np.array(
        [difference[random.integers(0, count, count)].mean() for _ in range(resamples)]
    )
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail)).tolist()
    return Interval(
        float(difference.mean()), low, high, confidence, count, int(finite.size - count)
    )


ERROR_LEVELS = 48  # the histogram of errors runs from -48 to 48 levels of 8 bits
CROP = 128  # edge in pixels of what a report shows of an image

#: Called with (images done, images in all).
Progress = Callable[[int, int], None]
#: Called with every result, to store or show it.
Keep = Callable[[Sample, Method, Restoration], None]


@dataclass(frozen=True)
class Row:
    """What one method did on one image.

    Attributes:
        image: name of the pair.
        method: name of the method.
        scores: by the name of the protocol.
        megapixels: size of the image in millions of pixels.
        seconds: wall time of the method; None for outputs that were ready.
        memory: bytes by which the process grew meanwhile; None likewise.
    """

    image: str
    method: str
    scores: Mapping[str, Score]
    megapixels: float
    seconds: float | None
    memory: int | None


@dataclass(frozen=True)
class FailureCase:
    """The worst part of an image, to be looked at.

    Attributes:
        image: name of the pair.
        row: place of the crop.
        column: place of the crop.
        noisy: ``(h, w, 3)`` or ``(h, w)`` float32.
        clean: the same part of the reference.
        restored: the same part of every method's result.
        uncertainty: the same part of the expected error, for methods that tell one.
        scores: of the whole image, by method, after the first protocol.
    """

    image: str
    row: int
    column: int
    noisy: Floats
    clean: Floats
    restored: Mapping[str, Floats]
    uncertainty: Mapping[str, Floats]
    scores: Mapping[str, Score]


@dataclass(frozen=True)
class MethodResult:
    """One method over the whole set.

    Attributes:
        name: of the method.
        summaries: by the name of the protocol.
        seconds_per_megapixel: median over the images; None for outputs that were ready.
        bytes_per_megapixel: growth of memory per megapixel, the largest over the images.
        lead: how much PSNR the first method has over this one, by the first protocol; None for
            the first method itself, and where no image has a finite PSNR in both.
        errors: how many values lie how far (in 8-bit levels, -48 to 48) from the reference.
        calibration: whether its expected error is the true one; None where it tells none.
    """

    name: str
    summaries: Mapping[str, Summary]
    seconds_per_megapixel: float | None
    bytes_per_megapixel: float | None
    lead: Interval | None
    errors: NDArray[np.int64]
    calibration: Calibration | None


@dataclass(frozen=True)
class Evaluation:
    """Everything that was found out; tables and reports are made of it.

    Attributes:
        title: of the set.
        protocols: as asked for; the first decides on order and intervals.
        methods: as asked for; the first is the one that the others are compared with.
        rows: one for every image and method.
        exhibits: the images on which the first method is worst, the worst first.
    """

    title: str
    protocols: tuple[Protocol, ...]
    methods: tuple[MethodResult, ...]
    rows: tuple[Row, ...]
    exhibits: tuple[FailureCase, ...]


def evaluate(
    samples: Samples,
    methods: Sequence[Method],
    protocols: Sequence[Protocol],
    *,
    worst: int = 12,
    keep: Keep | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure methods on pairs.

    Args:
        samples: the pairs, read one after the other.
        methods: one or more with different names.
        protocols: one or more.
        worst: how many images to keep for looking at.
        keep: called with every result.
        progress: called after every image.

    Raises:
        InputError: no method, no protocol, no sample, or a name twice.
        DataError: an image or a result cannot be measured; the message names both.
    """
    names = [method.name for method in methods]
    if not (samples.names and methods and protocols):
        raise InputError("an evaluation needs at least one pair, one method and one protocol")
    if len(set(names)) != len(names):
        raise InputError(f"methods need different names: {', '.join(names)}")
    rows: list[Row] = []
    exhibits: list[FailureCase] = []
    errors = {name: np.zeros(2 * ERROR_LEVELS + 1, np.int64) for name in names}
    blocks: dict[str, list[BlockSamples]] = {name: [] for name in names}
    for index, sample in enumerate(samples, 1):
        clean = unit_floats(sample.clean)
        results: dict[str, Restoration] = {}
        for method in methods:
            row, restored = _run(method, sample, protocols)
            rows.append(row)
            results[method.name] = restored
            result = unit_floats(restored.pixels)
            _count_errors(errors[method.name], result - clean)
            if restored.uncertainty is not None:
                blocks[method.name].append(block_samples(restored.uncertainty, result, clean))
            if keep is not None:
                keep(sample, method, restored)
        scores = {row.method: row.scores[protocols[0].name] for row in rows[-len(methods) :]}
        exhibits.append(_exhibit(sample, results, scores))
        exhibits = sorted(exhibits, key=lambda e: e.scores[names[0]].psnr)[:worst]
        if progress is not None:
            progress(index, len(samples))
    results_of = {
        name: _method_result(name, names[0], rows, protocols, errors[name], blocks[name])
        for name in names
    }
    return Evaluation(
        samples.title, tuple(protocols), tuple(results_of.values()), tuple(rows), tuple(exhibits)
    )


def _run(method: Method, sample: Sample, protocols: Sequence[Protocol]) -> tuple[Row, Restoration]:
    try:
        with profile_block() as meter:
            restored = method.restore(sample)
        scores = {p.name: measure(p, restored.pixels, sample.clean) for p in protocols}
    except InputError as error:
        raise DataError(f"{sample.name!r} with {method.name}: {error}") from error
    height, width = sample.noisy.shape[:2]
    seconds, memory = (meter.seconds, meter.memory) if method.timed else (None, None)
    return Row(sample.name, method.name, scores, height * width / 1e6, seconds, memory), restored


def _count_errors(counts: NDArray[np.int64], error: Floats) -> None:
    levels = np.clip(np.round(error * 255), -ERROR_LEVELS, ERROR_LEVELS).astype(np.int64)
    counts += np.bincount(levels.ravel() + ERROR_LEVELS, minlength=counts.size)


def _exhibit(
    sample: Sample, results: Mapping[str, Restoration], scores: Mapping[str, Score]
) -> FailureCase:
    clean = unit_floats(sample.clean)
    first = unit_floats(next(iter(results.values())).pixels)
    error = np.atleast_3d(np.abs(first - clean)).mean(axis=2)
    place = worst_place(error, CROP)
    return FailureCase(
        sample.name,
        place[0].start,
        place[1].start,
        unit_floats(sample.noisy)[place].copy(),
        clean[place].copy(),
        {name: unit_floats(result.pixels[place]) for name, result in results.items()},
        {n: r.uncertainty[place].copy() for n, r in results.items() if r.uncertainty is not None},
        dict(scores),
    )


def _method_result(
    name: str,
    first: str,
    rows: Sequence[Row],
    protocols: Sequence[Protocol],
    errors: NDArray[np.int64],
    blocks: Sequence[BlockSamples],
) -> MethodResult:
    own = [row for row in rows if row.method == name]
    timed = [(row.seconds / row.megapixels) for row in own if row.seconds is not None]
    grown = [(row.memory / row.megapixels) for row in own if row.memory is not None]
    return MethodResult(
        name,
        {p.name: summarise([row.scores[p.name] for row in own]) for p in protocols},
        median(timed) if timed else None,
        max(grown) if grown else None,
        None if name == first else _lead(name, first, rows, protocols[0].name),
        errors,
        calibrate(blocks) if blocks else None,
    )


def _lead(name: str, first: str, rows: Sequence[Row], protocol: str) -> Interval | None:
    ours, theirs = (
        [row.scores[protocol].psnr for row in rows if row.method == method]
        for method in (first, name)
    )
    if not any(np.isfinite(ours) & np.isfinite(theirs)):
        return None
    return paired_bootstrap(ours, theirs)
