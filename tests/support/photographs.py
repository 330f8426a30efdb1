"""Small pictures and files that several tests of this room make."""

import io
from typing import Any

import numpy as np
from PIL import Image

from invdn.image.dtype import Pixels


def pixels(kind: str, shape: tuple[int, ...] = (37, 53, 3)) -> Pixels:
    """Noise over the whole range of a type; floats beyond [0, 1] as well."""
    generator = np.random.default_rng(len(shape))
    if kind == "float32":
        return generator.normal(0.5, 1, shape).astype(np.float32)
    return generator.integers(0, np.iinfo(kind).max, shape, endpoint=True).astype(kind)


def picture(mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A smooth picture in one of Pillow's modes."""
    ramp = np.linspace(0, 255, size[0] * size[1] * 3).reshape(size[1], size[0], 3)
    return Image.fromarray(ramp.astype(np.uint8)).convert(mode)


def encoded(image: Image.Image, name: str, **options: Any) -> bytes:
    """The bytes of a file as Pillow writes it."""
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()
