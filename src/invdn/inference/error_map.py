"""Predict how far a result is from the clean photograph, from the photograph and the result.

::

    noisy, result ── blocks of 8x8 pixels ── 14 statistics of each
                                               │ their means over 8, 24 and 56 pixels around
                                               ▼
    noise of the photograph ─────────> 43 features ── two small layers ── error of the block
                                                                            │ bilinear
                                                                            ▼
                                                                    error of the pixel

The spread of the samples hardly knows where the error is (docs/uncertainty.md). What does: how much
was taken away around a place, how much structure is left there, how both go together, how bright it
is, and how noisy the photograph is there. So one sample suffices, and any strength has its map. The
layers were trained by ``benchmarks/uncertainty.py``, on pairs of noisy and clean photographs. How
far errors stray from what was predicted was found on photographs that the layers had not seen: one
unit of the layers widens the prediction where a photograph may differ from those, and not where
noise is left as it is. What comes out is therefore a standard deviation whose normal distribution
has the error's interval for nine of ten values.
"""

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..image.dct import YCBCR
from ..image.dtype import Floats, Pixels, to_float
from ..image.noise_estimation import NoiseEstimate, estimate_noise
from .noise_shares import box_sums

#: Pixels on a side of a block, the scale of whose error is predicted.
BLOCK = 8
#: Share of the values that an interval is to cover.
COVERAGE = 0.9
_RADII = (0, 1, 3)  # blocks around a block over which its statistics are averaged
_BAND = 32  # rows of blocks that are worked on at a time
_WHITE = np.float32(255)
_FLOOR = np.float32(0.03)  # of squared steps of 8 bits, below the rounding of 8 bits (1/12)
# Steps of 8 bits: rounding alone is off by 0.29, so nobody is promised less.
_LEAST = 0.3
_ENERGIES = 10  # statistics that are energies, the first ones
# What is assumed of a photograph that is too small to tell: a little noise, as cameras make it.
_UNKNOWN = NoiseEstimate(3.0, (0.5,), (3 / 255,), (3 / 255,), correlation=0.3, flat=0.0)
_YCBCR = YCBCR.astype(np.float32)
# Anchors of matplotlib's "inferno" (CC0): dark to bright, in even steps of lightness.
_ANCHORS = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ],
    dtype=np.float64,
)


def expected_error(
    noisy: Pixels,
    result: Pixels,
    noise: NoiseEstimate | None = None,
    to_srgb: Callable[[Floats], Floats] | None = None,
) -> Floats:
    """Predict how large the error is around every pixel of a result, as a standard deviation.

    Args:
        noisy: ``(H, W)`` or ``(H, W, 1 or 3)``: uint8, uint16, or floating point in [0, 1].
        result: what became of it by any strength, of the same shape.
        noise: of the whole photograph; estimated where it is not given.
        to_srgb: how the network sees windows ``(h, w, C)``, where they are not sRGB.

    Returns:
        ``(H, W)`` float32, 1 = full range, over colours and near pixels. ``interval()`` times it is
        the distance within which nine of ten true values lie.

    Raises:
        InputError: the shapes differ, or are those of no photograph.

    Example:
        >>> flat = np.full((64, 64, 3), 0.5, np.float32)
        >>> error = expected_error(flat, flat)
        >>> error.shape, bool(error.max() < 0.02)
        ((64, 64), True)
    """
    if noisy.shape != result.shape or noisy.ndim not in (2, 3) or 0 in noisy.shape:
        raise InputError(
            "the expected error needs a photograph and its result of one shape, not "
            f"{noisy.shape} and {result.shape}"
        )
    blocks = error_blocks(noisy, result, noise, to_srgb)
    return at_pixels(blocks, slice(0, noisy.shape[0]), slice(0, noisy.shape[1]))


def error_blocks(
    noisy: Pixels,
    result: Pixels,
    noise: NoiseEstimate | None = None,
    to_srgb: Callable[[Floats], Floats] | None = None,
) -> Floats:
    """Do what :func:`expected_error` does, for blocks of 8x8 pixels.

    Returns:
        One number for each block, the last ones being those that the image fills in part.
    """
    noisy, result = (x if x.ndim == 3 else x[:, :, None] for x in (noisy, result))
    if noise is None:
        noise = estimate_noise(noisy, to_srgb)
    height = noisy.shape[0]
    parts = []
    for top in range(0, height, _BAND * BLOCK):
        first = max(0, top - max(_RADII) * BLOCK)
        rows = slice(first, top + (_BAND + max(_RADII)) * BLOCK + 1)
        before, after = (to_float(x[rows]) for x in (noisy, result))
        if to_srgb:
            before, after = to_srgb(before), to_srgb(after)
        skipped = (top - first) // BLOCK
        parts.append(_run_layers(block_features(before, after, noise)[skipped : skipped + _BAND]))
    return np.concatenate(parts)


def at_pixels(blocks: Floats, rows: slice, columns: slice) -> Floats:
    """Interpolate blocks of 8x8 pixels linearly between their centres.

    Args:
        blocks: ``(rows, columns)``.
        rows: of the pixels that are wanted, with start and stop.
        columns: the same.

    Example:
        >>> at_pixels(np.array([[0.0, 1.0]], np.float32), slice(0, 1), slice(2, 13, 1))[0, 1:-1:4]
        array([0.    , 0.4375, 0.9375], dtype=float32)
    """
    for axis, part in ((0, rows), (1, columns)):
        lines = np.moveaxis(blocks, axis, 0)
        places = (np.arange(part.start, part.stop) + 0.5) / BLOCK - 0.5
        low = np.clip(np.floor(places).astype(int), 0, len(lines) - 1)
        high = np.minimum(low + 1, len(lines) - 1)
        share = np.clip(places - low, 0, 1).astype(np.float32)[:, None]
        blocks = np.moveaxis(lines[low] * (1 - share) + lines[high] * share, 0, axis)
    return blocks


def error_picture(blocks: Floats, height: int, width: int) -> tuple[NDArray[np.uint8], float]:
    """Draw the interval around every pixel of a result: black is none, bright yellow the widest.

    Args:
        blocks: of :func:`error_blocks`.
        height: of the result, in pixels.
        width: the same.

    Returns:
        ``(height, width, 3)``, and the interval that is bright yellow, 1 = full range: one of 200
        blocks has a wider one.

    Example:
        >>> picture, widest = error_picture(np.full((2, 3), 0.01, np.float32), 16, 20)
        >>> picture.shape, bool(abs(widest - 0.01 * interval()) < 1e-6)
        ((16, 20, 3), True)
    """
    full = float(np.quantile(blocks, 0.995))
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _BAND * BLOCK):
        rows = slice(top, min(height, top + _BAND * BLOCK))
        picture[rows] = in_colour(at_pixels(blocks, rows, slice(0, width)), full)
    return picture, full * interval()


def in_colour(values: NDArray[np.floating], full: float) -> NDArray[np.uint8]:
    """Return a map of numbers as a picture: 0 is black, ``full`` and above is bright yellow.

    Args:
        values: ``(H, W)``, 0 or more.
        full: the value shown brightest; where it is 0, everything is black.

    Returns:
        ``(H, W, 3)`` uint8.

    Example:
        >>> in_colour(np.array([[0.0, 1.0]]), full=1.0)[0].tolist()
        [[0, 0, 4], [252, 255, 164]]
    """
    share = np.clip(values / full, 0, 1) if full > 0 else np.zeros(values.shape)
    steps = np.linspace(0, 1, len(_ANCHORS))
    channels = [np.interp(share, steps, _ANCHORS[:, i]) for i in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def interval() -> float:
    """Return the factor from the expected error to the interval that covers ``COVERAGE``."""
    return float(_layers()["interval"])


def block_features(noisy: Floats, result: Floats, noise: NoiseEstimate | None) -> Floats:
    """Return what the layers see, ``(rows, columns, 43)`` of whole blocks, the last ones filled.

    Args:
        noisy: ``(h, w, 1 or 3)`` in [0, 1], beginning at a multiple of ``BLOCK``.
        result: the same shape.
        noise: of the whole photograph; None where it is too small to tell.
    """
    statistics = _statistics(noisy, result)
    ones = np.ones(statistics.shape[1:], np.float32)
    features: list[Floats] = []
    for radius in _RADII:
        mean = np.stack([box_sums(x, radius) for x in statistics]) / box_sums(ones, radius)
        features += [np.log(np.maximum(x, 0) + _FLOOR) for x in mean[:_ENERGIES]]
        for change, structure, product in ((1, 2, 10), (6, 7, 11)):
            norm = np.sqrt(np.maximum(mean[change] * mean[structure], 0)) + np.float32(0.1)
            features.append(mean[product] / norm)
    known = noise or _UNKNOWN
    brightness, clipped = statistics[12] / _WHITE, statistics[13]
    features += [brightness, brightness * brightness, clipped]
    for spread in (known.luma, known.colour):
        there = _WHITE * np.interp(brightness, known.brightness, spread)
        features.append(np.log(there * there + _FLOOR))
    features.append(np.full_like(ones, np.log(known.level**2 + _FLOOR)))
    features.append(np.full_like(ones, known.correlation))
    return np.stack(features, axis=2).astype(np.float32)


def _run_layers(features: Floats) -> Floats:
    """Run the layers: ``(rows, columns, 43)`` to the error of every block."""
    layers = _layers()
    values = ((features.astype(np.float64) - layers["mean"]) / layers["spread"]).clip(-5, 5)
    for name in ("first", "second"):
        values = np.maximum(values @ layers[f"{name}.weight"] + layers[f"{name}.bias"], 0)
    logs = (values @ layers["last.weight"] + layers["last.bias"])[:, :, 0]
    error: Floats = np.maximum(np.exp(logs / 2), _LEAST / 255).astype(np.float32)
    return error


def _statistics(noisy: Floats, result: Floats) -> Floats:
    """Measure every block: ``(14, rows, columns)``, in steps of 8 bits.

    Of luma, then of both colours together: energies of the change, of its first differences, of
    those of the result, of the change's means over 4x4 pixels, and of the result within the block.
    Then the products of both differences (2), the result's brightness, and the clipped share.
    """
    fill = tuple((0, -size % BLOCK + 1) for size in noisy.shape[:2])
    noisy, result = (np.pad(x, (*fill, (0, 0)), mode="edge") * _WHITE for x in (noisy, result))
    rows, columns = ((size - 1) // BLOCK for size in noisy.shape[:2])
    out = np.zeros((14, rows, columns), np.float32)
    before, after = _planes(noisy), _planes(result)
    for plane, (one, other) in enumerate(zip(before, after, strict=True)):
        change = one - other
        begin, product = (0, 10) if plane == 0 else (5, 11)
        core, still = change[:-1, :-1], other[:-1, :-1]
        along, down = change[:-1, 1:] - core, change[1:, :-1] - core
        slope, fall = other[:-1, 1:] - still, other[1:, :-1] - still
        out[begin] += _means(core * core)
        out[begin + 1] += _means(along * along + down * down)
        out[begin + 2] += _means(slope * slope + fall * fall)
        quarters: Floats = _means(core, BLOCK // 2)
        out[begin + 3] += _means(quarters * quarters, 2)
        mean = _means(still)
        out[begin + 4] += np.maximum(_means(still * still) - mean * mean, 0)
        out[product] += _means(along * slope + down * fall)
        if plane == 0:
            out[12] = mean
    whole = noisy[:-1, :-1]
    clipped: Floats = np.asarray(((whole <= 0) | (whole >= _WHITE)).any(axis=2), np.float32)
    out[13] = _means(clipped)
    if noisy.shape[2] == 1:  # the layers were trained on colours; half of luma is usual
        out[5:10], out[11] = out[:5] / 2, out[10] / 2
    return out


def _planes(colours: Floats) -> list[Floats]:
    """Take luma and two differences of colour apart; grey has luma only."""
    if colours.shape[2] == 1:
        return [colours[:, :, 0]]
    return list(np.moveaxis(colours @ _YCBCR.T, 2, 0))


def _means(plane: Floats, side: int = BLOCK) -> Floats:
    rows, columns = (size // side for size in plane.shape)
    means: Floats = plane.reshape(rows, side, columns, side).mean(axis=(1, 3))
    return means


@cache
def _layers() -> dict[str, NDArray[np.float64]]:
    """Return the trained numbers, as float64."""
    with (files(__package__) / "error_map.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        return {name: arrays[name].astype(np.float64) for name in arrays.files}
