"""What denoising asks of a runtime, and how many processors it may use."""

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..architecture import Architecture

Array = NDArray[np.float32]


def engine_for(engine: "Engine", dtype: "np.dtype[Any]") -> "Engine":
    """Return the engine for pixels of this type.

    One whose fast precision shows nothing in 8 bits may have an ``exact`` companion for more.

    Args:
        engine: any.
        dtype: of the pixels before they were converted to float32.
    """
    exact: Engine = getattr(engine, "exact", engine) if dtype != np.uint8 else engine
    return exact


class Engine(Protocol):
    """A network ready to run: float32 arrays in, float32 arrays out.

    Heights and widths are divisible by ``architecture.scale``; values are RGB in [0, 1].
    Every engine gives the same numbers within 1e-4 in float32.
    """

    @property
    def architecture(self) -> Architecture:
        """The shape of the network that this engine runs."""
        ...

    @property
    def description(self) -> str:
        """What runs and where, for people: ``"ONNX Runtime 1.32 on the CPU"``."""
        ...

    def encode(self, noisy: Array) -> Array:
        """Map ``(B, 3, H, W)`` noisy images to ``(B, 3, h, w)`` clean low-resolution ones."""
        ...

    def decode(self, low: Array, latent: Array) -> Array:
        """Return ``(1 or B, 3, h, w)`` and ``(B, 45, h, w)`` to ``(B, 3, H, W)`` images.

        One ``low`` serves a batch of latents, which are then samples of the same image: what does
        not depend on the latent is computed once.
        """
        ...


_GROUPS = Path("/sys/fs/cgroup")


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
