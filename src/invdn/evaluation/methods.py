"""What is measured side by side: InvDN, ready-made outputs, and any denoiser in an ONNX file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..errors import DataError, EngineError
from ..image.dtype import Pixels, to_float
from ..inference import DenoiseOptions, Engine, denoise_pixels
from ..inference.error_map import expected_error
from .samples import Sample, read_image

Floats = NDArray[np.float32]

# Any network in the field halves its input no more than six times.
_MULTIPLE = 64


@dataclass(frozen=True)
class Restoration:
    """What a method made of a noisy image.

    Attributes:
        pixels: of the shape of the noisy image; float32 in [0, 1], or the type it was stored in.
        uncertainty: ``(H, W)``, the root mean squared error that is expected around every pixel
            (1 = full range), where the method tells it.
    """

    pixels: Pixels
    uncertainty: Floats | None = None


@dataclass(frozen=True)
class Method:
    """Anything that makes a clean image of a noisy one.

    Attributes:
        name: what tables call it.
        restore: does it.
        timed: whether its time and memory are its own (not those of reading a file).
    """

    name: str
    restore: Callable[[Sample], Restoration]
    timed: bool = True


def unit_floats(pixels: Pixels) -> Floats:
    """Return pixels of any kind as float32 in [0, 1]."""
    return np.asarray(np.clip(to_float(pixels), 0, 1))


def invdn(name: str, engine: Engine, options: DenoiseOptions, *, with_uncertainty: bool) -> Method:
    """Return InvDN itself, through any engine; its result is not rounded."""

    def restore(sample: Sample) -> Restoration:
        noisy = unit_floats(sample.noisy)
        result = np.asarray(denoise_pixels(engine, noisy, options), np.float32)
        if with_uncertainty:
            return Restoration(result, expected_error(noisy, np.asarray(np.clip(result, 0, 1))))
        return Restoration(result)

    return Method(name, restore)


def noisy_input() -> Method:
    """Return the noisy image as it is: where every denoiser starts from."""
    return Method("noisy input", lambda sample: Restoration(sample.noisy), timed=False)


def precomputed_outputs(name: str, files: dict[str, Path], *, swap_red_and_blue: bool) -> Method:
    """Return outputs that lie in a folder.

    Args:
        name: what tables call it.
        files: by the names of the samples, as ``samples.open_outputs`` finds them.
        swap_red_and_blue: for outputs that were written in the wrong order of colours.
    """

    def restore(sample: Sample) -> Restoration:
        pixels = read_image(files[sample.name])
        if pixels.shape != sample.noisy.shape:
            raise DataError(
                f"{files[sample.name]} has shape {pixels.shape}, "
                f"but {sample.name!r} is {sample.noisy.shape}"
            )
        return Restoration(pixels[..., ::-1] if swap_red_and_blue and pixels.ndim == 3 else pixels)

    return Method(name, restore, timed=False)


def onnx_denoiser(name: str, file: Path) -> Method:
    """Return any network ``(1, 3, H, W) -> (1, 3, H, W)`` on RGB floats in [0, 1], stored as ONNX.

    Height and width are mirrored outwards to multiples of 64 and cut back.

    Raises:
        EngineError: the file is no such network, or cannot be run.
    """
    try:
        session: Any = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise EngineError(f"{file} is no network that ONNX Runtime can load: {error}") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
        kinds = ", ".join(f"{i.name} {i.type} {i.shape}" for i in inputs)
        raise EngineError(f"{file} takes {kinds}; expected one float32 image (1, 3, H, W)")

    def restore(sample: Sample) -> Restoration:
        noisy = unit_floats(sample.noisy)
        height, width = noisy.shape[:2]
        wide = np.broadcast_to(noisy.reshape(height, width, -1), (height, width, 3))
        edges = ((0, -height % _MULTIPLE), (0, -width % _MULTIPLE), (0, 0))
        batch = np.pad(wide, edges, mode="symmetric").transpose(2, 0, 1)[None]
        try:
            result = session.run(None, {inputs[0].name: np.ascontiguousarray(batch)})[0]
        except Exception as error:
            raise EngineError(f"{file} failed on {sample.name!r}: {error}") from error
        if result.shape != batch.shape:
            raise EngineError(f"{file} made {result.shape} of {batch.shape}: it is no denoiser")
        pixels = np.clip(result[0].transpose(1, 2, 0)[:height, :width], 0, 1)
        return Restoration(pixels if noisy.ndim == 3 else pixels.mean(axis=2))

    return Method(name, restore)
