"""Paddle Inference: loading and running what was exported for it."""

import json
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import EngineError, MissingDependencyError

#: What ``paddle.jit.save`` writes for the name ``model``; Paddle 2 has ``.pdmodel`` for ``.json``.
PROGRAM, OLD_PROGRAM, PARAMETERS = "model.json", "model.pdmodel", "model.pdiparams"
#: What Paddle's files do not tell: the shapes of the inputs, and whose weights they are.
MANIFEST = "invdn.json"

_OLDEST = (3, 0)
_INSTALL = "pip install 'invdn[paddle]'"


def require_paddle() -> str:
    """Return the version of Paddle that is installed, if it can be used.

    Raises:
        MissingDependencyError: it is not installed, or too old.
    """
    for package in ("paddlepaddle", "paddlepaddle-gpu"):
        try:
            found = version(package)
        except PackageNotFoundError:
            continue
        numbers = tuple(map(int, re.findall(r"\d+", found)[:2]))
        if numbers < _OLDEST:
            raise MissingDependencyError(
                f"this needs Paddle {_OLDEST[0]}.{_OLDEST[1]} or later, and {package} {found} is "
                f"installed: {_INSTALL}"
            )
        return found
    raise MissingDependencyError(f"this needs Paddle: {_INSTALL}, or paddlepaddle-gpu")


def input_shapes(folder: Path) -> list[list[Any]]:
    """Return the shapes of a folder's inputs, as its manifest tells them.

    A folder without one is taken for one of the reproduction: 45 channels of noise joined to the
    image, of the published network.

    Raises:
        EngineError: the manifest is damaged.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return [[None, 48, None, None]]
    try:
        inputs = json.loads(path.read_text())["inputs"]
        return [[None, int(channels), None, None] for channels in inputs.values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{path} is damaged: export the model again") from error


def open_predictor(folder: Path, *, gpu: bool = False, threads: int = 0) -> Any:
    """Load an exported folder with Paddle Inference.

    Args:
        folder: with ``model.json`` or ``model.pdmodel``, and ``model.pdiparams``.
        gpu: run on the first GPU.
        threads: of the CPU; 0: as many as Paddle likes.
    """
    from paddle import inference  # late: seconds, and not everybody's

    program = next(path for path in (folder / PROGRAM, folder / OLD_PROGRAM) if path.is_file())
    config = inference.Config(str(program), str(folder / PARAMETERS))
    if gpu:
        config.enable_use_gpu(1000, 0)
    else:
        config.disable_gpu()
        if threads:
            config.set_cpu_math_library_num_threads(threads)
    config.disable_glog_info()
    return inference.create_predictor(config)


def run_predictor(predictor: Any, *inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a predictor on its inputs, in their order."""
    for name, values in zip(predictor.get_input_names(), inputs, strict=True):
        handle = predictor.get_input_handle(name)
        handle.reshape(values.shape)
        handle.copy_from_cpu(np.ascontiguousarray(values))
    predictor.run()
    (name,) = predictor.get_output_names()
    return np.asarray(predictor.get_output_handle(name).copy_to_cpu(), np.float32)
