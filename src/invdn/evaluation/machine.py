"""Where a figure was measured: machine, system and versions."""

import platform
import sys
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..engines import available_processors
from ..errors import DataError

_PACKAGES = (
    "invdn",
    "numpy",
    "onnxruntime",
    "torch",
    "pyvips",
    "opencv-python-headless",
    "scikit-image",
)


def describe_machine() -> dict[str, str]:
    """Give what to store beside every measurement; nothing in it identifies a person or a network.

    Example:
        >>> "cores" in describe_machine(), "invdn" in describe_machine()
        (True, True)
    """
    facts = {
        "processor": _processor(),
        "cores": str(available_processors()),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }
    return facts | {name: found for name in _PACKAGES if (found := _version(name))}


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    if facts.exists():
        for line in facts.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    """Return that of an installed package; of torch only where it is in use."""
    if package == "torch" and "torch" not in sys.modules:
        return None
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def fingerprint(path: Path) -> str:
    """Return SHA-256 of a file, so that a changed input is noticed.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            digest = sha256()
            while piece := file.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()
