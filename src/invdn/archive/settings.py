"""What a worker is to do: the model, the options, and what a result notes of them."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from ..inference import DenoiseOptions, Engine, FileOptions
from ..options import Backend, Dtype
from .naming import digest_of

#: Where something else than the wanted result has its name: fail, leave it, put the result there.
Existing = Literal["refuse", "skip", "replace"]
# what bounds memory, and not what is made
_NOT_OF_THE_RESULT = ("max_memory",)


@dataclass(frozen=True)
class WorkSettings:
    """How photographs are denoised, the same on every machine.

    Attributes:
        model: name, file or folder.
        device: as of :func:`invdn.engines.open_engine`, like the next two.
        backend: what runs the network.
        dtype: of the convolutions; ``"auto"``, each machine's own choice, counts as one.
        options: how to denoise.
        files: how to read and write.
        existing: what is done where something else has the name of a result.

    Example:
        >>> WorkSettings().digest == WorkSettings(options=DenoiseOptions(seed=1)).digest
        False
    """

    model: str = "default"
    device: str = "auto"
    backend: Backend = "auto"
    dtype: Dtype = "auto"
    options: DenoiseOptions = field(default_factory=DenoiseOptions)
    files: FileOptions = field(default_factory=FileOptions)
    existing: Existing = "refuse"

    @property
    def digest(self) -> str:
        """32 digits that stand for all that decides about a result, but model and version."""
        options = asdict(self.options)
        for name in _NOT_OF_THE_RESULT:
            options.pop(name)
        decisive: dict[str, Any] = {
            "options": options,
            "page": self.files.page,
            "write": asdict(self.files.write),
            "backend": self.backend,
            "dtype": self.dtype,
        }
        return digest_of(json.dumps(decisive, sort_keys=True, default=str))

    @property
    def edition(self) -> str:
        """The version as far as it decides about a result: fixes of a version keep its bytes.

        Example:
            >>> WorkSettings().edition.count(".")
            1
        """
        return ".".join(version("invdn").split(".")[:2])

    def open_engine(self) -> Engine:
        """Open the model."""
        from ..engines import open_engine  # late: a quick --help

        return open_engine(self.model, self.device, self.backend, self.dtype)

    def model_digest(self) -> str:
        """Return 32 digits that stand for the model's parameters, whatever file they come from."""
        from ..engines import model_parameters  # late: a quick --help

        parameters = model_parameters(self.model)
        total = hashlib.sha256()
        for name, tensor in sorted(parameters.tensors.items()):
            total.update(name.encode())
            total.update(tensor.tobytes())
        return total.hexdigest()[:32]
