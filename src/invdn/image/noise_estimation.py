"""How noisy a photograph is, estimated from the photograph alone.

::

    photograph ─ squares of 8x8 pixels, at most 32768 of them, spread evenly
                   │ a plane is taken off each: brightness, variance, correlation of neighbours
                   ▼
               sorted by brightness, in 8 groups ─ in each the flat squares: the lower mode of
                   │                               the variance
                   ▼
               spread by brightness, and by spatial frequency

Texture only adds variance, so the least of a group is noise, unless the group holds no flat square.
The idea of trusting the flattest squares is old (Olsen, Estimation of noise in images, 1993); the
spread by brightness follows Foi et al., IEEE TIP 2008.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .dct import BLOCK, DCT8X8, LUMA, YCBCR
from .dtype import Floats, Pixels, to_float

_FREE = BLOCK**2 - 3  # degrees of freedom that are left without the plane
_MOST = 32768  # squares looked at, two megapixels; time and memory end there
_LEAST = 16  # squares that an estimate needs
_GROUPS, _GROUP = 8, 64  # of brightness, and the least number of squares in one
_CLIPPED = 0.05  # share of black or white values from which a square is left out: it lost noise
_FLOOR = (0.6 / 255) ** 2  # variances below are of rounding (0.29), flat graphics and JPEG
_START, _WIDTH = 0.05, 1.5  # first guess of the mode (a quantile); how far above it noise reaches
_TINY = 1e-6  # of white, below the rounding of any format
# What more than this is texture: spread of a group over that of a darker one (a tone curve dampens
# noise towards the light), and over that of the quietest tenth of the groups.
_RISE, _RANGE = 1.6, 3.0


def _without_plane() -> Floats:
    """Return the matrix that takes the mean and the slants off a square of 64 values."""
    ramp = np.arange(BLOCK) - (BLOCK - 1) / 2
    ramp /= np.linalg.norm(ramp)
    even = np.full(BLOCK, BLOCK**-0.5)
    planes = np.array([np.kron(*sides) for sides in ((even, even), (even, ramp), (ramp, even))])
    matrix: Floats = (np.eye(BLOCK**2) - planes.T @ planes).astype(np.float32)
    return matrix


_WITHOUT_PLANE = _without_plane()


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise of a photograph; spreads are standard deviations in units of white (1).

    Attributes:
        level: spread of the colours over the whole photograph, in steps of 8 bits (255 = white).
        brightness: (k,) luma at which the spreads were found, ascending.
        luma: (k,) spread of the luma.
        colour: (k,) spread of the colours, their mean square; equals ``luma`` for grey.
        correlation: of neighbouring pixels, mean over colours, rows and columns: 0 for white
            noise, 0.2 to 0.6 for what a camera made.
        flat: share of the photograph that was flat enough to tell.
        spectrum: spread of the flat squares at low, middle and high frequencies, of luma and then
            of both differences of colour (not of grey), in units of ``colour``; that of white noise
            is 1 in every place.

    Example:
        >>> import numpy as np
        >>> noise = np.random.default_rng(0).normal(0.5, 10 / 255, (256, 256, 3))
        >>> estimate = estimate_noise(noise.astype(np.float32))
        >>> round(estimate.level), abs(estimate.correlation) < 0.05
        (10, True)
    """

    level: float
    brightness: tuple[float, ...]
    luma: tuple[float, ...]
    colour: tuple[float, ...]
    correlation: float
    flat: float
    spectrum: tuple[float, ...] = ()


def estimate_noise(
    pixels: Pixels, look: Callable[[Floats], Floats] | None = None
) -> NoiseEstimate | None:
    """Estimate the noise of one photograph; time and memory do not grow beyond two megapixels.

    Args:
        pixels: ``(H, W)`` or ``(H, W, 1 or 3)``, uint8, uint16 or floats with white at 1,
            gamma-encoded.
        look: how the network sees windows ``(h, w, C)`` of the pixels, where they are not sRGB.

    Returns:
        The estimate, or None where the photograph is too small (16 squares of 8x8 pixels).

    Example:
        >>> estimate_noise(np.zeros((20, 20, 3), np.uint8)) is None
        True
    """
    colours = pixels if pixels.ndim == 3 else pixels[:, :, None]
    squares = [_measure(strip) for strip in _strips(colours, look)]
    if sum(len(square.brightness) for square in squares) < _LEAST:
        return None
    names = _Squares.__dataclass_fields__
    return _summary(
        _Squares(*(np.concatenate([getattr(part, name) for part in squares]) for name in names))
    )


@dataclass(frozen=True)
class _Squares:
    """Figures of n squares.

    They are luma, its variance, (n, c) variance and neighbour product, clipped share, and
    (n, c, 8, 8) what is left of them without a plane.
    """

    brightness: Floats
    luma: Floats
    colours: Floats
    products: Floats
    luma_products: Floats
    clipped: Floats
    rest: Floats


def _strips(colours: Pixels, look: Callable[[Floats], Floats] | None) -> Iterator[Floats]:
    """Yield rows of squares, ``(n, C, 8, 8)``, evenly over the photograph."""
    down, along = colours.shape[0] // BLOCK, colours.shape[1] // BLOCK
    if not (down and along):
        return
    step = max(1, -(-along // _MOST))
    every = max(1, -(-down * (along // step) // _MOST))
    for row in range(every // 2, down, every):
        strip = colours[row * BLOCK : (row + 1) * BLOCK, : along * BLOCK]
        squares = strip.reshape(BLOCK, along, BLOCK, -1)[:, ::step]
        values = to_float(squares)
        if look:
            values = look(values.reshape(BLOCK, -1, values.shape[3])).reshape(values.shape)
        yield values.transpose(1, 3, 0, 2)


def _measure(squares: Floats) -> _Squares:
    colours = squares.shape[1]
    luma = np.tensordot(squares, LUMA, ([1], [0])) if colours == 3 else squares[:, 0]
    planes = np.concatenate((squares, luma[:, None]), axis=1)
    flat = planes.reshape(*planes.shape[:2], -1)
    rest = (flat @ _WITHOUT_PLANE).reshape(planes.shape)
    variance = _products(rest, rest) / np.float32(_FREE)
    products = _products(rest[..., 1:], rest[..., :-1])
    products += _products(rest[..., 1:, :], rest[..., :-1, :])
    products /= np.float32(2 * BLOCK * (BLOCK - 1))
    clipped = ((squares <= 0) | (squares >= 1)).mean((1, 2, 3), dtype=np.float32)
    return _Squares(
        flat[:, -1].mean(axis=1),
        variance[:, -1],
        variance[:, :-1],
        products[:, :-1],
        products[:, -1],
        clipped,
        rest[:, :-1],
    )


def _products(one: Floats, other: Floats) -> Floats:
    """Sum the products of two arrays ``(n, c, h, w)`` over each square: ``(n, c)``."""
    sums: Floats = np.einsum("ncij,ncij->nc", one, other)
    return sums


def _summary(squares: _Squares) -> NoiseEstimate:
    usable = _usable(squares)
    ordered = usable[np.argsort(squares.brightness[usable], kind="stable")]
    groups = np.array_split(ordered, max(1, min(_GROUPS, len(ordered) // _GROUP)))
    flat = [group[_lower_mode(squares.luma[group])] for group in groups]
    brightness = [squares.brightness[group].mean() for group in groups]
    luma = np.array([_variance(squares.luma[f], squares.luma_products[f]) for f in flat])
    colour = np.array([_variance(squares.colours[f], squares.products[f]) for f in flat])
    texture = _texture(luma)
    luma, colour = luma / texture, colour / texture
    everywhere = np.interp(squares.brightness, brightness, colour)  # in clipped squares as well
    together = np.concatenate(flat)
    products, variance = squares.products[together].mean(0), squares.colours[together].mean(0)
    return NoiseEstimate(
        float(255 * np.sqrt(everywhere.mean())),
        tuple(float(value) for value in brightness),
        tuple(float(value) for value in np.sqrt(luma)),
        tuple(float(value) for value in np.sqrt(colour)),
        float((products / np.maximum(variance, 1e-12)).mean()),
        len(together) / len(squares.luma),
        _spectrum(
            squares.rest[together],
            np.interp(squares.brightness[together], brightness, np.sqrt(colour)),
        ),
    )


def _spectrum(rest: Floats, spread: NDArray[np.float64]) -> tuple[float, ...]:
    """Measure it by plane and frequency: flat squares (n, c, 8, 8) and each one's spread."""
    n, channels = rest.shape[:2]
    values = (
        rest.reshape(n, channels, -1) / np.maximum(spread, _TINY).astype(np.float32)[:, None, None]
    )
    planes = np.matmul(YCBCR.astype(np.float32), values) if channels == 3 else values
    # The energy of each wave, from the products of places: a sum over 64x64 for all squares.
    products = [plane.T @ plane for plane in planes.transpose(1, 0, 2)]
    waves = [np.einsum("fv,vw,fw->f", DCT8X8, one, DCT8X8, optimize=True) for one in products]
    # Where there is none, rounding can leave less than nothing.
    power = np.maximum(np.array(waves), 0).reshape(channels, BLOCK, BLOCK) / n
    # What the plane took away, the mean and the slants, is like the slowest that it left.
    slow = np.maximum(power[:, 1, 1], (power[:, 0, 2] + power[:, 2, 0]) / 2)
    for row, column in ((0, 0), (0, 1), (1, 0)):
        power[:, row, column] = np.maximum(power[:, row, column], slow)
    order = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
    bands = ((order >= 1) & (order <= 3), (order > 3) & (order <= 7), order > 7)
    planes_of = (slice(1), slice(1, 3)) if channels == 3 else (slice(1),)
    found = [power[part][:, band].mean() for part in planes_of for band in bands]
    return tuple(float(value) for value in np.sqrt(found))


def _texture(variances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by what factor, 1 or more, variances from dark to light exceed noise's."""
    darker = np.concatenate(([np.inf], np.minimum.accumulate(variances)[:-1]))
    quietest = np.quantile(variances, 0.1)
    limit = np.minimum(_RISE**2 * darker, _RANGE**2 * quietest)
    factor: NDArray[np.float64] = np.maximum(1, variances / np.maximum(limit, 1e-12))
    return factor


def _usable(squares: _Squares) -> NDArray[np.intp]:
    """Return squares that are not clipped and vary at all, as far as there are any."""
    chosen = np.arange(len(squares.luma))
    for fit in (squares.clipped < _CLIPPED, squares.luma > _FLOOR):
        kept = chosen[fit[chosen]]
        if len(kept) >= max(_LEAST, len(chosen) // 10):
            chosen = kept
    return chosen


def _lower_mode(variances: Floats) -> NDArray[np.bool_]:
    """Select the lowest crowd of variances: where cutting above it changes it no more."""
    centre = float(np.quantile(variances, _START))
    for _ in range(20):
        last, centre = centre, float(variances[variances <= _WIDTH * centre].mean())
        if abs(centre - last) <= 1e-3 * centre:
            break
    return variances <= _WIDTH * centre


def _variance(variances: Floats, products: Floats) -> float:
    """Return the mean variance, with what the plane took away given back.

    A plane takes three parts of 64 from white noise and more from correlated noise, whose sums
    over a square vary ``(1 + 2 * correlation)**2`` times as much.
    """
    mean = float(variances.mean())
    correlation = min(max(float(products.mean()) / max(mean, 1e-12), 0), 0.6)
    return mean * _FREE / (BLOCK**2 - 3 * (1 + 2 * correlation) ** 2)
