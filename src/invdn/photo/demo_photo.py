"""A picture made by code for trying the denoiser: an evening at a lake.

It holds what noise removal is judged by: smooth gradients (sky), texture (grass, snow, planks),
hard edges and lettering (lighthouse, board), saturated colours (sails, patches) and deep shadow.

:func:`camera_noise` does to it what a small camera in weak light does::

    clean sRGB -> linear light -> colour mosaic -> photon and read noise, clipped -> white balance
               -> demosaicing -> sRGB, 8 bits

The noise that comes out is what the network is made for: stronger in the light than in the dark
before gamma, coloured, and correlated between neighbouring pixels. Model of the noise: Foi et al.,
"Practical Poissonian-Gaussian noise modeling and fitting", IEEE TIP 2008. Demosaicing: bilinear.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..image.curves import SRGB_GAMMA, SRGB_KNEE, SRGB_KNEE_LIGHT, SRGB_OFFSET, SRGB_SLOPE
from ..image.dtype import from_float, to_float

Plane = NDArray[np.floating]
_HORIZON, _SHORE = 0.60, 0.80
_LETTERS = (  # "InvDN", seven dots high
    "### ..... ..... ###.. #...#",
    ".#. ..... ..... #..#. ##..#",
    ".#. #.##. #...# #...# #.#.#",
    ".#. ##..# #...# #...# #..##",
    ".#. #...# #...# #...# #...#",
    ".#. #...# .#.#. #..#. #...#",
    "### #...# ..#.. ###.. #...#",
)
_PATCHES = ("#c8362e", "#e79a2b", "#f0d83c", "#4c9a4a", "#2f6db5", "#7a3f98", "#e9e6df", "#8a8a8a")


def demo_photo(size: int = 512, seed: int = 0) -> NDArray[np.uint8]:
    """Draw the scene, at twice the size and averaged down.

    Args:
        size: height and width in pixels, 16 or more.
        seed: shapes the clouds, mountains and grass.

    Returns:
        ``(size, size, 3)`` sRGB.

    Example:
        >>> demo_photo(64).shape
        (64, 64, 3)
    """
    rng = np.random.default_rng(seed)
    side = 2 * size
    x = (np.arange(side)[None, :] + 0.5) / side
    y = x.T
    scene = _sky(x, y, rng)
    _mountains(scene, x, y, rng)
    _lake(scene, x, y, rng)
    _shore(scene, x, y, rng)
    _sailing_boats(scene, x, y)
    _lighthouse(scene, x, y)
    _board(scene, x, y, rng)
    fine = np.clip(scene, 0, 1).reshape(size, 2, size, 2, 3).mean(axis=(1, 3))
    return from_float(fine, np.uint8).astype(np.uint8, copy=False)


def _colour(code: str) -> Plane:
    return np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)])


def _smooth(low: float, high: float, value: Plane) -> Plane:
    """Return 0 below ``low``, 1 above ``high``, smooth between."""
    t: Plane = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _paint(scene: Plane, coverage: Plane, colour: Plane) -> None:
    """Lay a colour over the scene where ``coverage`` (0 to 1) says."""
    where = np.nonzero(coverage)
    below = scene[where]
    scene[where] += coverage[where][:, None] * (np.broadcast_to(colour, scene.shape)[where] - below)


def _noise(x: Plane, y: Plane, cells: float, rng: np.random.Generator, octaves: int = 5) -> Plane:
    """Return fractal value noise in about [-1, 1] with ``cells`` bumps along the picture.

    ``x`` is one row of positions and ``y`` one column; the result is the whole plane.
    """
    total = np.zeros((y.size, x.size))
    for octave in range(octaves):
        plane = rng.uniform(-1, 1, (64, 64))
        for position in (y, x):  # interpolate down the rows, then along the columns
            place = position.ravel() * cells * 2**octave
            whole = np.floor(place).astype(int)
            share = _smooth(0, 1, place - whole)[:, None]
            plane = (plane[whole % 64] * (1 - share) + plane[(whole + 1) % 64] * share).T
        total += plane / 2**octave
    return total / 1.2


def _polygon(x: Plane, y: Plane, *corners: tuple[float, float]) -> Plane:
    """Return 1 inside a convex polygon whose corners go clockwise on the screen."""
    inside = np.ones(np.broadcast(x, y).shape)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        inside *= (x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) >= 0
    return inside


def _box(x: Plane, y: Plane, left: float, top: float, right: float, bottom: float) -> Plane:
    return ((x >= left) & (x < right)) * ((y >= top) & (y < bottom)) * 1.0


def _sky(x: Plane, y: Plane, rng: np.random.Generator) -> Plane:
    stops = np.array([0, 0.25, 0.45, 0.60])
    colours = np.array([_colour(c) for c in ("#141a44", "#51407f", "#d2707a", "#ffc47a")])
    scene = np.stack([np.interp(y, stops, colours[:, c]) for c in range(3)], axis=-1)
    scene = np.repeat(scene, x.size, axis=1)
    for across, down, light in rng.random((40, 3)) * (x.size, 0.22 * x.size, 0.9):
        scene[int(down) // 2 * 2 :, int(across) // 2 * 2 :][:2, :2] += light
    clouds = _smooth(0.05, 0.8, _noise(x * 0.5, y * 2.2, 5, rng)) * _smooth(0.1, 0.35, y)
    _paint(scene, 0.75 * clouds, _colour("#f7a58d") - 0.35 * (0.6 - y[..., None]))
    distance = np.hypot(x - 0.66, y - 0.435)
    scene += np.exp(-distance / 0.09)[..., None] * (_colour("#ffdf90") * 0.75)
    _paint(scene, 1 - _smooth(0.039, 0.041, distance), _colour("#fff6d5"))
    return scene


def _mountains(scene: Plane, x: Plane, y: Plane, rng: np.random.Generator) -> None:
    ridges = (("#8a6a93", 0.44, 0.16, 2.5), ("#574a78", 0.51, 0.10, 4), ("#2b2c4d", 0.56, 0.05, 7))
    for colour, base, height, cells in ridges:
        top = base - height * _noise(x, rng.random((1, 1)), cells, rng, 7)
        depth = y - top
        light = 1 + 0.35 * _noise(x, y, 24, rng) * _smooth(0, 0.05, depth)
        _paint(scene, (depth > 0) * 1.0, _colour(colour) * light[..., None])
        if height > 0.12:
            snow = (depth > 0) * (depth < 0.05 + 0.04 * _noise(x * 2, y * 0.7, 24, rng))
            _paint(scene, 0.8 * snow, _colour("#ffd9d0") * light[..., None])


def _lake(scene: Plane, x: Plane, y: Plane, rng: np.random.Generator) -> None:
    side = len(scene)
    first = int(_HORIZON * side)
    depth = np.maximum(y[first:] - _HORIZON, 0) / (1 - _HORIZON)
    ripple = _noise(x * 0.35, np.sqrt(depth) * 2.5, 22, rng, 3)
    source = 2 * first - np.arange(first, side)[:, None] + (ripple * depth * 0.05 * side)
    rows = np.clip(source, 0, first - 1).astype(int)
    mirrored = np.minimum(scene[rows, np.arange(side)[None, :]], 1)
    scene[first:] = mirrored * (0.72 - 0.25 * depth)[..., None] + _colour("#0b1c33") * 0.18
    glitter = np.exp(-(((x - 0.66) / (0.03 + 0.10 * depth)) ** 2))
    sparkle = glitter * _smooth(0.15, 0.5, ripple)
    scene[first:] += sparkle[..., None] * _colour("#ffc873") * 0.6


def _shore(scene: Plane, x: Plane, y: Plane, rng: np.random.Generator) -> None:
    edge = _SHORE + 0.02 * _noise(x, np.zeros((1, 1)), 6, rng) + 0.05 * (x - 0.5) ** 2
    blades = _noise(x * 4, y * 0.6, 40, rng, 3)
    grass = _colour("#20301a") * (1 + 0.9 * blades[..., None])
    grass += _colour("#8a6a35") * (_smooth(0.5, 1.0, blades) * 0.5)[..., None]
    fade = 1 - 0.75 * _smooth(_SHORE, 1.0, y)
    _paint(scene, (y > edge + 0.018 * blades) * 1.0, grass * fade[..., None])


def _sailing_boats(scene: Plane, x: Plane, y: Plane) -> None:
    for centre, water, scale, main, jib in (
        (0.48, 0.70, 1.0, "#e23a2e", "#f5f0e4"),
        (0.84, 0.645, 0.55, "#f2c230", "#2f7fc1"),
    ):
        u, v = (x - centre) / scale, (y - water) / scale
        sail = _polygon(u, v, (0.0, -0.16), (0.07, -0.02), (0.0, -0.02))
        _paint(scene, sail, _colour(main) * (0.75 + 2.2 * np.abs(u))[..., None])
        sail = _polygon(u, v, (-0.008, -0.14), (-0.008, -0.02), (-0.05, -0.02))
        _paint(scene, sail, _colour(jib))
        _paint(scene, _box(u, v, -0.004, -0.17, 0.0, 0.0), _colour("#3a2a20"))
        hull = _polygon(u, v, (-0.065, -0.012), (0.08, -0.012), (0.055, 0.012), (-0.045, 0.012))
        _paint(scene, hull, _colour("#efe6d6") * (0.9 - 12 * np.abs(v))[..., None])
        shadow = _box(u, v, -0.05, 0.012, 0.06, 0.05) * (0.5 - 9 * np.abs(v - 0.012))
        _paint(scene, np.clip(shadow, 0, 1), _colour("#101a2c"))


def _lighthouse(scene: Plane, x: Plane, y: Plane) -> None:
    tower = _polygon(x, y, (0.135, 0.36), (0.195, 0.36), (0.225, 0.84), (0.105, 0.84))
    light = 0.45 + 0.75 * _smooth(0.10, 0.22, x)
    even = np.floor((y - 0.36) / 0.08)[..., None] % 2 == 0
    stripes = np.where(even, _colour("#f4eee2"), _colour("#c4302b"))
    _paint(scene, tower, stripes * light[..., None])
    _paint(scene, _box(x, y, 0.120, 0.345, 0.210, 0.362), _colour("#26262e"))
    _paint(scene, _box(x, y, 0.140, 0.285, 0.190, 0.345), _colour("#ffe9a0"))
    for post in (0.140, 0.156, 0.172, 0.188):
        _paint(scene, _box(x, y, post, 0.285, post + 0.003, 0.345), _colour("#26262e"))
    roof = _polygon(x, y, (0.165, 0.235), (0.205, 0.287), (0.125, 0.287))
    _paint(scene, roof, _colour("#8d2320") * light[..., None])
    for top in (0.47, 0.63):
        _paint(scene, _box(x, y, 0.158, top, 0.172, top + 0.035), _colour("#1b2233"))
    scene += (np.exp(-np.hypot(x - 0.165, y - 0.315) / 0.05) * 0.55)[..., None] * _colour("#ffd27a")


def _board(scene: Plane, x: Plane, y: Plane, rng: np.random.Generator) -> None:
    left, top, right, bottom = 0.55, 0.80, 0.93, 0.945
    for post in (left + 0.04, right - 0.06):
        _paint(scene, _box(x, y, post, top, post + 0.02, 1.0), _colour("#2c1d12"))
    grain = _noise(x, y * 14, 6, rng)
    wood = _colour("#b98a58") * (0.85 + 0.22 * grain[..., None])
    _paint(scene, _box(x, y, left, top, right, bottom), wood)
    dots = np.array([[mark == "#" for mark in line] for line in _LETTERS])
    column, row = (x - left - 0.05) / 0.0105, (y - top - 0.014) / 0.0105
    high, wide = dots.shape
    letters = _box(column, row, 0, 0, wide, high)
    letters *= dots[row.astype(int).clip(0, high - 1), column.astype(int).clip(0, wide - 1)]
    _paint(scene, letters, _colour("#1d1410"))
    for number, code in enumerate(_PATCHES):
        u = left + 0.024 + number * 0.042
        _paint(scene, _box(x, y, u, bottom - 0.045, u + 0.036, bottom - 0.014), _colour(code))


_GAINS = np.array([2.0, 1.0, 1.7], np.float32)  # white balance of red, green, blue in daylight


def camera_noise(
    clean: NDArray[np.uint8], *, shot: float = 0.006, read: float = 0.0004, seed: int = 0
) -> NDArray[np.uint8]:
    """Return the same picture as a camera with a noisy sensor would have taken it.

    Only the noise goes through the demosaicing, so that the clean picture stays the exact target.

    Args:
        clean: ``(H, W, 3)`` sRGB, 2x2 pixels or more.
        shot: variance per unit of light on the sensor (photon noise), white being 1.
        read: variance in the dark.
        seed: fixes the noise.

    Returns:
        ``(H, W, 3)`` sRGB.

    Raises:
        InputError: the picture is no 8-bit RGB or too small.

    Example:
        >>> grey = np.full((64, 64, 3), 128, np.uint8)
        >>> noisy = camera_noise(grey)
        >>> bool(5 < noisy.std() < 50), bool((noisy == camera_noise(grey)).all())
        (True, True)
    """
    if clean.dtype != np.uint8 or clean.ndim != 3 or clean.shape[2] != 3 or min(clean.shape) < 2:
        raise InputError(
            f"pixels of shape {clean.shape} and type {clean.dtype} do not fit; "
            "give (H, W, 3) of uint8, 2x2 pixels or more"
        )
    linear = _srgb_to_linear(to_float(clean))
    sites = _mosaic_sites(*clean.shape[:2])
    light = linear / _GAINS
    variance = shot * light + read
    noise = np.random.default_rng(seed).standard_normal(clean.shape[:2], np.float32)[..., None]
    seen = np.clip(light + noise * np.sqrt(variance), 0, 1) - light
    smeared = np.stack([_fill(seen[..., c] * sites[..., c], sites[..., c]) for c in range(3)], -1)
    noisy = _linear_to_srgb(np.clip(linear + smeared * _GAINS, 0, 1))
    return from_float(noisy, np.uint8).astype(np.uint8, copy=False)


def _mosaic_sites(height: int, width: int) -> NDArray[np.float32]:
    """Return ``(H, W, 3)``: 1 where a pixel of the sensor sees that colour, in RGGB order."""
    sites = np.zeros((height, width, 3), np.float32)
    sites[0::2, 0::2, 0] = 1
    sites[0::2, 1::2, 1] = 1
    sites[1::2, 0::2, 1] = 1
    sites[1::2, 1::2, 2] = 1
    return sites


def _fill(samples: NDArray[np.float32], sites: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give bilinear interpolation of the pixels that have no sample from the neighbours that do."""
    filled: NDArray[np.float32] = np.where(sites > 0, samples, _blur(samples) / _blur(sites))
    return filled


def _blur(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each pixel plus half of its neighbours, along both axes."""
    rows = np.pad(plane, ((1, 1), (0, 0)))
    plane = plane + (rows[:-2] + rows[2:]) / np.float32(2)
    columns = np.pad(plane, ((0, 0), (1, 1)))
    return plane + (columns[:, :-2] + columns[:, 2:]) / np.float32(2)


def _srgb_to_linear(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the curve of IEC 61966-2-1."""
    curve: NDArray[np.float32] = np.where(
        values <= SRGB_KNEE,
        values / SRGB_SLOPE,
        ((values + SRGB_OFFSET) / (1 + SRGB_OFFSET)) ** SRGB_GAMMA,
    )
    return curve


def _linear_to_srgb(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Apply the curve of IEC 61966-2-1."""
    curve: NDArray[np.float32] = np.where(
        values <= SRGB_KNEE_LIGHT,
        values * SRGB_SLOPE,
        (1 + SRGB_OFFSET) * values ** (1 / SRGB_GAMMA) - SRGB_OFFSET,
    )
    return curve
