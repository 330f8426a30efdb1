"""Folders that ``invdn export`` wrote, run as another program would run them."""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import numpy as np
import onnxruntime

from ..architecture import Architecture
from ..errors import EngineError, InputError
from ..inference.engine import Array
from ..inference.sampling import LatentField
from .factory import available_processors

#: What makes a folder one of these, in the order in which they are looked for.
_PADDLE_PROGRAMS = ("model.json", "model.pdmodel")
_PADDLE_PARAMETERS = "model.pdiparams"

_COLOURS = 3
_DIMENSIONS = 4  # of a batch of images

Device = Literal["cpu", "gpu"]


class ExportedModel:
    """Denoise with the files in a folder alone: ONNX Runtime or Paddle Inference.

    A folder of ``--format onnx`` is run by its ``denoise.onnx``, or by its plain graph if that is
    all there is; one of ``--format paddle`` by its program, which may be one of the reproduction
    as well (``model.pdmodel`` with noise joined to the image). Border and latent are those of
    :meth:`invdn.Denoiser.predict`, and so is the result; the plain graph's latent is always 0.

    Args:
        folder: that ``invdn export`` wrote.
        device: ``"cpu"`` or ``"gpu"``.
        threads: of the CPU; 0 takes one for each processor of this process.
        border: mirrored pixels around the image, of which the model sees more than it is asked
            for; None for the architecture's. The plain graph has its own inside.

    Raises:
        EngineError: the folder holds no such files, they cannot be loaded, are not of an InvDN, or
            there is no GPU.
        InputError: the border is no multiple of the network's scale.
        MissingDependencyError: it is for Paddle, and Paddle is not installed or too old.
    """

    def __init__(
        self, folder: Path, *, device: Device = "cpu", threads: int = 0, border: int | None = None
    ) -> None:
        threads = threads or available_processors()
        if not folder.is_dir():
            raise EngineError(f"there is no folder {folder}")
        graphs = [folder / "denoise.onnx", *sorted(folder.glob("plain*.onnx"))]
        programs = [folder / name for name in _PADDLE_PROGRAMS]
        if graph := next(filter(Path.is_file, graphs), None):
            self.file = graph
            self.description, self._run, shapes = _open_onnx(graph, device, threads)
        elif program := next(filter(Path.is_file, programs), None):
            self.file = program
            self.description, self._run, shapes = _open_paddle(folder, device, threads)
        else:
            raise EngineError(
                f"{folder} holds no exported model (denoise.onnx, plain.onnx, model.json or "
                f"model.pdmodel): write one with 'invdn export default {quote(str(folder))}'"
            )
        self._read_interface(shapes, border)

    def __call__(self, noisy: Array, seed: int = 0, latent_std: float = 0.0) -> Array:
        """Denoise one image of any size.

        Args:
            noisy: (H, W, 3), RGB in [0, 1].
            seed: of the latent, where the model takes one.
            latent_std: its standard deviation; 0 is the middle of the distribution.

        Returns:
            (H, W, 3), not clipped.

        Raises:
            EngineError: the model is of another fixed size, fails, or gives no image of this size.
        """
        height, width, _ = noisy.shape
        border = self._border
        below, right = (border + -edge % self._scale for edge in (height, width))
        padded = np.pad(noisy, ((border, below), (border, right), (0, 0)), mode="reflect")
        if self._fixed and self._fixed != padded.shape[:2]:
            raise EngineError(
                f"{self.file} takes images of {self._fixed[0]}x{self._fixed[1]} only, and this one "
                f"is {height}x{width}: export it without --size"
            )
        image = np.ascontiguousarray(padded.transpose(2, 0, 1)[None], np.float32)
        try:
            result = self._run(*self._inputs(image, seed, latent_std))
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
            raise EngineError(f"{self.file} fails on {height}x{width} pixels: {reason}") from error
        if result.shape != image.shape:
            raise EngineError(
                f"{self.file} is no InvDN: from {image.shape} it makes {result.shape}"
            )
        whole = np.asarray(result[0].transpose(1, 2, 0))
        return whole[border : border + height, border : border + width]

    def _read_interface(self, shapes: list[list[Any]], border: int | None) -> None:
        """Find out from the inputs' shapes what the model takes."""
        channels = [shape[1] for shape in shapes if len(shape) == _DIMENSIONS]
        known = len(channels) == len(shapes) and all(isinstance(c, int) for c in channels)
        if not known or len(shapes) not in (1, 2) or (len(shapes) == 2 and channels[0] != _COLOURS):
            raise EngineError(f"{self.file} is no InvDN of RGB images: its inputs are {shapes}")
        self._joined = len(shapes) == 1 and channels[0] > _COLOURS  # noise joined to the image
        latent = channels[0] - _COLOURS if len(shapes) == 1 else channels[1]
        self._scale = scale = isqrt(max(0, latent) // _COLOURS + 1)
        if latent != _COLOURS * (scale**2 - 1) or scale & (scale - 1):
            raise EngineError(f"{self.file} is no InvDN of RGB images: its inputs are {shapes}")
        self._latent_channels = latent
        levels = scale.bit_length() - 1  # 0 of the plain graph, which has its border inside
        own = Architecture(blocks=(1,) * levels, features=1).border if levels else 0
        self._border = own if border is None or not levels else border
        if self._border < 0 or self._border % scale:
            raise InputError(f"the border must be 0 or a multiple of {scale}, not {border}")
        sides = shapes[0][2:]
        self._fixed = tuple(sides) if all(isinstance(s, int) and s > 0 for s in sides) else ()

    def _inputs(self, image: Array, seed: int, std: float) -> tuple[Array, ...]:
        if not self._latent_channels:
            return (image,)
        height, width = (edge // self._scale for edge in image.shape[2:])
        field = LatentField(self._latent_channels, seed)
        latent = field.window(0, 0, height, width)[None] * np.float32(std)
        if not self._joined:
            return image, latent
        noise = latent.repeat(self._scale, axis=2).repeat(self._scale, axis=3)  # averaged inside
        return (np.concatenate([image, noise], axis=1),)


Opened = tuple[str, Callable[..., Array], list[list[Any]]]


def _open_onnx(graph: Path, device: Device, threads: int) -> Opened:
    provider = "CUDAExecutionProvider" if device == "gpu" else "CPUExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        raise EngineError(
            "ONNX Runtime has no GPU here: install onnxruntime-gpu, or take --device cpu"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors come as exceptions
    try:
        session = onnxruntime.InferenceSession(graph, options, providers=[provider])
    except Exception as error:
        raise EngineError(f"ONNX Runtime cannot load {graph}: {error}") from error
    names = [value.name for value in session.get_inputs()]
    kinds = {value.type for value in (*session.get_inputs(), *session.get_outputs())}
    if len(session.get_outputs()) != 1 or kinds != {"tensor(float)"}:
        found = ", ".join(f"{value.name} ({value.type})" for value in session.get_outputs())
        raise EngineError(
            f"{graph} is no InvDN of float32: from {', '.join(names)} it makes {found}"
        )

    def run(*inputs: Array) -> Array:
        (result,) = session.run(None, dict(zip(names, inputs, strict=True)))
        return np.asarray(result, np.float32)

    shapes = [list(value.shape) for value in session.get_inputs()]
    return f"ONNX Runtime {onnxruntime.__version__} on the {device.upper()}", run, shapes


def _open_paddle(folder: Path, device: Device, threads: int) -> Opened:
    from ..weights.paddle_runtime import input_shapes, open_predictor, require_paddle, run_predictor

    paddle_version = require_paddle()
    if not (folder / _PADDLE_PARAMETERS).is_file():
        raise EngineError(f"{folder} holds a program for Paddle but no {_PADDLE_PARAMETERS}")
    try:
        predictor = open_predictor(folder, gpu=device == "gpu", threads=threads)
    except Exception as error:
        reason = str(error).strip().splitlines()[-1]
        raise EngineError(f"Paddle Inference cannot load {folder}: {reason}") from error
    shapes = input_shapes(folder)
    if len(shapes) != len(predictor.get_input_names()):
        raise EngineError(f"{folder}: the program has inputs {predictor.get_input_names()}")
    description = f"Paddle Inference {paddle_version} on the {device.upper()}"
    return description, lambda *inputs: run_predictor(predictor, *inputs), shapes
