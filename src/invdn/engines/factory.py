"""Open a model: choose backend, device, dtype and threads."""

import math
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from ..architecture import Architecture
from ..errors import EngineError, MissingDependencyError, WeightsError
from ..inference.engine import Engine
from ..options import Backend, Dtype, check_names
from ..weights import Parameters, read_parameters

BACKENDS: tuple[Backend, ...] = get_args(Backend)
DTYPES: tuple[Dtype, ...] = get_args(Dtype)

#: Graphs of the published architecture; the parameters come from any weights file of that shape.
PUBLISHED_GRAPHS = Path(__file__).parent / "graphs"
_GROUPS = Path("/sys/fs/cgroup")


def open_engine(
    model: str | Path = "default",
    device: str = "auto",
    backend: Backend = "auto",
    dtype: Dtype = "auto",
    **unknown: Any,
) -> Engine:
    """Load a model and make it ready to run.

    Args:
        model: a shipped model's name, a weights file (``.safetensors``, official ``.pth``, Paddle
            ``.pdparams``), or a folder written by ``invdn export``.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``, or ``"auto"``: a GPU that torch can
            use, if torch is installed and there is one, else the CPU.
        backend: ``"native"`` (CPU, where it was built), ``"onnxruntime"`` (CPU), ``"torch"`` (any
            device), or ``"auto"``: torch on a GPU; on the CPU the first of native, ONNX Runtime
            and torch that can run the model.
        dtype: of the convolutions' factors. torch takes ``"float16"`` and ``"bfloat16"`` where
            they cost less than 0.02 dB; the native engine ``"bfloat16"`` where the processor
            multiplies it, and with AMX ``"bfloat16x3"`` (three products for one, as exact as
            float32); and ``engine.description`` says so. ``"auto"``: ``"float16"`` on an NVIDIA
            GPU, and of the native engine the fastest that costs less than 0.01 dB and no more than
            one step of 8 bits anywhere; photographs of more than 8 bits are then computed in
            float32.
        **unknown: nothing; old names give an error that names the new ones.

    Raises:
        InputError: there is no such argument.
        WeightsError: the model is unknown, unreadable or of another network.
        EngineError: the device is not there, or the backend cannot run the model.
        MissingDependencyError: torch is needed and not installed.

    Example:
        >>> open_engine("default", device="cpu").architecture.scale
        4
    """
    check_names(unknown, ("model", "device", "backend", "dtype"))
    if backend not in BACKENDS:
        raise EngineError(f"the backend must be one of {', '.join(BACKENDS)}, not {backend!r}")
    if dtype not in DTYPES:
        raise EngineError(f"the dtype must be one of {', '.join(DTYPES)}, not {dtype!r}")
    if device == "auto":
        device = "cpu" if backend in ("native", "onnxruntime") else available_devices()[0]
    graphs, parameters = _read_model(Path(model))
    if backend == "auto":
        backend = _fastest(device, graphs)
    if backend == "torch":
        if dtype == "auto":
            dtype = "float16" if device.startswith("cuda") else "float32"
        return _open_torch(parameters, device, dtype)
    known = {"native": ("auto", "float32", "bfloat16", "bfloat16x3")}
    if dtype not in known.get(backend, ("auto", "float32")):
        raise EngineError(f"{backend} does not compute in {dtype}; for {dtype} choose torch")
    if device != "cpu":
        raise EngineError(f"{backend} serves the CPU here; for {device!r} choose torch")
    if backend == "native":
        return _open_native(parameters, dtype)
    if graphs is None:
        raise EngineError(
            f"there is no graph for a network of {parameters.architecture}; choose torch, "
            f"or run 'invdn export {model} FOLDER' and open that folder"
        )
    from .onnx_runtime import OnnxRuntimeEngine  # late: only the backend in use is loaded

    return OnnxRuntimeEngine(graphs, parameters, threads=available_processors())


def in_float32(choices: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of :func:`open_engine` with float32 where the dtype was left open.

    For measurements, which must not depend on what a machine is fast at.

    Example:
        >>> in_float32({"model": "fast", "dtype": "auto"})["dtype"]
        'float32'
    """
    return {**choices, "dtype": "float32"} if choices.get("dtype", "auto") == "auto" else choices


def why_native_unavailable() -> str | None:
    """Return why the native engine cannot run here, or ``None`` where it can.

    Example:
        >>> reason = why_native_unavailable()
        >>> reason is None or "native engine" in reason
        True
    """
    if find_spec("._native", __package__) is None:
        return "the native engine was not built: there was no C++ compiler at installation"
    try:
        from . import _native  # late: it is compiled, and may not be there

        _native.instruction_sets("mixed_inputs")
    except ImportError as error:
        return f"the native engine cannot be loaded: {error}"
    except ValueError:  # it does not know the precision
        return "the native engine is older than the Python files beside it: install invdn again"
    return None


def available_devices() -> tuple[str, ...]:
    """Return devices that a model can run on, the fastest first; ``"cpu"`` is always the last.

    torch is asked only where it is installed and the machine seems to have a GPU, since importing
    it takes seconds.
    """
    if not (_may_have_gpu() and find_spec("torch")):
        return ("cpu",)
    import torch  # late: seconds and hundreds of megabytes

    cuda = tuple(f"cuda:{index}" for index in range(torch.cuda.device_count()))
    mps = ("mps",) if torch.backends.mps.is_available() else ()
    return (*cuda, *mps, "cpu")


def _may_have_gpu() -> bool:
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()


def available_processors() -> int:
    """Return processors that this process may use; in a container fewer than the machine has.

    Counted are those it is bound to, and no more than its control groups grant time of (``docker
    run --cpus``, Kubernetes' limits), rounded up: more threads than that would wait for each other.

    Example:
        >>> available_processors() >= 1
        True
    """
    if hasattr(os, "sched_getaffinity"):
        bound = len(os.sched_getaffinity(0))
    else:
        bound = os.cpu_count() or 1
    return max(1, math.ceil(min([bound, *_quotas()])))


def _quotas() -> Iterator[float]:
    """Yield how many processors' time each limited control group around this process may use.

    Reference:
        Linux kernel documentation: Control Group v2, "CPU Interface Files"; CFS Bandwidth Control,
        "Management" (version 1).
    """
    with suppress(OSError, ValueError):  # no Linux, or groups that may not be read
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers:
                root, names = _GROUPS, ["cpu.max"]
            elif "cpu" in controllers.split(","):
                root, names = _GROUPS / "cpu", ["cpu.cfs_quota_us", "cpu.cfs_period_us"]
            else:
                continue
            # in a container the path may be the host's: then only the root is there
            inner = PurePosixPath(path).relative_to("/")
            for group in (inner, *inner.parents):
                yield from _quota([root / group / name for name in names])


def _quota(files: list[Path]) -> Iterator[float]:
    with suppress(OSError):  # a root has no limits
        quota, period = " ".join(file.read_text() for file in files).split()
        if quota not in ("max", "-1"):
            yield int(quota) / int(period)


def model_parameters(model: str | Path) -> Parameters:
    """Read the parameters of what :func:`open_engine` would open.

    Raises:
        WeightsError: the model is unknown or unreadable.
    """
    return _read_model(Path(model))[1]


def _read_model(model: Path) -> tuple[Path | None, Parameters]:
    """Return the folder of the model's graphs, if it has graphs, and its parameters."""
    if model.is_dir():
        if (weights := model / "weights.safetensors").is_file():
            return model, read_parameters(weights)
        if (weights := model / "model.safetensors").is_file():
            return _read_model(weights)
        raise WeightsError(
            f"{model} is no folder of 'invdn export --format onnx' or '--format hugging-face': it "
            f"has neither weights.safetensors nor {weights.name}"
        )
    parameters = read_parameters(model)
    return PUBLISHED_GRAPHS if parameters.architecture == Architecture() else None, parameters


def _fastest(device: str, graphs: Path | None) -> Backend:
    """Return the backend that ``"auto"`` means."""
    if device != "cpu":
        return "torch"
    if why_native_unavailable() is None:
        return "native"
    return "onnxruntime" if graphs else "torch"


def _open_native(parameters: Parameters, dtype: str) -> Engine:
    absence = why_native_unavailable()
    if absence:
        raise EngineError(f"{absence}; choose onnxruntime or torch")
    from . import _native  # late: it is compiled, and may not be there
    from .native_engine import NativeEngine, choose_precision

    instructions = os.environ.get("INVDN_INSTRUCTIONS", "auto")
    threads = available_processors()
    if dtype == "auto":
        dtype = choose_precision(parameters, threads, instructions)
        if dtype == "float32" and instructions in _native.instruction_sets("bfloat16"):
            instructions = "auto"  # nothing of theirs is faithful
    known = _native.instruction_sets(dtype)
    if not known:
        raise EngineError(f"this processor does not multiply {dtype}; choose float32, or torch")
    if instructions not in ("auto", *known):
        raise EngineError(
            f"INVDN_INSTRUCTIONS={instructions}: in {dtype} this processor knows {', '.join(known)}"
        )
    return NativeEngine(parameters, threads=threads, instructions=instructions, precision=dtype)


def _open_torch(parameters: Parameters, device: str, dtype: str) -> Engine:
    if not find_spec("torch"):
        raise MissingDependencyError("this needs torch: pip install 'invdn[torch]'")
    from ..weights.network import build_network  # late: imports torch
    from .torch_engine import TorchEngine

    return TorchEngine(build_network(parameters), device, dtype)
