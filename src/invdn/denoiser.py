"""The public face of denoising: a model opened once, for arrays, Pillow images and files."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .engines import open_engine
from .errors import InputError
from .image.dtype import Pixels
from .inference import (
    DenoiseOptions,
    Engine,
    FileOptions,
    FileResult,
    Pipeline,
    Progress,
    Region,
    denoise_file,
    denoise_pixels,
)
from .photo.write_options import WriteChoices

if TYPE_CHECKING:
    from PIL.Image import Image

_PILLOW_MODES = ("L", "LA", "RGB", "RGBA")


class Denoiser:
    """Removes noise; opens its model once and may be used for any number of photographs.

    Args:
        model: a shipped model's name, a weights file (``.safetensors``, ``.pth``, ``.pdparams``),
            or a folder written by ``invdn export``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        options: draws, symmetries, seed, tiles, strength and its companions.
        **choices: single fields of the options, over those given.

    Raises:
        WeightsError: the model is unknown, unreadable or of another network.
        EngineError: the device is not there.
        InputError: a choice is outside its range.

    Example:
        >>> import numpy as np
        >>> denoiser = Denoiser(draws=2, seed=1)
        >>> grey = np.full((33, 47), 0.5, np.float32)
        >>> denoiser.denoise(grey).shape
        (33, 47)
    """

    def __init__(
        self,
        model: str | Path = "default",
        device: str = "auto",
        options: DenoiseOptions = DenoiseOptions(),
        **choices: Any,
    ) -> None:
        unknown = choices.keys() - DenoiseOptions.__dataclass_fields__.keys()
        if unknown:
            raise InputError(f"there is no option {', '.join(sorted(unknown))}")
        self.options = replace(options, **choices)
        self.engine: Engine = open_engine(model, device)

    def denoise(self, pixels: Pixels, *, progress: Progress | None = None) -> Pixels:
        """Denoise ``(H, W)`` or ``(H, W, 1 to 4)`` uint8, uint16 or float pixels in [0, 1].

        Returns:
            A new array of the same shape and type; alpha is unchanged.

        Raises:
            InputError: shape, type or values are not of these kinds.
        """
        return denoise_pixels(self.engine, pixels, self.options, progress=progress)

    def denoise_region(
        self, pixels: Pixels, region: Region, *, progress: Progress | None = None
    ) -> Pixels:
        """What :meth:`denoise` gives in a part of the picture, for the price of the part.

        Raises:
            InputError: as for :meth:`denoise`, or the region lies outside the picture.

        Example:
            >>> import numpy as np
            >>> noisy = np.zeros((90, 120, 3), np.uint8)
            >>> Denoiser().denoise_region(noisy, Region(x=30, y=20, width=50, height=40)).shape
            (40, 50, 3)
        """
        return Pipeline(self.engine, self.options, progress=progress).denoise_region(pixels, region)

    def denoise_with_spread(
        self, pixels: Pixels, *, progress: Progress | None = None
    ) -> tuple[Pixels, NDArray[np.float32]]:
        """Denoise, and tell how much the samples differ in every pixel (1 = white).

        Raises:
            InputError: as for :meth:`denoise`, or the options make a single sample.

        Example:
            >>> import numpy as np
            >>> denoiser = Denoiser(options=DenoiseOptions(draws=2))
            >>> clean, spread = denoiser.denoise_with_spread(np.zeros((8, 8, 3), np.uint8))
            >>> clean.shape, spread.shape, spread.dtype
            ((8, 8, 3), (8, 8, 3), dtype('float32'))
        """
        return Pipeline(self.engine, self.options, progress=progress).denoise_with_std(pixels)

    def denoise_image(self, image: "Image", *, progress: Progress | None = None) -> "Image":
        """Denoise a Pillow image of mode L, LA, RGB or RGBA (8 bit).

        Returns:
            A new image of the same size and mode; its ``info`` (ICC profile, EXIF, resolution)
            is kept.

        Raises:
            InputError: another mode; ``image.convert("RGB")`` makes one that can be denoised.

        Example:
            >>> from PIL import Image
            >>> Denoiser().denoise_image(Image.new("RGB", (20, 10), "teal")).size
            (20, 10)
        """
        if image.mode not in _PILLOW_MODES:
            raise InputError(
                f"a Pillow image must have mode {', '.join(_PILLOW_MODES)}, not {image.mode}; "
                "convert it, or let denoise_file read the file, which keeps 16 bits"
            )
        from PIL import Image  # late door: Pillow is the caller's, and nobody else needs it

        clean = Image.fromarray(self.denoise(np.asarray(image), progress=progress))
        clean.info.update(image.info)
        return clean

    def denoise_file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        region: Region | None = None,
        overwrite: bool = False,
        page: int | None = None,
        choices: WriteChoices = WriteChoices(),
        progress: Progress | None = None,
    ) -> FileResult:
        """Denoise the photograph ``source`` into ``target``, with depth and metadata kept.

        With ``region`` only this part is denoised and written, as a viewer shows it. ``page`` is
        one of several pictures in the source; ``choices`` are about the target's file.

        Raises:
            ImageError: the source is not a readable photograph.
            OutputError: the target exists (and ``overwrite`` is not set) or cannot be written.
        """
        return denoise_file(
            self.engine,
            Path(source),
            Path(target),
            self.options,
            FileOptions(region=region, page=page, overwrite=overwrite, write=choices),
            progress,
        )
