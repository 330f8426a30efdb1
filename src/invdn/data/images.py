"""Sets of 8-bit images from which any window can be read."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Pixels = NDArray[np.uint8]
Progress = Callable[[int, int], None]  # (done, total)


def no_progress(done: int, total: int) -> None:
    """Report to nobody."""


class ImageSource(Protocol):
    """Images of one kind (clean photographs, or one side of pairs) in one kind of storage.

    Attributes:
        names: one per image.
        sizes: ``(N, 2)`` height and width of each.
    """

    @property
    def names(self) -> Sequence[str]:
        """One name per image."""
        ...

    @property
    def sizes(self) -> NDArray[np.int64]:
        """``(N, 2)`` height and width of each."""
        ...

    def crop(self, index: int, top: int, left: int, height: int, width: int) -> Pixels:
        """Return the window ``(height, width, 3)`` of image ``index``: RGB, uint8."""
        ...


class ImageFolder:
    """Image files, decoded at every read; headers are checked at once, pixels by ``verify``.

    Args:
        files: the images, in order.
        names: what to call them; the stems of the files if not given.

    Raises:
        DataError: a file is no 8-bit image.
    """

    def __init__(self, files: Sequence[Path], names: Sequence[str] | None = None) -> None:
        self.files = tuple(files)
        self.names = tuple(names) if names is not None else tuple(p.stem for p in self.files)
        with ThreadPoolExecutor() as threads:
            sizes = list(threads.map(read_size, self.files))
        self.sizes = np.array(sizes, dtype=np.int64).reshape(-1, 2)

    def crop(self, index: int, top: int, left: int, height: int, width: int) -> Pixels:
        """See :class:`ImageSource`."""
        pixels = read_pixels(self.files[index])
        return pixels[top : top + height, left : left + width]

    def verify(self, progress: Progress = no_progress) -> None:
        """Decode every image once, so that a damaged one is found now and not hours later.

        Raises:
            ImageError: an image is truncated or damaged; the message names it.
        """
        with ThreadPoolExecutor() as threads:
            for done, _ in enumerate(threads.map(lambda p: read_pixels(p).shape, self.files), 1):
                progress(done, len(self.files))


def read_size(path: Path) -> tuple[int, int]:
    """Return height and width from the header of an 8-bit image; the pixels are not decoded.

    Raises:
        DataError: not a readable image, or not 8 bits per colour.
    """
    import pyvips

    try:
        header = pyvips.Image.new_from_file(str(path))
    except pyvips.Error as error:
        raise DataError(f"{path} is not a readable image: it is damaged or of no known kind") from (
            error
        )
    _require_8_bits(path, {"uchar": "uint8"}.get(header.format, header.format))
    return header.height, header.width


def read_pixels(path: Path) -> Pixels:
    """Decode an 8-bit image to RGB ``(H, W, 3)`` uint8, as stored (no rotation by EXIF).

    Raises:
        ImageError: not a readable image, or damaged.
        DataError: not 8 bits per colour.
    """
    from ..photo.read import read_photo  # packs are read where libvips is not installed

    stored = read_photo(path).pixels
    _require_8_bits(path, str(stored.dtype))
    pixels = np.asarray(stored, np.uint8)
    return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


def _require_8_bits(path: Path, kind: str) -> None:
    if kind != "uint8":
        raise DataError(
            f"{path} has pixels of type {kind}, but training reads 8 bits per colour: convert it "
            "to an 8-bit PNG"
        )
