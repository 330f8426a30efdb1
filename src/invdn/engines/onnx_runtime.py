"""The light engine: ONNX Runtime on the CPU, without torch."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from ..architecture import Architecture
from ..errors import EngineError
from ..inference.engine import Array
from ..weights.parameters import Parameters


class OnnxRuntimeEngine:
    """Runs a pair of exported graphs, ``encode.onnx`` and ``decode.onnx``.

    The graphs hold the structure and name their parameters as external data, so one copy of the
    parameters serves both.

    Args:
        graphs: folder of the two graphs.
        parameters: the parameters that the graphs name.
        threads: threads of the runtime.

    Raises:
        EngineError: ONNX Runtime cannot load the graphs with these parameters.
    """

    # From: benchmarks/memory.py; the runtime's arena grows in powers of two.
    process_bytes = 150_000_000
    bytes_per_pixel = 900

    def __init__(self, graphs: Path, parameters: Parameters, *, threads: int = 1) -> None:
        self.architecture: Architecture = parameters.architecture
        self.description = f"ONNX Runtime {onnxruntime.__version__} on the CPU"
        values = {
            name: onnxruntime.OrtValue.ortvalue_from_numpy(tensor)
            for name, tensor in parameters.tensors.items()
        }
        self._encode = _open_session(graphs / "encode.onnx", values, threads)
        self._decode = _open_session(graphs / "decode.onnx", values, threads)

    def encode(self, noisy: Array) -> Array:
        """Return ``(B, 3, H, W)`` to ``(B, 3, h, w)``."""
        return _run(self._encode, {"noisy": noisy})

    def decode(self, low: Array, latent: Array) -> Array:
        """Return ``(1 or B, 3, h, w)`` and ``(B, 45, h, w)`` to ``(B, 3, H, W)``."""
        return _run(self._decode, {"low": low, "latent": latent})


def _open_session(graph: Path, values: dict[str, Any], threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that wait by spinning steal the processor from each other on a busy machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors come as exceptions; warnings concern the graph's author
    try:
        # Bytes, not a path: external data must come from `values` and from nowhere else.
        content = graph.read_bytes()
        # The runtime refuses parameters that a graph does not name: `encode` ends without some.
        named = [name for name in values if name.encode() in content]
        options.add_external_initializers(named, [values[name] for name in named])
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise EngineError(f"cannot read the graph {graph}: {error.strerror}") from error
    except Exception as error:
        raise EngineError(f"ONNX Runtime cannot load {graph}: {error}") from error


def _run(session: Any, inputs: dict[str, Array]) -> Array:
    try:
        (result,) = session.run(None, inputs)
    except Exception as error:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in inputs.items())
        raise EngineError(f"ONNX Runtime failed on {shapes}: {error}") from error
    return np.asarray(result, np.float32)
