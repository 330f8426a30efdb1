"""Draw pictures that photographs seldom show: every colour, lights, text, stars, cloth.

A picture is sketched on the host as a short list of shapes and lights, from a seed alone, and then
rendered on any device in a few operations over all of them: no files, no fonts, no loop over
pixels. Edges are as wide as a pixel or wider, periods longer than two pixels: nothing aliases.
"""

import colorsys
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import grid_sample

GLYPH_ROWS = 7
# Own rasters of 5x7 pixels: seven rows, top first, of five bits each, left pixel highest.
_ROWS = {
    "A": "0e11111f111111",
    "B": "1e11111e11111e",
    "C": "0e11101010110e",
    "D": "1c12111111121c",
    "E": "1f10101e10101f",
    "F": "1f10101e101010",
    "G": "0e11101711110f",
    "H": "1111111f111111",
    "I": "0e04040404040e",
    "J": "0702020202120c",
    "K": "11121418141211",
    "L": "1010101010101f",
    "M": "111b1515111111",
    "N": "11111915131111",
    "O": "0e11111111110e",
    "P": "1e11111e101010",
    "Q": "0e11111115120d",
    "R": "1e11111e141211",
    "S": "0f10100e01011e",
    "T": "1f040404040404",
    "U": "1111111111110e",
    "V": "11111111110a04",
    "W": "1111111515150a",
    "X": "11110a040a1111",
    "Y": "1111110a040404",
    "Z": "1f01020408101f",
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
}
GLYPHS: NDArray[np.uint8] = np.stack(
    [
        np.unpackbits(np.frombuffer(bytes.fromhex(rows), np.uint8)[:, None], axis=1)[:, 3:]
        for rows in _ROWS.values()
    ]
)
"""All of them: (36, 7, 5), 1 where there is ink."""


def draw_lines(lines: int, length: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Draw lines of random letters as one raster, with a column and a row between neighbours.

    Returns:
        (8 * lines + 1, 6 * length + 1), 1 where there is ink, 0 along the border.
    """
    chosen = GLYPHS[random.integers(len(GLYPHS), size=(lines, length))]
    chosen = chosen * (random.random((lines, length)) > 0.15)[..., None, None]  # the rest: spaces
    spaced = np.pad(chosen, ((0, 0), (0, 0), (1, 0), (1, 0)))
    raster = spaced.transpose(0, 2, 1, 3).reshape(lines * (GLYPH_ROWS + 1), -1)
    return np.pad(raster, ((0, 1), (0, 1))).astype(np.float32)


Color = tuple[float, float, float]
Random = np.random.Generator

_PLAIN, _RAMP, _STRIPES, _DOTS, _CHECKS = range(5)  # how the two colours of a shape mix
BLACK: Color = (0.0, 0.0, 0.0)


@dataclass
class Drawing:
    """A sketched picture; lengths in pixels, colours RGB in [0, 1].

    Attributes:
        background: its colour.
        shapes: boxes with rounded corners, the later above the earlier: centre x, y, half width,
            half height, radius of the corners, angle, width of the edge, opacity, both colours,
            mixture, period, phase, sharpness of the stripes.
        lights: added to what the shapes left: centre x, y, radius, colour (may exceed 1).
        text: raster of letters above the shapes, or None.
        text_place: centre x, y, pixels for each cell of the raster, angle.
        text_color: of the letters.
    """

    background: Color
    shapes: list[tuple[float, ...]] = field(default_factory=list)
    lights: list[tuple[float, ...]] = field(default_factory=list)
    text: NDArray[np.float32] | None = None
    text_place: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 0.0)
    text_color: Color = BLACK

    def add(
        self,
        center: tuple[float, float],
        half: tuple[float, float],
        color: Color,
        second: Color | None = None,
        *,
        radius: float = 0.0,
        angle: float = 0.0,
        edge: float = 1.0,
        opacity: float = 1.0,
        mixture: int = _PLAIN,
        period: float = 8.0,
        phase: float = 0.0,
        sharpness: float = 0.5,
    ) -> None:
        """Put a shape above all earlier ones; see the class for the meanings."""
        radius = min(radius, *half)
        self.shapes.append(
            (
                *(*center, *half, radius, angle, max(edge, 1.0), opacity),
                *(*color, *(second or color), float(mixture), max(period, 2.5), phase, sharpness),
            )
        )

    def cover(self, size: int, color: Color, second: Color | None = None, **look: Any) -> None:
        """Put a shape above all earlier ones that covers the whole picture."""
        self.add((size / 2, size / 2), (size, size), color, second, **look)

    def shine(self, center: tuple[float, float], radius: float, color: Color, by: float) -> None:
        """Add a round light of ``by`` times a colour in its middle."""
        self.lights.append((*center, radius, *(by * value for value in color)))


def draw_color(random: Random) -> Color:
    """Draw a colour of the RGB cube: a corner, an edge or a face of it, or its inside.

    Few channels are exactly 0: under heavy noise, which is cut off at black, a network that has
    seen many of them gives a dark channel as black.
    """
    kind = random.random()
    if kind < 0.12:
        red, green, blue = random.integers(0, 2, 3).astype(float).tolist()
    elif kind < 0.55:  # saturated: edges and faces where fully so, and what lies close to them
        value, saturation = min(1.0, random.uniform(0.05, 1.3)), min(1.0, random.uniform(0.6, 1.08))
        red, green, blue = colorsys.hsv_to_rgb(random.random(), saturation, value)
    elif kind < 0.65:
        values = random.random(3)
        values[random.integers(3)] = random.integers(2)
        red, green, blue = values.tolist()
    else:
        red, green, blue = random.random(3).tolist()
    return red, green, blue


def sketch(size: int, random: Random) -> Drawing:
    """Sketch one picture of ``size`` by ``size`` pixels, of a kind drawn at random.

    Example:
        >>> import numpy as np
        >>> first, again = (sketch(64, np.random.default_rng(5)) for _ in range(2))
        >>> first.background == again.background, len(first.shapes) == len(again.shapes)
        (True, True)
    """
    kinds = (*KINDS.values(), _flat)  # plain colours twice: the hardest for the network
    return kinds[int(random.integers(len(kinds)))](size, random)


def _place(size: int, random: Random) -> tuple[float, float]:
    return float(random.uniform(0, size)), float(random.uniform(0, size))


def _log(low: float, high: float, random: Random) -> float:
    return float(math.exp(random.uniform(math.log(low), math.log(max(low, high)))))


def _turn(random: Random) -> float:
    """Return an angle: often straight, as most that people build is."""
    return float(random.choice((0.0, math.pi / 2, random.uniform(0, math.pi))))


def _near(color: Color, spread: float, random: Random) -> Color:
    red, green, blue = np.clip(np.array(color) + spread * random.standard_normal(3), 0, 1).tolist()
    return red, green, blue


def _dark(random: Random, most: float = 0.15) -> Color:
    share = random.uniform(0, most) if random.random() < 0.6 else 0.0
    red, green, blue = (share * value for value in draw_color(random))
    return red, green, blue


def _flat(size: int, random: Random) -> Drawing:
    """Return one colour, or two or three that meet at long edges."""
    drawing = Drawing(draw_color(random))
    for _ in range(random.integers(0, 3)):
        half = (size * random.uniform(0.4, 1), size * random.uniform(0.4, 1))
        edge = _log(1, 4, random)
        drawing.add(_place(size, random), half, draw_color(random), angle=_turn(random), edge=edge)
    return drawing


def _figures(size: int, random: Random) -> Drawing:
    """Return large shapes, plain or with ramps."""
    drawing, edge = Drawing(draw_color(random)), _log(1, 3, random)
    for _ in range(random.integers(2, 12)):
        half = (_log(8, size * 0.6, random), _log(8, size * 0.6, random))
        second = draw_color(random) if random.random() < 0.3 else None
        drawing.add(
            _place(size, random),
            half,
            draw_color(random),
            second,
            radius=random.choice((0, 0, min(half))),
            angle=_turn(random),
            edge=edge,
            mixture=_RAMP if second else _PLAIN,
        )
    return drawing


def _gradients(size: int, random: Random) -> Drawing:
    """Return ramps between two to four colours, now and then with a few boxes on them."""
    drawing = Drawing(draw_color(random))
    for opacity in (1.0, 0.5)[: random.integers(1, 3)]:
        colors = draw_color(random), draw_color(random)
        middle = (size / 2, size / 2)
        half = (size * _log(0.4, 1.5, random),) * 2
        angle = random.uniform(0, math.pi)
        drawing.add(middle, half, *colors, angle=angle, opacity=opacity, mixture=_RAMP)
    for _ in range(random.integers(-3, 4)):
        half = (_log(4, 40, random), _log(4, 40, random))
        drawing.add(_place(size, random), half, draw_color(random), angle=_turn(random))
    return drawing


def _lights(size: int, random: Random) -> Drawing:
    """Return coloured lights, small to wide and beyond white, on black or nearly so."""
    drawing = Drawing(_dark(random))
    for _ in range(random.integers(2, 10)):
        radius = _log(1.5, size / 3, random)
        drawing.shine(_place(size, random), radius, draw_color(random), random.uniform(0.5, 2.5))
    for _ in range(random.integers(0, 3)):
        radius = _log(2, 25, random)
        place = _place(size, random)
        color = draw_color(random)
        drawing.add(place, (radius, radius), color, radius=radius, edge=_log(1, 4, random))
        drawing.shine(place, 2 * radius, color, random.uniform(0.2, 1))
    return drawing


def _led_wall(size: int, random: Random) -> Drawing:
    """Return a grid of coloured dots on black that shows bars and patches."""
    drawing = Drawing(BLACK)
    period, angle, phase = _log(3, 16, random), _turn(random), random.uniform(0, 6.28)
    look: dict[str, Any] = {"angle": angle, "period": period, "phase": phase, "mixture": _DOTS}
    look["sharpness"] = random.uniform(0.3, 1)
    drawing.cover(size, _dark(random), draw_color(random), **look)
    for _ in range(random.integers(1, 8)):
        half = (_log(8, size / 2, random), _log(8, size / 2, random))
        middle = _place(size, random)
        # the dots' places belong to the wall: the phase is taken from the picture's corner
        drawing.add(middle, half, BLACK, draw_color(random), **look)
    if random.random() < 0.5:
        color = draw_color(random)
        drawing.shine(_place(size, random), size / 3, color, random.uniform(0.05, 0.4))
    return drawing


def _stage(size: int, random: Random) -> Drawing:
    """Return wide saturated beams, haze, lamps and black outlines before them."""
    drawing = Drawing(_dark(random, 0.3))
    for _ in range(random.integers(1, 5)):
        half = (size * 1.5, _log(size / 20, size / 3, random))
        edge = half[1] * random.uniform(0.5, 2)
        opacity = random.uniform(0.4, 1)
        angle = random.uniform(0, math.pi)
        color = draw_color(random)
        drawing.add(_place(size, random), half, color, angle=angle, edge=edge, opacity=opacity)
    for _ in range(random.integers(0, 4)):
        drawing.shine(_place(size, random), _log(2, 30, random), draw_color(random), 1.5)
    for _ in range(random.integers(0, 4)):
        half = (_log(4, size / 5, random), _log(8, size / 2, random))
        dark = _dark(random, 0.1)
        drawing.add(_place(size, random), half, dark, radius=half[0], angle=random.normal(0, 0.3))
    return drawing


def _text(size: int, random: Random) -> Drawing:
    """Return lines of letters on a plain or graphic background."""
    drawing = _flat(size, random) if random.random() < 0.6 else _figures(size, random)
    for _ in range(random.integers(0, 4)):
        half = (_log(10, size, random), _log(0.5, 3, random))
        drawing.add(_place(size, random), half, draw_color(random), angle=_turn(random))
    cell = _log(1.2, 10, random)
    lines, length = (int(size / (cell * cells)) + 1 for cells in (8, 6))
    drawing.text = draw_lines(min(lines, 16), min(length, 24), random)
    angle = 0.0 if random.random() < 0.5 else float(random.normal(0, 0.4))
    drawing.text_place = (*_place(size, random), cell, angle)
    drawing.text_color = draw_color(random)
    return drawing


def _stars(size: int, random: Random) -> Drawing:
    """Return points of light of every brightness on a night sky, with a glow now and then."""
    drawing = Drawing(_dark(random, 0.08))
    width = random.uniform(0.65, 1.1)  # of the lens's image of a point
    for _ in range(random.integers(10, 90)):
        white = _near((0.9, 0.9, 0.9), 0.12, random)
        color = white if random.random() < 0.8 else draw_color(random)
        radius = width * _log(0.9, 1.6, random)
        drawing.shine(_place(size, random), radius, color, _log(0.08, 2, random))
    for _ in range(random.integers(-1, 3)):
        glow = random.uniform(0.02, 0.15)
        drawing.shine(_place(size, random), _log(20, size, random), draw_color(random), glow)
    if random.random() < 0.3:
        half = (size, size * random.uniform(0.2, 0.6))
        drawing.add((size / 2, size), half, BLACK, angle=random.normal(0, 0.15))
    return drawing


def _gratings(size: int, random: Random) -> Drawing:
    """Return stripes and checks from just above two pixels to wide, hard or soft."""
    drawing = Drawing(draw_color(random))
    for _ in range(random.integers(1, 7)):
        drawing.add(
            _place(size, random),
            (_log(12, size, random), _log(12, size, random)),
            draw_color(random),
            draw_color(random),
            angle=random.uniform(0, math.pi),
            mixture=int(random.choice((_STRIPES, _STRIPES, _CHECKS))),
            period=_log(2.5, 30, random),
            phase=random.uniform(0, 6.28),
            sharpness=float(random.choice((0.5, 4))),
        )
    return drawing


def _cloth(size: int, random: Random) -> Drawing:
    """Return woven threads in colours that lie near each other, with coarser patterns and folds."""
    color = draw_color(random)
    drawing, period = Drawing(color), _log(2.6, 9, random)
    angle, contrast = random.uniform(0, math.pi), _log(0.02, 0.3, random)
    look: dict[str, Any] = {"angle": angle, "phase": random.uniform(0, 6.28)}
    first, second = (_near(color, contrast, random) for _ in range(2))
    drawing.cover(size, first, second, mixture=_CHECKS, period=period, **look)
    thread = _near(color, contrast, random)
    drawing.cover(
        size, thread, color, opacity=0.4, mixture=_STRIPES, period=max(period / 2, 2.5), **look
    )
    for turned in (0, math.pi / 2)[: random.integers(0, 3)]:  # tartan
        pattern: dict[str, Any] = {
            "mixture": _STRIPES,
            "period": period * _log(3, 12, random),
            "sharpness": 4,
        }
        look = {"angle": angle + turned, "opacity": random.uniform(0.1, 0.5)}
        drawing.cover(size, draw_color(random), draw_color(random), **pattern, **look)
    for _ in range(random.integers(0, 4)):  # folds
        shade = random.uniform(0.05, 0.5)
        half = (size, _log(8, size / 2, random))
        tone: Color = BLACK if random.random() < 0.7 else (1.0, 1.0, 1.0)
        angle = random.uniform(0, math.pi)
        drawing.add(_place(size, random), half, tone, angle=angle, edge=2 * half[1], opacity=shade)
    return drawing


def _clutter(size: int, random: Random) -> Drawing:
    """Return many small shapes and lines."""
    drawing, edge = Drawing(draw_color(random)), _log(1, 2.5, random)
    for _ in range(random.integers(10, 28)):
        half = (_log(1, 20, random), _log(1, 20, random))
        if random.random() < 0.4:  # a line
            half = (_log(10, size, random), _log(0.5, 3, random))
        radius = float(random.choice((0.0, min(half))))
        angle = _turn(random)
        drawing.add(
            _place(size, random), half, draw_color(random), radius=radius, angle=angle, edge=edge
        )
    return drawing


KINDS: dict[str, Callable[[int, Random], Drawing]] = {
    "flat": _flat,
    "figures": _figures,
    "gradients": _gradients,
    "lights": _lights,
    "LED wall": _led_wall,
    "stage": _stage,
    "text": _text,
    "stars": _stars,
    "gratings": _gratings,
    "cloth": _cloth,
    "clutter": _clutter,
}
"""The kinds of pictures by name."""


def render(drawings: Sequence[Drawing], size: int, device: torch.device) -> Tensor:
    """Render sketched pictures.

    Args:
        drawings: n sketches for pictures of this size.
        size: height and width in pixels.
        device: where to compute; lists of numbers travel there, pixels do not travel.

    Returns:
        (n, 3, size, size), RGB in [0, 1], not rounded.

    Example:
        >>> picture = render([Drawing((0, 1, 0))], 8, torch.device("cpu"))
        >>> picture.shape, picture[0, :, 3, 3].tolist()
        (torch.Size([1, 3, 8, 8]), [0.0, 1.0, 0.0])
    """
    steps = torch.arange(size, device=device) + 0.5
    y, x = steps.view(1, size, 1), steps.view(1, 1, size)
    pictures = [_render(drawing, x, y, device) for drawing in drawings]
    return torch.stack(pictures).clamp(0, 1)


def _sent(values: object, device: torch.device) -> Tensor:
    return torch.as_tensor(np.asarray(values, np.float32)).to(device, non_blocking=True)


def _render(drawing: Drawing, x: Tensor, y: Tensor, device: torch.device) -> Tensor:
    size = x.shape[2]
    colors = _sent((drawing.background, drawing.text_color), device)
    picture = colors[0].view(3, 1, 1).expand(3, size, size)
    if drawing.shapes:
        coverage, first, second, mixed = _paint(_sent(drawing.shapes, device), x, y)
        clear = (1 - coverage).flip(0).cumprod(0).flip(0)  # seen through this and all above
        above = torch.cat((clear[1:], torch.ones_like(clear[:1])))
        seen = coverage * above  # (S, H, W)
        picture = picture * clear[0]
        picture = picture + torch.einsum("shw,sc->chw", seen * (1 - mixed), first)
        picture = picture + torch.einsum("shw,sc->chw", seen * mixed, second)
    if drawing.text is not None:
        picture = torch.lerp(picture, colors[1].view(3, 1, 1), _letters(drawing, x, y, device))
    if drawing.lights:
        lights = _sent(drawing.lights, device)
        column = lights.T.view(6, -1, 1, 1)
        across = torch.exp(-(((x - column[0]) / column[2]) ** 2) / 2)  # (L, 1, W)
        down = torch.exp(-(((y - column[1]) / column[2]) ** 2) / 2)  # (L, H, 1)
        picture = picture + torch.einsum("lhi,ljw,lc->chw", down, across, lights[:, 3:])
    return picture


def _paint(shapes: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return coverage (S, H, W), both colours (S, 3), and the share of the second (S, H, W)."""
    column = shapes.T.view(18, -1, 1, 1)
    cosine, sine = column[5].cos(), column[5].sin()
    u = (x - column[0]) * cosine + (y - column[1]) * sine
    v = (y - column[1]) * cosine - (x - column[0]) * sine
    # signed distance to a rounded box
    beyond_u, beyond_v = u.abs() - column[2] + column[4], v.abs() - column[3] + column[4]
    outside = torch.hypot(beyond_u.clamp(min=0), beyond_v.clamp(min=0))
    distance = outside + torch.maximum(beyond_u, beyond_v).clamp(max=0) - column[4]
    coverage = (0.5 - distance / column[6]).clamp(0, 1) * column[7]

    kind, frequency, phase = column[14], 2 * math.pi / column[15], column[16]
    steepness = torch.minimum(column[17], 0.5 / frequency).clamp(min=0.5)  # an edge of a pixel

    # patterns hang on the picture's corner, not on the shape, so that equal ones join
    across = (x * cosine + y * sine) * frequency + phase
    down = (y * cosine - x * sine) * frequency + phase
    stripes = (0.5 + steepness * across.sin()).clamp(0, 1)
    others = (0.5 + steepness * down.sin()).clamp(0, 1)
    mixed = torch.where(kind == _RAMP, (0.5 + u / (2 * column[2])).clamp(0, 1), 0.0)
    mixed = torch.where(kind == _STRIPES, stripes, mixed)
    mixed = torch.where(kind == _DOTS, stripes * others, mixed)
    mixed = torch.where(kind == _CHECKS, stripes + others - 2 * stripes * others, mixed)
    return coverage, shapes[:, 8:11], shapes[:, 11:14], mixed


def _letters(drawing: Drawing, x: Tensor, y: Tensor, device: torch.device) -> Tensor:
    """Give coverage (H, W) of the text: its raster, enlarged smoothly, with edges of one pixel."""
    raster = _sent(drawing.text, device)
    rows, columns = raster.shape
    left, top, cell, angle = drawing.text_place
    cosine, sine = math.cos(angle) / cell, math.sin(angle) / cell
    u = (x - left) * cosine + (y - top) * sine  # in cells from the middle of the text
    v = (y - top) * cosine - (x - left) * sine
    grid = torch.stack((u[0] * 2 / columns, v[0] * 2 / rows), 2)
    smooth = grid_sample(raster[None, None], grid[None], "bilinear", "zeros", align_corners=False)
    # the smooth raster rises from 0 to 1 within a cell, so an edge of one pixel is this steep
    return ((smooth[0, 0] - 0.5) * max(1.0, cell) + 0.5).clamp(0, 1)
