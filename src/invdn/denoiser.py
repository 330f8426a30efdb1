"""The public class: a model opened once, for arrays, images, tensors, bytes and files."""

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from .engines import open_engine
from .errors import EngineError, InputError
from .image.dtype import Pixels
from .inference import (
    DenoiseOptions,
    Engine,
    FileOptions,
    FileResult,
    Pipeline,
    Prediction,
    Progress,
    Region,
    denoise_content,
    denoise_file,
)
from .options import Backend, Dtype, Overrides, Strength, model_of_quality, options_with
from .photo.formats import format_of_content, suffix_of_format

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

_PILLOW_MODES = ("L", "LA", "RGB", "RGBA")
_RENAMED_METHODS = {
    "denoise_image": "call the denoiser itself: denoiser(image)",
    "denoise_with_spread": "it is called denoise_with_std now",
}

#: What :meth:`Denoiser.__call__` takes and returns.
ImageT = TypeVar("ImageT", bound="Pixels | Image | Tensor | bytes | Sequence[Any]")


class Denoiser:
    """Removes noise; opens its model once and may be used for any number of photographs.

    Args:
        model: a shipped model's name, a weights file (``.safetensors``, ``.pth``, ``.pdparams``),
            or a folder written by ``invdn export``. None: ``"fast"`` for ``quality="draft"``, else
            ``"default"``.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        options: how to denoise.
        dtype: of the convolutions: ``"auto"``, ``"float32"``, ``"float16"`` or ``"bfloat16"``.
        backend: ``"auto"``, ``"native"``, ``"onnxruntime"`` or ``"torch"``.
        **overrides: single options, over those given.

    Raises:
        WeightsError: the model is unknown, unreadable or of another network.
        EngineError: the device is not there.
        InputError: an option is outside its range, or there is none of that name.

    Example:
        >>> import numpy as np
        >>> grey = np.full((33, 47), 0.5, np.float32)
        >>> with Denoiser.from_pretrained("default", num_samples=2, seed=1) as denoiser:
        ...     denoiser(grey).shape, denoiser(grey, strength=0.5).dtype
        ((33, 47), dtype('float32'))
    """

    def __init__(
        self,
        model: str | Path | None = None,
        device: str = "auto",
        options: DenoiseOptions = DenoiseOptions(),
        *,
        dtype: Dtype = "auto",
        backend: Backend = "auto",
        **overrides: Unpack[Overrides],
    ) -> None:
        self.options = options_with(options, overrides)
        self._drafts = overrides.get("quality") == "draft"
        model = model or model_of_quality(overrides.get("quality"))
        self._engine: Engine | None = open_engine(model, device, backend, dtype)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        *,
        device: str = "auto",
        dtype: Dtype = "auto",
        backend: Backend = "auto",
        **overrides: Unpack[Overrides],
    ) -> "Denoiser":
        """Open a model: a name, a file, or a folder written by ``invdn export``.

        Arguments and errors are those of the class.
        """
        return cls(model, device, dtype=dtype, backend=backend, **overrides)

    @property
    def engine(self) -> Engine:
        """The network, ready to run.

        Raises:
            EngineError: it was closed.
        """
        if self._engine is None:
            raise EngineError("this denoiser is closed; open another one")
        return self._engine

    def close(self) -> None:
        """Release the model's memory and threads; the denoiser cannot be used afterwards."""
        self._engine = None

    def __enter__(self) -> "Denoiser":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __call__(
        self, image: ImageT, *, callback: Progress | None = None, **overrides: Unpack[Overrides]
    ) -> ImageT:
        """Denoise an image, or several, and return the same kind.

        Args:
            image: an array as :meth:`denoise` takes it; a Pillow image of mode L, LA, RGB or RGBA;
                a torch tensor ``(C, H, W)`` or ``(B, C, H, W)`` in [0, 1], C 1 or 3; the bytes of
                a photograph's file; or a list or tuple of these.
            callback: called after every pass of the network, with passes done and in all.
            **overrides: options for this call.

        Returns:
            Arrays of the same shape and type; tensors on the same device; Pillow images with the
            same ``info``; bytes in the same format, with depth and metadata kept (a raw file
            becomes TIFF, HEIC AVIF).

        Raises:
            InputError: the image is of another kind, or an option is wrong.
            ImageError: the bytes are no readable photograph.

        Example:
            >>> import numpy as np
            >>> from PIL import Image
            >>> denoiser = Denoiser()
            >>> denoiser(Image.new("RGB", (20, 10), "teal")).size
            (20, 10)
            >>> [array.shape for array in denoiser([np.zeros((8, 9)), np.zeros((5, 6, 3))])]
            [(8, 9), (5, 6, 3)]
        """
        pipeline = self._pipeline(overrides, callback)
        result: ImageT = _denoise_any(pipeline, image)
        return result

    def predict(
        self, pixels: Pixels, *, callback: Progress | None = None, **overrides: Unpack[Overrides]
    ) -> Prediction:
        """Run the network on an array, and blend nothing yet.

        Raises:
            InputError: as for :meth:`denoise`.

        Example:
            >>> import numpy as np
            >>> noisy = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
            >>> prediction = Denoiser().predict(noisy)
            >>> prediction.mean.shape, prediction.std is None
            ((24, 32, 3), True)
            >>> bool((prediction.blend(strength=0) == noisy).all())
            True
        """
        return self._pipeline(overrides, callback).predict(pixels)

    def denoise(
        self, pixels: Pixels, *, callback: Progress | None = None, **overrides: Unpack[Overrides]
    ) -> Pixels:
        """Denoise ``(H, W)`` or ``(H, W, 1 to 4)`` uint8, uint16 or float pixels in [0, 1].

        Returns:
            A new array of the same shape and type; alpha is unchanged.

        Raises:
            InputError: shape, type or values are not of these kinds.
        """
        return self._pipeline(overrides, callback).denoise(pixels)

    def denoise_region(
        self,
        pixels: Pixels,
        region: Region,
        *,
        callback: Progress | None = None,
        **overrides: Unpack[Overrides],
    ) -> Pixels:
        """Return what :meth:`denoise` gives in a part of the image, for the price of the part.

        Raises:
            InputError: as for :meth:`denoise`, or the region lies outside the image.

        Example:
            >>> import numpy as np
            >>> noisy = np.zeros((90, 120, 3), np.uint8)
            >>> Denoiser().denoise_region(noisy, Region(x=30, y=20, width=50, height=40)).shape
            (40, 50, 3)
        """
        return self._pipeline(overrides, callback).denoise_region(pixels, region)

    def denoise_with_std(
        self, pixels: Pixels, *, callback: Progress | None = None, **overrides: Unpack[Overrides]
    ) -> tuple[Pixels, NDArray[np.float32]]:
        """Denoise, and return the standard deviation of the samples in every pixel (1 = white).

        Raises:
            InputError: as for :meth:`denoise`, or the options make a single sample.

        Example:
            >>> import numpy as np
            >>> denoiser = Denoiser(num_samples=2)
            >>> clean, std = denoiser.denoise_with_std(np.zeros((8, 8, 3), np.uint8))
            >>> clean.shape, std.shape, std.dtype
            ((8, 8, 3), (8, 8, 3), dtype('float32'))
        """
        return self._pipeline(overrides, callback).denoise_with_std(pixels)

    def denoise_file(
        self,
        source: str | Path,
        target: str | Path,
        *,
        files: FileOptions = FileOptions(),
        overwrite: bool = False,
        callback: Progress | None = None,
        **overrides: Unpack[Overrides],
    ) -> FileResult:
        """Denoise the photograph ``source`` into ``target``, with depth and metadata kept.

        Args:
            source: a JPEG, PNG, TIFF, WebP, AVIF, HEIC or raw file.
            target: the file to write; its suffix decides its format.
            files: region, page, and how the target is written.
            overwrite: replace ``target`` if it exists.
            callback: called after every pass of the network.
            **overrides: options for this photograph.

        Raises:
            ImageError: the source is not a readable photograph.
            OutputError: the target exists (and ``overwrite`` is not set) or cannot be written.
        """
        return denoise_file(
            self.engine,
            Path(source),
            Path(target),
            self._options(overrides),
            replace(files, overwrite=overwrite or files.overwrite),
            callback,
        )

    def __getattr__(self, name: str) -> Any:
        if name in _RENAMED_METHODS:
            raise AttributeError(f"there is no {name!r}: {_RENAMED_METHODS[name]}")
        raise AttributeError(f"a Denoiser has no {name!r}")

    def _options(self, overrides: Overrides) -> DenoiseOptions:
        """Return the options of one call.

        Raises:
            InputError: they are wrong, or would need another model.
        """
        if overrides.get("quality") == "draft" and not self._drafts:
            raise InputError(
                "a draft takes another model: open Denoiser(quality='draft'), or Denoiser('fast')"
            )
        return options_with(self.options, overrides)

    def _pipeline(self, overrides: Overrides, callback: Progress | None) -> Pipeline:
        options = self._options(overrides)
        return Pipeline(self.engine, options, progress=callback)


def _denoise_any(pipeline: Pipeline, image: Any) -> Any:
    """Denoise an image of any kind."""
    if isinstance(image, np.ndarray):
        return pipeline.denoise(image)
    if isinstance(image, list | tuple):
        return type(image)(_denoise_any(pipeline, one) for one in image)
    if isinstance(image, bytes | bytearray | memoryview):
        return _denoise_bytes(pipeline, bytes(image))
    module = type(image).__module__.partition(".")[0]
    if module == "PIL":
        return _denoise_pillow(pipeline, image)
    if module == "torch":
        return _denoise_tensor(pipeline, image)
    raise InputError(
        "an image must be a numpy array, a Pillow image, a torch tensor, the bytes of a file, or a "
        f"list of these, not {type(image).__name__}; for a file's name there is denoise_file"
    )


def _denoise_pillow(pipeline: Pipeline, image: "Image") -> "Image":
    if image.mode not in _PILLOW_MODES:
        raise InputError(
            f"a Pillow image must have mode {', '.join(_PILLOW_MODES)}, not {image.mode}; "
            "convert it, or let denoise_file read the file, which keeps 16 bits"
        )
    from PIL import Image  # Pillow is the caller's, and nobody else needs it

    clean = Image.fromarray(pipeline.denoise(np.asarray(image)))
    clean.info.update(image.info)
    return clean


def _denoise_tensor(pipeline: Pipeline, tensor: "Tensor") -> "Tensor":
    """Denoise ``(C, H, W)`` or ``(B, C, H, W)``, values in [0, 1] or uint8."""
    import torch

    if tensor.ndim not in (3, 4) or tensor.shape[-3] not in (1, 3):
        raise InputError(
            "a tensor must be (C, H, W) or (B, C, H, W) with 1 or 3 channels, not "
            f"{tuple(tensor.shape)}"
        )
    images = tensor.detach().reshape(-1, *tensor.shape[-3:])
    if images.is_floating_point():
        images = images.float()
    arrays = images.permute(0, 2, 3, 1).cpu().numpy()
    clean = np.stack([pipeline.denoise(array) for array in arrays]).transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(clean)).reshape(tensor.shape).to(tensor)


def _denoise_bytes(pipeline: Pipeline, content: bytes) -> bytes:
    """Denoise the content of a photograph's file."""
    name = format_of_content(content[:64])
    suffix = {"heic": ".heic", "raw": ".dng"}.get(name) or suffix_of_format(name)
    written = {"heic": ".avif", "raw": ".tif"}.get(name, suffix)
    source, target = Path(f"noisy{suffix}"), Path(f"clean{written}")
    return denoise_content(
        pipeline.engine,
        io.BytesIO(content),
        source,
        target,
        pipeline.options,
        progress=pipeline.progress,
    ).content


def denoise_invdn(
    image: NDArray[Any], *, strength: Strength = "auto", channel_axis: int | None = -1
) -> NDArray[Any]:
    """Denoise an image with the shipped model, in the manner of ``skimage.restoration``.

    Args:
        image: uint8, uint16, or floating point in [0, 1]; grey where ``channel_axis`` is None, else
            with 1 to 4 channels there. Gamma-encoded, RGB.
        strength: how much of the change is made, 0 to 1; ``"auto"``: as much as the noise found.
        channel_axis: the axis of the channels.

    Returns:
        A new array of the same shape and type.

    Raises:
        InputError: shape, type or values are not of these kinds.

    Example:
        >>> noisy = np.random.default_rng(0).random((3, 20, 30), np.float32)
        >>> denoise_invdn(noisy, channel_axis=0).shape
        (3, 20, 30)
    """
    if channel_axis is None:
        if image.ndim != 2:
            raise InputError(
                f"an image of shape {image.shape} has channels: say where with channel_axis"
            )
        return np.asarray(_default_denoiser()(image, strength=strength))
    if not -image.ndim <= channel_axis < image.ndim or image.ndim != 3:
        raise InputError(f"an image of shape {image.shape} has no channels at {channel_axis}")
    moved = np.ascontiguousarray(np.moveaxis(image, channel_axis, -1))
    clean = _default_denoiser()(moved, strength=strength)
    return np.ascontiguousarray(np.moveaxis(clean, -1, channel_axis))


@cache
def _default_denoiser() -> Denoiser:
    return Denoiser()
